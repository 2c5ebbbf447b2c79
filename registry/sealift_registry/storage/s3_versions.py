"""Older versions of a blob in a bucket that keeps them: what was overwritten, or removed, is there.

Nothing else of the hub asks for versions: what counts is the newest. Whoever lost that may have it
back, once its bytes were hashed.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, cast

from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import ASKED
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError
from sealift_sync.blobs import BlobStore

MOST = 100
"""Versions of one blob that are looked at, the newest first: it was hardly damaged more often."""


def kept(store: BlobStore, digests: Collection[str]) -> frozenset[str]:
    """Those of which the store has older versions, whole or not; not where it cannot be told."""
    if not isinstance(store, S3Blobs):
        return frozenset()

    def is_kept(digest: str) -> bool:
        try:
            return next(_versions(store, digest), None) is not None
        except SealiftError:  # it may not be asked, or knows no versions
            return False

    with ThreadPoolExecutor(ASKED) as hands:
        found = zip(digests, hands.map(is_kept, digests), strict=True)
        return frozenset(digest for digest, older in found if older)


def brought_back(store: BlobStore, digest: str) -> bool:
    """Whether an older version that is whole was put in the place of what is lost or damaged.

    Its bytes are hashed on their way, as whatever comes from elsewhere. What then lies there is
    for the caller to look at.

    Raises:
        FailedError: the store could not be read or written.
    """
    if not isinstance(store, S3Blobs):
        return False
    try:
        versions = list(_versions(store, digest))
    except SealiftError:
        return False
    for version in versions:
        try:
            with _opened(store, digest, version) as data:
                store.put(data, expect=digest, anew=True)
        except (NotFoundError, RefusedError):
            continue  # purged meanwhile, or no better
        return True
    return False


def _versions(store: S3Blobs, digest: str) -> Iterator[str]:
    """The ids of its older versions, the newest first."""
    key = store.key(digest)
    with store.calls.told():
        page = store.calls.ask("list_object_versions", Prefix=key, MaxKeys=MOST)
    for one in page.get("Versions", ()):
        older = one.get("Key") == key and one.get("IsLatest") is not True
        if older and isinstance(one.get("VersionId"), str):
            yield one["VersionId"]


def _opened(store: S3Blobs, digest: str, version: str) -> BinaryIO:
    """One version, read as it comes: where it is cut off, that is an error."""
    with store.calls.told():
        answer = store.calls.ask("get_object", Key=store.key(digest), VersionId=version)
    return cast("BinaryIO", io.BufferedReader(_Told(store, answer["Body"]), 1))


class _Told(io.RawIOBase):
    """The body of an answer, whose errors are told in words."""

    def __init__(self, store: S3Blobs, body: Any) -> None:  # noqa: ANN401 - botocore's own
        super().__init__()
        self._store, self._body = store, body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever holds bytes, as in `io`
        with self._store.calls.told():
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()
