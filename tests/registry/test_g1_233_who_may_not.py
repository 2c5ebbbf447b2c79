"""What a user is told who may not look into the schema, or may only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sealift_registry.cli.run import run
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.servers.postgres import Database, PostgresServer, standby_of, starting

APPLICATION = "sealift_app"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of our own: roles and settings are the whole server's."""
    with starting() as server:
        server.administration.run("CREATE ROLE plain LOGIN")
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no hub yet."""
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))


def found(capsys: pytest.CaptureFixture[str], url: str) -> dict[str, tuple[str, str]]:
    """What `sealift db check` finds: what and the next step, by where."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALIFT_DATABASE__URL", url)
        capsys.readouterr()
        assert run(["db", "check", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    return {one["where"]: (one["what"], one["next"]) for one in said["findings"]}


def test_g1_233_a_user_who_may_not_use_the_schema_is_told_so(
    server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """As somebody else than is meant, or where temporary tables are nobody's."""
    there = server.migrated()
    there.run(f'GRANT CONNECT ON DATABASE "{there.name}" TO plain')
    what, advice = found(capsys, there.url("plain"))["sealift"]
    assert "plain" in what
    assert "USAGE" in what
    assert "Check the user" in advice
    with closing(PostgresDatabase(there.url("plain"))) as database:
        with pytest.raises(FailedError) as bad:
            database.bring_up_to_date()
        assert bad.value.code == "database-not-allowed"
        assert "permission denied for schema sealift" in bad.value.what
    there.run(f"REVOKE USAGE ON SCHEMA sealift FROM {APPLICATION}")
    assert "sealift db init" in found(capsys, there.url(APPLICATION))["sealift"][1]


def test_g1_233_so_is_one_in_a_database_without_a_schema(
    server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    there = server.fresh()
    there.run(f'REVOKE TEMPORARY ON DATABASE "{there.name}" FROM PUBLIC')
    assert any("db init" in advice for _, advice in found(capsys, there.url("plain")).values())


def refused(database: PostgresDatabase) -> FailedError:
    """What whoever writes is told."""
    with (
        database.in_words(),
        pytest.raises(FailedError) as bad,
        database.writing() as connection,
        connection.begin(),
    ):
        pass
    assert bad.value.code == "database-read-only"
    return bad.value


WHO = {
    "role": f"ALTER ROLE {APPLICATION} SET default_transaction_read_only = on",
    "database": 'ALTER DATABASE "{0}" SET default_transaction_read_only = on',
    "server": "ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()",
}


@pytest.mark.parametrize("who", WHO)
def test_g1_234_what_lets_nobody_write_is_no_replica(
    capsys: pytest.CaptureFixture[str], who: str
) -> None:
    with starting() as server:
        there = server.migrated()
        for statement in WHO[who].format(there.name).split("; "):
            there.run(statement)
        with closing(PostgresDatabase(there.url(APPLICATION))) as database:
            bad = refused(database)
        assert "default_transaction_read_only" in bad.what
        assert "can only be read" not in bad.what
        assert "sealift db check" in bad.next_step
        what, _ = found(capsys, there.url(APPLICATION))["default_transaction_read_only"]
        assert "on" in what


def test_g1_234_a_replica_is_told_as_one() -> None:
    with starting() as server:
        there = server.migrated()
        with standby_of(server) as standby:
            copy = Database(standby, there.name)
            with closing(PostgresDatabase(copy.url(APPLICATION))) as database:
                bad = refused(database)
        assert "it is in recovery" in bad.what
        assert "takes writes" in bad.next_step
