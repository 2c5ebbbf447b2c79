"""Fetching what a version consists of: whole, in parts, and never anything else."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import pytest
from litestar.testing import TestClient

from sealift_registry.storage.s3_reading import RANGE
from sealift_registry.web import byte_ranges
from sealift_registry.web.byte_ranges import ByteRange, UnsatisfiableError
from sealift_sync.artifact import MANIFEST, Artifact, read_manifest
from tests.blob_faults import spoil
from tests.registry.hub_fixture import MODEL, TARGET, Acme
from tests.registry.served_hub import Doorkeeper, served, signed_in

SIZE = 2 * RANGE + 4096
FORM = f"/api/v1/versions/{MODEL}/1/{TARGET}"


@pytest.mark.parametrize(
    "header, size, found",
    [
        (None, 10, None),
        ("bytes=0-0", 10, (0, 0)),
        ("bytes=2-4", 10, (2, 4)),
        ("bytes=2-", 10, (2, 9)),
        ("bytes=2-99", 10, (2, 9)),
        ("bytes=-3", 10, (7, 9)),
        ("bytes=-99", 10, (0, 9)),
        ("BYTES=1-2", 10, (1, 2)),
        ("bytes= 1-2 ", 10, (1, 2)),
        ("bytes=9-9", 10, (9, 9)),
        ("bytes=,1-2", 10, (1, 2)),
        ("bytes=1-2,4-5", 10, None),
        ("bytes=5-2", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=--2", 10, None),
        ("bytes=", 10, None),
        ("bytes", 10, None),
        ("lines=1-2", 10, None),
        ("bytes=٣-٤", 10, None),
        ("bytes=99999999999999999999999-", 10, None),
        ("bytes=-3", 0, None),
    ],
)
def test_g2_165_a_range_is_what_the_standard_says(
    header: str | None, size: int, found: tuple[int, int] | None
) -> None:
    assert byte_ranges.asked(header, size) == (ByteRange(*found) if found else None)


@pytest.mark.parametrize("header, size", [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-0", 10)])
def test_g2_165_a_range_behind_the_end_is_none(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        byte_ranges.asked(header, size)


class Play:
    """A hub with one variant, asked over HTTP."""

    def __init__(self, client: TestClient[Any], who: Mapping[str, str]) -> None:
        self.client = client
        self.who = who

    def get(self, path: str, **headers: str) -> Any:  # noqa: ANN401 - httpx's
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"{FORM}/{path}", headers={**self.who, **named})

    def artifact(self) -> Artifact:
        found = self.get("manifest")
        assert found.status_code == 200, found.text
        return read_manifest(found.content, what="it")

    def largest(self) -> tuple[str, int]:
        """The largest blob of the variant."""
        return max(self.artifact().blobs.items(), key=lambda one: one[1])


@contextmanager
def playing(acme: Acme, keeper: Doorkeeper | None = None) -> Iterator[Play]:
    acme.ingest(1, acme.goldens())
    acme.convert()
    keeper = keeper or Doorkeeper()
    with served(acme, keeper) as client:
        yield Play(client, signed_in(keeper))


def test_g2_166_a_form_is_fetched_by_its_manifest_and_what_that_names(acme: Acme) -> None:
    with playing(acme) as play:
        found = play.get("manifest")
        assert found.headers["content-type"] == MANIFEST
        digest = sha256(found.content).hexdigest()
        assert found.headers["etag"] == f'"{digest}"'
        assert "immutable" in found.headers["cache-control"]
        for one, size in play.artifact().blobs.items():
            answer = play.get(f"blobs/{one}")
            assert (answer.status_code, len(answer.content)) == (200, size)
            assert sha256(answer.content).hexdigest() == one
            said = base64.b64encode(bytes.fromhex(one)).decode()
            assert answer.headers["repr-digest"] == f"sha-256=:{said}:"
            assert answer.headers["accept-ranges"] == "bytes"
            assert answer.headers["content-type"] == "application/octet-stream"


def test_g2_166_whoever_was_cut_off_goes_on(acme: Acme) -> None:
    with playing(acme) as play:
        digest, size = play.largest()
        whole = play.get(f"blobs/{digest}").content
        got = b""
        while len(got) < size:
            answer = play.get(
                f"blobs/{digest}", range=f"bytes={len(got)}-{len(got) + 99}", if_range=f'"{digest}"'
            )
            assert answer.status_code == 206
            last = min(len(got) + 99, size - 1)
            assert answer.headers["content-range"] == f"bytes {len(got)}-{last}/{size}"
            assert int(answer.headers["content-length"]) == len(answer.content)
            got += answer.content
        assert got == whole


def test_g2_166_conditions_are_kept(acme: Acme) -> None:
    with playing(acme) as play:
        digest, size = play.largest()
        path, other = f"blobs/{digest}", f'"{"0" * 64}"'
        assert play.get(path, if_none_match=f'"{digest}"').status_code == 304
        assert play.get(path, if_none_match="*").content == b""
        assert play.get(path, if_none_match=other).status_code == 200
        refused = play.get(path, if_match=other)
        assert (refused.status_code, refused.json()["code"]) == (412, "changed-since")
        assert play.get(path, if_match=f'{other}, "{digest}"').status_code == 200
        assert play.get(path, range="bytes=0-1", if_range=other).status_code == 200
        date = "Wed, 21 Oct 2026 07:28:00 GMT"
        assert play.get(path, range="bytes=0-1", if_range=date).status_code == 200
        behind = play.get(path, range=f"bytes={size}-")
        assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{size}")
        assert play.get(path, range="bytes=0-1,3-4").status_code == 200


def test_g2_166_the_head_alone_says_the_same(acme: Acme) -> None:
    with playing(acme) as play:
        digest, size = play.largest()
        answer = play.client.head(f"{FORM}/blobs/{digest}", headers=play.who)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(size)
        part = {**play.who, "range": "bytes=1-3"}
        answer = play.client.head(f"{FORM}/blobs/{digest}", headers=part)
        assert answer.headers["content-length"] == "3"


def test_g2_167_what_the_manifest_does_not_name_is_not_there(acme: Acme) -> None:
    """A digest that is known from elsewhere opens nothing: whose it is, the address says."""
    with playing(acme) as play:
        others = {*acme.app.hub.home.blobs.digests()} - play.artifact().blobs.keys()
        for digest in (*others, "0" * 64, "..", "%2e%2e", "A" * 64):
            answer = play.get(f"blobs/{digest}")
            assert answer.status_code == 404, digest
        assert others
        for path in (f"/api/v1/versions/{MODEL}/9/{TARGET}", f"/api/v1/versions/{MODEL}/1/none"):
            answer = play.client.get(f"{path}/manifest", headers=play.who)
            assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_g2_167_who_may_not_read_the_team_gets_nothing(acme: Acme) -> None:
    keeper = Doorkeeper(may=lambda _caller, action, where: (action, where.team) == ("", ""))
    with playing(acme, keeper) as play:
        answer = play.get("manifest")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert play.client.get(f"{FORM}/manifest").status_code == 401
    asked = {(action, where.team) for _, action, where in keeper.asked}
    assert asked == {("blob.read", MODEL.partition("/")[0])}


def test_g2_168_what_became_shorter_is_never_taken_for_whole(acme: Acme) -> None:
    with playing(acme) as play:
        digest, _ = play.largest()
        spoil(acme.app.hub.home.blobs, digest, b"short")
        with pytest.raises(Exception):  # noqa: B017, PT011 - as the client says that it was cut off
            assert sha256(play.get(f"blobs/{digest}").content).hexdigest() == digest


def test_g2_168_what_is_gone_is_said_before_anything_is_sent(acme: Acme) -> None:
    with playing(acme) as play:
        digest, _ = play.largest()
        acme.app.hub.home.blobs.remove(digest)
        answer = play.get(f"blobs/{digest}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "start", [0, 1, RANGE - 1, RANGE, RANGE + 1, 2 * RANGE + 5, SIZE - 1, SIZE]
)
def test_g2_169_a_store_gives_a_blob_from_any_byte_on(acme: Acme, start: int) -> None:
    data = random.Random(start).randbytes(SIZE)  # noqa: S311 - bytes of a model, no secret
    store = acme.app.hub.home.blobs
    digest = store.put_bytes(data).sha256
    with store.open(digest, start) as source:
        assert source.read() == data[start:]
