"""Between a client and PostgreSQL: passes everything on, and cuts the connection at a COMMIT.

with Between(server) as between:
    between.url(database)
    between.cut = "before"   # the next COMMIT never reaches the server
    between.cut = "after"    # it does, and its answer never comes back
    between.cut = "asleep"   # it does; the client is cut off at once, the server told nothing
    between.closed = True    # nobody gets through any more
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from tests.servers.postgres import Database, PostgresServer

COMMIT = b"COMMIT\0"
"""The whole text of a simple query; a level of isolation is called nearly so."""


class Between:
    """Listens on a socket of its own, as PostgreSQL does."""

    def __init__(self, server: PostgresServer) -> None:
        self.cut: Literal["", "before", "after", "asleep"] = ""
        self.closed = False
        self.cuts = 0
        self._folder = tempfile.TemporaryDirectory(prefix="sealift-between-")
        self._there = os.fspath(Path(server.address[0]) / f".s.PGSQL.{server.address[1]}")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.fspath(Path(self._folder.name) / ".s.PGSQL.5432"))
        self._socket.listen(64)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def url(self, database: Database, user: str = "sealift_app") -> str:
        host = quote(self._folder.name, safe="")
        return f"postgresql://{user}@/{database.name}?host={host}&port=5432"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.closed = True
        _shut(self._socket)
        for one in self._open:
            _shut(one)
        for thread in self._threads:
            thread.join(10)
        self._folder.cleanup()

    def _begin(self, work: object, *given: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                server = socket.socket(socket.AF_UNIX)
                self._open += [client, server]
                if self.closed:
                    _shut(client)
                    _shut(server)
                    continue
                server.connect(self._there)
                answers = threading.Event()  # from here on they go nowhere
                self._begin(self._ask, client, server, answers)
                self._begin(self._answer, client, server, answers)

    def _ask(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        """What the client says; a simple query comes in one piece, for ours are short."""
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self.closed:
                    break
                if COMMIT in data and self.cut:
                    how, self.cut = self.cut, ""
                    self.cuts += 1
                    if how != "before":
                        cut.set()
                        server.sendall(data)
                    if how == "after":
                        return  # `_answer` cuts both, once it was answered
                    _shut(client)
                    if how == "before":
                        break
                    return
                server.sendall(data)
        _shut(server)
        _shut(client)

    def _answer(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if cut.is_set():
                    break
                client.sendall(data)
        _shut(client)
        _shut(server)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
