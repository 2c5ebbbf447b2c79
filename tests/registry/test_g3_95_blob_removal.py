"""Removing blobs for good: what was listed goes, and what was put since stays; on every store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from sealift_registry.storage import blob_removal, s3_lists
from sealift_registry.storage.blob_removal import FOR_EVER, StoredBlob, keeps_versions, stored
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_signing.errors import FailedError
from sealift_signing.vocabulary import moment
from sealift_sync.blobs import BlobFolder, BlobStore
from tests.servers.seaweed import blobs_at, seaweed

pytestmark = pytest.mark.socket


def versioned(store: BlobStore, *, lock: bool = False) -> S3Blobs:
    assert isinstance(store, S3Blobs)
    there, client = {"Bucket": store.address.bucket}, seaweed().client()
    if lock:
        client.delete_bucket(**there)
        client.create_bucket(**there, ObjectLockEnabledForBucket=True)
    client.put_bucket_versioning(**there, VersioningConfiguration={"Status": "Enabled"})
    return store


@pytest.fixture(params=["folder", "s3", "s3-versions"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BlobStore]:
    if request.param == "folder":
        yield BlobFolder(tmp_path / "blobs")
        return
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    made = seaweed().blobs(tmp_path / "work")
    yield made if request.param == "s3" else versioned(made)


def listed(store: BlobStore) -> list[StoredBlob]:
    return list(stored(store, versions=keeps_versions(store)))


def now() -> datetime:
    return datetime.now(UTC)


def put_anew(store: BlobStore, data: bytes) -> str:
    return store.put(BytesIO(data), expect=sha256(data).hexdigest(), anew=True).sha256


def test_g3_95_what_is_removed_is_gone_and_nothing_else(store: BlobStore) -> None:
    digests = sorted(store.put_bytes(b"%d" % n).sha256 for n in range(5))
    found = listed(store)
    assert [one.sha256 for one in found] == digests
    assert [one.size for one in found] == [1] * 5
    blob_removal.remove(store, found[:2], now())
    blob_removal.remove(store, found[:2], now())
    assert [one.sha256 for one in listed(store)] == digests[2:]
    assert list(store.digests()) == digests[2:]
    assert store.put_bytes(store.read(digests[2])).sha256 == digests[2]
    assert blob_removal.locked(store, found, now()) == {}


def test_g3_96_what_was_put_since_it_was_listed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gc that was suspended for an hour removes what it listed, and not what counts by now."""
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    store = versioned(seaweed().blobs(tmp_path / "work"))
    digest = store.put_bytes(b"some").sha256
    before = listed(store)
    put_anew(store, b"some")
    blob_removal.remove(store, before, now())
    assert store.read(digest) == b"some"
    (left,) = listed(store)
    assert len(left.versions) == 1
    assert not set(left.versions) & set(before[0].versions)


def test_g3_96_versions_and_deletions_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    store = versioned(seaweed().blobs(tmp_path / "work"))
    twice, hidden = put_anew(store, b"twice"), put_anew(store, b"hidden")
    put_anew(store, b"twice")
    store.remove(hidden)
    found = {one.sha256: one for one in listed(store)}
    assert (found[twice].size, len(found[twice].versions), len(found[twice].older)) == (10, 2, 1)
    assert (found[hidden].size, len(found[hidden].versions)) == (6, 2), "it is there all the same"
    blob_removal.remove(store, [*found.values()], now())
    assert listed(store) == []


def test_g3_97_a_list_of_versions_goes_over_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    store = versioned(seaweed().blobs(tmp_path / "work"))
    data = [b"%d" % n for n in range(7)]
    for _ in range(3):
        for one in data:
            put_anew(store, one)
    ask = store.calls.ask

    def few(operation: str, **given: object) -> dict[str, object]:
        return ask(operation, **given, MaxKeys=2)

    monkeypatch.setattr(store.calls, "ask", few)
    found = dict(s3_lists.versions(store.calls, store.address.key("sha256/")))
    assert list(found) == sorted(sha256(one).hexdigest() for one in data)
    assert all(len({one.id for one in versions}) == 3 for versions in found.values())


def test_g3_98_what_a_lock_keeps_is_told_until_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    empty = blobs_at(seaweed().endpoint, seaweed().bucket(), tmp_path / "work")
    store = versioned(empty, lock=True)
    _, held, kept = (put_anew(store, one) for one in (b"free", b"held", b"kept"))
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    client, there = seaweed().client(), {"Bucket": store.address.bucket}
    client.put_object_retention(
        **there,
        Key=store.key(kept),
        Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until},
    )
    client.put_object_legal_hold(**there, Key=store.key(held), LegalHold={"Status": "ON"})
    found = listed(store)
    assert blob_removal.locked(store, found, now()) == {held: FOR_EVER, kept: moment(until)}
    assert blob_removal.locked(store, found, until) == {held: FOR_EVER}
    assert blob_removal.remove(store, found, now()) == {held: FOR_EVER, kept: moment(until)}
    with pytest.raises(FailedError):  # what else may not be removed is an error
        blob_removal.remove(store, found, until + timedelta(days=1))
    assert {one.sha256 for one in listed(store)} == {held, kept}
