"""`sealift db`: roles are set up, tables brought up to date, and what is too much is named."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

import sealift_migrations
from sealift_migrations import postgres_session
from sealift_migrations.table_rules import RULES
from sealift_registry.cli.run import run
from sealift_registry.storage import postgres_catalog, postgres_check
from sealift_registry.storage.postgres_roles import Roles, script
from tests.registry.test_postgres_attacks import checked, whole
from tests.servers.postgres import (
    ADMINISTRATOR,
    Database,
    PostgresServer,
    engine_of,
    let_in,
    program,
    starting,
)

__all__ = ["whole"]

APPLICATION, MIGRATOR, OWNER = Roles().application, Roles().migrator, Roles().owner


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One of our own, as in earnest: roles and settings are the whole server's."""
    with starting(fsync=True) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """There is no hub yet."""
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))
    return tmp_path / "hub"


TOO_MUCH = [
    (f"GRANT UPDATE ON sealift.log_entry TO {APPLICATION}", "may UPDATE on log_entry"),
    (f"GRANT UPDATE (body) ON sealift.receipt TO {APPLICATION}", "may UPDATE on receipt"),
    ("GRANT TRUNCATE ON sealift.goldens TO PUBLIC", "may TRUNCATE on goldens"),
    (f"GRANT TRIGGER ON sealift.site TO {APPLICATION}", "may TRIGGER on site"),
    (f"GRANT REFERENCES ON sealift.site TO {APPLICATION}", "may REFERENCES on site"),
    (f"GRANT MAINTAIN ON sealift.site TO {APPLICATION}", "may MAINTAIN on site"),
    (f"GRANT DELETE ON sealift.listing TO {APPLICATION}", "may DELETE on listing"),
    (f"GRANT INSERT ON sealift.alembic_version TO {APPLICATION}", "may INSERT on alembic_version"),
    (
        (
            f"CREATE ROLE staff NOLOGIN; GRANT DELETE ON sealift.statement TO staff; "
            f"GRANT staff TO {APPLICATION}"
        ),
        "may DELETE on statement",
    ),
    (
        (
            f"CREATE ROLE staff NOLOGIN; GRANT DELETE ON sealift.statement TO staff; "
            f"GRANT staff TO {APPLICATION} WITH INHERIT FALSE"
        ),
        "may DELETE on statement",
    ),
    (
        f"GRANT SELECT ON sealift.site TO {APPLICATION} WITH GRANT OPTION",
        "may give SELECT on site to others",
    ),
    (f"GRANT pg_write_all_data TO {APPLICATION}", "is a member of pg_write_all_data"),
    (f"GRANT pg_execute_server_program TO {APPLICATION}", "of pg_execute_server_program"),
    (f"GRANT {OWNER} TO {APPLICATION}", f"is a member of {OWNER}, which owns the tables"),
    (f"GRANT {MIGRATOR} TO {APPLICATION}", f"is a member of {OWNER}, which owns the tables"),
    (f"ALTER ROLE {APPLICATION} SUPERUSER", "is a superuser"),
    (f"ALTER ROLE {APPLICATION} BYPASSRLS", "(BYPASSRLS)"),
    (f"ALTER ROLE {APPLICATION} CREATEROLE", "(CREATEROLE)"),
    (f"ALTER ROLE {OWNER} LOGIN", "is more than that"),
    (f"GRANT CREATE ON SCHEMA sealift TO {APPLICATION}", "make tables in the schema sealift"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "make tables in the schema public"),
    (
        f"GRANT SET ON PARAMETER session_replication_role TO {APPLICATION}",
        "may set session_replication_role",
    ),
    (f"REVOKE INSERT ON sealift.log_entry FROM {APPLICATION}", "lacks INSERT on log_entry"),
    (f"REVOKE DELETE ON sealift.site_state FROM {APPLICATION}", "lacks DELETE on site_state"),
    (f"REVOKE USAGE ON SCHEMA sealift FROM {APPLICATION}", "may not use the schema"),
    (
        (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA sealift GRANT UPDATE ON TABLES "
            f"TO {APPLICATION}"
        ),
        "to tables that are made later",
    ),
    (f"ALTER ROLE {APPLICATION} SET synchronous_commit = off", "is set to off for sealift_app"),
    (f"ALTER ROLE {APPLICATION} SET synchronous_commit = local", "is set to local for sealift_app"),
    ("UPDATE sealift.alembic_version SET version_num = '0001'", "The schema is at step 0001"),
]


