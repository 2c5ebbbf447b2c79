"""The tables of jobs at a server: made by the migrator, written by the hub, and never without."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from sealift_registry.cli.run import run
from sealift_registry.jobs import dbos_schema
from sealift_registry.jobs.dbos_shared import shared
from sealift_registry.storage import postgres_jobs
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.registry.both_engines import know_all_tables
from tests.servers.postgres import ADMINISTRATOR, Database, postgres

APPLICATION, MIGRATOR, OWNER = Roles().application, Roles().migrator, Roles().owner


@pytest.fixture
def database() -> Database:
    return postgres().migrated()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))


def opened(database: Database) -> None:
    hub = PostgresDatabase(database.url(APPLICATION))
    try:
        shared(hub).shut()
    finally:
        hub.close()


def findings(database: Database) -> Iterator[str]:
    know_all_tables()
    with (
        closing(PostgresDatabase(database.url(ADMINISTRATOR))) as found,
        found.reading() as connection,
    ):
        for one in postgres_jobs.findings(connection, APPLICATION):
            yield f"{'' if one.is_fault else 'note: '}{one.what}"


def test_g3_22_the_hub_writes_rows_and_makes_no_tables(database: Database) -> None:
    opened(database)
    assert list(findings(database)) == []
    with closing(database.connect(APPLICATION)) as connection:
        names = connection.execute(
            "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'sealift_jobs'"
        ).fetchall()
        assert {owner for _, owner in names} == {OWNER}
        assert len(names) > 8
        for name, _ in names:
            for sql in (f"DROP TABLE sealift_jobs.{name}", f"TRUNCATE sealift_jobs.{name}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.encode())
        for sql in (
            "CREATE TABLE sealift_jobs.mine (x int)",
            "UPDATE sealift_jobs.dbos_migrations SET version = 0",
            "DELETE FROM sealift_jobs.dbos_migrations",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.encode())


def test_g3_22_tables_that_are_not_there_are_named_with_who_makes_them() -> None:
    database = postgres().migrated()
    database.run("DROP SCHEMA sealift_jobs CASCADE")
    with pytest.raises(FailedError) as told:
        opened(database)
    assert told.value.code == "engine-older"
    assert "sealift db upgrade" in told.value.next_step
    (note,) = findings(database)
    assert note.startswith("note: There is no schema sealift_jobs")
    database.run("CREATE SCHEMA sealift_jobs")
    assert list(findings(database)) == [
        "The schema sealift_jobs is not of the owner of sealift.",
        "The application's role sealift_app may not use the schema sealift_jobs.",
    ]
    database.run(
        f"ALTER SCHEMA sealift_jobs OWNER TO {OWNER}",
        f"GRANT USAGE ON SCHEMA sealift_jobs TO {APPLICATION}",
    )
    (note,) = findings(database)
    assert note.startswith("note: The tables for jobs are not in the schema")
    with pytest.raises(FailedError) as told:
        opened(database)
    assert told.value.code == "engine-older"


def test_g3_22_older_tables_are_not_worked_with(database: Database) -> None:
    database.run("UPDATE sealift_jobs.dbos_migrations SET version = version - 1")
    with pytest.raises(FailedError) as told:
        opened(database)
    assert told.value.code == "engine-older"
    database.run("UPDATE sealift_jobs.dbos_migrations SET version = version + 2")
    opened(database)  # newer ones are a newer peer's, who reads what we write


@pytest.mark.parametrize(
    "sql, words",
    [
        (
            f"REVOKE DELETE, UPDATE ON sealift_jobs.workflow_status FROM {APPLICATION}",
            "lacks DELETE, UPDATE on sealift_jobs.workflow_status",
        ),
        (
            f"GRANT UPDATE ON sealift_jobs.dbos_migrations TO {APPLICATION}",
            "may UPDATE on sealift_jobs.dbos_migrations",
        ),
        (f"GRANT CREATE ON SCHEMA sealift_jobs TO {APPLICATION}", "may make tables in the schema"),
        (f"REVOKE USAGE ON SCHEMA sealift_jobs FROM {APPLICATION}", "may not use the schema"),
        ("ALTER SCHEMA sealift_jobs OWNER TO postgres", "is not of the owner of sealift"),
        ("CREATE TABLE sealift_jobs.notes (x int)", "is not of the schema's owner"),
    ],
)
def test_g3_22_what_is_missing_or_too_much_is_named(
    database: Database, sql: str, words: str
) -> None:
    database.run(sql)
    assert any(words in one for one in findings(database))


def test_g3_22_two_upgrades_at_once_are_one() -> None:
    database = postgres().migrated()
    database.run(
        "DROP SCHEMA sealift_jobs CASCADE",
        f"CREATE SCHEMA sealift_jobs AUTHORIZATION {OWNER}",
    )
    made: list[bool] = []

    def upgrade() -> None:
        with closing(PostgresDatabase(database.url(MIGRATOR))) as migrator:
            made.append(dbos_schema.upgrade(migrator))

    both = [threading.Thread(target=upgrade) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert made == [True, True]
    opened(database)
    assert list(findings(database)) == []


@pytest.mark.usefixtures("home")
def test_g3_22_an_upgrade_says_why_it_left_them_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = postgres().migrated()
    database.run("DROP SCHEMA sealift_jobs CASCADE")

    def upgraded(*words: str) -> str:
        assert run(["db", "upgrade", "--as", database.url(MIGRATOR), *words]) == 0
        return capsys.readouterr().out

    assert "sealift db init" in upgraded()
    assert json.loads(upgraded("--json"))["jobs"] == "no-schema"
    assert run(["db", "init", "--run", "--as", database.url(ADMINISTRATOR)]) == 0
    capsys.readouterr()
    with monkeypatch.context() as without:
        without.setattr("sealift_registry.cli.db.find_spec", lambda name: None)
        assert "sealift-registry[jobs]" in upgraded()
        assert json.loads(upgraded("--json"))["jobs"] == "no-engine"
    with pytest.raises(FailedError):
        opened(database)
    assert json.loads(upgraded("--json"))["jobs"] == "ready"
    opened(database)
