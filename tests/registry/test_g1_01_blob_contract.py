"""What every store of blobs promises, a folder and an S3 server alike: one contract for both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_sending import PART
from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_sync.blobs import Blob, BlobFolder, BlobStore
from tests.blob_faults import spoil
from tests.servers.seaweed import seaweed

pytestmark = pytest.mark.socket

SMALL = b"some bytes"
LARGE = os.urandom(2 * PART + 12345)
"""Three parts."""
NOTHING = sha256(b"never put").hexdigest()


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def other(data: bytes) -> bytes:
    """As many bytes, of which one is another."""
    return data[:-1] + bytes([data[-1] ^ 1])


class OneWay(BytesIO):
    """A stream: nobody knows how long it is, and nobody can go back."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError("no way back")


@pytest.fixture(params=["folder", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BlobStore]:
    if request.param == "folder":
        yield BlobFolder(tmp_path / "blobs")
        return
    server = seaweed()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server.blobs(tmp_path / "work")
    left = [one.name for one in (tmp_path / "work").iterdir()]
    assert left in ([], ["blobs-swept"]), "what was hashed in the folder of work is gone"


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_g1_01_what_is_put_is_there(store: BlobStore, data: bytes, tmp_path: Path) -> None:
    digest, told = digest_of(data), list[int]()
    assert not store.has(digest)
    assert store.put(OneWay(data), progress=told.append) == Blob(digest, len(data))
    assert sum(told) == len(data)
    assert store.has(digest)
    assert store.size(digest) == len(data)
    assert store.read(digest) == data
    assert store.fault(digest) == ""
    with store.open(digest) as source:
        assert source.read(5) == data[:5]
        assert source.read() == data[5:]
    (tmp_path / "file").write_bytes(data)
    assert store.put_file(tmp_path / "file") == Blob(digest, len(data)), "and again"
    assert store.put_bytes(data) == Blob(digest, len(data))
    assert list(store.digests()) == [digest]
    store.remove(digest)
    store.remove(digest)
    assert not store.has(digest)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("how", ["stream", "file"])
def test_g1_02_other_bytes_than_were_expected_leave_nothing(
    store: BlobStore, data: bytes, how: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(RefusedError) as caught:
        _ = (
            store.put_file(tmp_path / "file", expect=NOTHING)
            if how == "file"
            else store.put(OneWay(data), expect=NOTHING)
        )
    assert caught.value.code == "blob-damaged"
    assert list(store.digests()) == []
    digest = digest_of(data)
    assert store.put(OneWay(data), expect=digest).sha256 == digest
    with pytest.raises(RefusedError):  # and none where the right ones are there already
        store.put(OneWay(other(data)), expect=digest)
    store.check(digest)


def test_g1_03_what_is_not_there_is_said(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes(SMALL)
    for ask in (store.size, store.open, store.read, store.check):
        with pytest.raises(NotFoundError):
            ask(NOTHING)
    assert store.fault(NOTHING) == "missing"
    assert store.sizes([NOTHING, digest_of(SMALL)]) == {digest_of(SMALL): len(SMALL)}
    assert store.read_all([NOTHING, digest_of(SMALL)], 1000) == {digest_of(SMALL): SMALL}
    assert store.read_all([digest_of(SMALL)], len(SMALL) - 1) == {}, "it is too long"
    for name in ("..", "a", f"../{NOTHING}", NOTHING.upper()):
        for take in (store.has, store.open, store.remove, store.size):
            with pytest.raises(RefusedError):
                take(name)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_bytes(SMALL)
    with pytest.raises(FailedError):
        store.put_file(tmp_path / "link")


@pytest.mark.parametrize("bad", [b"SOME bytes", b"some", b""], ids=["other", "short", "empty"])
def test_g1_04_what_was_damaged_is_found_and_replaced(store: BlobStore, bad: bytes) -> None:
    digest = store.put_bytes(SMALL).sha256
    spoil(store, digest, bad)
    assert store.fault(digest) == "damaged"
    with pytest.raises(RefusedError):
        store.read(digest)
    with pytest.raises(RefusedError):
        store.check(digest)
    assert store.read_all([digest], 1000) == {}
    assert store.put(BytesIO(SMALL), expect=digest, anew=True) == Blob(digest, len(SMALL))
    assert store.read(digest) == SMALL


def test_g1_05_a_large_one_is_replaced_too(store: BlobStore, tmp_path: Path) -> None:
    digest = store.put(OneWay(LARGE)).sha256
    spoil(store, digest, other(LARGE))
    (tmp_path / "file").write_bytes(LARGE)
    assert store.put_file(tmp_path / "file", expect=digest, anew=True) == Blob(digest, len(LARGE))
    assert store.fault(digest) == ""


def test_g1_06_many_are_read_one_after_the_other(store: BlobStore) -> None:
    blobs = {digest_of(one): one for one in (LARGE, *(b"%d" % n for n in range(30)), b"")}
    for data in blobs.values():
        store.put(OneWay(data))
    sizes = {digest: len(data) for digest, data in blobs.items()}
    found = {digest: source.read() for digest, source in store.each(sizes)}
    assert found == blobs
    assert list(store.digests()) == sorted(blobs)
    assert store.sizes(list(blobs)) == sizes
    first = next(iter(store.each(sizes)))  # and whoever stops, stops
    assert first[0] in blobs


def test_g1_07_prepared_files_are_taken_in(store: BlobStore, tmp_path: Path) -> None:
    files = {}
    for data in (SMALL, LARGE):
        path = tmp_path / digest_of(data)
        path.write_bytes(data)
        files[digest_of(data)] = path
    adopt = store.prepare(files)
    adopt()
    assert set(store.digests()) == set(files)
    for digest in files:
        store.check(digest)


def test_g1_08_a_list_of_more_than_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = seaweed()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    store = server.blobs(tmp_path / "work")
    client, known = store.calls.client, sorted(digest_of(b"%d" % n) for n in range(1100))
    for digest in known:
        client.put_object(Bucket=store.address.bucket, Key=store.key(digest), Body=b"x")
    client.put_object(Bucket=store.address.bucket, Key="hub/sha256/other", Body=b"x")
    assert list(store.digests()) == known
    asked, ask = list[str](), store.calls.ask

    def counted(name: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's
        asked.append(name)
        return ask(name, **given)

    monkeypatch.setattr(store.calls, "ask", counted)
    assert store.sizes(known[-500:]) == dict.fromkeys(known[-500:], 1)
    assert asked == ["list_objects_v2"] * 2, "two pages, and no question for each"
    asked.clear()
    assert store.sizes(known[:500]) == dict.fromkeys(known[:500], 1)
    assert asked == ["list_objects_v2"], "all of them are on the first page"
    assert isinstance(store, S3Blobs)


def test_g1_01_other_bytes_put_anew_change_nothing(store: BlobStore, tmp_path: Path) -> None:
    digest, wrong = store.put_bytes(LARGE).sha256, tmp_path / "wrong"
    wrong.write_bytes(other(LARGE))
    with pytest.raises(RefusedError, match="damaged"):
        store.put_file(wrong, expect=digest, anew=True)
    with pytest.raises(RefusedError, match="damaged"):
        store.put(OneWay(other(LARGE)), expect=digest, anew=True)
    assert store.fault(digest) == ""
    spoil(store, digest, other(LARGE))
    wrong.write_bytes(LARGE)
    assert store.put_file(wrong, expect=digest, anew=True) == Blob(digest, len(LARGE))
    assert store.fault(digest) == ""
