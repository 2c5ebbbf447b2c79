"""What whoever looks at jobs sees of workers and DBOS, without loading that.

All of it may be old, or lost: it says what is going on, and nothing goes by it. What was asked for,
and how it ended, is in the hub's rows. What cannot be read is not known, and stops nobody who only
looks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sealift_registry.jobs.engine import Standing, Worker
from sealift_registry.jobs.job import JobOrder
from sealift_registry.storage.database import Database
from sealift_registry.trust.hub import Hub
from sealift_signing import locks
from sealift_signing.vocabulary import moment

FILE, RUNNING, SCHEMA = "jobs.db", "run", "sealift_jobs"
PATIENCE = 2.0
"""Seconds that a file is waited for which a worker writes to."""
LEASE = 30_000
"""Milliseconds after which a worker that said nothing to the server is taken to be dead."""
_STOPPED = {"T", "t"}
"""Of a process in proc(5): that somebody stopped it."""

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Answers a query; its tables are called as they are in a file."""


@dataclass(frozen=True)
class Watched:
    """What is going on.

    Attributes:
        workers: that live, by their names.
        stopped: the names of those whose process somebody stopped.
        taken: which worker has a job in hand, by the job's key.
        standings: how far jobs are, by their keys.
    """

    workers: Mapping[str, Worker] = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()
    taken: Mapping[str, str] = field(default_factory=dict)
    standings: Mapping[str, Standing] = field(default_factory=dict)

    def takers(self, order: JobOrder) -> list[Worker]:
        """The workers that take such a job."""
        return [
            one
            for one in self.workers.values()
            if one.name not in self.stopped
            and (not one.queues or order.queue in one.queues)
            and order.host in (None, one.host)
        ]


def watched(hub: Hub) -> Watched:
    """What is going on at a hub now."""
    return watched_at(hub.database, hub.home.root)


def watched_at(database: Database, root: Path) -> Watched:
    """The same of a hub whose rows are in `database`, and whose home is at `root`."""
    with suppress(OSError, ValueError, sqlite3.Error, SQLAlchemyError):
        return look(database, root)
    return Watched()


def look(database: Database, root: Path) -> Watched:
    """As `watched_at`, for who must know.

    Raises:
        OSError, ValueError, sqlite3.Error, SQLAlchemyError: it cannot be read.
    """
    return _shared(database) if database.is_shared else _embedded(root)


def _embedded(root: Path) -> Watched:
    """By the file in the home, and the locks that workers hold."""
    path, run = root / FILE, root / RUNNING
    if not path.exists():
        return Watched()
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", PATIENCE, uri=True)) as file:
        found = _read(
            lambda query: file.execute(query).fetchall(), lambda name, _: _held(run, name)
        )
    stopped = frozenset(name for name in found.workers if _is_stopped(run / f"{name}.lock"))
    return Watched(found.workers, stopped, found.taken, found.standings)


def _shared(database: Database) -> Watched:
    """By the tables at the server, and its clock."""
    with database.engine.connect() as connection:

        def ask(query: str) -> Sequence[Sequence[Any]]:
            return [tuple(row) for row in connection.execute(text(query))]

        if not ask(f"SELECT to_regclass('{SCHEMA}.sealift_worker')")[0][0]:
            return Watched()
        connection.execute(text(f"SET LOCAL search_path = {SCHEMA}"))
        now = ask("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")[0][0]
        return _read(ask, lambda _, seen: abs(now - seen) <= LEASE)


def _read(ask: Ask, lives: Callable[[str, int], bool]) -> Watched:
    workers = [
        Worker(name, host, host_name, _queues(queues), software, _moment(seen), is_alive=True)
        for name, host, host_name, queues, software, seen in ask(
            "SELECT name, host, host_name, queues, software, seen FROM sealift_worker"
        )
        if lives(name, seen)
    ]
    pending = "SELECT workflow_uuid, executor_id FROM workflow_status WHERE status = 'PENDING'"
    taken = {str(key): str(name) for key, name in ask(pending)}
    standings = dict[str, Standing]()
    for key, body in ask("SELECT key, body FROM sealift_standing"):
        with suppress(ValueError, TypeError):
            standings[key] = Standing(**json.loads(body))
    by_name = {one.name: one for one in workers}
    return Watched(by_name, taken=taken, standings=standings)


def _queues(said: str) -> tuple[str, ...]:
    found = json.loads(said)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _moment(milliseconds: int) -> str:
    return moment(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _held(run: Path, name: str) -> bool:
    """Whether a process has the lock of a worker."""
    path = run / f"{name}.lock"
    if path.parent != run:
        return False
    with suppress(OSError), path.open("rb") as file:
        if not locks.try_lock(file, shared=True):
            return True
        locks.unlock(file)
    return False


def _is_stopped(lock: Path) -> bool:
    """Whether the process that holds a lock was stopped, and not let go on (SIGSTOP)."""
    words = locks.holder(lock).split(",")[0].split()
    if len(words) != 2 or not words[1].isdecimal():  # noqa: PLR2004 - process 123
        return False
    with suppress(OSError, IndexError):
        stat = Path("/proc", words[1], "stat").read_text("utf-8", "replace")
        return stat.rpartition(")")[2].split()[0] in _STOPPED
    return False
