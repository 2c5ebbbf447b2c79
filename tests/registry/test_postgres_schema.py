"""What the migrations make on PostgreSQL is what the rooms' tables and `table_rules` say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, inspect, text

from sealift_migrations import SCHEMA, table_rules
from sealift_migrations.column_types import COLLATION
from sealift_registry.storage.postgres_roles import Roles
from tests.registry.test_migrations import all_tables
from tests.servers.postgres import engine_of, let_in, postgres

SHAPES = (
    """
    SELECT tablename, indexdef FROM pg_indexes
    WHERE schemaname = 'sealift' AND indexname NOT IN (SELECT conname FROM pg_constraint)
    """,
    """
    SELECT conrelid::regclass::text, contype, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'sealift'::regnamespace AND contype <> 'n'
    """,
    """
    SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
    AND relkind = 'r' AND relnamespace = 'sealift'::regnamespace
    """,
)
VERSIONS = f"{SCHEMA}.{table_rules.VERSION_TABLE}"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = engine_of(postgres().migrated())
    yield engine
    engine.dispose()


def shape(engine: Engine) -> list[set[tuple[object, ...]]]:
    with engine.connect() as connection:
        connection.execute(text("SET search_path = public"))  # names are told with their schema
        return [
            {tuple(row) for row in connection.execute(text(query)) if VERSIONS not in row}
            for query in SHAPES
        ]


def test_g1_22_indexes_constraints_and_types_are_the_rooms(engine: Engine) -> None:
    database = postgres().fresh()
    let_in(database)
    said = engine_of(database)
    all_tables().create_all(said.execution_options(schema_translate_map={None: SCHEMA}))
    found = shape(said)
    said.dispose()
    there = shape(engine)
    there[0] = {row for row in there[0] if row[0] != table_rules.VERSION_TABLE}
    assert there == found


def test_g1_23_text_is_ordered_by_its_bytes(engine: Engine) -> None:
    """As SQLite orders it: lists are paged along it."""
    with engine.connect() as connection:
        collations = connection.execute(
            text(
                "SELECT c.relname || '.' || a.attname, collname FROM pg_attribute a "
                "JOIN pg_class c ON c.oid = attrelid JOIN pg_collation o ON o.oid = attcollation "
                "WHERE relnamespace = 'sealift'::regnamespace AND relkind = 'r' AND attnum > 0"
            )
        )
        found = {row[0]: row[1] for row in collations}
    del found[f"{table_rules.VERSION_TABLE}.version_num"]
    assert set(found.values()) == {COLLATION}
    kinds = {str(column.type) for t in all_tables().tables.values() for column in t.columns}
    assert kinds == {"VARCHAR", "BIGINT", "BLOB"}
    texts = [c for t in all_tables().tables.values() for c in t.columns if str(c.type) == "VARCHAR"]
    assert len(found) == len(texts)


def test_g1_24_the_triggers_are_those_of_the_rules(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT c.relname, tgname, tgenabled FROM pg_trigger JOIN pg_class c "
                "ON c.oid = tgrelid WHERE NOT tgisinternal"
            )
        )
        assert {tuple(row) for row in found} == {
            (one.table, one.name, "A") for one in table_rules.all_triggers()
        }


def test_g1_25_there_is_a_rule_for_each_table(engine: Engine) -> None:
    names = set(all_tables().tables) | {table_rules.VERSION_TABLE}
    assert set(table_rules.RULES) == names
    assert set(inspect(engine).get_table_names()) == names


def test_g1_26_the_application_may_do_what_the_rules_say(engine: Engine) -> None:
    query = text(
        "SELECT c.relname, privilege_type FROM pg_class c, aclexplode(relacl) "
        "WHERE relnamespace = 'sealift'::regnamespace AND relkind = 'r' "
        "AND grantee = CAST(:role AS regrole)"
    )
    with engine.connect() as connection:
        found = {tuple(row) for row in connection.execute(query, {"role": Roles().application})}
    assert found == {
        (table, one) for table, rule in table_rules.RULES.items() for one in rule.privileges
    }
