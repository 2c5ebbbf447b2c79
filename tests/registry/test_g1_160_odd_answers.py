"""Answers that no S3 server should give: each is an error of ours, which names the store."""

from __future__ import annotations

import gzip
import os
import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from sealift_registry.storage import s3_check, s3_lists
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_reading import RANGE
from sealift_registry.storage.s3_sending import PART
from sealift_signing.errors import SealiftError
from tests.servers.hostile_s3 import Answer, Fault, Proxy, Request, honest, hostile
from tests.servers.seaweed import S3Server, blobs_at, seaweed

pytestmark = pytest.mark.socket

SMALL, OTHER = b"some bytes", b"others"
LARGE = os.urandom(RANGE + PART + 4321)
Passed = Callable[[], Answer]
Edit = Callable[[Answer], None]


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
    """A store behind the proxy, which holds two blobs."""
    made = blobs_at(proxy.endpoint, server.bucket(), tmp_path / "work")
    for data in (SMALL, OTHER):
        made.put_bytes(data)
    return made


def error(work: Callable[[], object]) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        work()
    assert caught.value.next_step
    return caught.value


def edited(method: str, path: str, edit: Edit) -> Fault:
    """Every answer to such a request, changed."""

    def fault(request: Request, passed: Passed) -> Answer:
        answer = passed()
        if request.is_(method, path) and answer.status < 300:
            edit(answer)
        return answer

    return fault


def header(name: str, value: str | None) -> Edit:
    def edit(answer: Answer) -> None:
        for known in [one for one in answer.headers if one.lower() == name.lower()]:
            del answer.headers[known]
        if value is not None:
            answer.headers[name] = value

    return edit


def xml(pattern: bytes, to: bytes) -> Edit:
    def edit(answer: Answer) -> None:
        answer.body = re.sub(pattern, to, answer.body, flags=re.DOTALL)
        header("Content-Length", str(len(answer.body)))(answer)

    return edit


DIGITS = "9" * 5000
HEADS = {
    "a size of many digits": header("Content-Length", "9" * 40),
    "no date": header("Last-Modified", "the day before yesterday"),
    "a date that is no time": header("Last-Modified", "9" * 400),
}
GETS = {
    "a part of very many digits": header("Content-Range", f"bytes 0-9/{DIGITS}"),
    "a part that ends before it begins": header("Content-Range", "bytes 9-0/10"),
    "a part of nobody knows what": header("Content-Range", "bytes 0-9/*"),
    "a part of something else": header("Content-Range", "bytes x-y/z"),
}
LISTS = {
    "no size": xml(rb"<Size>.*?</Size>", b""),
    "no key": xml(rb"<Key>.*?</Key>", b""),
    "an empty key": xml(rb"<Key>.*?</Key>", b"<Key></Key>"),
    "a size that is a word": xml(rb"<Size>.*?</Size>", b"<Size>much</Size>"),
    "a size of very many digits": xml(rb"<Size>.*?</Size>", f"<Size>{DIGITS}</Size>".encode()),
    "a size below none": xml(rb"<Size>.*?</Size>", b"<Size>-1</Size>"),
    "a date that is none": xml(rb"<LastModified>.*?<", b"<LastModified>soon<"),
    "other keys": xml(rb"<Key>hub/sha256/", b"<Key>"),
    "no order": xml(rb"(<Contents>.*?</Contents>)(<Contents>.*?</Contents>)", rb"\2\1"),
    "entities": xml(rb"<ListBucketResult", b"<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult"),
}


def hexed(data: bytes) -> str:
    return f"sha256/{digest_of(data)}"


def test_g1_160_a_head_that_cannot_be_read(store: S3Blobs, proxy: Proxy) -> None:
    for what, edit in HEADS.items():
        proxy.fault = edited("HEAD", hexed(SMALL), edit)
        found = error(lambda: store.size(digest_of(SMALL)))
        assert (found.code, found.subject) == ("blobs-odd-answer", store.where), what


def test_g1_160_a_part_that_cannot_be_read(store: S3Blobs, proxy: Proxy) -> None:
    for what, edit in GETS.items():
        proxy.fault = edited("GET", hexed(SMALL), edit)
        found = error(lambda: store.open(digest_of(SMALL)))
        assert (found.code, found.subject) == ("blobs-odd-answer", store.where), what
        assert store.fault(digest_of(SMALL)) == "unreadable"


