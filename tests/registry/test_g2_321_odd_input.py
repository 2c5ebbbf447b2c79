"""Whatever is sent, the fault is whoever's that sends it: no input is answered with a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from litestar.testing import TestClient

from sealift_registry.access.calling import ROLES, Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.changing_jobs import cancel
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import SITE, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.test_g3_80_jobs_seen import asked

API = "/api/v1"
KNOWN = {
    "team": TEAM,
    "model": "tiny",
    "number": "1",
    "form": "source",
    "promotion": "P-000001",
    "site": SITE,
    "transfer": f"{SITE}-000001",
    "person": "anna",
    "job": "J-000001",
    "sha256": "ab" * 32,
    "account": "anna",
    "token": "token-0011223344556677",
    "session": "session-0011223344556677",
    "upload": "ab" * 16,
}
DEEP = 20_000
BODIES: Mapping[str, bytes] = {
    "deep lists": b"[" * DEEP,
    "deep lists that end": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a deep member": b'{"account":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a huge number": b'{"account":1' + b"0" * 5000 + b"}",
    "an infinite number": b'{"priority":1e999,"days":1e999,"hours":-1e999}',
    "no number": b'{"priority":NaN,"days":Infinity}',
    "half a character": b'{"account":"\\ud800","reason":"\\udfff","name":"\\ud800"}',
    "a nul": b'{"account":"a\\u0000","reason":"\\u0000","text":"\\u0000","name":"\\u0000"}',
    "twice": b'{"account":"a","account":"b"}',
    "no utf-8": b'{"account":"\xff\xfe"}',
    "utf-16": '{"account":"a"}'.encode("utf-16"),
    "a mark of order": b"\xef\xbb\xbf{}",
    **{name: name.encode() for name in ("null", "[]", "0", '""', "true", "{}", "{", "")},
    "spaces": b" " * 100_000,
    "many members": b"{" + b",".join(b'"m%d":1' % n for n in range(5000)) + b"}",
}
HEADERS: Mapping[str, tuple[bytes, ...]] = {
    "if-match": (b"*", b'"', b'W/"x"', b'"\xff"', b"," * 5000, b""),
    "if-none-match": (b"*", b'"', b'"\xff"', b"," * 5000),
    "if-range": (b'"x"', b"Mon, 99 Foo 0000", b"\xff"),
    "range": (
        b"bytes=",
        b"bytes=-",
        b"bytes=9-1",
        b"bytes=" + b"9" * 5000 + b"-",
        b"\xff",
        b"x=0-",
    ),
    "idempotency-key": (b"", b"x" * 5000, b"\xff", b" "),
    "accept": (b"*/*;q=abc", b"text/plain;q=9999999999", b"\xff", b"," * 5000, b"/"),
    "content-type": (
        b"application/json; charset=utf-16",
        b'application/json; charset="',
        b"\xff",
        b"/",
    ),
    "content-encoding": (b"gzip", b"\xff"),
    "authorization": (
        b"Bearer",
        b"Bearer  ",
        b"Basic eDp5",
        b"Bearer \xff",
        b"Bearer slt_" + b"x" * 5000,
    ),
    "cookie": (b"__Host-sealift=\xff; =;;", b"sealift=" + b"x" * 5000, b"=" * 5000),
    "origin": (b"null", b"\xff", b"http://["),
    "sec-fetch-site": (b"\xff",),
    "upload-offset": (b"-1", b"9" * 5000, b"1e9", b"\xd9\xa3", b""),
    "x-sealift-csrf": (b"\xff", b"x" * 5000),
    "forwarded": (b"for=\xff", b'for="[', b"," * 5000),
    "x-forwarded-for": (b"\xff", b"999.1.1.1", b"," * 5000),
}
PARTS = (
    *("%00", "%ff", "%2e%2e", "..%2f..%2fetc", "%ED%A0%80", "%20", "%0d%0a", "%", "%zz"),
    *(
        quote("é" * 300),
        "x" * 3000,
        quote("\N{ARABIC-INDIC DIGIT THREE}"),
        "-1",
        "9" * 400,
        "a;b=c",
    ),
)
Operation = tuple[str, str, Mapping[str, Any]]
Part = Callable[[list[Operation]], list[Operation]]


@contextmanager
def sweeping(acme: Acme) -> Iterator[tuple[TestClient[Any], dict[str, str], list[Operation]]]:
    """A hub that is served, whoever may do everything that is granted, and all operations."""
    cancel(acme.app.hub, asked(acme.app.hub).id, "root")
    secret = signed_in(acme, "all", *(Grant(one) for one in ROLES)).secret
    with served(acme, Gatekeeper(acme.app.hub)) as client:
        said = client.get(f"{API}/openapi.json").json()
        every = [
            (method.upper(), path, operation)
            for path, methods in said["paths"].items()
            for method, operation in methods.items()
            if method in {"get", "head", "post", "put", "patch", "delete"}
        ]
        yield client, {"authorization": f"Bearer {secret}"}, every


def some(every: list[Operation]) -> list[Operation]:
    """A part of all operations."""
    return every[::6]


def filled(path: str, **other: str) -> str:
    """An address with what there is in its places, or with `other` things."""
    for name, value in {**KNOWN, **other}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def check(answer: Response, what: object) -> None:
    assert answer.status_code < 500, (what, answer.status_code, answer.text[:300])


def test_g2_321_no_body_is_a_fault_of_the_server(ready: Acme) -> None:
    with sweeping(ready) as (client, may, every):
        number = 0
        for method, path, _ in every:
            if method in {"GET", "HEAD"}:
                continue
            for name, body in BODIES.items():
                number += 1
                for kind in ("application/json", "application/octet-stream"):
                    sent = {
                        "content-type": kind,
                        "idempotency-key": f"b{number}",
                        "if-match": '"x"',
                    }
                    sent |= {"upload-offset": "0"}
                    answer = client.request(
                        method, filled(path), content=body, headers={**may, **sent}
                    )
                    check(answer, (method, path, name))
        for name, body in BODIES.items():
            answer = client.post(
                f"{API}/session", content=body, headers={"content-type": "application/json"}
            )
            check(answer, ("nobody", name))


EACH = [pytest.param(list, marks=pytest.mark.long, id="all"), pytest.param(some, id="some")]
"""How many of the operations: all of them take a minute."""


@pytest.mark.parametrize("part", EACH)
def test_g2_321_no_header_is_a_fault_of_the_server(ready: Acme, part: Part) -> None:
    with sweeping(ready) as (client, may, every):
        for method, path, _ in part(every):
            for name, values in HEADERS.items():
                for value in values:
                    headers: list[tuple[bytes, bytes]] = [
                        (k.encode(), v.encode()) for k, v in may.items() if k != name
                    ]
                    headers.append((name.encode(), value))
                    answer = client.request(method, filled(path), headers=headers)
                    check(answer, (method, path, name, value))


@pytest.mark.parametrize("part", EACH)
def test_g2_321_no_address_is_a_fault_of_the_server(ready: Acme, part: Part) -> None:
    with sweeping(ready) as (client, may, every):
        for method, path, operation in part(every):
            named = [one for one in KNOWN if f"{{{one}}}" in path]
            for name in named:
                for odd in PARTS:
                    there = filled(path, **{name: odd})
                    check(client.request(method, there, headers=may), (method, there))
            for one in operation.get("parameters", ()):
                if one["in"] != "query":
                    continue
                for odd in PARTS:
                    asks = f"{filled(path)}?{one['name']}={odd}"
                    check(client.request(method, asks, headers=may), (method, asks))


@pytest.mark.parametrize("body", ["deep lists", "deep objects", "a deep member"])
def test_g2_321_what_is_nested_too_deeply_is_said(acme: Acme, body: str) -> None:
    with served(acme, Gatekeeper(acme.app.hub)) as client:
        answer = client.post(
            f"{API}/session", content=BODIES[body], headers={"content-type": "application/json"}
        )
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["code"] in {"bad-request", "bad-body"}
