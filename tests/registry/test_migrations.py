"""The migrations make what the rooms' tables say, on a database that keeps its promises."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, inspect, text
from sqlalchemy.schema import CreateIndex, SchemaItem

import sealift_migrations
import sealift_registry
from sealift_migrations import postgres_session
from sealift_migrations.table_rules import RULES
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.schema import ONLY, metadata
from sealift_registry.storage.sqlite import open_sqlite
from sealift_signing.errors import FailedError
from sealift_sync.site.log.appending import create_tables
from tests.servers.postgres import engine_of, let_in, postgres


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_sqlite(tmp_path / "hub.db")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind, as whoever migrates opens it."""
    if request.param == "sqlite":
        engine = open_sqlite(tmp_path / "hub.db")
    else:
        database = postgres().fresh()
        let_in(database)
        engine = engine_of(database, Roles().migrator)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> list[str]:
    return sorted(inspect(engine).get_table_names())


def all_tables() -> MetaData:
    """A room's tables are found by the name of their module, `tables.py`."""
    root = Path(sealift_registry.__file__).parent
    for module in root.glob("*/tables.py"):
        importlib.import_module(f"sealift_registry.{module.parent.name}.tables")
    return metadata


@pytest.mark.filterwarnings(r"ignore:.*expression-based index")
def test_the_migrated_schema_is_the_rooms_tables(either: Engine) -> None:
    """On PostgreSQL as the application sees it."""
    sealift_migrations.upgrade(either)
    with either.connect() as connection:
        options = {"compare_type": True, "include_object": is_of(connection.dialect.name)}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, all_tables()) == []


def test_the_migrated_indexes_are_the_rooms(engine: Engine) -> None:
    """Compared once more by their SQL: Alembic passes over those of expressions."""
    all_tables()
    sealift_migrations.upgrade(engine)
    with engine.connect() as connection:
        made = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        found = {row.name: row.sql for row in connection.execute(text(made))}
    said = {
        str(index.name): str(CreateIndex(index).compile(engine))
        for table in metadata.tables.values()
        for index in table.indexes
        if index.info.get(ONLY, "sqlite") == "sqlite"
    }
    assert found == said


def is_of(dialect: str) -> Callable[..., bool]:
    """For Alembic: whether what the rooms say is said of this kind of database."""

    def included(said: SchemaItem, *_more: object) -> bool:
        return bool(said.info.get(ONLY, dialect) == dialect)

    return included


def test_upgrading_twice_changes_nothing(either: Engine) -> None:
    assert sealift_migrations.current(either) == ""
    sealift_migrations.upgrade(either)
    sealift_migrations.upgrade(either)
    assert sealift_migrations.current(either) == sealift_migrations.newest()
    assert set(tables(either)) == set(RULES)


def test_the_steps_form_one_line_and_the_newest_is_found_by_its_file() -> None:
    folder = Path(sealift_migrations.__file__).parent
    script = ScriptDirectory(str(folder))
    assert script.get_heads() == [sealift_migrations.newest()]
    for step in script.walk_revisions():
        assert Path(step.path).name.startswith(f"{step.revision}_")


def test_a_newer_database_is_refused(either: Engine) -> None:
    sealift_migrations.upgrade(either)
    with either.begin() as connection:
        if either.dialect.name == "postgresql":
            postgres_session.become_owner(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FailedError, match="Update Sealift"):
        sealift_migrations.upgrade(either)


def test_an_upgrade_that_fails_leaves_nothing(either: Engine) -> None:
    with either.begin() as connection:
        name = "tuf_online"
        if either.dialect.name == "postgresql":
            postgres_session.become_owner(connection)
            name = f"{sealift_migrations.SCHEMA}.{name}"
        connection.execute(text(f"CREATE TABLE {name} (in_the_way integer)"))
    with pytest.raises(Exception, match=r'"?tuf_online"? already exists'):
        sealift_migrations.upgrade(either)
    assert sealift_migrations.current(either) == ""
    assert tables(either) == ["tuf_online"]


def test_connections_are_set_up(engine: Engine) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 10_000,
    }
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            for name, value in wanted.items():
                assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value


