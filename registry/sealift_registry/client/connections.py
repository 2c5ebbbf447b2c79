"""Connections that end when their time is over, and lines of heads that have a bound.

A server can answer with interim heads without end, a byte a minute, or one line that never ends:
the standard library waits and reads on, each time with its patience anew.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse, LineTooLong
from threading import Timer
from typing import Any
from weakref import WeakSet

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LONGEST_LINE = 1 << 16
"""Bytes: as the standard library bounds the lines of heads, and not those between chunks."""
MOST_OF_LINES = 1 << 20
"""Bytes of all lines of an answer, each of its heads and what stands between its chunks."""


class _Lines:
    """What comes over a connection, whose lines have a bound each, and all together."""

    def __init__(self, below: Any) -> None:  # noqa: ANN401 - a file of a socket
        self._below = below
        self._left = MOST_OF_LINES

    def readline(self, limit: int = -1) -> bytes:
        most = min(LONGEST_LINE, self._left) + 1
        line: bytes = self._below.readline(most if limit < 0 else min(limit, most))
        self._left -= len(line)
        if len(line) >= most:
            raise LineTooLong("line")
        return line

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the rest of it
        return getattr(self._below, name)


class _Bounded(HTTPResponse):
    """An answer that is read through `_Lines`."""

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(*given, **more)
        self.fp = _Lines(self.fp)  # type: ignore[assignment]  # which reads the rest as it is


class _Noted(HTTPConnection):
    """A connection that is known to whoever may have to end it."""

    opened: WeakSet[socket.socket]
    response_class = _Bounded  # urllib3 wraps what it makes

    def connect(self) -> None:
        super().connect()
        self.opened.add(self.sock)


class Connections:
    """The connections to a server, which can be ended all at once."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - as urllib3's pools take it
        self._opened = WeakSet[socket.socket]()
        self.pool = urllib3.PoolManager(**given)
        noted = {"opened": self._opened}
        plain = type("Plain", (_Noted,), noted)
        encrypted = type("Encrypted", (_Noted, HTTPSConnection), noted)
        self.pool.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("EncryptedPool", (HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
        }

    @contextmanager
    def ends_within(self, seconds: float) -> Iterator[None]:
        """Have what is read meanwhile end after so long, however little comes at a time."""
        timer = Timer(max(seconds, 0.0), self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        for one in list(self._opened):
            with suppress(OSError):  # it ended by itself
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # also below TLS, which is not asked
