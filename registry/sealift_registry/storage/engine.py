"""How the hub's database is opened: SQLite, and nothing else so far.

Rooms speak SQLAlchemy Core. These modules know besides that it is SQLite; another database, such as
PostgreSQL, needs a word in each:

- `trust.founding` calls `open_sqlite`, and `storage.home` says in which file;
- `storage.file_lock` queues the writers, where PostgreSQL would have an advisory lock;
- `storage.schema` reads columns in which SQLite keeps whatever somebody puts there;
- `audit.tables` keeps some rows by their key, `audit.batch` minds that a full disk ends a
  transaction, and `audit.page_query` is SQL of its own, with SQLite's functions;
- the triggers of `sealift_migrations` make tables append-only in SQLite alone.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

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


def is_read_only(folder: Path) -> bool:
    """Whether nothing can be written to `folder`: its file system, or who runs this, may not."""
    return folder.exists() and not os.access(folder, os.W_OK)


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
    if engine.dialect.name != "sqlite":
        return
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


def database_full() -> FailedError:
    """What to say where the hub's database has no room."""
    return FailedError(
        "database-full",
        "The disk of the hub's database is full.",
        next_step="Make room there, and run the command again.",
    )


def is_full(error: Exception) -> bool:
    """Whether a statement failed because the disk is full, in which case it wrote nothing.

    Of COMMIT, too: a transaction counts from the last byte of its last frame in the write-ahead log
    on, and that is what did not fit (SQLite, "WAL-mode File Format", section 3).
    """
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL


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
