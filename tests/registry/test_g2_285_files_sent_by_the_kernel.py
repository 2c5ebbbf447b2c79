"""Files that the real server sends without reading them: the same bytes, in order, to everybody.

What an application in this process answers does not come this way; here everything does.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest
import uvloop
from uvicorn.protocols.http.flow_control import FlowControl

from sealift_registry.access.calling import Grant
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.web import zero_copy
from sealift_registry.web.zero_copy import Span, ZeroCopy
from tests.benchmarks import weights
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import MODEL, Acme, taken_in
from tests.registry.real_workers import until
from tests.registry.served_hub import Process, serving

pytestmark = pytest.mark.socket
SIZE = 12 << 20
"""More than the kernel takes for somebody who does not read."""
FORM = f"/api/v1/versions/{MODEL}/1/source"
READERS = 60
"""More than the server has threads."""


@dataclass
class Shop:
    """A server with one large file."""

    server: Process
    secret: str
    digest: str
    size: int
    folder: Path

    @property
    def path(self) -> str:
        return f"{FORM}/blobs/{self.digest}"

    def head(self, path: str, *more: str) -> bytes:
        lines = [f"GET {path} HTTP/1.1", "host: hub", f"authorization: Bearer {self.secret}", *more]
        return "\r\n".join([*lines, "", ""]).encode()

    def connected(self, room: int = 0) -> socket.socket:
        """A connection whose buffer takes `room` bytes, if that is said."""
        made = socket.socket()
        if room:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        made.settimeout(60)
        made.connect(("127.0.0.1", self.server.port))
        return made

    def answer(self, connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
        found = http.client.HTTPResponse(connection)
        found.begin()
        return found.status, {n.lower(): v for n, v in found.getheaders()}, found.read()

    def open_files(self) -> int:
        return len([*Path(f"/proc/{self.server.process.pid}/fd").iterdir()])


@pytest.fixture(name="shop")
def _shop(acme: Acme, tmp_path: Path) -> Iterator[Shop]:
    model = weights.make(tmp_path / "model", [SIZE])
    taken_in(acme.app, OnnxSource(model), ModelRef.parse(MODEL), Path(f"{model}.npz"))
    secret = signed_in(acme, "viewer", Grant("viewer")).secret
    (file,) = model.glob("*.bin")
    digest = sha256(file.read_bytes()).hexdigest()
    acme.close()
    with serving(acme.root) as server:
        yield Shop(server, secret, digest, file.stat().st_size, acme.root)


def test_g2_285_the_bytes_are_those_of_the_file_whoever_reads_them_slowly(shop: Shop) -> None:
    with shop.connected(room=4096) as slow:
        slow.sendall(shop.head(shop.path))
        status, said, body = shop.answer(slow)
    assert (status, int(said["content-length"])) == (200, shop.size)
    assert sha256(body).hexdigest() == shop.digest


def test_g2_285_one_connection_is_asked_for_one_thing_after_the_other(shop: Shop) -> None:
    """Sent at once, answered in order: no answer's head is amid another's bytes."""
    parts = ["bytes=0-9", "bytes=5000000-", f"bytes={shop.size - 7}-", "bytes=-1"]
    asked = [shop.head(shop.path, f"range: {part}") for part in parts]
    asked += [shop.head(f"{FORM}/manifest"), shop.head(shop.path)]
    with shop.connected() as one:
        one.sendall(b"".join(asked))
        found = one.makefile("rb")
        bodies = []
        for _ in asked:
            assert found.readline().split()[1] in {b"200", b"206"}
            length = 0
            while line := found.readline().strip():
                name, _, value = line.partition(b": ")
                length = int(value) if name == b"content-length" else length
            bodies.append(found.read(length))
    whole = bodies.pop()
    assert sha256(whole).hexdigest() == shop.digest
    assert json.loads(bodies.pop())["layers"]
    assert bodies == [whole[:10], whole[5000000:], whole[-7:], whole[-1:]]


def test_g2_286_whoever_does_not_read_keeps_nobody_waiting(shop: Shop) -> None:
    with ExitStack() as stack:
        for _ in range(READERS):
            slow = stack.enter_context(shop.connected(room=4096))
            slow.sendall(shop.head(shop.path))
            assert slow.recv(15).startswith(b"HTTP/1.1 200")
        with shop.connected() as quick:
            quick.sendall(shop.head(f"{FORM}/manifest"))
            assert shop.answer(quick)[0] == 200
        with shop.connected() as quick:
            quick.sendall(shop.head(shop.path))
            assert sha256(shop.answer(quick)[2]).hexdigest() == shop.digest


def test_g2_286_of_whoever_is_gone_nothing_stays_open(shop: Shop) -> None:
    with shop.connected() as one:
        one.sendall(shop.head(shop.path))
        shop.answer(one)
    before = shop.open_files()
    for number in range(10):
        with shop.connected(room=4096) as one:
            one.sendall(shop.head(shop.path))
            assert one.recv(15).startswith(b"HTTP/1.1 200")
            if number % 2:  # with a reset; else in order, with bytes that nobody read
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: shop.open_files() < before + 3)
    with shop.connected() as one:
        one.sendall(shop.head(shop.path))
        assert shop.answer(one)[0] == 200


def test_g2_293_nor_of_whoever_said_no_more_and_is_gone(shop: Shop) -> None:
    """Of a connection whose other end sends no more, nothing is read: that it is gone is not heard.

    Also where that is known only by what cannot be sent.
    """
    with shop.connected() as one:
        one.sendall(shop.head(shop.path))
        shop.answer(one)
    before = shop.open_files()
    for _ in range(10):
        with shop.connected(room=4096) as one:
            one.sendall(shop.head(shop.path))
            assert one.recv(15).startswith(b"HTTP/1.1 200")
            one.shutdown(socket.SHUT_WR)
            one.recv(1 << 16)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: shop.open_files() < before + 3)


def test_g2_287_what_becomes_shorter_meanwhile_is_cut_off(shop: Shop) -> None:
    (file,) = shop.folder.rglob(shop.digest)
    with shop.connected(room=4096) as slow:
        slow.sendall(shop.head(shop.path))
        assert slow.recv(15).startswith(b"HTTP/1.1 200")
        file.chmod(0o600)
        os.truncate(file, shop.size - 4096)
        body = b"".join(iter(lambda: slow.recv(1 << 20), b""))
    assert len(body) < shop.size


def test_g2_287_what_is_no_request_says_nothing_amid_a_file(shop: Shop) -> None:
    with shop.connected(room=4096) as slow:
        slow.sendall(shop.head(shop.path))
        first = slow.recv(15)
        assert first.startswith(b"HTTP/1.1 200")
        slow.sendall(b"no request\r\n\r\n")
        body = first
        with suppress(ConnectionError):
            while more := slow.recv(1 << 20):
                body += more
    assert b"problem+json" not in body
    assert len(body) < shop.size


def test_g2_288_what_is_on_its_way_arrives_before_the_server_ends(shop: Shop) -> None:
    with shop.connected(room=4096) as slow:
        slow.sendall(shop.head(shop.path))
        first = slow.recv(1)
        shop.server.process.send_signal(signal.SIGTERM)
        rest = b"".join(iter(lambda: slow.recv(1 << 20), b""))
    body = (first + rest).partition(b"\r\n\r\n")[2]
    assert sha256(body).hexdigest() == shop.digest
    assert shop.server.process.wait(60) == 0


def test_g2_290_a_weak_tag_is_as_good_for_whoever_has_it(shop: Shop) -> None:
    """As a proxy that compresses makes of ours; and what is not so long is not kept for a year."""
    tag = f'W/"{shop.digest}"'
    with shop.connected() as one:
        one.sendall(shop.head(shop.path, f'if-none-match: "x", {tag}'))
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 304")
        one.sendall(shop.head(shop.path, f"if-match: {tag}"))
        assert shop.answer(one)[0] == 412
        one.sendall(shop.head(shop.path, f"range: bytes={shop.size}-"))
        status, said, _ = shop.answer(one)
        assert (status, said["cache-control"]) == (416, "no-store")


# ---------------------------------------------------------------------- a connection alone


class Written(asyncio.Protocol):
    """What uvicorn does when a transport says to wait."""

    flow: FlowControl

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.flow = FlowControl(cast("asyncio.Transport", transport))

    def pause_writing(self) -> None:
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        self.flow.resume_writing()


@asynccontextmanager
async def direct(
    there: socket.socket,
) -> AsyncIterator[tuple[asyncio.Transport, ZeroCopy]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(Written, sock=there)
    try:
        yield transport, ZeroCopy(transport, protocol.flow.drain)
    finally:
        transport.abort()


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(b"f" * SIZE)
    with path.open("rb") as opened:
        yield opened.fileno()


def test_g2_289_what_was_written_before_is_not_overtaken(file: int) -> None:
    here, there = socket.socketpair()

    async def played() -> bytes:
        async with direct(there) as (transport, way):
            transport.write(b"w" * SIZE)
            sent = asyncio.create_task(way.send(Span(file, 1, SIZE - 1)))
            loop, got = asyncio.get_running_loop(), b""
            while len(got) < 2 * SIZE - 1:
                got += await loop.sock_recv(here, 1 << 20)
            assert await sent
            transport.write(b"behind")
            return got + await loop.sock_recv(here, 6)

    with here:
        here.setblocking(False)
        got = uvloop.run(played())
    assert got == b"w" * SIZE + b"f" * (SIZE - 1) + b"behind"


def test_g2_289_of_a_file_that_is_shorter_no_more_is_awaited(file: int) -> None:
    here, there = socket.socketpair()

    async def played() -> None:
        async with direct(there) as (_, way):
            with pytest.raises(EOFError):
                await way.send(Span(file, SIZE - 4, 5))

    with here:
        uvloop.run(played())
        assert here.recv(9) == b"ffff"


@pytest.mark.parametrize("ends", ["here", "there"])
def test_g2_289_nobody_waits_for_a_connection_that_is_gone(file: int, ends: str) -> None:
    here, there = socket.socketpair()

    async def played() -> bool:
        async with direct(there) as (_, way):
            sent = asyncio.create_task(way.send(Span(file, 0, SIZE)))
            await asyncio.sleep(0.1)
            assert not sent.done()
            if ends == "here":
                here.close()
            else:
                way.lost()
            return await asyncio.wait_for(sent, 60)

    with here:
        assert not uvloop.run(played())


def test_g2_289_nor_for_one_that_takes_nothing_for_ever(
    file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = socket.socketpair()
    monkeypatch.setattr(zero_copy, "PATIENCE", 0.2)

    async def played() -> bool:
        async with direct(there) as (transport, way):
            whole = await asyncio.wait_for(way.send(Span(file, 0, SIZE)), 60)
            assert transport.is_closing()
            return whole

    with here:
        assert not uvloop.run(played())


def test_g2_290_sending_takes_none_of_the_threads_that_others_wait_for(file: int) -> None:
    here, there = socket.socketpair()
    over = threading.Event()

    async def played() -> int:
        loop, got = asyncio.get_running_loop(), 0
        pool = ThreadPoolExecutor(1)
        loop.set_default_executor(pool)
        held = loop.run_in_executor(None, over.wait)
        async with direct(there) as (_, way):
            sent = asyncio.create_task(way.send(Span(file, 0, SIZE)))
            try:
                while got < SIZE:
                    got += len(await asyncio.wait_for(loop.sock_recv(here, 1 << 20), 30))
            finally:
                over.set()
            assert await sent
        await held
        return got

    with here:
        here.setblocking(False)
        assert uvloop.run(played()) == SIZE


def test_g2_290_whoever_is_cancelled_waits_for_the_thread_that_has_its_files() -> None:
    begun, over, ended = threading.Event(), threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        over.wait(30)
        ended.set()

    async def played() -> None:
        task = asyncio.create_task(zero_copy.in_sender(act))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        for _ in range(2):
            task.cancel()
            await asyncio.wait([task], timeout=0.05)
            assert not task.done()
        over.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    uvloop.run(played())


def test_g2_290_of_a_connection_that_is_closed_nothing_is_asked(file: int) -> None:
    here, there = socket.socketpair()

    async def played() -> bool:
        async with direct(there) as (transport, way):
            transport.abort()
            await asyncio.sleep(0)
            return await way.send(Span(file, 0, SIZE))

    with here:
        assert not uvloop.run(played())
