"""What lies below a prefix on an S3 server, page by page: of ours, in order, and with an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sealift_registry.storage import s3_answers
from sealift_registry.storage.s3_calls import Calls
from sealift_signing.errors import FailedError
from sealift_signing.vocabulary import SHA256

MOST_PAGES = 100_000
"""Pages of a list, which at a thousand each are a hundred million blobs: more have no end."""

Mark = Mapping[str, str]


@dataclass(frozen=True)
class Version:
    """A version of a blob, or that it was deleted, which has no bytes.

    Attributes:
        id: the server's name for it.
        size: in bytes.
        is_latest: whether it is what is read when no version is named.
    """

    id: str
    size: int
    is_latest: bool


def blobs(calls: Calls, folder: str) -> Iterator[list[tuple[str, int]]]:
    """Every blob in `folder` with its size, by pages.

    Each page goes on behind the last key before it: how long tokens are good, servers do not say.

    Raises:
        FailedError: the list cannot be read, is of something else, in no order, or without an end.
    """
    last = ""
    for page in _pages(calls, "list_objects_v2", folder, _behind):
        some = [one for one in _blobs_of(page, folder, calls.address.where) if one[0] > last]
        last = some[-1][0] if some else last
        yield some


def versions(calls: Calls, folder: str) -> Iterator[tuple[str, list[Version]]]:
    """Every blob in `folder`, also one that was deleted, with all versions and deletions of it.

    Raises:
        FailedError: as of `blobs`.
    """
    name, some = "", list[Version]()
    for page in _pages(calls, "list_object_versions", folder, _next_versions):
        for digest, version in _versions_of(page, folder, calls.address.where):
            if digest < name:
                raise s3_answers.odd(calls.address.where, "a list that is not in order")
            if digest != name:
                if some:
                    yield name, some
                name, some = digest, []
            some.append(version)
    if some:
        yield name, some


def uploads(calls: Calls, folder: str) -> Iterator[dict[str, Any]]:
    """Every upload in parts that was begun below `folder` and neither completed nor aborted.

    Raises:
        FailedError: as of `blobs`.
    """
    for page in _pages(calls, "list_multipart_uploads", folder, _next_marks):
        yield from page.get("Uploads") or ()


def _pages(
    calls: Calls, operation: str, folder: str, following: Callable[[dict[str, Any]], Mark]
) -> Iterator[dict[str, Any]]:
    mark: Mark = {}
    for _ in range(MOST_PAGES):
        with calls.told():
            page = calls.ask(operation, Prefix=folder, **mark)
        yield page
        if not page.get("IsTruncated"):
            return
        behind = following(page)
        if behind == mark or not all(behind.values()):
            raise _endless(calls.address.where)
        mark = behind
    raise _endless(calls.address.where)


def _blobs_of(page: dict[str, Any], folder: str, where: str) -> list[tuple[str, int]]:
    """The blobs of a page. What is left out of a list would be taken for missing."""
    found = [(str(one["Key"]), int(one["Size"])) for one in page.get("Contents") or ()]
    if not all(key.startswith(folder) for key, _ in found):
        raise s3_answers.odd(where, "a list of other keys than were asked for")
    named = [(key.removeprefix(folder), size) for key, size in found]
    ours = [(name, size) for name, size in named if SHA256.matches(name)]
    if any(one[0] >= other[0] for one, other in pairwise(ours)):
        raise s3_answers.odd(where, "a list that is not in order")
    return ours


def _versions_of(page: dict[str, Any], folder: str, where: str) -> Iterator[tuple[str, Version]]:
    """Versions and deletions of a page, which are two lists, by their keys."""
    listed = [*(page.get("Versions") or ()), *(page.get("DeleteMarkers") or ())]
    for one in sorted(listed, key=lambda one: str(one["Key"])):
        key, version = str(one["Key"]), str(one.get("VersionId") or "")
        if not key.startswith(folder) or not version:
            raise s3_answers.odd(where, "a list of something else than versions of what was asked")
        if SHA256.matches(key.removeprefix(folder)):
            is_latest = one.get("IsLatest") is True
            yield key.removeprefix(folder), Version(version, int(one.get("Size") or 0), is_latest)


def _next_versions(page: dict[str, Any]) -> Mark:
    key, version = page.get("NextKeyMarker"), page.get("NextVersionIdMarker")
    marks = {"KeyMarker": str(key or "")}
    return marks | {"VersionIdMarker": str(version)} if version else marks


def _behind(page: dict[str, Any]) -> Mark:
    found = page.get("Contents")
    if not found:  # a page of nothing, as behind many that were deleted: there is only its token
        return {"ContinuationToken": str(page.get("NextContinuationToken") or "")}
    return {"StartAfter": str(found[-1].get("Key", ""))}


def _next_marks(page: dict[str, Any]) -> Mark:
    key, upload = page.get("NextKeyMarker"), page.get("NextUploadIdMarker")
    if upload and not key:  # SeaweedFS lists by uploads alone
        return {"UploadIdMarker": str(upload)}
    marks = {"KeyMarker": str(key or "")}
    return marks | {"UploadIdMarker": str(upload)} if upload else marks


def _endless(where: str) -> FailedError:
    return FailedError(
        "blobs-list-endless",
        f"The store of blobs {where} lists the same again and again, or has no end of it.",
        subject=where,
        next_step="Use another S3 server, or a newer release of it.",
    )