def test_g1_160_a_list_that_cannot_be_read(store: S3Blobs, proxy: Proxy) -> None:
    assert len(list(store.digests())) == 2
    for what, edit in LISTS.items():
        proxy.fault = edited("GET", "list-type=2", edit)
        found = error(lambda: list(store.digests()))
        assert (found.code, found.subject) == ("blobs-odd-answer", store.where), what


def test_g1_160_a_list_of_uploads_that_cannot_be_read(store: S3Blobs, proxy: Proxy) -> None:
    store.calls.ask("create_multipart_upload", Key=store.key(digest_of(b"begun")))
    assert store.sweep_now() == 0
    for member, to in (("Key", ""), ("UploadId", ""), ("Initiated", ""), ("Initiated", "2026-1-1")):
        new = f"<{member}>{to}</{member}>" if to else ""
        edit = xml(f"<{member}>.*?</{member}>".encode(), new.encode())
        proxy.fault = edited("GET", "uploads", edit)
        assert error(store.sweep_now).code == "blobs-odd-answer", member
    assert store.sweep() == 0, "it is in nobody's way"


def test_g1_160_an_upload_without_a_name(store: S3Blobs, proxy: Proxy) -> None:
    data = os.urandom(PART + 1)
    proxy.fault = edited("POST", "uploads", xml(rb"<UploadId>.*?</UploadId>", b""))
    assert error(lambda: store.put(BytesIO(data))).code == "blobs-odd-answer"
    proxy.fault = edited("PUT", "partNumber", header("ETag", None))
    assert error(lambda: store.put(BytesIO(data))).code == "blobs-odd-answer"


@pytest.mark.parametrize("marker", ["[" * 60_000, "[]", "{}", '{"organisation": [1]}', "\ud800"])
def test_g1_160_a_marker_that_says_nothing(server: S3Server, tmp_path: Path, marker: str) -> None:
    bucket = server.bucket()
    body = marker.encode("utf-8", "surrogatepass")
    server.client().put_object(Bucket=bucket, Key="hub/sealift-hub.json", Body=body)
    store = blobs_at(server.endpoint, bucket, tmp_path)
    assert error(lambda: store.put_bytes(SMALL)).code == "blobs-marker-wrong"
    assert error(store.check_ours).code == "blobs-marker-wrong"


@pytest.mark.parametrize("following", ["the same", "ever more", "nothing"])
def test_g1_160_a_list_without_an_end(
    store: S3Blobs, proxy: Proxy, following: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_lists, "MOST_PAGES", 20)
    count = [0]

    def edit(answer: Answer) -> None:
        count[0] += 1
        key = {"the same": "0", "ever more": f"{count[0]:x}"}.get(following, "")
        one = f"<Contents><Key>hub/sha256/{key:0>64}</Key><Size>1</Size></Contents>"
        end = b"<IsTruncated>true</IsTruncated>" + (one.encode() if key else b"")
        xml(rb"<IsTruncated>.*?</IsTruncated>|<Contents>.*</Contents>", b"")(answer)
        xml(rb"</ListBucketResult>", end + b"</ListBucketResult>")(answer)

    proxy.fault = edited("GET", "list-type=2", edit)
    assert error(lambda: list(store.digests())).code == "blobs-list-endless"
    assert count[0] <= 20

    def to_and_fro(_request: Request, _passed: Passed) -> Answer:
        count[0] += 1
        marks = f"<NextKeyMarker>{count[0] % 2}</NextKeyMarker><IsTruncated>true</IsTruncated>"
        body = f"<ListMultipartUploadsResult>{marks}</ListMultipartUploadsResult>"
        return Answer(200, {"Content-Type": "application/xml"}, body.encode())

    proxy.fault, count[0] = to_and_fro, 0
    assert error(store.sweep_now).code == "blobs-list-endless"
    assert count[0] == 20