def shape(path: Path) -> dict[str, object]:
    """Tables, columns, indexes, foreign keys and triggers, without the spelling of the SQL."""
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as raw:
        tables = [
            name
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name.startswith("log_")
        ]
        for table in tables:
            columns = raw.execute(f"PRAGMA table_xinfo({table})").fetchall()
            found[table] = [(row[1], row[2], row[3], row[5]) for row in columns]
            found[f"{table} keys"] = raw.execute(f"PRAGMA foreign_key_list({table})").fetchall()
            listed = raw.execute(f"PRAGMA table_list({table})").fetchone()
            found[f"{table} without rowid"] = listed[4]
        for kind, name, sql in raw.execute("SELECT type, name, sql FROM sqlite_master"):
            if kind in {"index", "trigger"} and name.startswith(("log_", "ix_log_")):
                found[name] = " ".join(sql.split())
    return found


def test_the_sites_log_has_the_same_tables_and_triggers(engine: Engine, tmp_path: Path) -> None:
    sealift_migrations.upgrade(engine)
    site = tmp_path / "site.db"
    with closing(sqlite3.connect(site)) as connection:
        create_tables(connection)
        connection.commit()
    hub_shape, site_shape = shape(tmp_path / "hub.db"), shape(site)
    assert len(hub_shape) == 4 * 3 + 5 + 12
    assert hub_shape == site_shape


SIGNED = {
    "tuf_metadata": "'role', 1, x'00'",
    "tuf_online": "'catalog.vision', 1, 'sha256'",
    "tuf_online_body": "'catalog.vision', 1, x'00'",
    "tuf_document": "'path', 'sha256', x'00'",
    "statement": "'sha256', 'request', x'00'",
    "site": "'id', 'enrolment', 'staging', x'00', x'00', 'made'",
    "bundle": "'transfer', 'sha256', x'00', 'medium', 'made'",
    "receipt": "'sha256', 'transfer', 'site', x'00', 'received'",
    "site_entry": "'site', 'enrolment', 0, x'00'",
    "site_checkpoint": "'site', 'enrolment', 1, x'00', x'00', 'received'",
    "seen_ahead": "x'00'",
}


@pytest.mark.parametrize("table", SIGNED)
def test_what_was_signed_or_published_is_never_changed(
    engine: Engine, tmp_path: Path, table: str
) -> None:
    """Not even over a stranger's connection, which has SQLite's defaults and not our settings."""
    sealift_migrations.upgrade(engine)
    row, everything = SIGNED[table], f"SELECT * FROM {table}"  # noqa: S608 - our names
    with closing(sqlite3.connect(tmp_path / "hub.db")) as raw:
        raw.execute(f"INSERT INTO {table} VALUES ({row})")  # noqa: S608
        raw.commit()
        before = raw.execute(everything).fetchall()
        name = raw.execute(f"PRAGMA table_info({table})").fetchone()[1]
        for change in (
            f"UPDATE {table} SET {name} = 'other'",  # noqa: S608
            f"DELETE FROM {table}",  # noqa: S608
            f"INSERT OR REPLACE INTO {table} VALUES ({row})",  # noqa: S608
            f"INSERT OR IGNORE INTO {table} VALUES ({row})",  # noqa: S608
            f"INSERT OR REPLACE INTO {table} (rowid) VALUES (1)",  # noqa: S608
        ):
            with pytest.raises(sqlite3.Error):
                raw.execute(change)
            raw.rollback()
        assert raw.execute(everything).fetchall() == before


def test_a_bundle_is_not_replaced_by_another_of_the_same_digest(
    engine: Engine, tmp_path: Path
) -> None:
    sealift_migrations.upgrade(engine)
    with closing(sqlite3.connect(tmp_path / "hub.db")) as raw:
        raw.execute(f"INSERT INTO bundle VALUES ({SIGNED['bundle']})")  # noqa: S608
        other = SIGNED["bundle"].replace("'transfer'", "'other'")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(f"INSERT OR REPLACE INTO bundle VALUES ({other})")  # noqa: S608
