"""Whoever has the database on PostgreSQL, or a role in it: refused, or named by `db check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Engine

from sealift_migrations.table_rules import RULES
from sealift_registry.storage import postgres_catalog, postgres_check
from sealift_registry.storage.postgres_address import parse_url
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import open_postgres
from sealift_registry.storage.schema import BytesType, Number, Text
from tests.registry.test_migrations import all_tables
from tests.servers.postgres import Database, engine_of, postgres

APPLICATION, OWNER = Roles().application, Roles().owner
GUARDED = [name for name, rule in RULES.items() if rule.guarded]
VALUES = {Text: "'x'", Number: "1", BytesType: "'\\x00'"}
"""Of a row, by the types of its columns."""


@pytest.fixture
def database() -> Database:
    return postgres().migrated()


@pytest.fixture(scope="module")
def whole() -> Iterator[Engine]:
    """A database as its administrator opens it, which nobody changed."""
    all_tables()
    engine = engine_of(postgres().migrated())
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def filled() -> Database:
    """With a row in each table that is guarded."""
    database = postgres().migrated()
    for table in GUARDED:
        values = [VALUES[type(column.type)] for column in all_tables().tables[table].columns]
        row = f"INSERT INTO sealift.{table} VALUES ({', '.join(values)})"  # noqa: S608 - our own words
        database.run(row, user=APPLICATION)
    return database


def checked(database: Database, user: str = APPLICATION, *, failover: bool = False) -> list[str]:
    """What `sealift db check` says, asking as `user`."""
    return checked_at(database.url(user), failover=failover)


def checked_at(url: str, *, failover: bool = False, faults: bool = True) -> list[str]:
    """The same, asking at `url`; what is wrong, or what else is to be known."""
    all_tables()
    engine = open_postgres(parse_url(url))
    try:
        with engine.connect() as connection:
            found = postgres_check.check(connection, APPLICATION, failover=failover)
            return [one.what for one in found if one.is_fault is faults]
    finally:
        engine.dispose()


@pytest.mark.parametrize("table", GUARDED)
def test_g1_27_the_application_only_adds(filled: Database, table: str) -> None:
    column = next(iter(all_tables().tables[table].columns)).name
    with closing(filled.connect(APPLICATION)) as connection:
        for attack in (
            f"UPDATE sealift.{table} SET {column} = {column}",  # noqa: S608
            f"DELETE FROM sealift.{table}",  # noqa: S608
            f"TRUNCATE sealift.{table} CASCADE",
            f"DROP TABLE sealift.{table} CASCADE",
            f"ALTER TABLE sealift.{table} DISABLE TRIGGER ALL",
            f"ALTER TABLE sealift.{table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE sealift.{table} OWNER TO {APPLICATION}",
            f"DROP TRIGGER {table}_no_update ON sealift.{table}",
            f"CREATE RULE r AS ON DELETE TO sealift.{table} DO INSTEAD NOTHING",
            f"CREATE TABLE pg_temp.mine () INHERITS (sealift.{table})",
            f"DO $$ BEGIN LOCK TABLE sealift.{table} IN EXCLUSIVE MODE; END $$",
            f"SELECT 1 FROM sealift.{table} FOR UPDATE",  # noqa: S608
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attack.encode())
        found = connection.execute(f"SELECT count(*) FROM sealift.{table}".encode())  # noqa: S608
        assert found.fetchone() == (1,)


@pytest.mark.parametrize(
    "attack",
    [
        "SET session_replication_role = replica",
        f"SET ROLE {OWNER}",
        f"SET SESSION AUTHORIZATION {OWNER}",
        "CREATE TABLE sealift.mine (n int)",
        "CREATE TABLE public.mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION sealift.refuse_change(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION sealift.substr(varchar, int, int) RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "INSERT INTO sealift.alembic_version VALUES ('0001')",
        "ALTER SCHEMA sealift RENAME TO other",
        "DROP SCHEMA sealift CASCADE",
        "UPDATE sealift.site_state SET version = 1",
        "DELETE FROM sealift.listing",
        "DELETE FROM sealift.goldens",
    ],
)
def test_g1_28_the_application_changes_nothing_else(filled: Database, attack: str) -> None:
    with (
        closing(filled.connect(APPLICATION)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(attack.encode())


@pytest.mark.parametrize("table", GUARDED)
def test_g1_29_the_triggers_stop_whoever_may(filled: Database, table: str) -> None:
    """The owner; and a superuser for whom only triggers that are always enabled fire."""
    column = next(iter(all_tables().tables[table].columns)).name
    for before in (f"SET ROLE {OWNER}", "SET session_replication_role = replica"):
        with closing(filled.connect()) as connection:
            connection.execute(before.encode())
            for attack in (
                f"UPDATE sealift.{table} SET {column} = {column}",  # noqa: S608
                f"DELETE FROM sealift.{table}",  # noqa: S608
                f"TRUNCATE sealift.{table} CASCADE",
            ):
                with pytest.raises(psycopg.errors.IntegrityError, match="append-only"):
                    connection.execute(attack.encode())
            found = connection.execute(f"SELECT count(*) FROM sealift.{table}".encode())  # noqa: S608
            assert found.fetchone() == (1,)


def test_g1_30_the_newest_body_stays(database: Database) -> None:
    bodies = "SELECT role, version FROM sealift.tuf_online_body ORDER BY role, version"
    with closing(database.connect(APPLICATION)) as connection:
        connection.execute(
            "INSERT INTO sealift.tuf_online_body VALUES ('snapshot', 1, ''), ('snapshot', 2, ''), "
            "('timestamp', 1, '')"
        )
        for attack in (
            "DELETE FROM sealift.tuf_online_body",
            "DELETE FROM sealift.tuf_online_body WHERE version = 2",
            "DELETE FROM sealift.tuf_online_body WHERE role = 'timestamp'",
        ):
            with pytest.raises(psycopg.errors.IntegrityError, match="keeps the newest"):
                connection.execute(attack)
        connection.execute("DELETE FROM sealift.tuf_online_body WHERE version = 1 AND role < 't'")
        found = connection.execute(bodies)
        assert found.fetchall() == [("snapshot", 2), ("timestamp", 1)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE sealift.tuf_online_body SET body = ''")
    with (
        closing(database.connect()) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="append-only"),
    ):
        connection.execute("UPDATE sealift.tuf_online_body SET body = ''")


TAMPERING = [
    (
        "ALTER TABLE sealift.log_entry DISABLE TRIGGER log_entry_no_delete",
        "log_entry_no_delete, .* is disabled",
    ),
    (
        "ALTER TABLE sealift.log_entry DISABLE TRIGGER ALL",
        "log_entry_no_update, .* is disabled",
    ),
    (
        "ALTER TABLE sealift.receipt ENABLE TRIGGER receipt_no_truncate",
        "does not fire always",
    ),
    (
        "ALTER TABLE sealift.receipt ENABLE REPLICA TRIGGER receipt_no_truncate",
        "does not fire always",
    ),
    (
        "DROP TRIGGER log_term_no_update ON sealift.log_term",
        "log_term_no_update, .* is missing",
    ),
    (
        """
        DROP TRIGGER tuf_online_body_no_delete ON sealift.tuf_online_body; CREATE TRIGGER
        tuf_online_body_no_delete BEFORE DELETE ON sealift.tuf_online_body FOR EACH ROW EXECUTE
        FUNCTION sealift.keep_newest('role', 'role'); ALTER TABLE sealift.tuf_online_body ENABLE
        ALWAYS TRIGGER tuf_online_body_no_delete
    """,
        "does something else",
    ),
    (
        """
        DROP TRIGGER statement_no_update ON sealift.statement; CREATE TRIGGER
        statement_no_update BEFORE UPDATE OF kind ON sealift.statement FOR EACH ROW EXECUTE
        FUNCTION sealift.refuse_change(); ALTER TABLE sealift.statement ENABLE ALWAYS TRIGGER
        statement_no_update
    """,
        "does something else",
    ),
    (
        """
        DROP TRIGGER statement_no_update ON sealift.statement; CREATE TRIGGER
        statement_no_update BEFORE UPDATE ON sealift.statement FOR EACH ROW WHEN (false) EXECUTE
        FUNCTION sealift.refuse_change(); ALTER TABLE sealift.statement ENABLE ALWAYS TRIGGER
        statement_no_update
    """,
        "does something else",
    ),
    (
        """
        DROP TRIGGER statement_no_update ON sealift.statement; CREATE TRIGGER
        statement_no_update BEFORE UPDATE ON sealift.statement FOR EACH STATEMENT EXECUTE
        FUNCTION sealift.refuse_change(); ALTER TABLE sealift.statement ENABLE ALWAYS TRIGGER
        statement_no_update
    """,
        "does something else",
    ),
    (
        """
        CREATE FUNCTION public.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN
        OLD; END'; DROP TRIGGER statement_no_update ON sealift.statement; CREATE TRIGGER
        statement_no_update BEFORE UPDATE ON sealift.statement FOR EACH ROW EXECUTE FUNCTION
        public.refuse_change(); ALTER TABLE sealift.statement ENABLE ALWAYS TRIGGER
        statement_no_update
    """,
        "does something else",
    ),
    (
        """
        CREATE OR REPLACE FUNCTION sealift.refuse_change() RETURNS trigger LANGUAGE plpgsql SET
        search_path = pg_catalog, pg_temp AS 'BEGIN RETURN OLD; END'
    """,
        "refuse_change, .* is not as",
    ),
    (
        "ALTER FUNCTION sealift.keep_newest() RESET search_path",
        "keep_newest, .* is not as",
    ),
    (
        "ALTER FUNCTION sealift.keep_newest() SECURITY DEFINER",
        "keep_newest, .* is not as",
    ),
    (
        """
        CREATE TRIGGER mine BEFORE INSERT ON sealift.approval FOR EACH ROW EXECUTE FUNCTION
        sealift.refuse_change()
    """,
        "approval has a trigger that is not Sealift's: mine",
    ),
    (
        """
        ALTER TABLE sealift.listing RENAME TO behind; ALTER TABLE sealift.behind SET SCHEMA
        public; CREATE VIEW sealift.listing AS SELECT * FROM public.behind WHERE stage <>
        'production'
    """,
        "listing is a view, and no table",
    ),
    (
        "DROP TABLE sealift.objection",
        "The table objection is missing",
    ),
    (
        "ALTER TABLE sealift.receipt RENAME TO receipts",
        "The table receipt is missing",
    ),
    (
        "ALTER TABLE sealift.log_entry ENABLE ROW LEVEL SECURITY",
        "log_entry has row security",
    ),
    (
        "CREATE POLICY p ON sealift.site USING (id <> 'plant-7')",
        "site has row security",
    ),
    (
        "CREATE RULE r AS ON INSERT TO sealift.objection DO INSTEAD NOTHING",
        "objection has a rule",
    ),
    (
        "CREATE TABLE public.more () INHERITS (sealift.approval)",
        "approval has a child table",
    ),
    (
        """
        CREATE TABLE public.above (sha256 varchar COLLATE "C" NOT NULL); ALTER TABLE
        sealift.statement INHERIT public.above
    """,
        "statement is the child",
    ),
    (
        "ALTER TABLE sealift.bundle OWNER TO postgres",
        "bundle is owned by postgres",
    ),
    (
        "ALTER TABLE sealift.site_state SET UNLOGGED",
        "site_state is emptied when",
    ),
    (
        'ALTER TABLE sealift.site ALTER COLUMN id TYPE varchar COLLATE "C.utf8"',
        "site.id is ordered by C.utf8",
    ),
    (
        'ALTER TABLE sealift.listing ALTER COLUMN made TYPE text COLLATE "C"',
        "listing.made is of type text",
    ),
    (
        "ALTER TABLE sealift.transfer ALTER COLUMN begun DROP NOT NULL",
        "transfer.begun may be empty",
    ),
    (
        "ALTER TABLE sealift.approval ALTER COLUMN valid_until SET DEFAULT 'x'",
        "is filled by the database",
    ),
    (
        "ALTER TABLE sealift.approval DROP COLUMN valid_until",
        "approval.valid_until is missing",
    ),
    (
        "ALTER TABLE sealift.approval ADD COLUMN more varchar",
        "not Sealift's: more",
    ),
    (
        "ALTER TABLE sealift.receipt DROP CONSTRAINT pk_receipt",
        "receipt lacks its primary key",
    ),
    (
        "ALTER TABLE sealift.bundle DROP CONSTRAINT uq_bundle_sha256",
        "bundle lacks its unique key",
    ),
    (
        "ALTER TABLE sealift.approval DROP CONSTRAINT fk_approval_sha256",
        "approval lacks its foreign key",
    ),
    (
        """
        ALTER TABLE sealift.approval DROP CONSTRAINT fk_approval_sha256, ADD FOREIGN KEY
        (sha256) REFERENCES sealift.statement (sha256) ON DELETE CASCADE
    """,
        "not Sealift's: foreign key .* CASCADE",
    ),
    (
        "ALTER TABLE sealift.approval DISABLE TRIGGER ALL",
        "foreign key .* of approval is not enforced",
    ),
    (
        "ALTER TABLE sealift.approval ADD CHECK (person <> 'anna')",
        "a constraint that is not Sealift's",
    ),
    (
        "DROP INDEX sealift.ix_approval_promotion",
        "ix_approval_promotion of approval is missing",
    ),
    (
        "CREATE UNIQUE INDEX mine ON sealift.log_entry (type)",
        "an index that is not Sealift's: mine",
    ),
    (
        "CREATE TABLE sealift.more (n int)",
        "a table that is not Sealift's: more",
    ),
    (
        "CREATE VIEW sealift.more AS SELECT 1",
        "a view that is not Sealift's: more",
    ),
    (
        "CREATE SEQUENCE sealift.more",
        "a sequence that is not Sealift's: more",
    ),
    (
        "CREATE TYPE sealift.mood AS ENUM ('good')",
        "a type that is not Sealift's: mood",
    ),
    (
        """
        CREATE FUNCTION sealift.substr(varchar, int, int) RETURNS text LANGUAGE sql AS 'SELECT
        1'
    """,
        "a function that is not Sealift's: substr",
    ),
    (
        "CREATE FUNCTION sealift.keep_newest(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "a function that is not Sealift's: keep_newest",
    ),
    (
        """
        CREATE FUNCTION public.always(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT
        true'; CREATE OPERATOR sealift.= (FUNCTION = public.always, LEFTARG = varchar, RIGHTARG
        = varchar)
    """,
        "an operator that is not Sealift's: =",
    ),
    (
        "ALTER SCHEMA sealift RENAME TO other",
        "no schema sealift",
    ),
]


@pytest.mark.parametrize("attack,words", TAMPERING)
def test_g1_32_tampering_is_named(whole: Engine, attack: str, words: str) -> None:
    """By `db check`; and the same sentence by whoever verifies the log, with the hub's role."""
    with whole.connect() as connection:  # which takes all of it back in the end
        assert list(postgres_catalog.tampered(connection)) == []
        connection.exec_driver_sql(attack)
        checks = postgres_check.check(connection, APPLICATION, failover=False)
        checked = {one.what for one in checks}
        connection.exec_driver_sql(f"SET LOCAL ROLE {APPLICATION}")
        said = list(postgres_catalog.tampered(connection))
    assert any(re.search(words, one) for one in said), said
    assert set(said) <= checked