def test_g1_161_what_comes_compressed_is_said(store: S3Blobs, proxy: Proxy) -> None:
    """A proxy that compresses whatever passes: those are not a damaged blob's bytes."""

    def squeeze(answer: Answer) -> None:
        answer.body = gzip.compress(answer.body)
        header("Content-Encoding", "gzip")(answer)
        header("Content-Length", str(len(answer.body)))(answer)

    digest = digest_of(SMALL)
    proxy.fault = edited("GET", "", squeeze)
    assert error(lambda: store.read(digest)).code == "blobs-compressed"
    assert error(lambda: list(store.digests())).code == "blobs-compressed"
    assert store.fault(digest) == "unreadable"
    asked = [one.headers.get("Accept-Encoding", "identity") for one in proxy.seen]
    assert set(asked) == {"identity"}


def test_g1_161_a_tag_that_a_proxy_made_weak_is_the_servers(store: S3Blobs, proxy: Proxy) -> None:
    def weaken(answer: Answer) -> None:
        tag = next(value for name, value in answer.headers.items() if name.lower() == "etag")
        header("ETag", f"W/{tag}")(answer)

    store.put(BytesIO(LARGE))
    proxy.fault = edited("GET", "sha256", weaken)
    assert store.read(digest_of(LARGE)) == LARGE
    proxy.seen.clear()
    store.check(digest_of(LARGE))
    assert [one for one in proxy.seen if one.headers.get("If-Match")]


def said(code: str, status: int, headers: dict[str, str] | None = None) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return Answer(status, {"Content-Type": "application/xml", **(headers or {})}, body.encode())


def always(answer: Answer) -> Fault:
    return lambda _request, _passed: answer


WORDS = [
    ("InvalidObjectState", 403, "blobs-archived"),
    ("InvalidRange", 416, "blobs-no-ranges"),
    ("MethodNotAllowed", 405, "blobs-request-refused"),
    ("NotImplemented", 501, "blobs-request-refused"),
    ("", 417, "blobs-request-refused"),
    ("", 413, "blobs-request-refused"),
    ("", 407, "blobs-request-refused"),
    ("w" * 5000, 418, "blobs-failed"),
]


def test_g1_161_more_words_of_servers(store: S3Blobs, proxy: Proxy) -> None:
    for code, status, ours in WORDS:
        proxy.fault = always(said(code, status))
        found = error(lambda: store.open(digest_of(SMALL)))
        assert found.code == ours
        assert len(found.what) < 400
        assert error(lambda: list(store.digests())).code == ours


def test_g1_161_a_mark_of_what_was_deleted_is_nothing(store: S3Blobs, proxy: Proxy) -> None:
    deleted = {"x-amz-delete-marker": "true"}
    proxy.fault = lambda _request, _passed: said("MethodNotAllowed", 405, deleted)
    assert not store.has(digest_of(SMALL))
    assert store.fault(digest_of(SMALL)) == "missing"
    store.remove(digest_of(SMALL))


REFUSALS = [
    ("ExpiredToken", 400, "blobs-credentials-expired"),
    ("RequestTimeTooSkewed", 403, "blobs-clock"),
    ("PermanentRedirect", 301, "blobs-region"),
    ("AuthorizationHeaderMalformed", 400, "blobs-region"),
    ("InvalidAccessKeyId", 403, "blobs-wrong-credentials"),
    ("AccessDenied", 403, "blobs-forbidden"),
]


def test_g1_162_why_head_was_refused_is_asked_for(store: S3Blobs, proxy: Proxy) -> None:
    """To HEAD nothing but a number is answered."""
    for code, status, ours in REFUSALS:
        proxy.fault = always(said(code, status))
        proxy.seen.clear()
        assert error(lambda: store.has(digest_of(SMALL))).code == ours
        assert [one.method for one in proxy.seen] == ["HEAD", "GET"], "once"


def test_g1_162_what_is_refused_to_head_alone(store: S3Blobs, proxy: Proxy) -> None:
    proxy.fault = lambda request, passed: said("", 403) if request.method == "HEAD" else passed()
    assert error(lambda: store.has(digest_of(SMALL))).code == "blobs-forbidden"


