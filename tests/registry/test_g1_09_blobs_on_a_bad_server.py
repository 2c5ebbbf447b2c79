"""A server that fails, lies or ignores what it is asked: nothing is lost or wrongly believed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_reading import RANGE
from sealift_registry.storage.s3_sending import PART
from sealift_signing.errors import RefusedError, SealiftError
from tests.s3_server import serving_s3
from tests.servers.hostile_s3 import PAGE, Answer, Proxy, Request, drop, honest, hostile, said
from tests.servers.seaweed import ORGANISATION, S3Server, blobs_at, seaweed

pytestmark = pytest.mark.socket

SMALL = b"some bytes"
LARGE = os.urandom(3 * PART + 4321)
Passed = Callable[[], Answer]


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
    """A store behind the proxy, which was written to once: it knows how the server behaves."""
    made = blobs_at(proxy.endpoint, server.bucket(), tmp_path / "work")
    made.put_bytes(b"the first")
    return made


def error(work: Callable[[], object]) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        work()
    assert caught.value.next_step
    return caught.value


def page(status: int) -> Answer:
    return Answer(status, {"Content-Type": "text/html"}, PAGE)


class Times:
    """A fault that happens so many times, to requests that match."""

    def __init__(
        self, count: int, method: str, what: Callable[[Passed], Answer], path: str = ""
    ) -> None:
        self.left, self._method, self._what, self._path = count, method, what, path

    def __call__(self, request: Request, passed: Passed) -> Answer:
        if self.left and request.is_(self._method, self._path):
            self.left -= 1
            return self._what(passed)
        return passed()


def holds(store: S3Blobs, data: bytes) -> bool:
    """Whether the server has it whole, as one sees who is not behind the proxy."""
    got = seaweed().client().get_object(Bucket=store.address.bucket, Key=store.key(digest_of(data)))
    with got["Body"] as body:
        return bool(body.read() == data)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_g1_09_a_minute_of_503_is_waited_for(store: S3Blobs, proxy: Proxy, data: bytes) -> None:
    def busy_for_a_minute(_request: Request, passed: Passed) -> Answer:
        return said("SlowDown", 503) if store.calls.patience.clock() < begun + 60 else passed()

    begun, proxy.fault = store.calls.patience.clock(), busy_for_a_minute
    store.put(BytesIO(data))
    assert store.calls.patience.clock() >= begun + 60
    assert holds(store, data)
    begun = store.calls.patience.clock()
    assert store.read(digest_of(data)) == data


def test_g1_09_a_server_that_stays_busy_is_told(store: S3Blobs, proxy: Proxy) -> None:
    proxy.fault = lambda _request, _passed: said("SlowDown", 503)
    assert error(lambda: store.put_bytes(SMALL)).code == "blobs-busy"
    assert error(lambda: store.open(digest_of(SMALL))).code == "blobs-busy"
    assert store.fault(digest_of(SMALL)) == "unreadable", "a finding, and no end of the work"
    proxy.fault = honest
    assert not store.has(digest_of(SMALL))


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("method", ["PUT", "POST", "HEAD"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_g1_10_a_cut_while_it_is_sent_is_made_good(
    store: S3Blobs, proxy: Proxy, data: bytes, method: str, when: str
) -> None:
    """After: the server did it, and its answer was lost. What was done is not done twice."""

    def cut(passed: Passed) -> Answer:
        if when == "after":
            passed()
        return drop()

    proxy.fault = Times(2, method, cut)
    store.put(BytesIO(data))
    assert holds(store, data)
    left = store.calls.client.list_multipart_uploads(Bucket=store.address.bucket)
    assert len(left.get("Uploads", [])) <= 2, "only what nobody was told the name of"


@pytest.mark.parametrize("at", [0, 1, RANGE // 2, RANGE - 1])
def test_g1_11_a_cut_while_it_is_read_goes_on_there(store: S3Blobs, proxy: Proxy, at: int) -> None:
    store.put(BytesIO(LARGE))

    def cut(passed: Passed) -> Answer:
        answer = passed()
        answer.cut = at
        return answer

    fault = Times(3, "GET", cut, "sha256")
    proxy.fault = fault
    proxy.seen.clear()
    assert store.read(digest_of(LARGE)) == LARGE
    assert fault.left == 0
    ranges = [one.headers["Range"] for one in proxy.seen if "Range" in one.headers]
    if at > 1:
        assert any(int(one[6:].split("-")[0]) % RANGE == at for one in ranges), "at the offset"
    later = [one for one in proxy.seen if not one.headers.get("Range", "").startswith("bytes=0-")]
    assert all(one.headers.get("If-Match") for one in later)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_g1_12_wrong_bytes_are_found(store: S3Blobs, proxy: Proxy, data: bytes) -> None:
    store.put(BytesIO(data))
    digest = digest_of(data)

    def wrong(passed: Passed) -> Answer:
        answer = passed()
        answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])
        return answer

    proxy.fault = Times(1000, "GET", wrong, "sha256")
    assert error(lambda: store.read(digest)).code == "blob-damaged"
    assert error(lambda: store.check(digest)).code == "blob-damaged"
    assert store.fault(digest) == "damaged"
    assert store.read_all([digest], 2**30) == {}


def test_g1_12_truncated_bodies_are_found(store: S3Blobs, proxy: Proxy) -> None:
    """A proxy that shortens the body and its length with it: nobody sees a cut."""
    store.put(BytesIO(LARGE))

    def short(passed: Passed) -> Answer:
        answer = passed()
        answer.body = answer.body[: len(answer.body) // 2]
        answer.headers["Content-Length"] = str(len(answer.body))
        return answer

    proxy.fault = Times(3, "GET", short, "sha256")
    assert store.read(digest_of(LARGE)) == LARGE, "what is missing is asked for again"

    def nothing(passed: Passed) -> Answer:
        answer = passed()
        answer.body, answer.headers["Content-Length"] = b"", "0"
        return answer

    proxy.fault = Times(10_000, "GET", nothing, "sha256")
    assert error(lambda: store.read(digest_of(LARGE))).code == "blobs-cut-off"


def test_g1_12_a_size_that_is_a_lie_is_not_believed(store: S3Blobs, proxy: Proxy) -> None:
    def shorter(passed: Passed) -> Answer:
        answer = passed()
        answer.headers["Content-Length"] = str(int(answer.headers["Content-Length"]) - 1)
        return answer

    proxy.fault = Times(1000, "HEAD", shorter, "sha256")
    assert error(lambda: store.put(BytesIO(SMALL))).code == "blob-not-kept"
    assert holds(store, SMALL), "and nothing whole was lost by that"

    def longer(passed: Passed) -> Answer:
        answer = passed()
        answer.headers["Content-Range"] = answer.headers["Content-Range"].replace("/10", "/11")
        return answer

    proxy.fault = Times(1000, "GET", longer, digest_of(SMALL))
    assert store.fault(digest_of(SMALL)) == "unreadable"


def test_g1_13_one_that_is_replaced_while_it_is_read(store: S3Blobs, proxy: Proxy) -> None:
    store.put(BytesIO(LARGE))
    digest = digest_of(LARGE)
    with store.open(digest) as source:
        seaweed().client().put_object(
            Bucket=store.address.bucket, Key=store.key(digest), Body=LARGE[::-1]
        )
        assert error(source.read).code == "blob-changed-meanwhile"
    assert proxy.fault is honest


def test_g1_13_what_is_sent_wrong_is_sent_again(store: S3Blobs, proxy: Proxy) -> None:
    """A proxy that changes bytes on their way there: the server's checks find it."""
    count = [3]

    def change(request: Request, passed: Passed) -> Answer:
        if count[0] and request.method == "PUT" and len(request.body) > 5:
            count[0] -= 1
            request.body = request.body[:-1] + bytes([request.body[-1] ^ 1])
        return passed()

    proxy.fault = change
    for data in (SMALL, LARGE):
        count[0] = 3
        store.put(BytesIO(data))
        assert count[0] == 0
        assert holds(store, data)


