"""The files of an embedded database with which nobody works: to be renamed, or removed.

Beside the file itself SQLite keeps two more while it is open. They belong to a name: under another
database's they would be taken for what was last written to that one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sealift_signing.errors import FailedError

BESIDE = ("-wal", "-shm")


def remove(path: Path) -> None:
    """Remove a database that counts for nobody."""
    for end in ("", *BESIDE):
        path.with_name(path.name + end).unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Have all of a database in its one file, flushed, so that it can be given another name.

    Raises:
        FailedError: somebody has it open.
        OSError: it could not be flushed.
    """
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    if any(path.with_name(path.name + end).exists() for end in BESIDE):
        raise FailedError(
            "database-open",
            f"Another process has {path} open.",
            subject=str(path),
            next_step="End it, and run the command again.",
        )
    with path.open("rb") as file:
        os.fsync(file.fileno())