class Mutations:
    """Answers that are changed at random, some of them in several ways."""

    def __init__(self, seed: int) -> None:
        self._drawn = random.Random(seed)  # noqa: S311 - no secret
        self._odd = [
            *("", "0", "-1", DIGITS, 'W/"x"', "x" * 9000, "\xff\xfe", "bytes 5-9/3"),
            *(
                "gzip",
                "text/html",
                "2026-13-45T99:99:99Z",
                "Thu, 01 Jan 99999 00:00:00 GMT",
                "true",
            ),
        ]

    def __call__(self, request: Request, passed: Passed) -> Answer:
        answer = passed()
        for _ in range(self._drawn.choice((0, 1, 1, 2))):
            self._drawn.choice((self._header, self._element, self._body, self._status))(answer)
        answer.cut = len(answer.body)  # who waits for more learns that there is none
        return answer

    def _header(self, answer: Answer) -> None:
        names = sorted(answer.headers) or ["ETag"]
        value = self._drawn.choice([None, *self._odd])
        header(self._drawn.choice([*names, "Content-Range", "Content-Encoding"]), value)(answer)

    def _element(self, answer: Answer) -> None:
        names = sorted(set(re.findall(rb"<(\w+)>", answer.body)))
        if names and answer.body.startswith(b"<"):
            name = self._drawn.choice(names)
            value = self._drawn.choice(self._odd).encode("latin-1")
            new = self._drawn.choice([b"", b"<%s>%s</%s>" % (name, value, name), b"<a/>" * 50])
            xml(b"<%s>.*?</%s>" % (name, name), new.replace(b"\\", b""))(answer)

    def _body(self, answer: Answer) -> None:
        at = self._drawn.randrange(len(answer.body) + 1)
        longer = answer.body + b"more"
        answer.body = self._drawn.choice([b"", answer.body[:at], longer, b"\xff" + longer])
        if self._drawn.random() < 0.7:
            header("Content-Length", str(len(answer.body)))(answer)

    def _status(self, answer: Answer) -> None:
        answer.status = self._drawn.choice((200, 204, 206, 301, 307, 400, 403, 404, 405, 416, 503))


@pytest.mark.parametrize("seed", range(3))
def test_g1_163_only_errors_of_ours_come_out(
    server: S3Server, proxy: Proxy, tmp_path: Path, seed: int
) -> None:
    store = blobs_at(proxy.endpoint, server.bucket(), tmp_path / "work")
    small, large = os.urandom(100), os.urandom(PART + 1000)
    for data in (SMALL, small, large):
        store.put(BytesIO(data))
    known = digest_of(SMALL)

    def read() -> None:
        assert store.read(known) == SMALL

    works: tuple[Callable[[], object], ...] = (
        lambda: store.has(known),
        lambda: store.sizes([known, digest_of(small)]),
        lambda: store.put(BytesIO(SMALL)),
        lambda: store.put(BytesIO(small), anew=True),
        lambda: store.put(BytesIO(large), anew=True),
        read,
        lambda: store.read_all([known], 1000),
        lambda: store.fault(digest_of(large)),
        lambda: list(store.listed()),
        store.check_ours,
        store.sweep_now,
        lambda: blobs_at(proxy.endpoint, store.address.bucket, tmp_path / "w").put_bytes(SMALL),
        lambda: s3_check.check(store),
        lambda: store.remove(digest_of(b"nothing")),
    )
    told = list[SealiftError]()
    for number in range(4):
        for work in works:
            proxy.fault = Mutations(seed * 1000 + number)
            try:
                work()
            except SealiftError as bad:
                told.append(bad)
            finally:
                proxy.fault = honest
    assert told
    assert all(one.next_step and len(one.what) < 2000 for one in told)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid"])
def test_g1_164_who_was_never_reached_is_told_soon(
    server: S3Server, tmp_path: Path, host: str
) -> None:
    store = blobs_at(f"http://{host}", "bucket", tmp_path)
    clock = store.calls.patience.clock
    assert error(store.check_ours).code == "blobs-unreachable"
    assert clock() < 15
    for data in (SMALL, OTHER, LARGE):
        assert error(partial(store.put, BytesIO(data))).code == "blobs-unreachable"
    assert clock() < 15, "all of them together"


def test_g1_164_who_answered_before_is_waited_for(store: S3Blobs, proxy: Proxy) -> None:
    clock, address = store.calls.patience.clock, store.calls.address
    gone = blobs_at("http://127.0.0.1:9", address.bucket, store._work)
    store.calls.__dict__["client"] = gone.calls.client
    begun = clock()
    assert error(store.check_ours).code == "blobs-unreachable"
    assert clock() >= begun + store.calls.patience.seconds
    assert proxy.fault is honest
