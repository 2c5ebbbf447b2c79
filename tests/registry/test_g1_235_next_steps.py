"""What `sealift db` says of the wrong role leads to the right one, and never in a circle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sealift_registry.cli.run import run
from sealift_registry.storage import postgres_left
from sealift_registry.storage.postgres_roles import Roles
from tests.servers.postgres import (
    ADMINISTRATOR,
    Database,
    PostgresServer,
    engine_of,
    let_in,
    starting,
)

APPLICATION, MIGRATOR = Roles().application, Roles().migrator
Said = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of our own: roles are the whole server's."""
    with starting() as server:
        yield server


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """What a command says, where there is no hub yet."""
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))

    def says(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        run([*words, "--json"])
        out, err = capsys.readouterr()
        found: dict[str, Any] = json.loads(out or err)
        return found

    return says


def test_g1_235_who_may_not_upgrade_is_told_who_may(server: PostgresServer, said: Said) -> None:
    database = server.migrated()
    told = said("db", "upgrade", "--as", database.url(APPLICATION))["error"]
    assert told["code"] == "database-not-owner"
    assert database.url(MIGRATOR) in told["next"].replace("'", "")
    assert APPLICATION not in told["next"]


def test_g1_235_a_migrator_of_another_name_is_told(server: PostgresServer, said: Said) -> None:
    database = server.migrated()
    server.administration.run(f"ALTER ROLE {MIGRATOR} RENAME TO lifter")
    told = said("db", "upgrade", "--as", database.url(APPLICATION))["error"]
    server.administration.run(f"ALTER ROLE lifter RENAME TO {MIGRATOR}")
    assert database.url("lifter") in told["next"].replace("'", "")


def test_g1_235_of_an_address_that_is_set_the_role_is_told(
    server: PostgresServer, said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It stands nowhere on the command line, which names something else."""
    monkeypatch.setenv("SEALIFT_DATABASE__MIGRATOR", server.migrated().url(APPLICATION))
    told = said("db", "upgrade", "--home", str(tmp_path / "hub"))["error"]
    assert f"--as postgresql://{MIGRATOR}@HOST/DATABASE" in told["next"]


def test_g1_235_where_nobody_may_upgrade_an_administrator_is_needed(
    server: PostgresServer, said: Said
) -> None:
    database = server.migrated()
    server.administration.run(f"ALTER ROLE {MIGRATOR} NOLOGIN")
    told = said("db", "upgrade", "--as", database.url(APPLICATION))["error"]
    server.administration.run(f"ALTER ROLE {MIGRATOR} LOGIN")
    assert told["code"] == "database-not-owner"
    assert "sealift db init" in told["next"]


def test_g1_236_of_a_superuser_nothing_is_taken(server: PostgresServer, said: Said) -> None:
    """Where the hub is named as the administrator, it is the name that is wrong."""
    url = server.migrated().url(ADMINISTRATOR)
    found = said("db", "check", "--as", url, "--application", ADMINISTRATOR)["findings"]
    (one,) = (one for one in found if one["where"] == ADMINISTRATOR)
    assert APPLICATION in one["next"]
    assert "database.url" in one["next"]
    assert "ALTER ROLE" not in str(found)


@pytest.mark.parametrize(
    "power", ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"]
)
def test_g1_236_the_sql_that_is_told_takes_the_power_away(
    server: PostgresServer, said: Said, power: str
) -> None:
    database = server.migrated()
    server.administration.run(f"ALTER ROLE {APPLICATION} {power}")
    words = ["db", "check", "--as", database.url(), "--application", APPLICATION]
    (one,) = (one for one in said(*words)["findings"] if one["where"] == APPLICATION)
    database.run(one["next"].removesuffix("."))
    assert not [one for one in said(*words)["findings"] if one["where"] == APPLICATION]


def test_g1_236_a_role_whose_login_was_taken_is_told_why(
    server: PostgresServer, said: Said
) -> None:
    database = server.migrated()
    server.administration.run(f"ALTER ROLE {APPLICATION} NOLOGIN")
    told = said("db", "check", "--as", database.url(APPLICATION))["error"]
    server.administration.run(f"ALTER ROLE {APPLICATION} LOGIN")
    assert told["code"] == "database-login"
    assert "took LOGIN" in told["next"]
    assert "moved" in told["next"]
    assert "PGPASSFILE" not in told["next"]


def test_g1_237_who_upgrades_does_not_shut_the_migrator_out(
    server: PostgresServer, said: Said
) -> None:
    """Neither does a superuser, who is the one that has just run `db init`."""
    database = server.fresh()
    let_in(database)
    assert said("db", "upgrade", "--as", database.url(ADMINISTRATOR))["from"] is None
    there = said("db", "upgrade", "--as", database.url(MIGRATOR))
    assert there["from"] == there["to"]
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'sealift'"
    with database.connect() as connection:
        assert connection.execute(owners.encode()).fetchall() == [(Roles().owner,)]


LACKS = [
    f"REVOKE ALL ON sealift.alembic_version FROM {MIGRATOR}",
    f"REVOKE USAGE ON SCHEMA sealift FROM {MIGRATOR}",
]


@pytest.mark.parametrize("sql", LACKS)
def test_g1_237_what_the_migrator_lacks_is_named(
    server: PostgresServer, said: Said, sql: str
) -> None:
    database = server.migrated()
    before = said("db", "check", "--as", database.url(APPLICATION))["findings"]
    database.run(sql)
    after = said("db", "check", "--as", database.url(APPLICATION))["findings"]
    (one,) = (one for one in after if one not in before)
    assert f"migrator {MIGRATOR} lacks" in one["what"]
    assert "sealift db init" in one["next"]
    let_in(database)
    assert said("db", "check", "--as", database.url(APPLICATION))["findings"] == before


def test_g1_237_a_migrator_who_may_not_look_is_sent_to_an_administrator(
    server: PostgresServer, said: Said
) -> None:
    database = server.migrated()
    database.run(LACKS[0])
    told = said("db", "upgrade", "--as", database.url(MIGRATOR))["error"]
    assert told["code"] == "database-not-allowed"
    assert "sealift db init" in told["next"]


def test_g1_238_a_check_as_another_role_names_the_hubs(server: PostgresServer, said: Said) -> None:
    database = server.migrated()
    before = said("db", "check", "--as", database.url(APPLICATION))["findings"]
    found = said("db", "check", "--as", database.url(MIGRATOR))["findings"]
    (one,) = (one for one in found if one not in before)
    assert f"{MIGRATOR} is not the hub's role" in one["what"]
    assert APPLICATION in one["next"]
    assert "db check" not in one["next"]


def test_g1_238_who_may_not_set_up_is_told_who_may(server: PostgresServer, said: Said) -> None:
    database = server.migrated()
    told = said("db", "init", "--run", "--as", database.url(APPLICATION))["error"]
    assert told["code"] == "database-not-allowed"
    assert "administrator" in told["next"]
    assert "db check" not in told["next"]


def _closing(left: Database, there: str) -> str:
    engine = engine_of(left)
    with engine.connect() as connection:
        (one,) = postgres_left.check(connection, APPLICATION, there)
    engine.dispose()
    return one.advice


def test_g1_239_closing_what_was_left_leaves_the_new_place_open(server: PostgresServer) -> None:
    """One server may hold both, and roles are the server's."""
    left, new = server.migrated(), server.migrated()
    advice = _closing(left, new.url(APPLICATION))
    assert "NOLOGIN" not in advice
    left.run(advice.removeprefix("As its administrator: ").partition(";")[0])
    for user in (APPLICATION, MIGRATOR):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            left.connect(user)
        new.connect(user).close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "db.example"])
def test_g1_239_a_server_that_may_be_the_same_is_not_closed(
    server: PostgresServer, host: str
) -> None:
    """By a socket it is here; by a name it may be, too."""
    left, (_, port) = server.migrated(), server.address
    assert "NOLOGIN" not in _closing(left, f"postgresql://{APPLICATION}@{host}:{port}/hub")


@pytest.mark.parametrize("there", ["the home", "postgresql://sealift_app@db.example:6543/hub"])
def test_g1_239_what_holds_for_the_whole_server_is_said_to(
    server: PostgresServer, there: str
) -> None:
    left = server.migrated()
    advice = _closing(left, there)
    assert f'ALTER ROLE "{APPLICATION}" NOLOGIN' in advice
    assert "whole server" in advice
    assert f'REVOKE CONNECT ON DATABASE "{left.name}"' in advice
