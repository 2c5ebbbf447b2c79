"""Servers that know no conditions or no checksums, or want one with all: used, and not believed."""

from __future__ import annotations

import itertools
import json
import os
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_registry.cli.run import run
from sealift_registry.storage import s3_sending
from sealift_registry.storage.crc32 import joined
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_check import Finding, check
from sealift_registry.storage.s3_reading import AHEAD
from sealift_registry.storage.s3_sending import PART
from sealift_signing.errors import SealiftError
from tests.servers.hostile_s3 import Answer, Fault, Proxy, Request, hostile, locked, said
from tests.servers.seaweed import S3Server, blobs_at, seaweed

pytestmark = pytest.mark.socket

SMALL = b"some bytes"
LARGE = os.urandom(PART + 4321)
Passed = Callable[[], Answer]
Matches = Callable[[Request], bool]


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def proxy(server: S3Server) -> Iterator[Proxy]:
    with hostile(server.endpoint) as found:
        yield found


@pytest.fixture
def store(server: S3Server, proxy: Proxy, tmp_path: Path) -> S3Blobs:
    """A store behind the proxy of which nobody knows anything yet."""
    return blobs_at(proxy.endpoint, server.bucket(), tmp_path / "work")


def holds(store: S3Blobs, data: bytes) -> bool:
    """Whether the server has it whole, as one sees who is not behind the proxy."""
    got = seaweed().client().get_object(Bucket=store.address.bucket, Key=store.key(digest_of(data)))
    with got["Body"] as body:
        return bool(body.read() == data)


# ------------------------------------------------------------------ what is refused

CONDITION = ("if-none-match",)
CHECKSUM = ("x-amz-checksum-", "x-amz-sdk-checksum-")


def put_condition(request: Request) -> bool:
    return request.method == "PUT" and request.has(*CONDITION)


def parts_condition(request: Request) -> bool:
    return request.method == "POST" and request.has(*CONDITION)


def put_checksum(request: Request) -> bool:
    return request.is_("PUT", "^(?!.*partNumber=)") and request.has(*CHECKSUM)


def part_checksum(request: Request) -> bool:
    sent = request.is_("PUT", "partNumber=") and request.has(*CHECKSUM)
    return sent or (request.is_("POST", "[?&]uploads") and request.has(*CHECKSUM))


def whole_checksum(request: Request) -> bool:
    begins = request.is_("POST", "[?&]uploads") and request.has("x-amz-checksum-type")
    return begins or (request.is_("POST", "uploadId=") and request.has(*CHECKSUM))


def late_checksum(request: Request) -> bool:
    """Only the first condition is looked at before it is seen that there is a checksum."""
    return put_checksum(request) and not request.has(*CONDITION)


def md5(request: Request) -> bool:
    return request.has("content-md5")


FACTS: dict[str, Matches] = {
    "put-condition": put_condition,
    "parts-condition": parts_condition,
    "put-checksum": put_checksum,
    "part-checksum": part_checksum,
    "whole-checksum": whole_checksum,
    "late-checksum": late_checksum,
    "md5": md5,
}
SERVERS = [
    ("put-condition",),
    ("parts-condition",),
    ("put-checksum",),
    ("late-checksum",),
    ("part-checksum",),
    ("whole-checksum",),
    ("put-condition", "parts-condition"),
    ("put-checksum", "part-checksum", "whole-checksum"),
    ("put-condition", "parts-condition", "put-checksum", "part-checksum", "whole-checksum", "md5"),
]
REFUSALS = itertools.cycle([("NotImplemented", 501), ("InvalidArgument", 400), ("XNot", 400)])
"""Each server has one of these words for it."""


class Refusing:
    """A server that refuses every request that has one of these things; how often is counted."""

    def __init__(self, names: tuple[str, ...], code: str, status: int) -> None:
        self.names, self.refused, self._said = names, 0, (code, status)

    def __call__(self, request: Request, passed: Passed) -> Answer:
        if any(FACTS[name](request) for name in self.names):
            self.refused += 1
            return said(*self._said)
        return passed()


def both(first: Fault, second: Fault) -> Fault:
    """A server that is both."""
    return lambda request, passed: first(request, lambda: second(request, passed))


# ------------------------------------------------------------------ object lock


def lock(server: S3Server) -> str:
    """A new bucket that keeps each version for a day."""
    client, name = server.client(), server.bucket() + "-locked"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    return name


