"""Bytes of a file that go from the kernel's cache to a connection, never through this process.

ASGI has an extension for it (`http.response.zerocopysend`), and uvicorn does not. A thread hands
over what the connection takes, and leaves as soon as that is nothing more: whoever reads slowly
holds no thread, and nobody's bytes are held in memory. These threads are for sending alone: however
many read, what else is asked waits for none of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

T = TypeVar("T")

EXTENSION = "http.response.zerocopysend"
"""Its name in a scope, and the type of its message (ASGI, HTTP extensions, Zero Copy Send)."""
PART = 64 << 20
"""Bytes that one thread hands over at most before others have their turn."""
SENDERS = 8
"""Threads that send, of all connections together."""
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
        if not await self._emptied():
            return False
        with self._beside() as there:
            sent = 0
            while sent < span.count and not self._lost:
                rest = Span(span.file, span.first + sent, span.count - sent)
                try:
                    count = await in_sender(partial(_hand_over, there, rest))
                except ConnectionError:
                    return False
                sent += count
                if sent < span.count and count < min(PART, rest.count):
                    await self._room(there)
        return not self._lost

    async def _emptied(self) -> bool:
        """Wait until all that was written is with the kernel: what follows would overtake it.

        False where the connection is gone, of which nothing can be asked any more.
        """
        if self._is_over():
            return False
        self._transport.set_write_buffer_limits(0)
        try:
            await self._drained()
        finally:
            if not self._is_over():
                self._transport.set_write_buffer_limits()
        return not self._is_over()

    def _is_over(self) -> bool:
        return self._lost or self._transport.is_closing()

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


_SENDERS = ThreadPoolExecutor(SENDERS, "sealift-send")


async def in_sender(act: Callable[[], T]) -> T:
    """What `act` answers, in a thread that is for sending.

    Whoever is cancelled waits for the thread all the same: the numbers of files that it was given
    would be closed, and by then be another connection's.
    """
    work = asyncio.get_running_loop().run_in_executor(_SENDERS, act)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # of which nobody is told any more
        raise


def _hand_over(there: int, span: Span) -> int:
    """Send what the connection takes just now: how many bytes."""
    most, sent = min(PART, span.count), 0
    while sent < most:
        try:
            count = os.sendfile(there, span.file, span.first + sent, most - sent)
        except BlockingIOError:
            break
        if not count:
            raise EOFError
        sent += count
    return sent
