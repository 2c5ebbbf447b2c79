"""Poisonings of the database, generated from its schema: each table by each deed.

    insert      a row like the newest, under a key that is not taken
    change      one column of the newest row: what another row has there, or anything else
    delete      the newest row
    put back    the newest row says what the one before it says
    swap        the two newest say what the other says

Rows of one kind are looked at together: the versions of one role, the statements of one kind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, LargeBinary, Table

from sealift_registry.audit import tables as _audit
from sealift_registry.catalog import tables as _catalog
from sealift_registry.delivery import tables as _delivery
from sealift_registry.storage.schema import metadata
from sealift_registry.trust import tables as _trust
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.world import World

ROOMS = (_audit, _catalog, _delivery, _trust)
"""They define the tables."""
KINDS = {
    **dict.fromkeys(("tuf_metadata", "tuf_online", "tuf_online_body"), "role"),
    "tuf_document": "path",
    **dict.fromkeys(("statement", "evidence"), "kind"),
}
"""By which column the rows of a table are of one kind."""
LISTED = "instr(CAST(m.body AS TEXT), tuf_document.sha256)"
ORDER = {
    "tuf_document": f"(SELECT min(m.version) FROM tuf_metadata m WHERE {LISTED})",  # noqa: S608
    "evidence": "made",
    "approval": "made",
    "objection": "made",
}
"""Of tables whose key is a digest: by when a row came."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """The rows of one kind in one table, oldest first."""

    table: Table
    kind: str
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        return f"{self.table.name}{' ' if self.kind else ''}{self.kind}"

    @property
    def key(self) -> list[str]:
        return [one.name for one in self.table.primary_key]

    @property
    def others(self) -> list[str]:
        return [one.name for one in self.table.columns if one.name not in self.key]


def poisonings(world: World) -> Iterator[Poisoning]:
    """Everything that can be done to a row of each kind."""
    with closing(_opened(world)) as connection:
        for table in metadata.sorted_tables:
            for found in _kinds(connection, table):
                yield from _of(found)


def _opened(world: World) -> sqlite3.Connection:
    connection = sqlite3.connect(world.acme.root / "sealift.db", isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _kinds(connection: sqlite3.Connection, table: Table) -> Iterator[Rows]:
    order = ORDER.get(table.name) or ", ".join(one.name for one in table.primary_key)
    query = f"SELECT * FROM {table.name} ORDER BY {order}"  # noqa: S608 - our names
    rows = [dict(row) for row in connection.execute(query)]
    column = KINDS.get(table.name)
    for kind in sorted({row[column] for row in rows}) if column else [""]:
        found = [row for row in rows if not column or row[column] == kind]
        if found:
            yield Rows(table, kind, found)


def _of(found: Rows) -> Iterator[Poisoning]:
    last, before = found.rows[-1], found.rows[-2] if len(found.rows) > 1 else None
    where = {name: last[name] for name in found.key}
    yield _sql(found, "insert", [_insert(found, _fresh(found, last))])
    yield _sql(found, "delete", [_delete(found, where)])
    for name in found.others:
        there = next((r[name] for r in found.rows if r[name] != last[name]), None)
        other = _another(last[name], found.table.columns[name])
        value = other if there is None else there
        yield _sql(found, f"change {name}", [_update(found, {name: value}, where)])
    if before is not None and found.others:
        older = {name: before[name] for name in found.others}
        newer = {name: last[name] for name in found.others}
        yield _sql(found, "put back", [_update(found, older, where)])
        there = {name: before[name] for name in found.key}
        both = [_update(found, older, where), _update(found, newer, there)]
        yield _sql(found, "swap", both)


Statement = tuple[str, list[Any]]


def _sql(found: Rows, deed: str, run: Sequence[Statement]) -> Poisoning:
    def poison(world: World) -> None:
        with closing(_opened(world)) as connection:
            unguarded(connection)
            for sql, values in run:
                connection.execute(sql, values)

    return Poisoning(f"row: {found.name}: {deed}", poison)


def unguarded(connection: sqlite3.Connection) -> None:
    """The database's guards are gone, as whoever owns the file can have it; indexes too."""
    listed = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql != ''"
    for kind, name in connection.execute(listed).fetchall():
        connection.execute(f"DROP {kind} {name}")


def _insert(found: Rows, row: Mapping[str, Any]) -> Statement:
    names, marks = ", ".join(row), ", ".join("?" for _ in row)
    return f"INSERT OR REPLACE INTO {found.table.name} ({names}) VALUES ({marks})", [*row.values()]  # noqa: S608


def _update(found: Rows, values: Mapping[str, Any], where: Mapping[str, Any]) -> Statement:
    changed = ", ".join(f"{name} = ?" for name in values)
    sql = f"UPDATE OR IGNORE {found.table.name} SET {changed} WHERE {_equal(where)}"  # noqa: S608
    return sql, [*values.values(), *where.values()]


def _delete(found: Rows, where: Mapping[str, Any]) -> Statement:
    return f"DELETE FROM {found.table.name} WHERE {_equal(where)}", [*where.values()]  # noqa: S608


def _equal(where: Mapping[str, Any]) -> str:
    return " AND ".join(f"{name} = ?" for name in where)


def _fresh(found: Rows, row: Row) -> Row:
    """`row` under a key that no other has: the last column that makes it another."""
    kind = KINDS.get(found.table.name)
    unique = [*found.key, *(one.name for one in found.table.columns if one.unique)]
    changed = [name for name in unique if name != kind]
    last = changed[-1:] if len(found.key) > 1 else changed
    return {**row, **{name: _another(row[name], found.table.columns[name]) for name in last}}


def _another(value: Any, column: Column[Any]) -> Any:  # noqa: ANN401 - of whatever type a column is
    if value is None:
        return b"another" if isinstance(column.type, LargeBinary) else "another"
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"another"
    return f"{'f' if value[0] != 'f' else 'e'}{value[1:]}" if value else "another"