@pytest.mark.parametrize("names", [(), ("put-condition",), SERVERS[-3], SERVERS[-2]], ids="+".join)
def test_g1_170_a_locked_bucket_gets_a_checksum_with_all_that_is_put(
    server: S3Server, proxy: Proxy, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """Its marker, its probe, small and large blobs, and what is sent where others are refused."""
    refusing = Refusing(names, "NotImplemented", 501)
    proxy.fault = both(refusing, locked)
    store = blobs_at(proxy.endpoint, lock(server), tmp_path / "work")
    store.claim()
    for data in (b"", SMALL, LARGE):
        store.put(BytesIO(data))
        assert holds(store, data)
    assert bool(refusing.refused) == bool(names)
    assert {"bad"}.isdisjoint(one.grade for one in check(store))
    client = server.client()
    kept = client.get_object_retention(Bucket=store.address.bucket, Key=store.key(digest_of(LARGE)))
    assert kept["Retention"]["Mode"] == "GOVERNANCE", "and the server keeps it"


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "names, code, status",
    [(names, *refusal) for names, refusal in zip(SERVERS, REFUSALS, strict=False)],
)
def test_g1_171_what_a_server_refuses_it_is_asked_without(
    store: S3Blobs, proxy: Proxy, names: tuple[str, ...], code: str, status: int
) -> None:
    refusing = Refusing(names, code, status)
    proxy.fault = refusing
    store.claim()
    for data in (SMALL, LARGE):
        store.put(BytesIO(data))
        assert holds(store, data)
    assert refusing.refused, "it was asked"
    one, parts = store.behaviour, store.parts_behaviour
    assert (one.condition == "refused") == ("put-condition" in names)
    assert (parts.condition == "refused") == ("parts-condition" in names)
    assert (one.checksum == "refused") == bool({"put-checksum", "late-checksum"} & {*names})
    assert (parts.part == "refused") == ("part-checksum" in names)
    assert (parts.whole == "refused") == bool({"part-checksum", "whole-checksum"} & {*names})
    refusing.refused = 0
    for data in (SMALL[::-1], LARGE[::-1]):
        store.put(BytesIO(data))
        store.put(BytesIO(data), anew=True)
        assert holds(store, data)
    assert not refusing.refused, "that is found out once"


def test_g1_171_who_is_refused_altogether_is_told(store: S3Blobs, proxy: Proxy) -> None:
    """A refusal of something else is no reason to go on without checks."""
    proxy.fault = lambda request, passed: (
        said("ExpiredToken", 400) if request.method == "PUT" else passed()
    )
    with pytest.raises(SealiftError) as caught:
        store.put_bytes(SMALL)
    assert caught.value.code == "blobs-credentials-expired"
    assert sum(one.method == "PUT" for one in proxy.seen) == 1
    proxy.fault = lambda request, passed: (
        said("InvalidArgument", 400) if request.method == "PUT" else passed()
    )
    with pytest.raises(SealiftError) as caught:
        store.put_bytes(SMALL)
    assert caught.value.code == "blobs-failed"


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("how", ["refused", "ignored"])
def test_g1_172_where_nobody_checks_it_is_read_back(
    store: S3Blobs, proxy: Proxy, how: str, data: bytes
) -> None:
    """The bytes that such a server keeps are others than it was sent: they are not believed."""
    unchecked = Refusing(SERVERS[-2], "NotImplemented", 501) if how == "refused" else ignoring
    proxy.fault = unchecked
    store.put_bytes(b"the first")
    store.put(BytesIO(LARGE[1:]))
    proxy.seen.clear()
    store.put(BytesIO(data))
    assert any(one.is_("GET", digest_of(data)) for one in proxy.seen), "read back"
    store.remove(digest_of(data))

    wrote: list[bool] = []

    def spoiling(request: Request, passed: Passed) -> Answer:
        if request.is_("HEAD", digest_of(data)) and wrote:
            spoilt = data[:-1] + bytes([data[-1] ^ 1])
            key = store.key(digest_of(data))
            seaweed().client().put_object(Bucket=store.address.bucket, Key=key, Body=spoilt)
        if request.is_("PUT", digest_of(data)):
            wrote.append(True)
        return passed()

    proxy.fault = both(spoiling, unchecked)
    with pytest.raises(SealiftError) as caught:
        store.put(BytesIO(data))
    assert caught.value.code == "blob-not-kept"
    assert wrote


def ignoring(request: Request, passed: Passed) -> Answer:
    """A server that takes whatever comes, and says so; what is wrong it does not keep here."""
    answer = passed()
    wrong = answer.status == 412 or (answer.status == 400 and b"BadDigest" in answer.body)
    if not wrong:
        return answer
    body = b""
    if request.method == "POST":
        body = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
    return Answer(200, {"ETag": '"e"', "Content-Type": "application/xml"}, body)


def test_g1_172_checksums_of_parts_are_asked_for_themselves(store: S3Blobs, proxy: Proxy) -> None:
    """A server that checks what comes in one piece may take any part."""

    def takes_parts(request: Request, passed: Passed) -> Answer:
        if request.is_("PUT", "partNumber=") or request.method == "POST":
            return ignoring(request, passed)
        return passed()

    proxy.fault = takes_parts
    store.put(BytesIO(LARGE))
    assert store.behaviour.checksums
    assert (store.parts_behaviour.part, store.parts_behaviour.whole) == ("ignored", "ignored")
    assert not store.parts_behaviour.checksums
    assert any(one.is_("GET", digest_of(LARGE)) for one in proxy.seen), "read back"


# ------------------------------------------------------------------ and that is told


def grades(found: list[Finding]) -> dict[str, str]:
    return {one.name: one.grade for one in found}


