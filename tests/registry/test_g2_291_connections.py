"""Connections of whoever is not known: how long they are kept, and how many."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.registry.hub_fixture import Acme
from tests.registry.real_workers import until
from tests.registry.served_hub import Process, serving
from tests.registry.test_g2_56_server_process import answer_to, asked, connected

pytestmark = pytest.mark.socket
SIGN_IN = "POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
CROWD = 400
"""More connections than the server below may have files open."""


@pytest.fixture(name="shared")
def _shared(acme: Acme) -> Iterator[Process]:
    acme.close()
    with serving(acme.root) as server:
        yield server


def begun(server: Process, length: int = 50) -> socket.socket:
    """A connection that says a body comes, and sends one byte of it."""
    made = connected(server.port)
    made.sendall(f"{SIGN_IN}Content-Length: {length}\r\n\r\n{{".encode())
    return made


def statuses(path: Path) -> list[object]:
    """What was answered, as the log file has it."""
    answered = [one["fields"] for one in told(path) if one["event"] == "request-answered"]
    return [one["status"] for one in answered]


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_g2_291_a_crowd_that_says_nothing_keeps_nobody_out(acme: Acme) -> None:
    acme.close()
    with serving(acme.root, OPEN_FILES="340") as server, ExitStack() as stack:
        crowd = [stack.enter_context(begun(server)) for _ in range(CROWD)]
        for _ in range(5):
            assert asked(server.port, "/health/live") == 200
            assert asked(server.port, "/health/ready") == 200
        files = [*Path(f"/proc/{server.process.pid}/fd").iterdir()]
        assert len(files) < 256
        assert crowd[0].recv(1) == b""  # who waited longest made room


def test_g2_291_a_body_that_does_not_come_is_not_waited_for(acme: Acme) -> None:
    acme.close()
    with serving(acme.root, BODY_SECONDS="0.5") as server, begun(server) as silent:
        answer = b"".join(iter(lambda: silent.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body-too-slow" in answer


def test_g2_291_one_that_comes_slowly_is(acme: Acme) -> None:
    acme.close()
    piece = b"a" * 20_000
    with (
        serving(acme.root, BODY_SECONDS="1") as server,
        begun(server, 2 + 15 * len(piece)) as slow,
    ):
        for _ in range(15):  # half again as long as one may be silent
            threading.Event().wait(0.1)
            slow.sendall(piece)
        slow.sendall(b"}")
        assert slow.recv(12) == b"HTTP/1.1 400"


def test_g2_291_whoever_goes_amid_a_body_is_no_fault_of_ours(acme: Acme, tmp_path: Path) -> None:
    acme.close()
    log = tmp_path / "events"
    with serving(acme.root, SEALIFT_LOG=str(log)) as server:
        begun(server).close()
        until(lambda: 499 in statuses(log))
    assert not [one for one in told(log) if one["event"] == "request-broken"]


def test_g2_291_what_is_no_body_is_answered(acme: Acme) -> None:
    acme.close()
    with serving(acme.root) as server, connected(server.port) as one:
        one.sendall(f"{SIGN_IN}Transfer-Encoding: chunked\r\n\r\nxyz\r\n".encode())
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"not-http" in answer


HOST, TWICE = "Host: hub\r\n", "Host: hub\r\nHost: hub\r\n"


@pytest.mark.parametrize(
    "head, status, code",
    [
        ("", 400, "one-host"),
        (TWICE, 400, "one-host"),
        (f"{HOST}Expect: tea\r\n", 417, "unknown-expectation"),
        (f"{HOST}Transfer-Encoding: xchunked\r\n", 501, "unknown-coding"),
        (f"{HOST}Content-Encoding: gzip\r\n", 415, "content-coding"),
    ],
)
def test_g2_292_a_head_that_cannot_be_meant_is_answered(
    shared: Process, head: str, status: int, code: str
) -> None:
    answer = answer_to(shared.port, f"POST /api/v1/session HTTP/1.1\r\n{head}\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert code.encode() in answer


def test_g2_292_whoever_says_no_more_hears_the_answer(shared: Process) -> None:
    with connected(shared.port) as one:
        one.sendall(b"GET /health/live HTTP/1.1\r\nHost: hub\r\n\r\n")
        one.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert answer.endswith(b'{"live":true}')


def test_g2_292_a_body_is_asked_for_where_somebody_waits_for_that(shared: Process) -> None:
    with connected(shared.port) as one:
        one.sendall(f"{SIGN_IN}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())
        assert one.recv(65536).startswith(b"HTTP/1.1 100")
        one.sendall(b"{}")
        assert one.recv(12) == b"HTTP/1.1 422"
