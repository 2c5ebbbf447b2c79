"""The schema of a site's database, as numbered steps from an empty file.

`State.bring_forward` takes each step that is due in one transaction, and with it goes the number
that SQLite keeps in the file's header (`PRAGMA user_version`): so whoever opens a database finds
the step done, or not begun. Software that knows fewer steps refuses the database.

To add a step, append one to `STEPS`. Spell its SQL out here: a step must do next year what it did
today, so what was released is never edited. There is no way back: a database is older, newer, or
restored from a backup. A rollback may be what takes the step, on a full disk and with nothing but
the home's reserve, so a step writes less than that.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sealift_signing.drawing import drawn
from sealift_signing.errors import FailedError
from sealift_signing.floors import ANY
from sealift_signing.roles import delegator
from sealift_sync.site.state.log_tables import create_tables, statements
from sealift_sync.software import software

_FIRST_TABLES = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS root (version INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS trusted (
  delegator TEXT, role TEXT, version INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (delegator, role));
CREATE TABLE IF NOT EXISTS floor_of_keys (
  delegator TEXT, role TEXT, keys TEXT, version INTEGER NOT NULL,
  PRIMARY KEY (delegator, role, keys));
CREATE TABLE IF NOT EXISTS hub_checkpoint (key TEXT PRIMARY KEY, note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS recall (body BLOB PRIMARY KEY);
CREATE TABLE IF NOT EXISTS withdrawal (team TEXT, body BLOB, PRIMARY KEY (team, body));
CREATE TABLE IF NOT EXISTS compromised (role TEXT, key TEXT, PRIMARY KEY (role, key));
CREATE TABLE IF NOT EXISTS installed (
  host_group TEXT, path TEXT, sha256 TEXT, despite TEXT NOT NULL, transfer TEXT NOT NULL,
  installed_at TEXT NOT NULL, PRIMARY KEY (host_group, path, sha256));
CREATE TABLE IF NOT EXISTS current (
  host_group TEXT, model TEXT, path TEXT NOT NULL, sha256 TEXT NOT NULL, since TEXT NOT NULL,
  PRIMARY KEY (host_group, model));
CREATE TABLE IF NOT EXISTS failure (
  host_group TEXT, model TEXT, sha256 TEXT, words TEXT NOT NULL,
  PRIMARY KEY (host_group, model, sha256));
CREATE TABLE IF NOT EXISTS untold (
  host_group TEXT, model TEXT, words TEXT NOT NULL, PRIMARY KEY (host_group, model));
CREATE TABLE IF NOT EXISTS rolled_back (
  number INTEGER PRIMARY KEY, host_group TEXT NOT NULL, model TEXT NOT NULL,
  assigned TEXT NOT NULL, away_from TEXT NOT NULL, reason TEXT NOT NULL, made TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lost (sha256 TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS imported (
  number INTEGER PRIMARY KEY, transfer_sha256 TEXT NOT NULL UNIQUE, id TEXT NOT NULL,
  made TEXT NOT NULL, receipt BLOB NOT NULL);
"""

_CHECK_TABLES = """
CREATE TABLE check_rows (
  artifact TEXT, sha256 TEXT, size INTEGER NOT NULL, PRIMARY KEY (artifact, sha256));
CREATE TABLE checked (
  host_group TEXT, artifact TEXT, outcome TEXT NOT NULL, runtime TEXT NOT NULL,
  words TEXT NOT NULL, made TEXT NOT NULL, PRIMARY KEY (host_group, artifact));
"""

_SOFTWARE = re.compile(r"sealift-offline-sync [0-9][0-9A-Za-z.+-]{0,30}")
"""As our own wheels are called: whoever can write the file must not choose what is installed."""
_TAKEN_BY = "schema-taken-by"
"""The fact that names the software that took the newest step: whoever is older asks for that."""


@dataclass(frozen=True)
class Step:
    """One step; `take` is done within a transaction, and says nothing of the number."""

    number: int
    take: Callable[[sqlite3.Connection], None]


def _first(connection: sqlite3.Connection) -> None:
    """What there was when steps were first counted, from whatever a release before that left."""
    for statement in statements(_FIRST_TABLES):
        connection.execute(statement)
    create_tables(connection)
    named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'floor'"
    if connection.execute(named).fetchone():
        _take_floors_over(connection)


def _take_floors_over(connection: sqlite3.Connection) -> None:
    """Floors as an earlier release kept them: by the role's name, whatever its keys."""
    found = connection.execute("SELECT role, version FROM floor").fetchall()
    connection.executemany(
        "INSERT INTO floor_of_keys VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET version = MAX(version, excluded.version)",
        [(delegator(role), role, ANY, version) for role, version in found],
    )
    connection.execute("DROP TABLE floor")


def _check_rows(connection: sqlite3.Connection) -> None:
    """Which rows an artifact is checked by here, and how the newest check of each ended."""
    for statement in statements(_CHECK_TABLES):
        connection.execute(statement)


STEPS = (Step(1, _first), Step(2, _check_rows))


def newest() -> int:
    """The schema that this software works with."""
    return STEPS[-1].number


def number(connection: sqlite3.Connection) -> int:
    """The schema of a database; 0 where it is empty, or as a release left it that counted none."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def due(connection: sqlite3.Connection) -> Step | None:
    """The next step of a database; None where there is none."""
    found = number(connection)
    return next((step for step in STEPS if step.number > found), None)


def take(connection: sqlite3.Connection, step: Step) -> None:
    """Take `step`, and write its number, as part of the caller's transaction."""
    step.take(connection)
    connection.execute("REPLACE INTO fact VALUES (?, ?)", (_TAKEN_BY, software().encode()))
    connection.execute(f"PRAGMA user_version = {step.number:d}")


def check_known(connection: sqlite3.Connection, file: Path) -> None:
    """Check that this software knows the schema of a database; nothing of it is changed.

    Raises:
        FailedError: it does not: newer software made it what it is.
    """
    found = number(connection)
    named = _named_by(connection)
    if found == 0 and named:
        raise FailedError(
            "state-unusable",
            f"The site's database {file} has lost its number: it was not copied as the file it is.",
            subject=str(file),
            next_step="Nothing was changed. Put a backup of the whole folder in its place, one "
            "that was copied while nothing worked there. What runs goes on.",
        )
    if found < 0 or (found > newest() and named == software()):
        raise FailedError(
            "state-unusable",
            f"The site's database {file} has a number that no software wrote: {found}.",
            subject=str(file),
            next_step="Nothing was changed. The file is damaged, or somebody changed it: put a "
            "backup of the home in its place. What runs goes on.",
        )
    if found > newest():
        raise FailedError(
            "site-newer",
            f"The site's database has schema {found}, and this software knows only "
            f"{newest()}: newer software has worked here.",
            subject=str(file),
            next_step=f"Nothing was changed. Install {_taken_by(connection)} on this machine, or "
            "newer, and run the command again.",
        )


def _taken_by(connection: sqlite3.Connection) -> str:
    """The software that took the newest step, as far as it can be read by this one."""
    named = _named_by(connection)
    return (
        drawn(named) if _SOFTWARE.fullmatch(named) else "the wheels that were installed here last"
    )


def _named_by(connection: sqlite3.Connection) -> str:
    with suppress(sqlite3.Error):
        known = "SELECT value FROM fact WHERE name = ?"
        row = connection.execute(known, (_TAKEN_BY,)).fetchone()
        if row and isinstance(row[0], bytes):
            return bytes(row[0]).decode(errors="replace")
    return ""
