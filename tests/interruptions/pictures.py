"""What is kept below a folder, without what differs between two runs of the same commands.

Times, ids and the digests of what holds them are masked; everything else is compared: every name,
the bytes of every blob against its name, every row of every table, every link.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from sealift_signing import drafts

DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
MASKED = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "(time)"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "(id)"),
)
LASTING = frozenset(
    {"model_version", "artifact", "goldens", "version_alias", "installed", "current"}
)
"""The tables whose digests are those of bytes that are the same in every run."""
LASTING_FOLDERS = ("hub/blobs/", "site/store/", "site/models/")
MEMORY = "trust"
"""A signer's memory, which may hold a draft that was looked at and not signed."""
RESERVES = ("site/reserve", "site/models/.reserve")
"""Made and given up by how much room a disk has at the moment; nobody reads them."""
SQLITES = ("sealift.db-wal", "sealift.db-shm")
"""SQLite's own, beside the database for as long as somebody reads it, we among them."""


def picture(folder: Path) -> dict[str, list[str]]:
    """All that is kept below `folder`, by what it is: `names`, and each table of each database."""
    names = sorted(one for one in _names(folder) if not one.startswith(RESERVES))
    found = {"names": names, "signed": sorted(_signed(folder / "trust"))}
    for name in ("hub", "site"):
        database = folder / name / "sealift.db"
        if database.exists():
            found |= {f"{name}.{table}": rows for table, rows in _tables(database).items()}
    return found


def differences(expected: dict[str, list[str]], found: dict[str, list[str]]) -> list[str]:
    """In words, what `found` lacks and what it has beyond `expected`."""
    told: list[str] = []
    for key in sorted(expected.keys() | found.keys()):
        told += _between(key, expected.get(key, []), found.get(key, []))
    return told


def _between(key: str, expected: list[str], found: list[str]) -> Iterator[str]:
    left = list(found)
    for one in expected:
        if one in left:
            left.remove(one)
        else:
            yield f"{key} lacks {one}"
    for one in left:
        yield f"{key} has {one}"


def _signed(memory: Path) -> Iterator[str]:
    """What is remembered as signed, and whether signed files hold that: nothing is signed twice."""
    known: set[str] = set()
    for path in memory.glob("*/known.json"):
        for one in json.loads(path.read_bytes())["signed"]:
            known.add(one["digest"])
            yield f"{one['name']} {one['version']}: {one['act']}"
    for path in memory.parent.glob("*.signed"):
        parts = drafts.read(path.read_bytes()).parts
        held = "is remembered" if {part.digest for part in parts} <= known else "is NOT remembered"
        yield f"{path.name} {held}"


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.name in SQLITES or name.startswith(f"{MEMORY}/"):
            continue
        lasts = name.startswith(LASTING_FOLDERS)
        shown = name if lasts else _masked(name)
        if path.is_symlink():
            yield f"{shown} -> {path.readlink()}"
        elif path.is_dir():
            yield f"{shown}/"
        elif lasts and DIGEST.fullmatch(path.name):
            whole = sha256(path.read_bytes()).hexdigest() == path.name
            yield f"{name} {'whole' if whole else 'damaged'}"
        else:
            yield shown


PASSING = frozenset({"blob_claim"})
"""Tables of what goes on just now: a process that was killed leaves its claims."""


def _tables(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = [row[0] for row in connection.execute(listed) if row[0] not in PASSING]
        return {name: sorted(_rows(connection, name)) for name in names}


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - our own names
        shown = " ".join("(bytes)" if isinstance(one, bytes) else str(one) for one in row)
        yield _masked(shown, digests=table not in LASTING)


def _masked(text: str, *, digests: bool = True) -> str:
    for pattern, word in MASKED:
        text = pattern.sub(word, text)
    return DIGEST.sub("(digest)", text) if digests else text
