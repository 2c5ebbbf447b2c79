"""Removing blobs for good: what a store has of each, and that alone goes which was listed before.

In a bucket that keeps versions, to remove an object only hides it. So each version is removed by
its own name, and what somebody puts meanwhile is another version, which stays. Where there are no
versions, what is put meanwhile has the same name: there nobody may put anything while this goes
on, which whoever calls this sees to (`storage.blob_claims`).

A bucket may lock versions (S3 Object Lock): those stay until a date, whoever asks. The date of a
lock stays with the version when it has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sealift_registry.storage import s3_faults, s3_lists
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import ASKED
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.vocabulary import moment
from sealift_sync.blobs import BlobFolder, BlobStore

FOR_EVER = "9999"
"""Until when, of what is held until somebody lets it go: later than all dates."""
SKEW = timedelta(minutes=15)
"""How far a server's clock may be from ours: what is signed by one further off it refuses."""
_REFUSED = range(400, 500)
"""HTTP's statuses of what is not done because of what was asked."""
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
    return _versioning(store) == "Enabled"


def has_versions(store: BlobStore) -> bool:
    """Whether there may be versions, kept today or, until it was suspended, before."""
    return _versioning(store) in {"Enabled", "Suspended"}


def _versioning(store: BlobStore) -> str:
    if not isinstance(store, S3Blobs):
        return ""
    try:
        with store.calls.told():
            return str(store.calls.ask("get_bucket_versioning").get("Status") or "")
    except SealiftError:
        return ""


def stored(store: BlobStore, *, versions: bool) -> Iterator[StoredBlob]:
    """All blobs of a store, in order; `versions` is whether there are any (`has_versions`).

    Raises:
        FailedError: it could not be read.
    """
    if not versions or not isinstance(store, S3Blobs):
        for digest, size in store.listed():
            yield StoredBlob(digest, size)
        return
    with _allowed(store):
        for digest, found in s3_lists.versions(store.calls, store.address.key("sha256/")):
            older = tuple(one.id for one in found if not one.is_latest)
            size = sum(one.size for one in found)
            yield StoredBlob(digest, size, tuple(one.id for one in found), older)


def locked(store: BlobStore, blobs: Sequence[StoredBlob], now: datetime) -> dict[str, str]:
    """Until when the store keeps some of these blobs, whoever asks: a time, or `FOR_EVER`.

    Raises:
        FailedError: it could not be asked.
    """
    if not isinstance(store, S3Blobs) or not _locks(store):
        return {}
    with _allowed(store):
        return _latest(blobs, lambda digest, version: _until(store, digest, version, now))


def remove(store: BlobStore, blobs: Sequence[StoredBlob], now: datetime) -> dict[str, str]:
    """Remove these blobs as they were listed; it is no error if one is gone.

    Returns:
        As `locked`: those of which something is locked all the same, and was therefore left.

    Raises:
        FailedError: the store could not be written to.
    """
    if not isinstance(store, S3Blobs):
        for one in blobs:
            store.remove(one.sha256)
        return {}
    with _allowed(store):
        return _latest(blobs, lambda digest, version: _remove(store, digest, version, now))


def unfinished(store: BlobStore) -> int:
    """How many blobs were begun by whoever never finished them; none where it cannot be told.

    Where they are sent in parts, that is known of those alone that were begun long ago.
    """
    if isinstance(store, S3Blobs):
        with suppress(SealiftError):
            return len(store.unfinished())
    return store.sweep(lambda _: None) if isinstance(store, BlobFolder) else 0


def sweep(store: BlobStore) -> None:
    """Remove those, on a server also where somebody just looked for them."""
    with suppress(SealiftError):  # it is in nobody's way, and left to the next one
        store.sweep_now() if isinstance(store, S3Blobs) else store.sweep()


@contextmanager
def _allowed(store: S3Blobs) -> Iterator[None]:
    """Where it is said what a hub that takes in and delivers needs not, and this does."""
    try:
        yield
    except FailedError as bad:
        if bad.code != "blobs-forbidden":
            raise
        raise FailedError(
            "gc-forbidden",
            "These credentials may not list, look at or delete versions at the store of blobs "
            f"{store.where}.",
            subject=store.where,
            next_step="Have whoever keeps the bucket allow what docs/how-to/keep-blobs-on-s3.md "
            "says of gc; or give it credentials of its own, as by AWS_PROFILE. Then run it again.",
        ) from bad


def _latest(blobs: Sequence[StoredBlob], ask: Callable[[str, str], str]) -> dict[str, str]:
    """The latest time, if any, that `ask` gives of versions of a blob: some are asked at once."""
    asked = [(one.sha256, version) for one in blobs for version in one.versions or ("",)]
    until: dict[str, str] = {}
    with ThreadPoolExecutor(ASKED) as hands:
        found = zip(asked, hands.map(lambda one: ask(*one), asked), strict=True)
        for (digest, _), said in found:
            if said:
                until[digest] = max(said, until.get(digest, ""))
    return until


def _remove(store: S3Blobs, digest: str, version: str, now: datetime) -> str:
    """Remove a version; until when it stays, where it is locked."""
    named = {"VersionId": version} if version else {}
    with store.calls.told():
        try:
            store.calls.ask("delete_object", Key=store.key(digest), **named)
        except Exception as bad:
            if s3_faults.is_missing(bad):
                return ""
            refused = version and s3_faults.status_of(bad) in _REFUSED
            # By the server's clock it may be locked for some minutes more.
            until = _until(store, digest, version, now - SKEW) if refused else ""
            if not until:
                raise
            return until
    return ""


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


def _until(store: S3Blobs, digest: str, version: str, now: datetime) -> str:
    """Until when a version is kept; empty where it may go."""
    ask = partial(_answer, store, Key=store.key(digest), VersionId=version)
    if (ask("get_object_legal_hold", "LegalHold").get("Status")) == "ON":
        return FOR_EVER
    until = ask("get_object_retention", "Retention").get("RetainUntilDate")
    return moment(until) if isinstance(until, datetime) and until > now else ""


def _answer(store: S3Blobs, operation: str, member: str, **named: str) -> dict[str, object]:
    with store.calls.told():
        try:
            found = store.calls.ask(operation, **named).get(member)
        except Exception as bad:
            if s3_faults.code_of(bad) in _NO_LOCK or s3_faults.is_missing(bad):
                return {}
            raise
    return found if isinstance(found, dict) else {}
