"""Which workers live: on one machine by locks, at a server by leases on the server's clock.

A lock is let go of by the system when its process ends, and by nothing else: a process that is
stopped keeps it, and its jobs wait. A lease runs out also where a process is stopped or cut off:
what it does then counts for nothing, when it comes back (`records.check_may_record`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from sealift_registry.jobs import dbos_tables
from sealift_signing import locks

LEASE = 30.0
"""Seconds after which a worker that said nothing is taken to be dead."""
_NAME = re.compile(r"[0-9a-z-]{1,80}")
_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"


class Liveness(Protocol):
    """Says that this process lives, and knows who else does."""

    def begin(self, row: Mapping[str, Any]) -> None:
        """Be a worker, from now on."""
        ...

    def beat(self) -> bool:
        """Say that this worker lives; whether who looks dead by now may be taken to be it."""
        ...

    def may_take(self) -> bool:
        """Whether others know that this worker lives, so that it may take a job."""
        ...

    def living(self, names: Collection[str]) -> set[str]:
        """Those of these workers that live."""
        ...

    def end(self) -> None:
        """Be no worker any more."""
        ...


class Locks:
    """Workers of one machine: each holds a lock file, `run/NAME.lock` in the home."""

    def __init__(self, database: Engine, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._held: tuple[Path, BinaryIO] | None = None
        self._row: dict[str, Any] = {}

    def begin(self, row: Mapping[str, Any]) -> None:
        """As `Liveness.begin`: the lock first, for who has a row and no lock is dead."""
        path = self._path(row["name"])
        try:
            file = locks.take(path, "a worker")
        except OSError as bad:
            raise locks.no_lock(path, bad) from bad
        if file is None:  # another of the same random name
            raise locks.no_lock(path, BlockingIOError(11, "another process holds it"))
        self._held, self._row = (path, file), dict(row)
        self.beat()

    def beat(self) -> bool:
        """As `Liveness.beat`: a lock needs no word of it, and who is dead is dead."""
        t = dbos_tables.worker
        if self._held is None:
            return True
        one = t.c.name == self._row["name"]
        with self._database.connect() as connection:
            if connection.execute(select(t.c.name).where(one)).first() is None:  # a new file
                _enter(connection, {**self._row, "seen": int(time.time() * 1000)})
        return True

    def may_take(self) -> bool:
        """As `Liveness.may_take`."""
        return self._held is not None

    def living(self, names: Collection[str]) -> set[str]:
        """As `Liveness.living`."""
        return {name for name in names if _NAME.fullmatch(name) and self._is_held(name)}

    def _is_held(self, name: str) -> bool:
        path = self._path(name)
        with ExitStack() as stack:
            try:
                file = stack.enter_context(path.open("rb"))
                free = locks.try_lock(file, shared=True)
            except FileNotFoundError:
                return False
            except OSError as bad:
                raise locks.no_lock(path, bad) from bad
            if free:
                locks.unlock(file)
            return not free

    def end(self) -> None:
        """As `Liveness.end`."""
        if self._held is not None:
            path, file = self._held
            self._held = None
            locks.let_go(path, file)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


class Leases:
    """Workers anywhere: each renews its row at the server, by the server's clock.

    Args:
        database: whose tables are found.
        seconds: that a lease lasts.
    """

    def __init__(self, database: Engine, seconds: float = LEASE) -> None:
        self._database = database
        self._seconds = seconds
        self._row: dict[str, Any] | None = None
        self._beaten = 0.0
        self._looks_from = 0.0

    def begin(self, row: Mapping[str, Any]) -> None:
        """As `Liveness.begin`."""
        self._row = dict(row)
        self._renew()
        self._beaten = self._looks_from = _now()

    def beat(self) -> bool:
        """As `Liveness.beat`.

        Whoever had no word of the server's for long, or was stopped, does not know who else had
        none: it gives all of them the time of a lease to say something.
        """
        silent = self._renew()
        self._beaten = _now()
        if silent is None or not 0 <= silent <= self._seconds / 2:
            self._looks_from = self._beaten + self._seconds
        return self._beaten > self._looks_from

    def may_take(self) -> bool:
        """As `Liveness.may_take`."""
        return self._row is not None and _now() - self._beaten < self._seconds / 2

    def living(self, names: Collection[str]) -> set[str]:
        """As `Liveness.living`: a lease from the future is of a clock that was set back."""
        t, now = dbos_tables.worker, text(_NOW)
        most = round(self._seconds * 1000)
        with self._database.connect() as connection:
            clock = connection.execute(select(now)).scalar_one()
            rows = connection.execute(select(t.c.name, t.c.seen)).all()
            return {name for name, seen in rows if name in names and abs(clock - seen) <= most}

    def end(self) -> None:
        """As `Liveness.end`."""
        self._row = None

    def _renew(self) -> float | None:
        """Seconds since it was renewed last; None where it was not there."""
        t = dbos_tables.worker
        if self._row is None:
            return None
        with self._database.connect() as connection:
            clock = connection.execute(select(text(_NOW))).scalar_one()
            one = t.c.name == self._row["name"]
            before = connection.execute(select(t.c.seen).where(one)).scalar()
            if before is None:
                _enter(connection, {**self._row, "seen": clock})
                return None
            connection.execute(update(t).where(one).values(seen=clock))
            connection.commit()
        return float(clock - before) / 1000


def _enter(connection: Connection, row: Mapping[str, Any]) -> None:
    """Enter a worker's row, where two beats may both have found it gone."""
    try:
        connection.execute(insert(dbos_tables.worker).values(**row))
        connection.commit()
    except IntegrityError:
        connection.rollback()


def _now() -> float:
    """Seconds that go on while a process or its machine is suspended, and that nobody sets."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