def test_g1_31_of_what_is_right_nothing_is_said(server: PostgresServer) -> None:
    database = server.migrated()
    for user in (APPLICATION, MIGRATOR, ADMINISTRATOR):
        assert checked(database, user) == []


@pytest.mark.parametrize("sql,words", TOO_MUCH)
def test_g1_33_what_is_too_much_is_named(whole: Engine, sql: str, words: str) -> None:
    """And no table is said to be other than it is."""
    with whole.connect() as connection:  # which takes all of it back in the end
        before = list(postgres_check.check(connection, APPLICATION, failover=False))
        connection.exec_driver_sql(sql)
        after = list(postgres_check.check(connection, APPLICATION, failover=False))
        assert list(postgres_catalog.tampered(connection)) == []
    assert {one.where for one in before} == {"fsync", "full_page_writes"}  # the tests' server's
    new = [one for one in after if one not in before]
    assert any(words in one.what for one in new), new


def test_g1_34_settings_by_which_commits_are_lost_are_named(server: PostgresServer) -> None:
    database = server.migrated()
    for name, value in (
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("zero_damaged_pages", "on"),
        ("synchronous_commit", "remote_write"),
    ):
        right = {"on": "off", "off": "on", "remote_write": "on"}[value]
        database.run(f'ALTER DATABASE "{database.name}" RESET ALL')
        server.set(**{name: value})
        assert any(f"{name} is {value}" in one for one in checked(database)), name
        server.set(**{name: right})
        assert checked(database) == []
    said = checked(database, failover=True)
    assert len(said) == 1
    assert "synchronous_standby_names is empty, and another server takes over" in said[0]
    server.set(synchronous_standby_names="gone")
    said = checked(database, failover=True)
    assert said == [
        "synchronous_standby_names is gone, and no standby is there: COMMIT waits for it."
    ]