ANSWERS = [
    ("RequestTimeTooSkewed", 403, "blobs-clock"),
    ("AuthorizationHeaderMalformed", 400, "blobs-region"),
    ("ExpiredToken", 400, "blobs-credentials-expired"),
    ("InvalidAccessKeyId", 403, "blobs-wrong-credentials"),
    ("SignatureDoesNotMatch", 403, "blobs-wrong-credentials"),
    ("AccessDenied", 403, "blobs-forbidden"),
    ("NoSuchBucket", 404, "blobs-no-bucket"),
    ("XMinioStorageFull", 507, "blobs-full"),
    ("InternalError", 500, "blobs-busy"),
    ("QuotaExceeded", 403, "blobs-full"),
    ("Strange", 418, "blobs-failed"),
]


@pytest.mark.parametrize("code, status, ours", ANSWERS)
def test_g1_14_what_a_server_says_is_a_sentence(
    store: S3Blobs, proxy: Proxy, code: str, status: int, ours: str
) -> None:
    proxy.fault = lambda request, passed: (
        passed() if request.method == "HEAD" else said(code, status)
    )
    for work in (
        lambda: store.put(BytesIO(SMALL)),
        lambda: store.put(BytesIO(LARGE)),
        lambda: store.open(digest_of(SMALL)),
        lambda: list(store.digests()),
    ):
        assert error(work).code == ours
    proxy.fault = honest
    assert list(store.digests()) == [digest_of(b"the first")]


@pytest.mark.parametrize("status", [200, 302, 403, 404, 502])
def test_g1_14_a_page_for_people_is_no_answer(store: S3Blobs, proxy: Proxy, status: int) -> None:
    """A guest network, or a proxy that wants a password: also with 404 it is no answer."""
    first = digest_of(b"the first")
    proxy.fault = lambda _request, _passed: page(status)
    for work in (
        lambda: store.put(BytesIO(SMALL)),
        lambda: store.put(BytesIO(LARGE)),
        lambda: store.has(first),
        lambda: list(store.digests()),
    ):
        assert error(work).code == "blobs-not-s3"
    assert store.fault(first) in {"damaged", "unreadable"}
    proxy.fault = honest
    assert store.fault(first) == ""


