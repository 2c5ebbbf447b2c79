"""The hub's database as one SQLite file in its home: the default, for which nothing is installed.

All that is SQLite's alone is here, in `storage.schema` (which reads columns in which SQLite keeps
whatever somebody puts there), and in the triggers of `sealift_migrations`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from sealift_migrations import current, newest, upgrade
from sealift_registry.storage import database
from sealift_registry.storage.claims import Claiming, FileClaims
from sealift_registry.storage.writable import check_writable, is_read_only
from sealift_signing import disk, locks
from sealift_signing.errors import FailedError

WAIT_MS = 10_000
"""How long a statement waits for another writer. Ours never meet: they queue at the file lock."""
BEGIN = "sealift_begin"
"""Execution option of a connection: how its transactions begin."""
IMMEDIATE = {BEGIN: "IMMEDIATE"}
"""Begin as a writer, so that a transaction that has read is never told that it may not write."""

_SETTINGS = (
    f"PRAGMA busy_timeout = {WAIT_MS}",
    "PRAGMA journal_mode = WAL",
    # With NORMAL, simulated power cuts lost commits that had been acknowledged; with FULL none.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Without it INSERT OR REPLACE deletes a row and no trigger hears of it.
    "PRAGMA recursive_triggers = ON",
)


class SqliteDatabase(Claiming):
    """The database file at `path`, whose writers queue at the lock file `lock`.

    The file lock comes before SQLite's own: of eight processes that waited at that alone, some were
    told that the database is locked. Claims are lock files in the folder `claimed`.
    """

    settles = False
    is_shared = False
    takes_several = False

    def __init__(self, path: Path, lock: Path, claimed: Path | None = None) -> None:
        self.path = path
        self.where = str(path)
        self.place = str(path.absolute())
        self._lock = lock
        self._opened: tuple[int, int] | None = None
        super().__init__(lambda: FileClaims(claimed or lock.with_name("claims")))

    @cached_property
    def engine(self) -> Engine:
        """The engine of the file, opened when it is first asked for (`open_sqlite`)."""
        made = database.at_place(open_sqlite(self.path), self.place)
        self._opened = _which(self.path)
        return made

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One state: a transaction that has read stays where it began (write-ahead log)."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Behind the lock file; it begins as a writer (BEGIN IMMEDIATE)."""
        self._check_in_place()  # before a lock file is looked for where none is any more
        with locks.held(self._lock), self.engine.connect() as connection:
            self._check_in_place()
            connection.execution_options(**IMMEDIATE)
            yield connection

    def confirm(self, connection: Connection) -> None:
        """Nothing: what is in the file is in no other."""

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Behind the lock file, for as long as the block lasts."""
        with locks.open_file(self._lock) as file:
            if not locks.lock_within(file, database.UNTIL_ALONE):
                raise database.occupied(self.where)
            try:
                with self.engine.connect() as connection:
                    connection.execution_options(**IMMEDIATE)
                    yield connection
            finally:
                locks.unlock(file)

    def check_exists(self) -> None:
        """Check that the file is there.

        Raises:
            FailedError: it is missing.
        """
        if not self.path.is_file():
            # SQLite would make an empty one, and the hub would seem to have forgotten everything.
            raise FailedError(
                "no-database",
                f"The hub's database {self.path} is missing.",
                subject=str(self.path),
                next_step="Restore it from a backup, together with the rest of the home.",
            )

    def check_new(self) -> None:
        """Nothing: it is in a home that is new itself."""

    def check_writable(self) -> None:
        """Check that its folder may be written to.

        Raises:
            FailedError: it can only be read, or its file is another one by now.
        """
        check_writable(self._lock.parent)
        self._check_in_place()

    def _check_in_place(self) -> None:
        """Check that the file is the one that this process has open: to another nobody looks.

        Raises:
            FailedError: somebody has put another one there, or moved it away.
        """
        if self._opened is not None and _which(self.path) != self._opened:
            raise FailedError(
                "database-replaced",
                f"The database {self.path} is not the file that this process opened: it was "
                "replaced or moved while it was in use. Nothing was written.",
                subject=str(self.path),
                next_step="End what uses the hub, see that the right file lies there together with "
                "the rest of the home, and start again. docs/how-to/serve-the-hub.md says more.",
            )

    def bring_up_to_date(self) -> None:
        """Migrate it, alone: two processes must not at once. It has no other administrator.

        Raises:
            FailedError: it is newer than this software, or can only be read.
        """
        if current(self.engine) != newest():
            check_writable(self._lock.parent)
            with locks.held(self._lock):
                upgrade(self.engine)
                give_back_space(self.engine)

    def tampered(self) -> Iterator[str]:
        """Nothing: whoever owns the file changes its rows, which contradicts what was signed."""
        yield from ()

    def is_full(self, error: BaseException) -> bool:
        """Whether a statement failed because the disk is full, in which case it wrote nothing.

        Of COMMIT, too: a transaction counts from the last byte of its last frame in the write-ahead
        log on, and that is what did not fit (SQLite, "WAL-mode File Format", section 3).
        """
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
        return code == sqlite3.SQLITE_FULL

    def told(self, error: DBAPIError) -> FailedError:
        """A full disk, a damaged or locked file."""
        if disk.is_full(self.path.parent):
            return database.full(self.where)
        return FailedError(
            "database-unreadable",
            f"The database {self.path} could not be read or written: {error.orig}.",
            subject=str(self.path),
            next_step="Check the disk and who may write there; else restore it from a backup.",
        )

    def in_words(self) -> AbstractContextManager[None]:
        """As `database.in_words`."""
        return database.in_words(self)

    def close(self) -> None:
        """Let go of the file."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def _which(path: Path) -> tuple[int, int] | None:
    """Which file it is; None where none is there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_sqlite(path: Path) -> Engine:
    """The engine of the database file at `path`, which is made when it is not there.

    Every connection waits for writers, keeps a write-ahead log, flushes every commit to the disk,
    and enforces foreign keys and the log's triggers. Where its folder can only be read, so can it.

    Raises:
        FailedError: it can only be read, and its newest commits are not in the file itself yet.
    """
    if path.exists() and is_read_only(path.parent):
        return _open_to_read(path)
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _open_to_read(path: Path) -> Engine:
    """The database where SQLite can make none of the files that it else keeps beside it.

    It then reads the file alone, by "immutable" (SQLite, "Uniform Resource Identifiers"), and would
    pass over commits that are still in the write-ahead log: what somebody removed would stand.
    """
    behind = path.with_name(f"{path.name}-wal")
    if behind.exists() and behind.stat().st_size:
        raise FailedError(
            "database-unfinished",
            f"{path.parent} can only be read, and the newest commits of its database are in "
            f"{behind.name}.",
            subject=str(behind),
            next_step="Copy the whole folder to a disk that can be written, and name the copy with "
            "--home.",
        )
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    url = URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query=query)
    engine = create_engine(url)
    event.listen(engine, "begin", _begin)
    return engine


def give_back_space(engine: Engine) -> None:
    """Shrink the database's file where more than a quarter of it is free: a step pruned it.

    Elsewhere free pages are used again by what is written next. Meant for whoever holds the
    writers' lock. Where there is no room for it (it takes as much as is left, once more), or
    somebody has the database open so that it cannot be, the file stays as it is.
    """
    with suppress(sqlite3.Error), closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        (free,), (pages,) = (
            cursor.execute(f"PRAGMA {count}").fetchone()
            for count in ("freelist_count", "page_count")
        )
        if free * 4 > pages:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()


def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # sqlite3 would begin transactions by itself, and not before SELECT or SAVEPOINT: switched off,
    # as SQLAlchemy's page on pysqlite advises ("Serializable isolation / Savepoints").
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for setting in _SETTINGS:
            cursor.execute(setting)
    except sqlite3.Error:
        cursor.close()  # first: of a closed connection it would fail, and hide what was wrong
        connection.close()
        raise
    cursor.close()


def _begin(connection: Connection) -> None:
    how = connection.get_execution_options().get(BEGIN, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {how}")
