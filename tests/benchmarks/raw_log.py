"""The control: the hub's rows through the driver alone, by one writer that commits in groups.

It signs nothing and checks nothing: no tree, no checkpoint that is one, no savepoint. What an
action costs beside it is what the hub's promises cost.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import sha256
from typing import Any, Protocol

import psycopg

from sealift_migrations.postgres_session import LOCK_CLASS, WRITERS
from sealift_registry.audit.writer import LARGEST_BATCH
from sealift_signing.transparency.entry import Entry, body_of

ENTRY = "INSERT INTO log_entry (seq, leaf, body, id, type, site, recorded_at, actor) VALUES "
TERM = "INSERT INTO log_term (kind, value, seq) VALUES "
CHECKPOINT = "INSERT INTO log_checkpoint (size, root, frontier, leaves, note) VALUES "
WORK = "INSERT INTO work (data) VALUES "
NUMBER = "SELECT coalesce(max(size), 0) FROM log_checkpoint"
NOTE = bytes(250)
"""As long as a signed checkpoint."""


class Driver(Protocol):
    """A connection of a driver."""

    def begin(self) -> int:
        """Begin as the one writer; the number of the next entry."""
        ...

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None: ...

    def commit(self) -> None: ...

    def close(self) -> None: ...


class Sqlite:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {setting}")

    def begin(self) -> int:
        self._connection.execute("BEGIN IMMEDIATE")
        number: int = self._connection.execute(NUMBER).fetchone()[0]
        return number

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(f"{statement} ({', '.join('?' * len(rows[0]))})", rows)

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class Postgres:
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, options="-c search_path=sealift")

    def begin(self) -> int:
        self._connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, WRITERS])
        row = self._connection.execute(NUMBER).fetchone()
        assert row is not None
        number: int = row[0]
        return number

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(f"{statement} ({', '.join(['%s'] * len(rows[0]))})", rows)

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


class RawLog:
    """Callers wait until their row, entry and terms are committed."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._queue: queue.SimpleQueue[tuple[Entry, bytes, bool, Future[int]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def commit(self, entry: Entry, *, row: bool) -> int:
        answer: Future[int] = Future()
        self._queue.put((entry, body_of(entry), row, answer))
        return answer.result()

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._driver.close()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            taken = [first]
            while len(taken) < LARGEST_BATCH and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    self._queue.put(None)
                    break
                taken.append(more)
            start = self._driver.begin()
            entries, terms, work = [], [], []
            for seq, (entry, body, row, _) in enumerate(taken, start):
                leaf = sha256(b"\0" + body).digest()
                said = (entry.id, entry.type, entry.site, entry.at, entry.actor)
                entries.append((seq, leaf, body, *said))
                terms += [(term.kind, term.value, seq) for term in entry.terms]
                work += [(bytes(200),)] if row else []
            for statement, rows in ((WORK, work), (ENTRY, entries), (TERM, terms)):
                if rows:
                    self._driver.many(statement, rows)
            size, leaves = start + len(taken), b"".join(one[1] for one in entries)
            self._driver.many(CHECKPOINT, [(size, bytes(32), bytes(300), leaves, NOTE)])
            self._driver.commit()
            for seq, (_, _, _, answer) in enumerate(taken, start):
                answer.set_result(seq)


OPENERS: dict[str, Callable[[str], Driver]] = {"SQLite": Sqlite, "PostgreSQL": Postgres}
