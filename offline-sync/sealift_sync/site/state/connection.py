"""Opening a site's database, and what a user is told where it cannot be used.

SQLite in WAL mode with synchronous=FULL: NORMAL loses acknowledged commits in a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from sealift_signing import disk, file_access
from sealift_signing.drawing import pasted
from sealift_signing.errors import FailedError
from sealift_sync.site.state import schema_steps

_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA recursive_triggers=ON",
)
_CANNOT_WRITE = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
)
"""What SQLite says where it cannot make the files that it keeps beside a database."""


def open_database(file: Path, *, looks: bool) -> sqlite3.Connection:
    """A connection to the database `file`, of which this software knows the schema.

    Where it `looks` only, that is also a file in a folder in which nothing can be written.

    Raises:
        sqlite3.Error, OSError: it could not be opened.
        FailedError: newer software has worked here.
    """
    try:
        file_access.make_file(file)  # others could hold a lock on what they can read
        return _set_up(sqlite3.connect(file, isolation_level=None, timeout=10), file, _SETTINGS)
    except sqlite3.Error as bad:
        code = getattr(bad, "sqlite_errorcode", 0) & 0xFF  # the other bytes say more
        if not (looks and code in _CANNOT_WRITE and _is_all_there(file)):
            raise
    # The file alone (SQLite, "Uniform Resource Identifiers"): nobody writes while we hold the home.
    place = quote(os.fsencode(file.absolute())).lstrip("/")
    alone = f"file:///{place}?mode=ro&immutable=1"
    return _set_up(sqlite3.connect(alone, uri=True, isolation_level=None), file)


def _set_up(
    connection: sqlite3.Connection, file: Path, settings: Iterable[str] = ()
) -> sqlite3.Connection:
    try:
        schema_steps.check_known(connection, file)
        for setting in settings:
            connection.execute(setting)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_all_there(file: Path) -> bool:
    """Whether the file itself holds every commit, and nothing else.

    What is in its write-ahead log would be missed, and what a journal would take back again be
    seen: what somebody recalled would run there.
    """
    beside = (file.with_name(f"{file.name}-{one}") for one in ("wal", "journal"))
    return not any(one.exists() and one.stat().st_size for one in beside)


def unusable(file: Path, reason: sqlite3.Error | OSError) -> FailedError:
    """What a user is told where the database did not do what was asked: full, read-only, held."""
    if not os.access(file.parent, os.W_OK):
        return FailedError(
            "state-read-only",
            f"The site's database {file} can only be read, and this command has to write there.",
            subject=str(file),
            next_step="Nothing was changed. Copy the whole folder to a disk that can be written, "
            "and name the copy with --home.",
        )
    if disk.is_full(file.parent):
        return FailedError(
            "state-full",
            f"The disk of the site's database {file} is full.",
            subject=str(file),
            next_step="Nothing was changed. Make room there, and run the command again. What runs "
            "goes on, and sealift-site rollback and activate work meanwhile.",
        )
    if getattr(reason, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        return FailedError(
            "state-unusable",
            f"Another program holds the site's database {file}.",
            subject=str(file),
            next_step=f"Nothing was changed. End that program, which fuser {pasted([str(file)])} "
            "names: a backup, or somebody's database browser. Then run the command again.",
        )
    return FailedError(
        "state-unusable",
        f"The site's database {file} could not be used: {reason}.",
        subject=str(file),
        next_step="Nothing was changed. Check the disk, and run the command again. If that changes "
        "nothing, put a backup of the whole folder in its place.",
    )
