"""Spoiling what a hub's store of blobs holds, wherever it keeps them: as a failing disk would."""

from __future__ import annotations

from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_sync.blobs import BlobFolder, BlobStore


def spoil(store: BlobStore, digest: str, data: bytes) -> None:
    """Have other bytes under the blob's digest."""
    if isinstance(store, S3Blobs):
        address = store.address
        store.calls.client.put_object(Bucket=address.bucket, Key=store.key(digest), Body=data)
        return
    assert isinstance(store, BlobFolder)
    path = store.path(digest)
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(data)


def with_bytes(store: BlobStore, data: bytes) -> str:
    """The digest of the blob that is `data`, found by reading all of them."""
    return next(digest for digest in store.digests() if store.read(digest) == data)
