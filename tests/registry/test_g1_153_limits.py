"""What is set for a role or a database stops no hub, and `db check` says what it means."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sealift_registry.audit.writer import AuditLog
from sealift_registry.cli.run import run
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from tests.logs import ORIGIN, SIGNER, numbered
from tests.registry.test_postgres_attacks import checked_at
from tests.servers.postgres import Database, PostgresServer, postgres, standby_of, starting

APPLICATION, MIGRATOR = Roles().application, Roles().migrator
LIMITS = {
    "lock_timeout": "100ms",
    "statement_timeout": "200ms",
    "transaction_timeout": "300ms",
    "idle_in_transaction_session_timeout": "300ms",
    "idle_session_timeout": "300ms",
}
LONGER = 0.8


@pytest.fixture
def there() -> Iterator[Database]:
    made = postgres().migrated()
    for name, value in LIMITS.items():
        made.run(f"ALTER DATABASE \"{made.name}\" SET {name} = '{value}'")
    yield made
    made.drop()


@pytest.fixture
def database(there: Database) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(there.url(APPLICATION))) as opened:
        yield opened


def test_g1_153_a_writer_waits_for_the_one_before_it(
    there: Database, database: PostgresDatabase
) -> None:
    holds = threading.Event()

    def hold() -> None:
        with (
            closing(PostgresDatabase(there.url(APPLICATION))) as other,
            other.writing() as connection,
            connection.begin(),
        ):
            holds.set()
            connection.execute(text("SELECT pg_sleep(:long)"), {"long": LONGER})
            time.sleep(LONGER)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holds.wait(10)
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        began = time.monotonic()
        assert log.commit_entry(numbered(0)).seq == 0
        assert time.monotonic() - began > LONGER
    holder.join(10)


def test_g1_153_a_reader_a_claim_and_whoever_is_alone_take_their_time(
    database: PostgresDatabase,
) -> None:
    claim = database.claim("medium-1", "for plant-7")
    assert claim is not None
    with database.reading() as reader, database.alone() as alone, alone.begin():
        for one in (reader, alone):
            one.execute(text("SELECT pg_sleep(:long)"), {"long": LONGER})
        time.sleep(LONGER)
        for one in (reader, alone):
            assert one.execute(text("SELECT 1")).scalar() == 1
    assert claim.was_kept()
    claim.let_go()


def test_g1_153_a_writer_does_not_wait_for_ever(database: PostgresDatabase) -> None:
    with database.writing() as connection, connection.begin():
        found = {
            name: connection.execute(text(f"SHOW {name}")).scalar()
            for name in ("lock_timeout", "statement_timeout", "transaction_timeout")
        }
    assert found == {
        "lock_timeout": "1min",
        "statement_timeout": "1min",
        "transaction_timeout": "0",
    }


def test_g1_154_what_is_set_is_noted_and_what_no_hub_works_with_is_a_fault(
    there: Database,
) -> None:
    noted = checked_at(there.url(APPLICATION), faults=False)
    assert noted == [f"{name} is set to {LIMITS[name]} for everybody." for name in sorted(LIMITS)]
    before = checked_at(there.url(APPLICATION))
    database = f'IN DATABASE "{there.name}"'
    there.run(
        f'ALTER DATABASE "{there.name}" RESET ALL',
        f"ALTER ROLE {APPLICATION} {database} SET search_path = public",
        f"ALTER ROLE {MIGRATOR} {database} SET default_transaction_read_only = on",
        f"ALTER ROLE {APPLICATION} {database} SET role = 'pg_monitor'",
        f"ALTER ROLE {APPLICATION} {database} SET session_replication_role = replica",
        f"ALTER ROLE {APPLICATION} {database} SET synchronous_commit = local",
        f"ALTER ROLE {APPLICATION} {database} SET TimeZone = 'Europe/Berlin'",
        f"ALTER ROLE postgres {database} SET statement_timeout = '1s'",
    )
    assert checked_at(there.url(), faults=False) == [
        f"search_path is set to public for {APPLICATION}."
    ]
    new = [one for one in checked_at(there.url()) if one not in before]
    assert new == [
        f"default_transaction_read_only is set to on for {MIGRATOR}.",
        f"role is set to pg_monitor for {APPLICATION}.",
        f"session_replication_role is set to replica for {APPLICATION}.",
        f"synchronous_commit is set to local for {APPLICATION}.",
    ]


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with starting(fsync=True) as server:
        yield server


def test_g1_155_a_standby_that_takes_over_from_nobody_is_noted(
    server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("SEALIFT_DATABASE__URL", server.migrated().url(APPLICATION))

    def check() -> tuple[int, dict[str, Any]]:
        code = run(["db", "check", "--json"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, found

    assert check()[1]["notes"] == []
    with standby_of(server):
        code, found = check()
        assert (code, found["findings"], len(found["notes"])) == (0, [], 1)
        assert "A standby follows" in found["notes"][0]["what"]
        assert run(["db", "check"]) == 0
        assert "\nNote: A standby follows" in capsys.readouterr().out
        monkeypatch.setenv("SEALIFT_DATABASE__FAILOVER", "true")
        code, found = check()
        assert (code, len(found["findings"]), found["notes"]) == (1, 1, [])
