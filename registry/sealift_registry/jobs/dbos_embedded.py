"""The engine's rows in a file of the home's, `jobs.db`: for a hub on one machine.

The file may vanish, or come from a backup: what was wanted is in the hub's own rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbos._error import DBOSInitializationError
from sqlalchemy import QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from sealift_registry.jobs import dbos_tables
from sealift_registry.jobs.dbos_liveness import Locks
from sealift_registry.jobs.dbos_place import Place
from sealift_signing import disk
from sealift_signing.errors import FailedError

FILE, RUNNING = "jobs.db", "run"
"""In the home: the rows, and the locks of workers."""
WAIT_SECONDS = 30.0
CONNECTIONS, MORE_CONNECTIONS = 3, 12


def embedded(root: Path) -> Place:
    """The engine's rows in the home at `root`, made where they are not there.

    Raises:
        FailedError: the file is none of an engine's, or cannot be written.
    """
    path = root / FILE
    is_made = False

    def connect() -> sqlite3.Connection:
        if is_made and not path.exists():  # SQLite would make an empty one
            msg = "it is not there any more"
            raise sqlite3.OperationalError(msg)
        found = sqlite3.connect(
            path, timeout=WAIT_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False
        )
        # By a journal that is deleted, and not by a write-ahead log: several processes at once
        # were safe so, and what was recorded is on the disk.
        found.execute("PRAGMA synchronous = FULL")
        found.execute("PRAGMA foreign_keys = ON")
        return found

    database = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        hide_parameters=True,
    )

    event.listen(database, "connect", lambda _, entry: entry.info.update(file=_file_of(path)))
    event.listen(database, "checkout", lambda _, entry, __: _check_same(path, entry))

    @contextmanager
    def in_words() -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as bad:
            raise _told(path, bad) from bad

    place = Place(database, None, str(path), Locks(database, root / RUNNING), in_words)
    try:
        with in_words():
            _bring_up_to_date(place)
    except BaseException:
        place.shut()
        raise
    is_made = True
    return place


def _file_of(path: Path) -> tuple[int, int] | None:
    """Which file is there: its number is nobody else's while somebody has it open."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _check_same(path: Path, entry: ConnectionPoolEntry) -> None:
    """Have a connection to a file that was moved away, or replaced, be made anew."""
    if entry.info.get("file") != _file_of(path):
        raise DisconnectionError


def _bring_up_to_date(place: Place) -> None:
    try:
        place.client._sys_db.verify_migrations()  # noqa: SLF001 - it has no other name for it
    except DBOSInitializationError:
        place.client._sys_db.run_migrations()  # noqa: SLF001 - likewise
    dbos_tables.metadata.create_all(place.database)


def _told(path: Path, bad: SQLAlchemyError) -> FailedError:
    """What to say of a file that cannot be used."""
    reason = bad.orig if isinstance(bad, DBAPIError) else bad
    next_step = (
        f"Check the disk and who may write there. If it is damaged, move {path} away: workers make "
        "a new one, and do what is wanted."
    )
    if disk.is_full(path.parent):
        next_step = "Make room there, and try again."
    return FailedError(
        "engine-unusable",
        f"{path}, where the work that goes on is kept, could not be read or written: {reason}.",
        subject=str(path),
        next_step=next_step,
    )
