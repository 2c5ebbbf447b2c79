"""A site's database as it lies on a disk: what it holds, and what it was before it had a schema."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

DATABASE = "sealift.db"
LATER = ("compromised", "hub_checkpoint", "untold")
"""Tables that came after the first homes were made."""


@dataclass(frozen=True)
class Held:
    """What a database holds: the number of its schema, what made each thing in it, its rows."""

    number: int
    made: frozenset[str]
    rows: dict[str, list[Any]]

    @property
    def shape(self) -> str:
        """The digest of all that was made, however it was spelled over lines."""
        return sha256("\n".join(sorted(self.made)).encode()).hexdigest()


def held(home: Path) -> Held:
    """What the database of `home` holds; a copy of it is read, so that nothing of it is changed."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (DATABASE, f"{DATABASE}-wal"):
            if (home / name).exists():
                shutil.copy(home / name, folder)
        with closing(sqlite3.connect(Path(folder) / DATABASE)) as connection:
            number = connection.execute("PRAGMA user_version").fetchone()[0]
            found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            made = frozenset(f"{kind} {name}: {_plain(sql)}" for kind, name, sql in found)
            rows = {name: _rows(connection, name) for kind, name, _ in found if kind == "table"}
    return Held(number, made, rows)


def _plain(sql: str | None) -> str:
    return " ".join((sql or "").split())


def _rows(connection: sqlite3.Connection, table: str) -> list[Any]:
    return sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 - our own


def change(home: Path, statements: Iterable[str]) -> None:
    """Do something to the database of `home`, all of it at once."""
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")


UNCOUNTED = (
    *("DELETE FROM fact WHERE name = 'schema-taken-by'", "PRAGMA user_version = 0"),
    *("DROP TABLE check_rows", "DROP TABLE checked"),
)
"""What makes a database one of the last release that counted no steps."""
OLDER = (*UNCOUNTED, *(f"DROP TABLE {name}" for name in LATER))
"""What makes it one of an earlier release, which had fewer."""
