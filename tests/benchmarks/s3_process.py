"""One object to an S3 server or from it, by us or by boto3 alone: a process of its own.

python -m tests.benchmarks.s3_process ours|boto3 put|get ENDPOINT BUCKET FILE DIGEST
"""

from __future__ import annotations

import sys
from pathlib import Path

from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_sync import stream
from tests.servers.seaweed import ORGANISATION


def ours(how: str, endpoint: str, bucket: str, file: Path, digest: str) -> None:
    """As the hub does: hashed both ways."""
    store = S3Blobs(s3_address(f"s3://{bucket}/hub", endpoint), file.parent, ORGANISATION)
    if how == "put":
        store.put_file(file, expect=digest, anew=True)
        return
    with store.open(digest) as source, file.open("xb") as into:
        found, _ = stream.copy_hashed(source, into)
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


if __name__ == "__main__":
    who, how, endpoint, bucket, file, digest = sys.argv[1:]
    {"ours": ours, "boto3": alone}[who](how, endpoint, bucket, Path(file), digest)
