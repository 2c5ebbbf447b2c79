"""Bytes of a file that go from the kernel's cache to a connection, never through this process.

ASGI has an extension for it (`http.response.zerocopysend`), and uvicorn does not. A thread hands
over what the connection takes, and leaves as soon as that is nothing more: whoever reads slowly
holds no thread, and nobody's bytes are held in memory.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from litestar.concurrency import sync_to_thread

EXTENSION = "http.response.zerocopysend"
"""Its name in a scope, and the type of its message (ASGI, HTTP extensions, Zero Copy Send)."""
PART = 64 << 20
"""Bytes that one thread hands over at most before others have their turn."""
MOMENT = 20
"""Milliseconds that a thread waits for a connection that takes no more just now."""
PATIENCE = 300.0
"""Seconds that a connection is kept whose other end takes nothing at all."""


@dataclass(frozen=True)
class Span:
    """Bytes of an open file: its number, where they begin, and how many they are."""

    file: int
    first: int
    count: int


class ZeroCopy:
    """One connection's second way out. While it is used, nothing else is written to it.

    `drained` waits for what was written the first way, as far as the transport has said to wait.
    """

    def __init__(
        self, transport: asyncio.Transport, drained: Callable[[], Awaitable[None]]
    ) -> None:
        self._transport = transport
        self._drained = drained
        self._waiting: asyncio.Future[None] | None = None
        self._lost = False

    def lost(self) -> None:
        """The connection is gone: whoever waits for it waits no more."""
        self._lost = True
        self._wake()

    async def send(self, span: Span) -> bool:
        """Send all of it, behind what was written before; False where the connection is gone.

        Raises:
            EOFError: the file is shorter.
            OSError: it could not be read.
        """
        await self._emptied()
        if self._lost:
            return False
        with self._beside() as there:
            sent = 0
            while sent < span.count and not self._lost:
                rest = Span(span.file, span.first + sent, span.count - sent)
                try:
                    count = await sync_to_thread(_hand_over, there, rest)
                except ConnectionError:
                    return False
                sent += count
                if sent < span.count and count < PART:
                    await self._room(there)
        return not self._lost

    async def _emptied(self) -> None:
        """Wait until all that was written is with the kernel: what follows would overtake it."""
        self._transport.set_write_buffer_limits(0)
        try:
            await self._drained()
        finally:
            self._transport.set_write_buffer_limits()

    @contextmanager
    def _beside(self) -> Iterator[int]:
        """The connection under another number, which stays ours when it is closed meanwhile."""
        there = os.dup(self._transport.get_extra_info("socket").fileno())
        try:
            yield there
        finally:
            os.close(there)

    async def _room(self, there: int) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        loop.add_writer(there, self._wake)
        try:
            if not self._lost:
                await asyncio.wait_for(self._waiting, PATIENCE)
        except TimeoutError:
            self._lost = True
            self._transport.abort()
        finally:
            loop.remove_writer(there)
            self._waiting = None

    def _wake(self) -> None:
        """End the wait, where somebody waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _hand_over(there: int, span: Span) -> int:
    """Send what the connection takes, until it takes no more for a moment: how many bytes."""
    most, sent = min(PART, span.count), 0
    room = select.poll()
    room.register(there, select.POLLOUT)
    while sent < most:
        try:
            count = os.sendfile(there, span.file, span.first + sent, most - sent)
        except BlockingIOError:
            if room.poll(MOMENT):
                continue
            break
        if not count:
            raise EOFError
        sent += count
    return sent
