"""The one `MetaData` that every room's tables stand on, and the types of their columns.

A room defines its tables in its own `tables.py`. The database itself is made and changed only by
the migrations (`sealift_migrations`), which a test compares with this.

SQLite keeps in any column whatever somebody puts there (https://www.sqlite.org/datatype3.html), so
a column's type here says what is made of it. Bytes and text become what can be compared with what
was signed, which then fails by its name; where a number is none, nothing can go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    func,
    select,
)

from sealift_signing.errors import FailedError, MalformedError, shown

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ONLY = "only"
"""In an index's `info`: the one kind of database that has it."""


def only_on(dialect: str, index: Index) -> Index:
    """`index`, made in databases of one kind alone: `sqlite` or `postgresql`."""
    index.info[ONLY] = dialect
    index.ddl_if(dialect=dialect)
    return index


BY_KEY: dict[str, Any] = {"sqlite_with_rowid": False}
"""Of a table whose rows lie in the order of their key, and not beside an index of it."""

MOST = 200
"""Characters of a row's key that are shown."""


class BytesType(TypeDecorator[bytes]):
    """Bytes; what is text or a number becomes the bytes of its characters."""

    impl = LargeBinary
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], bytes | None]:  # noqa: ARG002 - SQLAlchemy's
        """How a value is read; LargeBinary's own way cannot read text."""
        return _bytes


class Text(TypeDecorator[str]):
    """Text; bytes become text with their escapes, which is nobody's name."""

    impl = String
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's
        """How a value is written, or looked for.

        Raises:
            MalformedError: it holds a NUL, which PostgreSQL does not take and people do not see.
        """
        return _without_nul

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:  # noqa: ARG002 - SQLAlchemy's
        """How a value is read."""
        return _text


class Number(TypeDecorator[int]):
    """A whole number that may exceed 2^31."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's
        """SQLite keeps a row by its key only if that key's type is spelled INTEGER."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], int | None]:  # noqa: ARG002 - SQLAlchemy's
        """How a value is read.

        Raises:
            FailedError: it is not a whole number.
        """
        return _number


HELD: dict[type[Any], tuple[str, str]] = {
    BytesType: ("blob", "bytes"),
    Text: ("text", "text"),
    Number: ("integer", "a whole number"),
}
"""How SQLite calls what a column of each type holds, and how people do."""


def misfits(connection: Connection) -> Iterator[str]:
    """A sentence on each row that holds something else than its column is of.

    Only SQLite lets that happen.
    """
    if connection.dialect.name != "sqlite":
        return
    for table in metadata.sorted_tables:
        key = [func.quote(column) for column in table.primary_key]
        for column in table.columns:
            held, words = HELD[type(column.type)]
            fits = [held, "null"] if column.nullable else [held]
            kind = func.typeof(column)
            for found, *values in connection.execute(select(kind, *key).where(kind.not_in(fits))):
                named = ", ".join(map(str, values))[:MOST]
                yield f"{table.name} {named}: {column.name} holds {found} where {words} belongs."


def _bytes(value: Any) -> bytes | None:  # noqa: ANN401 - whatever lies there
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogatepass")


def _without_nul(value: Any) -> Any:  # noqa: ANN401 - whatever is bound
    if isinstance(value, str) and "\0" in value:
        raise MalformedError(
            "text-with-nul",
            f"{shown(value)} holds a NUL, which is no character of a text.",
            subject=shown(value),
            next_step="Spell it without.",
        )
    return value


def _text(value: Any) -> str | None:  # noqa: ANN401 - whatever lies there
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _number(value: Any) -> int | None:  # noqa: ANN401 - whatever lies there
    if value is None or isinstance(value, int):
        return value
    raise FailedError(
        "row-no-number",
        f"The database holds {shown(value)} where a number belongs.",
        next_step="Somebody changed the database, or it is damaged. See where with: sealift audit "
        "fsck; then restore it from a backup.",
    )
