"""A small blob that is none fills no memory, wherever it lies."""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest

from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_signing.errors import RefusedError
from sealift_sync.blobs import SMALL, BlobFolder, BlobStore
from tests.servers.seaweed import ORGANISATION, Clock

DATA = b"some bytes"
DIGEST = sha256(DATA).hexdigest()


class Endless(io.RawIOBase):
    """A blob without an end, of which it is counted how much was read."""

    def __init__(self) -> None:
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, most: int = -1, /) -> bytes:
        assert 0 <= most <= SMALL + 1, "nobody asks for all of it"
        self.count += most
        return bytes(most)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return BlobFolder(tmp_path)
    return S3Blobs(S3Address("bucket"), tmp_path, ORGANISATION, Clock().patience())


def test_g1_168_no_more_is_read_than_a_kind_may_have(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[Endless]()

    def endless(_self: BlobStore, _digest: str) -> BinaryIO:
        opened.append(Endless())
        return opened[-1]  # type: ignore[return-value]

    monkeypatch.setattr(type(store), "open", endless)
    for most in (0, 1000, SMALL):
        with pytest.raises(RefusedError) as caught:
            store.read(DIGEST, most)
        assert caught.value.code == "blob-too-large"
        assert opened[-1].count == most + 1
    with pytest.raises(RefusedError):
        store.read(DIGEST)


def test_g1_168_what_is_as_large_is_read(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store), "open", lambda _self, _digest: io.BytesIO(DATA))
    assert store.read(DIGEST, len(DATA)) == store.read(DIGEST) == DATA
    with pytest.raises(RefusedError) as caught:
        store.read("1" * 64)
    assert caught.value.code == "blob-damaged"
