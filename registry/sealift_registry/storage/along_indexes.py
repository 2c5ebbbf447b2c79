"""How an engine is brought to read a page of rows along its indexes, in their order.

Where lists of rows meet, SQLite goes along all parts of an INTERSECT at once. PostgreSQL would read
each of them whole first: there they are sorted and joined, and it goes along both.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Index, text
from sqlalchemy.sql.elements import TextClause

from sealift_registry.storage.schema import only_on

_OTHER_WAYS = ("seqscan", "bitmapscan", "nestloop", "hashjoin", "hashagg", "sort")
_ALONE = text(
    "SELECT "
    + ", ".join(f"pg_catalog.set_config('enable_{way}', 'off', true)" for way in _OTHER_WAYS)
)
"""PostgreSQL reads a list whole where it takes it for short, as it does until it has counted."""


def joins(connection: Connection) -> bool:
    """Whether lists that meet are to be joined, each in its order; else they are intersected.

    Until its transaction ends, the connection then goes no other way than along indexes.
    """
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(_ALONE)
    return True


def in_order(name: str, what: str | TextClause, order: str) -> Iterator[Index]:
    """An index by `what`, in which the rows of one value lie by `order`, which is their key.

    SQLite keeps each row's key in every index, behind what the index is by; others are told to.
    """
    yield only_on("sqlite", Index(name, what))
    yield only_on("postgresql", Index(f"{name}_{order}", what, order))
