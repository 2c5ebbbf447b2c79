"""One hub's rows on both engines: what is in its SQLite file is copied to an empty PostgreSQL.

Whatever asks the hub's database must be answered the same by both.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, text

import sealift_registry
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.schema import metadata
from sealift_registry.storage.sqlite import SqliteDatabase
from tests.servers.postgres import postgres

AT_ONCE = 2_000


def know_all_tables() -> None:
    """A room's tables are found by the name of their module, `tables.py`."""
    for module in Path(sealift_registry.__file__).parent.glob("*/tables.py"):
        importlib.import_module(f"sealift_registry.{module.parent.name}.tables")


@dataclass(frozen=True)
class Both:
    """The same rows on two engines."""

    sqlite: Database
    postgres: Database

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, Connection]]:
        """A connection to each, which sees one state."""
        with self.sqlite.reading() as one, self.postgres.reading() as other:
            yield one, other

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, Connection]]:
        """A connection to each, as the one writer; nothing that is written stays."""
        with (
            self.sqlite.writing() as one,
            self.postgres.writing() as other,
            one.begin() as first,
            other.begin() as second,
        ):
            yield one, other
            first.rollback()
            second.rollback()


@contextmanager
def both(file: Path) -> Iterator[Both]:
    """The hub's database `file`, and a copy of it on PostgreSQL."""
    know_all_tables()
    made = Both(SqliteDatabase(file, file.with_name(".lock")), empty_postgres())
    with closing(made.sqlite), closing(made.postgres):
        copy(made.sqlite.engine, made.postgres.engine)
        yield made


def empty_postgres() -> PostgresDatabase:
    """A database of its own with the hub's tables, empty, as the hub is logged in to it."""
    return PostgresDatabase(postgres().migrated().url(Roles().application))


def copy(source: Engine, target: Engine) -> None:
    """Every row of every table, as it lies there."""
    with source.connect() as read, target.begin() as write:
        for table in metadata.sorted_tables:
            names = [column.name for column in table.columns]
            found = read.execute(text(f"SELECT {', '.join(names)} FROM {table.name}"))  # noqa: S608
            for rows in found.partitions(AT_ONCE):
                write.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def rows(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table, in no order of the engine's."""
    found = {}
    for table in metadata.sorted_tables:
        names = ", ".join(column.name for column in table.columns)
        read = connection.execute(text(f"SELECT {names} FROM {table.name}"))  # noqa: S608
        found[table.name] = sorted(repr(tuple(row)) for row in read)
    return found
