"""The hub's SQL is spelled as both engines read it, and connections are opened in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sealift_registry

ROOT = Path(sealift_registry.__file__).parent

ENGINES = {
    "storage/sqlite.py",
    "storage/database_files.py",  # of an embedded database
    "storage/postgresql.py",
    "storage/postgres_words.py",
}
"""What is one engine's alone, beside modules of their names."""

SQLITES = {
    r"\binstr\(": "replace(text, part, '') <> text",
    r"LIMIT -1": "no LIMIT",
    r"sqlite_master": "sqlalchemy.inspect",
    r"\bINSERT OR\b": "ask first: the writer is alone",
    r"\b(IFNULL|ifnull)\b": "coalesce",
    r"PRAGMA": "a method of storage.database.Database",
    r"\btypeof\(": "what only SQLite must be asked",
    r"\b(GLOB|group_concat|julianday|total_changes|last_insert_rowid|rowid)\b": "what both have",
    r"\bprefix_with\(|\bon_conflict": "ask first: the writer is alone",
}
"""Spellings that SQLite alone reads, and what to write in their place."""
LIKE = r"\.c\.\w+\.(startswith|endswith|contains|i?like)\("
OPENED = r"\bengine\.(connect|begin)\("
OTHERWISE = {
    LIKE: "storage.queries.begins_with: LIKE takes capitals for small letters in SQLite alone",
    r"\bIntegrityError\b": "ask first: an error ends the whole transaction of PostgreSQL",
    OPENED: "Database.reading or Database.writing: elsewhere each "
    "statement of PostgreSQL sees another state",
    r"\.rowcount\b": "count what is found",
    r"\bFOR UPDATE\b|\bwith_for_update\(": "the writers' lock, which both have",
}
"""What both read, and not as the same."""

ALLOWED = {
    "storage/queries.py": {r"\binstr\("},  # its one place: the other engine's word stands beside it
    # Tables of the engine of jobs, which the hub's writer never touches.
    "jobs/dbos_embedded.py": {r"PRAGMA"},
    "jobs/dbos_liveness.py": {r"\bIntegrityError\b"},  # nothing else is in its transaction
    "jobs/dbos_place.py": {LIKE, r"\.rowcount\b"},
    "jobs/dbos_schema.py": {OPENED},
    "jobs/dbos_watching.py": {OPENED},
    "storage/schema.py": {r"\btypeof\("},  # misfits, which only SQLite lets happen
    "demo/hostile_drafts.py": {OPENED},  # who means harm asks nobody
}


def modules() -> list[str]:
    found = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
    return sorted(name for name in found if name not in ENGINES and "storage/postgres" not in name)


def spelled(text: str) -> set[str]:
    """What of a module's text only one engine reads, or each otherwise."""
    return {one for one in (SQLITES | OTHERWISE) if re.search(one, text)}


def test_g1_47_every_module_speaks_to_both_engines() -> None:
    found = {name: spelled((ROOT / name).read_text("utf-8")) for name in modules()}
    told = {name: these - ALLOWED.get(name, set()) for name, these in found.items()}
    words = [
        f"{name} spells {one}: write {(SQLITES | OTHERWISE)[one]}"
        for name, these in told.items()
        for one in sorted(these)
    ]
    assert not words, "\n".join(words)
    assert len(found) > 200
    for name, these in ALLOWED.items():
        assert these <= found[name], f"{name} needs no exception for {these - found[name]}"


@pytest.mark.parametrize(
    "line",
    [
        "text('SELECT 1 FROM a WHERE instr(b, c)')",
        "f'ORDER BY seq LIMIT -1'",
        "select(t).where(t.c.role.startswith('a'))",
        "except IntegrityError:",
        "with hub.database.engine.begin() as connection:",
        "insert(t).prefix_with('OR IGNORE')",
        "SELECT IFNULL(a, b)",
        "func.typeof(column)",
    ],
)
def test_g1_47_what_is_meant_is_found(line: str) -> None:
    assert spelled(line)


def test_g1_47_what_both_read_is_not() -> None:
    assert not spelled("path.startswith('a'); limit = -1; text('SELECT coalesce(a, b)')")
