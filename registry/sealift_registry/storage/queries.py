"""What every query of very many values or rows has to heed, on every engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_

S = TypeVar("S")

AT_ONCE = 400
"""Values in one query: databases bound how many parameters it may have."""


def in_parts(values: Sequence[S]) -> Iterator[Sequence[S]]:
    """`values` in parts, each of no more than one query may name."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def begins_with(column: ColumnElement[str], stem: str) -> ColumnElement[bool]:
    """That a text begins with `stem`, which is found along an index.

    LIKE takes capitals for small letters in SQLite, and not in PostgreSQL. Texts are in the order
    of their bytes in both.
    """
    return and_(column >= stem, column < stem[:-1] + chr(ord(stem[-1]) + 1))


def all_rows(connection: Connection, query: Select[Any]) -> Iterator[Row[tuple[Any, ...]]]:
    """The rows of a query of very many, a part at a time: PostgreSQL's driver keeps all else.

    However the reader stops, what the server keeps for it goes with this iterator.
    """
    with connection.execute(query.execution_options(yield_per=AT_ONCE)) as rows:
        yield from rows