def test_g1_35_what_is_printed_is_what_is_run(server: PostgresServer, tmp_path: Path) -> None:
    """By psql, twice; and as an administrator who is no superuser."""
    server.administration.run(
        "CREATE ROLE dba LOGIN CREATEROLE", "CREATE DATABASE ours OWNER dba TEMPLATE template0"
    )
    file = tmp_path / "roles.sql"
    file.write_text("\n".join(script(Roles())), "utf-8")
    database = Database(server, "ours")
    for _ in range(2):
        command = [program("psql"), "-X", "-q", "-f", str(file), database.url("dba")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    engine = engine_of(database, MIGRATOR)
    sealift_migrations.upgrade(engine)
    engine.dispose()
    assert checked(database) == []
    with closing(database.connect("dba")) as connection:
        found = connection.execute("SELECT pg_has_role('sealift_owner', 'USAGE')").fetchone()
        assert found == (False,)


def test_g1_35_a_dump_is_restored_as_the_page_says(server: PostgresServer, tmp_path: Path) -> None:
    database, dump = server.migrated(), tmp_path / "sealift.dump"
    database.run("INSERT INTO sealift.seen_ahead VALUES ('note')", user=APPLICATION)
    words = ["--format=custom", "--schema=sealift", "--file", str(dump), database.url()]
    subprocess.run([program("pg_dump"), *words], check=True)
    restored = server.fresh()
    let_in(restored)
    restored.run("DROP SCHEMA sealift")
    words = ["--exit-on-error", "--single-transaction", "--dbname", restored.url(), str(dump)]
    subprocess.run([program("pg_restore"), *words], check=True)
    let_in(restored)
    assert checked(restored) == []
    with closing(restored.connect(APPLICATION)) as connection:
        assert connection.execute("SELECT note FROM sealift.seen_ahead").fetchall() == [(b"note",)]


def test_g1_36_the_commands_from_nothing_to_a_hub(
    server: PostgresServer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = server.fresh()
    secret = "a-word-that-nobody-reads"
    monkeypatch.setenv("PGPASSWORD", secret)

    def said(*words: str, user: str) -> tuple[int, dict[str, Any]]:
        code = run([*words, "--as", database.url(user), "--json"])
        out, err = capsys.readouterr()
        assert secret not in out + err
        found: dict[str, Any] = json.loads(out or err)
        return code, found

    code, found = said("db", "check", "--application", APPLICATION, user=ADMINISTRATOR)
    assert (code, found["ok"]) == (1, False)
    code, found = said("db", "upgrade", user=ADMINISTRATOR)
    assert (code, "database-no-schema" in str(found)) == (4, True)
    code, found = said("db", "init", "--run", user=ADMINISTRATOR)
    assert (code, found["ran"]) == (0, True)
    code, found = said("db", "upgrade", user=APPLICATION)
    assert (code, "database-not-owner" in str(found)) == (4, True)
    code, found = said("db", "upgrade", user=MIGRATOR)
    assert (code, found["from"], found["to"]) == (0, None, sealift_migrations.newest())
    code, found = said("db", "upgrade", user=MIGRATOR)
    assert (code, found["from"], found["to"]) == (0, *[sealift_migrations.newest()] * 2)
    code, found = said("db", "check", user=APPLICATION)
    assert (code, found["findings"], found["application"]) == (0, [], APPLICATION)
    database.run(f"GRANT UPDATE ON sealift.log_entry TO {APPLICATION}")
    code, found = said("db", "check", user=APPLICATION)
    assert (code, found["ok"]) == (1, False)
    assert found["findings"][0].keys() == {"what", "where", "next"}
    assert said("db", "upgrade", user=MIGRATOR)[0] == 0  # which grants, and takes away
    assert said("db", "check", user=APPLICATION)[0] == 0
    assert not home.exists()


def test_g1_36_before_there_is_a_hub_the_environment_names_the_database(
    server: PostgresServer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As docker-compose.yml does, whose health is asked before anybody made a hub."""
    database = server.fresh()
    let_in(database)
    monkeypatch.setenv("SEALIFT_DATABASE__MIGRATOR", database.url(MIGRATOR))
    monkeypatch.setenv("SEALIFT_DATABASE__URL", database.url(APPLICATION))
    for words in ("upgrade", "check"):
        assert run(["db", words, "--json"]) == 0, capsys.readouterr().err
    assert not home.exists()
    monkeypatch.setenv("SEALIFT_DATABASE__ULR", "x")
    assert run(["db", "check", "--json"]) == 2
    assert "SEALIFT_DATABASE__ULR" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words,code",
    [
        (["init", "--as", "postgresql://a@/b"], "db-init-how"),
        (["init", "--run"], "no-database-url"),
        (["init", "--owner", "pg_owner"], "bad-role"),
        (["init", "--owner", "sealift_app"], "bad-role"),
        (["init", "--owner", 'x"; DROP TABLE'], "bad-role"),
        (["upgrade"], "no-database-url"),
        (["upgrade", "--as", "sqlite:///x"], "bad-database-url"),
        (["check"], "no-database-url"),
    ],
)
def test_g1_36_what_cannot_be_meant_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: str
) -> None:
    assert run(["db", *words, "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == code


def test_g1_37_an_upgrade_waits_for_the_writer_and_not_for_ever(
    server: PostgresServer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(postgres_session, "LOCK_SECONDS", 1)
    database = server.fresh()
    let_in(database)
    lock = (
        f"SELECT pg_advisory_xact_lock({postgres_session.LOCK_CLASS}, {postgres_session.WRITERS})"
    )
    with closing(database.connect(APPLICATION)) as writer, writer.transaction():
        writer.execute(lock.encode())
        assert run(["db", "upgrade", "--as", database.url(MIGRATOR), "--json"]) == 4
        assert json.loads(capsys.readouterr().err)["error"]["code"] == "database-locked"
    engine = engine_of(database, MIGRATOR)
    assert sealift_migrations.current(engine) == ""
    engine.dispose()


def test_g1_38_two_upgrades_at_once_are_one(server: PostgresServer) -> None:
    database = server.fresh()
    let_in(database)
    begin = threading.Barrier(4)
    failed: list[BaseException] = []

    def upgrade() -> None:
        engine = engine_of(database, MIGRATOR)
        try:
            begin.wait()
            sealift_migrations.upgrade(engine)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert checked(database) == []


def test_g1_39_a_table_that_comes_later_can_be_added_to_and_no_more(server: PostgresServer) -> None:
    database = server.migrated()
    with closing(database.connect(MIGRATOR)) as connection:
        connection.execute(f"SET ROLE {OWNER}".encode())
        connection.execute("CREATE TABLE sealift.later (n int)")
    with closing(database.connect(APPLICATION)) as connection:
        connection.execute("INSERT INTO sealift.later VALUES (1)")
        for attack in ("UPDATE sealift.later SET n = 2", "DELETE FROM sealift.later"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attack.encode())
    assert "later" not in RULES
