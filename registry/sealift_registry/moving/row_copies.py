"""Every row of a hub, copied from one database to another as it is, and compared with the copy.

Rows are read in the order of their keys, which is the same on both engines, and a part at a time:
no more of them than fit into some megabytes, whatever they hold. What is compared is spelled by us,
so that it does not depend on how an engine spells it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, insert, select

from sealift_registry.audit.tables import log_checkpoint, log_entry, log_term, log_tile, moved
from sealift_registry.storage.schema import MOST, BytesType, metadata
from sealift_signing import events
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError
from sealift_signing.transparency import tiles

ROOMS = ("audit", "catalog", "delivery", "jobs", "trust")
"""Who has tables."""
AT_ONCE = 1_000
"""Rows of a part."""
BYTES_AT_ONCE = 16 * 1024 * 1024
"""Bytes of a part, as the largest row of its table would make it."""

Told = Callable[[str, int], None]
"""Told how many further rows of a table were handled."""


class Summary(NamedTuple):
    """A table: its rows, and the sha256 over all that they hold, in the order of their keys."""

    rows: int
    sha256: str


def tables() -> list[Table]:
    """Every table that is copied, those that others refer to first.

    Where the hub was and is, each database says for itself (`audit.moved`).
    """
    for room in ROOMS:
        importlib.import_module(f"sealift_registry.{room}.tables")
    return [table for table in metadata.sorted_tables if table is not moved]


def count(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables()
    }


def copy(source: Connection, target: Connection, told: Told) -> dict[str, Summary]:
    """Copy every row into the empty tables of `target`, whoever begins and commits; what it was.

    Raises:
        RefusedError: a row cannot be kept there.
    """
    found = {}
    for table in tables():
        one = _Summing(table)
        for part in _parts(source, table):
            rows = [one.add(row) for row in part]
            target.execute(insert(table), rows)
            told(table.name, len(rows))
            events.tell("migrate", "rows-copied", table=table.name, rows=len(rows))
        found[table.name] = one.summary()
    return found


def copy_end(source: Connection, target: Connection) -> None:
    """Copy what the log of `source` has more than that of `target`: the entries that ended it."""
    size = func.coalesce(func.max(log_checkpoint.c.size), 0)
    first, end = (one.execute(select(size)).scalar_one() for one in (target, source))
    rows: list[tuple[Table, ColumnElement[bool]]] = [
        (log_entry, log_entry.c.seq >= first),
        (log_term, log_term.c.seq >= first),
        (log_checkpoint, log_checkpoint.c.size > first),
    ]
    level, span = 0, tiles.WIDTH
    while span <= end:  # a tile is complete with the last leaf below it, and new if that is
        whole = first // span
        rows.append((log_tile, and_(log_tile.c.level == level, log_tile.c.number >= whole)))
        level, span = level + 1, span * tiles.WIDTH
    for table, more in rows:
        found = source.execute(select(table).where(more)).mappings().all()
        if found:
            target.execute(insert(table), [dict(row) for row in found])


def summaries(connection: Connection, told: Told) -> dict[str, Summary]:
    """What every table holds."""
    found = {}
    for table in tables():
        one = _Summing(table)
        for part in _parts(connection, table):
            for row in part:
                one.add(row)
            told(table.name, len(part))
        found[table.name] = one.summary()
    return found


def differences(here: Mapping[str, Summary], there: Mapping[str, Summary]) -> Iterator[str]:
    """A sentence on each table of which the copy is not what was copied."""
    for name, one in here.items():
        other = there.get(name, Summary(0, ""))
        if one.rows != other.rows:
            yield f"{name} has {one.rows} rows, and its copy {other.rows}"
        elif one != other:
            yield f"the {one.rows} rows of {name} are others in its copy"


class _Summing:
    """The summary of a table, row by row."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = [column.name for column in table.columns]
        self._rows = 0
        self._digest = sha256()

    def add(self, row: Row[Any]) -> dict[str, Any]:
        """Take in a row; it, by its columns.

        Raises:
            RefusedError: there is a NUL in a text, which not every database keeps.
        """
        values = dict(zip(self._names, row, strict=True))
        for name, value in values.items():
            if isinstance(value, str) and "\0" in value:
                raise _unfit(self._table, row, name)
            self._digest.update(_spelled(value))
        self._rows += 1
        return values

    def summary(self) -> Summary:
        """What it is by now."""
        return Summary(self._rows, self._digest.hexdigest())


def _spelled(value: Any) -> bytes:  # noqa: ANN401 - what columns hold
    """A value, so that no two are spelled alike."""
    if value is None:
        return b"n;"
    if isinstance(value, int):
        return b"i%d;" % value
    kind, data = (b"s", value.encode()) if isinstance(value, str) else (b"b", bytes(value))
    return b"%b%d:%b;" % (kind, len(data), data)


def _parts(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    size = _at_once(connection, table)
    with connection.execute(query, execution_options={"yield_per": size}) as found:
        yield from found.partitions(size)


def _at_once(connection: Connection, table: Table) -> int:
    """How many rows of a table are read at once, by the largest that it holds."""
    large = [func.length(column) for column in table.columns if isinstance(column.type, BytesType)]
    if not large:
        return AT_ONCE
    most = connection.execute(select(*(func.max(one) for one in large)).select_from(table)).one()
    return max(1, min(AT_ONCE, BYTES_AT_ONCE // max(1, sum(one or 0 for one in most))))


def _unfit(table: Table, row: Row[Any], name: str) -> RefusedError:
    key = ", ".join(str(row._mapping[column]) for column in table.primary_key.columns)  # noqa: SLF001 - SQLAlchemy's own name for it
    return RefusedError(
        "row-not-kept",
        f"The row {word(key[:MOST])} of {table.name} has a NUL in {name}, and is not kept so.",
        subject=table.name,
        next_step="Nothing writes such a row, so find out who changed the database; then restore "
        "it from a backup.",
    )
