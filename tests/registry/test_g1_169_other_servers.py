"""S3 servers as others have them: their regions and names, and what they answer that is usual."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.storage import s3_check, s3_lists
from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_sending import PART
from sealift_signing.errors import UsageError
from tests.servers.hostile_s3 import Answer, Proxy, Request, hostile, said
from tests.servers.seaweed import S3Server, blobs_at, seaweed

pytestmark = pytest.mark.socket
Passed = Callable[[], Answer]


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
    return blobs_at(proxy.endpoint, server.bucket(), tmp_path / "work")


@pytest.mark.parametrize("region", ["NL", "RegionOne", "eu-central-1", ""])
def test_g1_169_a_region_is_what_a_provider_calls_it(
    monkeypatch: pytest.MonkeyPatch, server: S3Server, tmp_path: Path, region: str
) -> None:
    assert s3_address("s3://bucket", region=region).region == region
    monkeypatch.setenv("AWS_REGION", region)
    made = blobs_at(server.endpoint, server.bucket(), tmp_path)
    assert made.fault(made.put_bytes(b"here").sha256) == ""


@pytest.mark.parametrize(
    "host", ["seaweed_s3:8333", "-s3.example", "s3..example", "s3.example_", "a b"]
)
def test_g1_169_a_host_that_botocore_refuses_is_refused_where_it_is_named(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        s3_address("s3://bucket", f"http://{host}")
    assert caught.value.code == "bad-blobs-endpoint"
    assert "underscore" in str(caught.value.next_step)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "[::1]:9", "localhost", "s3.acme.example."])
def test_g1_169_and_others_are_not(host: str) -> None:
    assert s3_address("s3://bucket", f"http://{host}").endpoint.endswith(host)


def test_g1_169_what_takes_an_object_may_call_its_answer_a_page(
    store: S3Blobs, proxy: Proxy
) -> None:
    """As OpenStack's Swift does. Whoever answers without having taken it is still seen."""

    def swift(request: Request, passed: Passed) -> Answer:
        answer = passed()
        if request.is_("PUT"):
            answer.headers["Content-Type"] = "text/html; charset=UTF-8"
        return answer

    proxy.fault = swift
    large = os.urandom(PART + 1)
    for data in (b"small", large):
        assert store.read(store.put(BytesIO(data)).sha256, PART * 2) == data


def test_g1_169_a_page_of_nothing_has_one_behind_it(
    store: S3Blobs, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_lists, "MOST_PAGES", 5)
    digest = store.put_bytes(b"found").sha256
    asked: list[str] = []

    def empty_first(request: Request, passed: Passed) -> Answer:
        if request.is_("GET", "list-type=2"):
            asked.append(request.path)
            if "continuation-token=behind" not in request.path:
                more = "<IsTruncated>true</IsTruncated>"
                more += "<NextContinuationToken>behind</NextContinuationToken>"
                body = f"<ListBucketResult>{more}</ListBucketResult>".encode()
                return Answer(200, {"Content-Type": "application/xml"}, body)
            one = f"<Contents><Key>{store.key(digest)}</Key><Size>5</Size></Contents>"
            body = f"<ListBucketResult>{one}</ListBucketResult>".encode()
            return Answer(200, {"Content-Type": "application/xml"}, body)
        return passed()

    proxy.fault = empty_first
    assert list(store.digests()) == [digest]
    assert len(asked) == 2


def test_g1_169_uploads_go_on_behind_the_last_that_was_listed(
    store: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a page that does not end, SeaweedFS names no key behind which to go on."""
    begun = sorted(store.key(f"{one:064x}") for one in range(5))
    for key in begun:
        store.calls.ask("create_multipart_upload", Key=key)
    pages, ask = [0], store.calls.ask

    def in_twos(operation: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's own
        pages[0] += 1
        return ask(operation, MaxUploads=2, **given)

    monkeypatch.setattr(store.calls, "ask", in_twos)
    folder = store.address.key("sha256/")
    found = [one["Key"] for one in s3_lists.uploads(store.calls, folder)]
    assert sorted(found) == begun
    assert pages[0] >= 3


def test_g1_169_who_may_list_below_the_prefix_alone_is_told_nothing_bad(
    store: S3Blobs, proxy: Proxy
) -> None:
    def scoped(request: Request, passed: Passed) -> Answer:
        listing = request.is_("GET", "list-type=2")
        return said("AccessDenied", 403) if listing and "prefix=" not in request.path else passed()

    proxy.fault = scoped
    assert [one for one in s3_check.check(store) if one.grade == "bad"] == []
