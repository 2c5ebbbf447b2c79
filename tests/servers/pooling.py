"""A pooler before PostgreSQL: our own double of pgbouncer, and pgbouncer itself.

    with Double(server, "transaction") as pooler:     # each transaction gets one that is free
    with Double(server, "session") as pooler:         # each client keeps its own
    with pgbouncer(server, "transaction") as pooler:  # for tests marked `system`
        pooler.url(database)

Clients are told a process number that is no session's, as pgbouncer tells them. What they ask for
under `options` is refused by pgbouncer, and by the double.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from types import TracebackType
from typing import Literal, Protocol, Self
from urllib.parse import quote

from tests.servers.postgres import Database, PostgresServer

Mode = Literal["session", "transaction"]
NAME = ".s.PGSQL.5432"
NOBODY = "nobody"
STARTS_WITHIN = 30
"""Seconds."""
NO_SESSION = 7
"""The process number that every client is told."""


class Pooler(Protocol):
    """What a test connects to in the place of the server."""

    def url(self, database: Database, user: str = "sealift_app") -> str:
        """How `user` connects."""
        ...


class _Pipe:
    """One end of a connection, read message by message."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.left = b""

    def read(self, count: int) -> bytes:
        while len(self.left) < count:
            more = self.end.recv(1 << 16)
            if not more:
                raise EOFError
            self.left += more
        found, self.left = self.left[:count], self.left[count:]
        return found

    def message(self) -> tuple[bytes, bytes]:
        """Its kind, and all of it."""
        head = self.read(5)
        return head[:1], head + self.read(struct.unpack("!I", head[1:])[0] - 4)

    def close(self) -> None:
        with suppress(OSError):
            self.end.shutdown(socket.SHUT_RDWR)
        self.end.close()


class Double:
    """Sessions are kept for whoever comes next, the one that was used last first."""

    def __init__(self, server: PostgresServer, mode: Mode) -> None:
        self._there = os.fspath(Path(server.address[0]) / f".s.PGSQL.{server.address[1]}")
        self._mode = mode
        self._folder = tempfile.TemporaryDirectory(prefix="sealift-pooler-")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.fspath(Path(self._folder.name) / NAME))
        self._socket.listen(64)
        self._state = threading.Lock()
        self._free: dict[bytes, list[_Pipe]] = {}
        self._greetings: dict[bytes, bytes] = {}
        self._left: set[_Pipe] = set()
        self._pipes: list[_Pipe] = []
        self._threads: list[threading.Thread] = []

    def url(self, database: Database, user: str = "sealift_app") -> str:
        return _url(self._folder.name, database, user)

    def swap(self) -> None:
        """Give every client another session with its next transaction."""
        self._left = set(self._pipes)

    def __enter__(self) -> Self:
        self._begin(threading.Thread(target=self._accept, daemon=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for pipe in self._pipes:
            pipe.close()
        for thread in self._threads:
            thread.join(10)
        self._folder.cleanup()

    def _begin(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = _Pipe(self._socket.accept()[0])
                self._pipes.append(client)
                self._begin(threading.Thread(target=self._serve, args=(client,), daemon=True))

    def _serve(self, client: _Pipe) -> None:
        session: _Pipe | None = None
        try:
            asked = client.read(struct.unpack("!I", client.read(4))[0] - 4)
            session, greeting = self._session(asked)
            client.end.sendall(greeting)
            while True:
                if self._mode == "transaction":
                    self._give_back(asked, session)
                    session = None
                kind, said = client.message()
                if kind == b"X":
                    return
                if session is None or session in self._left:
                    session = self._session(asked)[0]
                session.end.sendall(said)
                self._relay(client, session)
        except (EOFError, OSError):
            pass
        finally:
            client.close()
            if session is not None:
                session.close()

    def _relay(self, client: _Pipe, session: _Pipe) -> None:
        """Pass all on, both ways, until the session is in no transaction."""
        while True:
            both = (client, session)
            ready = [one for one in both if one.left]
            if not ready:
                try:
                    heard = select([one.end for one in both], [], [])[0]
                except ValueError as bad:  # the double was ended, and its sockets with it
                    if all(one.end.fileno() >= 0 for one in both):
                        raise
                    raise EOFError from bad
                ready = [one for one in both if one.end in heard]
            if client in ready:
                session.end.sendall(client.message()[1])
            if session in ready:
                kind, said = session.message()
                client.end.sendall(said)
                if (kind, said[-1:]) == (b"Z", b"I") and not client.left:
                    return

    def _session(self, asked: bytes) -> tuple[_Pipe, bytes]:
        """One that is free, or a new one; and what a client is greeted with."""
        if b"\0options\0" in asked:
            raise EOFError
        with self._state:
            if free := self._free.get(asked):
                return free.pop(), self._greetings[asked]
        session = _Pipe(socket.socket(socket.AF_UNIX))
        self._pipes.append(session)
        session.end.connect(self._there)
        session.end.sendall(struct.pack("!I", len(asked) + 4) + asked)
        greeting, kind = b"", b""
        while kind != b"Z":
            kind, said = session.message()
            greeting += struct.pack("!cIII", b"K", 12, NO_SESSION, 7) if kind == b"K" else said
        self._greetings[asked] = greeting
        return session, greeting

    def _give_back(self, asked: bytes, session: _Pipe) -> None:
        with self._state:
            self._free.setdefault(asked, []).append(session)


class _Bouncer:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def url(self, database: Database, user: str = "sealift_app") -> str:
        return _url(self._folder, database, user)


@contextmanager
def pgbouncer(server: PostgresServer, mode: Mode) -> Iterator[Pooler]:
    """Debian's, as it is installed: nothing is set but its mode, and who may come in."""
    folder = Path(tempfile.mkdtemp(prefix="sealift-pooler-"))
    host, port = server.address
    (folder / "users.txt").write_text('"sealift_app" ""\n"sealift_migrator" ""\n', "utf-8")
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={host} port={port}\n[pgbouncer]\nunix_socket_dir = {folder}\n"
        f"listen_port = 5432\npool_mode = {mode}\nauth_type = trust\n"
        f"auth_file = {folder}/users.txt\n",
        "utf-8",
    )
    who: dict[str, str] = {}
    if os.geteuid() == 0:  # which it refuses to run as
        shutil.chown(folder, NOBODY)
        who = {"user": NOBODY, "group": str(pwd.getpwnam(NOBODY).pw_gid)}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            ["pgbouncer", str(folder / "pgbouncer.ini")],
            stdout=log,
            stderr=log,
            user=who.get("user"),
            group=int(who["group"]) if who else None,
            extra_groups=[] if who else None,
        ) as process,
    ):
        try:
            until = time.monotonic() + STARTS_WITHIN
            while not (folder / NAME).exists():
                said = (folder / "log").read_text("utf-8", "replace")
                assert process.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(0.01)
            yield _Bouncer(str(folder))
        finally:
            process.terminate()
            process.wait(STARTS_WITHIN)
            shutil.rmtree(folder, ignore_errors=True)


def _url(folder: str, database: Database, user: str) -> str:
    return f"postgresql://{user}@/{database.name}?host={quote(folder, safe='')}&port=5432"