def test_g1_14_nobody_answers(server: S3Server, tmp_path: Path) -> None:
    store = blobs_at("http://127.0.0.1:9", server.bucket(), tmp_path)
    assert error(lambda: store.put_bytes(SMALL)).code == "blobs-unreachable"


def test_g1_14_no_credentials(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = server.bucket()
    for name in server.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    store = blobs_at(server.endpoint, bucket, tmp_path / "work")
    assert error(lambda: store.put_bytes(SMALL)).code == "blobs-no-credentials"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    store = blobs_at(server.endpoint, bucket, tmp_path / "work")
    assert error(lambda: store.put_bytes(SMALL)).code == "blobs-aws-settings"


def test_g1_15_conditions_are_heeded_or_done_without(
    server: S3Server, proxy: Proxy, tmp_path: Path
) -> None:
    def ignores(_request: Request, passed: Passed) -> Answer:
        """As if the same bytes had been written over: what is signed cannot be taken out."""
        answer = passed()
        return Answer(200, {"ETag": '"e"'}, b"") if answer.status == 412 else answer

    proxy.fault = ignores
    store = blobs_at(proxy.endpoint, server.bucket(), tmp_path / "work")
    assert not store.behaviour.conditions
    assert store.behaviour.checksums
    for data in (SMALL, LARGE):
        store.put(BytesIO(data))
        assert holds(store, data)
        proxy.seen.clear()
        store.put(BytesIO(data))
        assert {one.method for one in proxy.seen} == {"HEAD"}, "what is there is not sent again"
    assert blobs_at(server.endpoint, server.bucket(), tmp_path / "work").behaviour.conditions


def test_g1_15_rclone_ignores_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_s3(tmp_path / "rclone") as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        folder = found.bucket("models")
        store = blobs_at(found.endpoint, "models", tmp_path / "work")
        assert not store.behaviour.conditions
        assert not store.behaviour.checksums
        for data in (b"", SMALL, LARGE):
            store.put(BytesIO(data))
            assert (folder / "hub/sha256" / digest_of(data)).read_bytes() == data
            assert store.read(digest_of(data)) == data
        path = folder / "hub/sha256" / digest_of(SMALL)
        path.write_bytes(b"SOME BYTES")
        found.look_again()
        assert store.fault(digest_of(SMALL)) == "damaged"
        store.put(BytesIO(SMALL), anew=True)
        assert path.read_bytes() == SMALL


def test_g1_16_a_store_has_one_organisation(server: S3Server, tmp_path: Path) -> None:
    bucket = server.bucket()
    blobs_at(server.endpoint, bucket, tmp_path).put_bytes(SMALL)
    again = blobs_at(server.endpoint, bucket, tmp_path)
    again.put_bytes(b"the same organisation's")
    theirs = blobs_at(server.endpoint, bucket, tmp_path, "f" * 64)
    for data in (b"other", LARGE):
        assert error(partial(theirs.put, BytesIO(data))).code == "blobs-of-another-hub"
        assert not again.has(digest_of(data))
    nobody = blobs_at(server.endpoint, bucket, tmp_path, "")
    assert error(lambda: nobody.put_bytes(b"other")).code == "blobs-of-nobody"
    server.client().put_object(Bucket=bucket, Key="hub/sealift-hub.json", Body=b"{}")
    third = blobs_at(server.endpoint, bucket, tmp_path, ORGANISATION)
    with pytest.raises(RefusedError, match="does not say whose"):
        third.put_bytes(b"other")


def test_g1_17_abandoned_uploads_are_swept(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from sealift_registry.storage import s3_blobs

    store = server.blobs(tmp_path)
    client, bucket = server.client(), store.address.bucket
    ours = store.key(digest_of(SMALL))
    for key in (ours, "theirs/sha256/" + digest_of(SMALL), "hub/sha256/other"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    assert store.sweep() == 0, "somebody may be at it"
    monkeypatch.setattr(s3_blobs, "ABANDONED", timedelta(seconds=-1))
    assert store.sweep() == 0, "it was looked a moment ago"
    assert store.sweep_now() == 1
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert ours not in {one["Key"] for one in left}
    assert len(left) == 2


def test_g1_18_what_is_stopped_leaves_nothing(store: S3Blobs) -> None:
    class StoppedError(Exception):
        pass

    def stop(_count: int) -> None:
        raise StoppedError

    for expect in (None, digest_of(LARGE)):
        with pytest.raises(StoppedError):
            store.put(BytesIO(LARGE), expect=expect, progress=stop)
    assert not store.has(digest_of(LARGE))
    bucket = store.address.bucket
    assert not store.calls.client.list_multipart_uploads(Bucket=bucket).get("Uploads")
