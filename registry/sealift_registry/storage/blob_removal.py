"""Removing blobs for good: what a store has of each, and that alone goes which was listed before.

In a bucket that keeps versions, to remove an object only hides it. So each version is removed by
its own name, and what somebody puts meanwhile is another version, which stays. Where there are no
versions, what is put meanwhile has the same name: there nobody may put anything while this goes
on, which whoever calls this sees to (`storage.blob_claims`).

A bucket may lock versions (S3 Object Lock): those stay until a date, whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sealift_registry.storage import s3_faults, s3_lists
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import ASKED
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import moment
from sealift_sync.blobs import BlobStore

FOR_EVER = "9999"
"""Until when, of what is held until somebody lets it go: later than all dates."""
_NO_LOCK = {
    "NoSuchObjectLegalHold",
    "NoSuchObjectLockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "InvalidRequest",
    "MethodNotAllowed",
    "NotImplemented",
}
"""What servers answer of an object, or a bucket, that locks nothing."""


@dataclass(frozen=True)
class StoredBlob:
    """A blob as a store has it.

    Attributes:
        size: the bytes of all that is kept of it.
        versions: their names, where it has any.
        older: those of them that are not the newest.
    """

    sha256: str
    size: int
    versions: tuple[str, ...] = ()
    older: tuple[str, ...] = ()


def keeps_versions(store: BlobStore) -> bool:
    """Whether each version of a blob has a name of its own there; where it cannot be told, not."""
    if not isinstance(store, S3Blobs):
        return False
    try:
        with store.calls.told():
            return bool(store.calls.ask("get_bucket_versioning").get("Status") == "Enabled")
    except SealiftError:
        return False


def stored(store: BlobStore, *, versions: bool) -> Iterator[StoredBlob]:
    """All blobs of a store, in order; `versions` is whether it keeps them (`keeps_versions`).

    Raises:
        FailedError: it could not be read.
    """
    if not versions or not isinstance(store, S3Blobs):
        for digest, size in store.listed():
            yield StoredBlob(digest, size)
        return
    for digest, found in s3_lists.versions(store.calls, store.address.key("sha256/")):
        older = tuple(one.id for one in found if not one.is_latest)
        size = sum(one.size for one in found)
        yield StoredBlob(digest, size, tuple(one.id for one in found), older)


def locked(store: BlobStore, blobs: Sequence[StoredBlob]) -> dict[str, str]:
    """Until when the store keeps some of these blobs, whoever asks: a time, or `FOR_EVER`.

    Raises:
        FailedError: it could not be asked.
    """
    if not isinstance(store, S3Blobs) or not _locks(store):
        return {}
    asked = [(one.sha256, version) for one in blobs for version in one.versions]
    until: dict[str, str] = {}
    with ThreadPoolExecutor(ASKED) as hands:
        found = zip(asked, hands.map(lambda one: _until(store, *one), asked), strict=True)
        for (digest, _), said in found:
            if said:
                until[digest] = max(said, until.get(digest, ""))
    return until


def remove(store: BlobStore, blobs: Sequence[StoredBlob]) -> None:
    """Remove these blobs as they were listed; it is no error if one is gone.

    Raises:
        FailedError: the store could not be written to.
    """
    if not isinstance(store, S3Blobs):
        for one in blobs:
            store.remove(one.sha256)
        return
    asked = [(one.sha256, version) for one in blobs for version in one.versions or ("",)]
    with ThreadPoolExecutor(ASKED) as hands:
        for _ in hands.map(lambda one: _remove(store, *one), asked):
            pass


def _remove(store: S3Blobs, digest: str, version: str) -> None:
    named = {"VersionId": version} if version else {}
    with store.calls.told():
        try:
            store.calls.ask("delete_object", Key=store.key(digest), **named)
        except Exception as bad:
            if not s3_faults.is_missing(bad):
                raise


def _locks(store: S3Blobs) -> bool:
    """Whether the bucket may lock anything; who may not ask is told when a version stays."""
    with store.calls.told():
        try:
            said = store.calls.ask("get_object_lock_configuration")
        except Exception as bad:
            if s3_faults.code_of(bad) in {*_NO_LOCK, "AccessDenied"} or s3_faults.is_missing(bad):
                return False
            raise
    about = said.get("ObjectLockConfiguration") or {}
    return bool(about.get("ObjectLockEnabled") == "Enabled")


def _until(store: S3Blobs, digest: str, version: str) -> str:
    """Until when a version is kept; empty where it may go."""
    ask = partial(_answer, store, Key=store.key(digest), VersionId=version)
    if (ask("get_object_legal_hold", "LegalHold").get("Status")) == "ON":
        return FOR_EVER
    until = ask("get_object_retention", "Retention").get("RetainUntilDate")
    return moment(until) if isinstance(until, datetime) else ""


def _answer(store: S3Blobs, operation: str, member: str, **named: str) -> dict[str, object]:
    with store.calls.told():
        try:
            found = store.calls.ask(operation, **named).get(member)
        except Exception as bad:
            if s3_faults.code_of(bad) in _NO_LOCK or s3_faults.is_missing(bad):
                return {}
            raise
    return found if isinstance(found, dict) else {}
