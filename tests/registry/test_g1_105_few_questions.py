"""How often a server is asked about very many blobs: no more than the better way takes twice."""

from __future__ import annotations

import bisect
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.moving.blob_copies import BlobCopies
from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import ASKED
from tests.servers.seaweed import ORGANISATION, Clock


class Bucket:
    """A server's answers, of so many blobs."""

    def __init__(self, keys: list[str]) -> None:
        self.keys, self.lists, self.heads = keys, 0, 0

    def head_object(self, *, Key: str, **_: object) -> dict[str, Any]:  # noqa: N803 - botocore's
        self.heads += 1
        name = Key.rpartition("/")[2]
        at = bisect.bisect_left(self.keys, name)
        if at == len(self.keys) or self.keys[at] != name:
            raise _MissingError
        return {"ContentLength": 1}

    def list_objects_v2(self, *, StartAfter: str = "", **_: object) -> dict[str, Any]:  # noqa: N803
        self.lists += 1
        at = bisect.bisect_right(self.keys, StartAfter.rpartition("/")[2])
        some = [{"Key": f"sha256/{one}", "Size": 1} for one in self.keys[at : at + 1000]]
        return {"Contents": some, "IsTruncated": at + 1000 < len(self.keys)}


class _MissingError(Exception):
    response = {  # noqa: RUF012 - as botocore's
        "Error": {"Code": "NoSuchKey"},
        "ResponseMetadata": {"HTTPStatusCode": 404},
    }


def many(count: int) -> list[str]:
    return sorted(sha256(str(n).encode()).hexdigest() for n in range(count))


def store_of(bucket: Bucket, work: Path) -> S3Blobs:
    store = S3Blobs(S3Address("bucket"), work, ORGANISATION, Clock().patience())
    store.calls.__dict__["client"] = bucket
    return store


def test_g1_105_a_move_lists_each_store_once(tmp_path: Path) -> None:
    keys = many(10_000)
    here, there = Bucket(keys), Bucket(keys)
    sizes, found = BlobCopies(store_of(here, tmp_path), store_of(there, tmp_path)).plan()
    assert list(sizes) == keys
    assert found == set(keys)
    assert (here.lists, there.lists) == (10, 10)
    assert here.heads + there.heads == 0


@pytest.mark.parametrize("count", [399, 400, 5000])
def test_g1_105_some_of_a_large_bucket(tmp_path: Path, count: int) -> None:
    keys = many(100_000)
    bucket = Bucket(keys)
    asked = [*keys[-(count - 2) :], "0" * 64, "f" * 64]
    assert store_of(bucket, tmp_path).sizes(asked) == dict.fromkeys(asked[:-2], 1)
    rounds = bucket.lists + -(-bucket.heads // ASKED)
    assert rounds <= 2 * min(-(-count // ASKED), len(keys) // 1000) + 1


def test_g1_105_many_of_a_small_one(tmp_path: Path) -> None:
    keys = many(3000)
    bucket = Bucket(keys[1:])
    assert store_of(bucket, tmp_path).sizes(keys) == dict.fromkeys(keys[1:], 1)
    assert (bucket.lists, bucket.heads) == (3, 0)
