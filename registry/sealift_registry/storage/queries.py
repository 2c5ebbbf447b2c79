"""What every query of very many values or rows has to heed, on every engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, literal, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from sealift_registry.storage.schema import BytesType, Number

S = TypeVar("S")

AT_ONCE = 400
"""Values in one query: databases bound how many parameters it may have."""


def in_parts(values: Sequence[S]) -> Iterator[Sequence[S]]:
    """`values` in parts, each of no more than one query may name."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def is_one_of(
    columns: Sequence[ColumnElement[Any]], keys: Sequence[Sequence[Any]]
) -> ColumnElement[bool]:
    """That `columns` together have one of these keys, each of which is found along their index.

    Keys alone SQLite compares with every row that there is. So each column is asked for as well,
    which finds few more than the keys do.
    """
    each = (
        column.in_(sorted(set(have)))
        for column, have in zip(columns, zip(*keys, strict=True), strict=True)
    )
    return and_(*each, tuple_(*columns).in_(keys))


def begins_with(column: ColumnElement[str], stem: str) -> ColumnElement[bool]:
    """That a text begins with `stem`, which is found along an index.

    LIKE takes capitals for small letters in SQLite, and not in PostgreSQL. Texts are in the order
    of their bytes in both.
    """
    return and_(column >= stem, column < stem[:-1] + chr(ord(stem[-1]) + 1))


class _place_of(FunctionElement[int]):  # noqa: N801 - a function of SQL's
    """Where bytes begin among others, counted from 1; 0 where they are not there."""

    inherit_cache = True
    type = Number()


@compiles(_place_of, "postgresql")
def _on_postgresql(found: Any, compiler: Any, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    whole, part = (compiler.process(one, **how) for one in found.clauses)
    return f"position({part} in {whole})"


@compiles(_place_of)
def _on_sqlite(found: Any, compiler: Any, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return f"instr({compiler.process(found.clauses, **how)})"


def holds(column: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
    """That `part` is among the bytes of a column: looked for where they are, so that few travel."""
    return _place_of(column, literal(part, BytesType())) > 0


def all_rows(connection: Connection, query: Select[Any]) -> Iterator[Row[tuple[Any, ...]]]:
    """The rows of a query of very many, a part at a time: PostgreSQL's driver keeps all else.

    However the reader stops, what the server keeps for it goes with this iterator.
    """
    with connection.execute(query.execution_options(yield_per=AT_ONCE)) as rows:
        yield from rows
