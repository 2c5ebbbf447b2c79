"""One object to an S3 server or from it, by us or by boto3 alone: a process of its own.

python -m tests.benchmarks.s3_process ours|boto3|boto3-hashed put|get ENDPOINT BUCKET FILE DIGEST
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_sync import stream
from tests.servers.seaweed import ORGANISATION


def ours(how: str, endpoint: str, bucket: str, file: Path, digest: str) -> None:
    """As the hub does: hashed both ways, and flushed where it comes to."""
    store = S3Blobs(s3_address(f"s3://{bucket}/hub", endpoint), file.parent, ORGANISATION)
    if how == "put":
        store.put_file(file, expect=digest, anew=True)
        return
    with store.open(digest) as source, file.open("xb") as into:
        found, _ = stream.copy_hashed(source, into)
        os.fdatasync(into.fileno())
    if found != digest:
        raise SystemExit("other bytes came back")


def alone(how: str, endpoint: str, bucket: str, file: Path, digest: str) -> None:
    """As boto3's documentation has it: whatever hash there is, is the transport's."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    key = f"boto3/{digest}"
    if how == "put":
        client.upload_file(str(file), bucket, key)
    else:
        client.download_file(bucket, key, str(file))


def hashed(how: str, endpoint: str, bucket: str, file: Path, digest: str) -> None:
    """What whoever uses boto3 must do for the same: hash the file, and flush what was fetched."""
    if how == "get":
        alone(how, endpoint, bucket, file, digest)
    with file.open("rb") as data:
        found = sha256()
        while chunk := data.read(stream.CHUNK):
            found.update(chunk)
        if found.hexdigest() != digest:
            raise SystemExit("other bytes came back")
        if how == "get":
            os.fdatasync(data.fileno())
    if how == "put":
        alone(how, endpoint, bucket, file, digest)


if __name__ == "__main__":
    who, how, endpoint, bucket, file, digest = sys.argv[1:]
    {"ours": ours, "boto3": alone, "boto3-hashed": hashed}[who](
        how, endpoint, bucket, Path(file), digest
    )