NAMED = {
    "put-condition": "conditions",
    "parts-condition": "parts-conditions",
    "put-checksum": "checksums",
    "part-checksum": "parts-checksums",
    "whole-checksum": "whole-checksums",
}


@pytest.mark.parametrize("name", NAMED)
def test_g1_173_each_thing_that_a_server_refuses_is_told(
    store: S3Blobs, proxy: Proxy, name: str
) -> None:
    proxy.fault = Refusing((name,), "NotImplemented", 501)
    found = check(store)
    weak = {one for one, grade in grades(found).items() if grade == "weak"} - {"versions"}
    expected = {NAMED[name]} | ({"whole-checksums"} if name == "part-checksum" else set())
    assert weak == expected
    assert "bad" not in grades(found).values()
    (words,) = (one.words for one in found if one.name == NAMED[name])
    assert "refuses" in words
    assert "the hub" in words, "what is done instead"


def test_g1_173_who_takes_anything_is_told(
    store: S3Blobs,
    proxy: Proxy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy.fault = ignoring
    found = check(store)
    weak = {one for one, grade in grades(found).items() if grade == "weak"}
    assert weak == {*NAMED.values(), "versions"}
    assert all("the hub" in one.words for one in found if one.name in NAMED.values())
    monkeypatch.setenv("SEALIFT_TRUST", str(tmp_path / "trust"))
    where = ["--blobs", store.address.url, "--blobs-endpoint", proxy.endpoint]
    home = ["--home", str(tmp_path / "hub")]
    assert run(["init", "--solo", *where, *home]) == 0
    capsys.readouterr()
    assert run(["blobs", "check", *home]) == 0, "it can be used"
    out, err = capsys.readouterr()
    assert out.count("weak  ") == 6
    assert "6 things" in err
    assert run(["blobs", "check", "--json", *home]) == 0
    out, err = capsys.readouterr()
    said: dict[str, Any] = json.loads(out)
    assert {one["name"] for one in said["findings"] if one["grade"] == "weak"} == weak
    assert not err


def test_g1_173_nothing_of_a_check_stays(server: S3Server, store: S3Blobs) -> None:
    check(store)
    client, bucket = server.client(), store.address.bucket
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["hub/sealift-probe"]


def test_g1_173_a_check_writes_nothing_where_another_hub_is(
    server: S3Server, store: S3Blobs, tmp_path: Path
) -> None:
    store.claim()
    client, bucket = server.client(), store.address.bucket
    client.delete_object(Bucket=bucket, Key="hub/sealift-probe")
    found = check(blobs_at(server.endpoint, bucket, tmp_path / "other", "f" * 64))
    assert (found[-1].name, found[-1].grade) == ("organisation", "bad")
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["hub/sealift-hub.json"]


# ------------------------------------------------------------------ what a fetch asks for


def test_g1_174_a_range_is_of_one_part(store: S3Blobs, proxy: Proxy) -> None:
    """A server that keeps parts apart reads one for it, not two; and few of them are held."""
    data = os.urandom(7 * PART + 4321)
    digest = store.put(BytesIO(data)).sha256
    proxy.seen.clear()

    def ranges() -> list[tuple[int, int]]:
        asked = [one.headers["Range"] for one in proxy.seen if one.is_("GET", digest)]
        found = [one.removeprefix("bytes=").split("-") for one in asked]
        return sorted((int(first), int(last)) for first, last in found)

    with store.open(digest) as source:
        assert source.read(1) == data[:1]
        assert len(ranges()) <= 1 + AHEAD, "no more until these are read"
        assert source.read() == data[1:]
    assert [first // PART for first, _ in ranges()] == list(range(8))
    assert all(first // PART == last // PART for first, last in ranges())


def test_g1_175_what_is_copied_between_stores_has_parts_of_one_size(
    server: S3Server, store: S3Blobs, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are servers that complete no upload whose parts differ, but for the last one."""
    monkeypatch.setattr(s3_sending, "GROWING", 2)
    data = os.urandom(5 * PART + 4321)
    here = server.blobs(tmp_path / "here")
    digest = here.put(BytesIO(data)).sha256
    sizes: list[int] = []

    def equal(request: Request, passed: Passed) -> Answer:
        if request.is_("PUT", f"{digest}.*partNumber="):
            sizes.append(len(request.body))
        return passed()

    proxy.fault = equal
    with here.open(digest) as source:
        store.put(source, expect=digest)
    assert sorted(sizes) == [4321, *[PART] * 5]
    assert holds(store, data)


@given(pieces=st.lists(st.binary(max_size=300), max_size=6), zeros=st.integers(0, 100_000))
def test_g1_176_a_checksum_of_the_whole_is_made_of_those_of_parts(
    pieces: list[bytes], zeros: int
) -> None:
    """As zlib has it of all of the bytes, of which no second pass is made then."""
    found, whole = 0, b""
    for piece in [*pieces, bytes(zeros), *pieces]:
        found, whole = joined(found, zlib.crc32(piece), len(piece)), whole + piece
        assert found == zlib.crc32(whole)
