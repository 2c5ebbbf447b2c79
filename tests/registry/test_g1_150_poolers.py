"""Behind a pooler that changes sessions between transactions no lock is held: it is refused.

Behind one that leaves each client its session everything is as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import AuditLog
from sealift_registry.cli.run import run
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.logs import KEY, ORIGIN, SIGNER, numbered
from tests.registry.test_postgres_attacks import checked_at
from tests.servers.pooling import Double, Pooler, pgbouncer
from tests.servers.postgres import Database, postgres

MIGRATOR = "sealift_migrator"
POOLERS = [
    pytest.param(Double, id="double"),
    pytest.param(pgbouncer, id="pgbouncer", marks=pytest.mark.system),
]


@pytest.fixture
def there() -> Iterator[Database]:
    made = postgres().migrated()
    yield made
    made.drop()


@pytest.fixture(params=POOLERS)
def transactions(request: pytest.FixtureRequest) -> Iterator[Pooler]:
    with request.param(postgres(), "transaction") as pooler:
        yield pooler


@pytest.fixture(params=POOLERS)
def sessions(request: pytest.FixtureRequest) -> Iterator[Pooler]:
    with request.param(postgres(), "session") as pooler:
        yield pooler


def held(there: Database) -> int:
    with closing(there.connect()) as connection:
        query = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        row = connection.execute(
            query + "WHERE locktype = 'advisory' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def refused(act: Callable[[], Any]) -> None:
    with pytest.raises(FailedError) as told:
        act()
    assert told.value.code == "database-pooled", told.value
    assert "pool_mode = session" in told.value.next_step


def test_g1_150_a_lock_of_a_session_is_refused(transactions: Pooler, there: Database) -> None:
    with closing(PostgresDatabase(transactions.url(there))) as database:
        refused(lambda: database.claim("medium-1", "for plant-7"))
        with database.reading() as connection:  # and while the pooler has several
            connection.execute(text("SELECT 1"))
            refused(lambda: database.claim("medium-1", "for plant-7"))
            refused(lambda: database.alone().__enter__())
        refused(lambda: database.alone().__enter__())
    assert held(there) == 0, "nothing is left behind"


def test_g1_150_check_and_upgrade_say_so(
    transactions: Pooler,
    there: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))
    assert any("pooler" in one for one in checked_at(transactions.url(there)))
    assert run(["db", "upgrade", "--as", transactions.url(there, MIGRATOR), "--json"]) == 4
    assert "database-pooled" in capsys.readouterr().err


def test_g1_151_with_sessions_of_its_own_a_hub_works(sessions: Pooler, there: Database) -> None:
    url = sessions.url(there)
    with closing(PostgresDatabase(url)) as one, closing(PostgresDatabase(url)) as other:
        with AuditLog(one, lambda: SIGNER, ORIGIN, begins=True) as log:
            assert log.commit_entry(numbered(0)).seq == 0
            with one.alone() as connection:
                assert log.commit_alone(connection, lambda _: (numbered(1), None)).seq == 1
        assert LogReader(other).fsck(KEY, ORIGIN).size == 2
        claim = one.claim("medium-1", "for plant-7")
        assert claim is not None
        assert other.claim("medium-1", "x") is None
        assert "for plant-7" in other.holder("medium-1")
        assert claim.was_kept()
        claim.let_go()
        again = other.claim("medium-1", "x", patience=10)
        assert again is not None
        again.let_go()
        with one.engine.connect() as connection:
            assert (
                connection.execute(text("SHOW search_path")).scalar()
                == "pg_catalog, sealift, pg_temp"
            )
    assert {one.partition(" ")[0] for one in checked_at(url)} == {"fsync", "full_page_writes"}


def test_g1_151_a_pooler_that_changes_its_mind_is_seen(there: Database) -> None:
    """Each transaction of whoever is alone asks whether it is the session that has the lock."""
    with (
        Double(postgres(), "session") as pooler,
        closing(PostgresDatabase(pooler.url(there))) as database,
        database.alone() as connection,
    ):
        raw: Any = connection.connection.dbapi_connection
        raw.prepare_threshold = None  # or the statements that the old session has would be missed
        with connection.begin():
            connection.execute(text("SELECT 1"))
        pooler.swap()
        with pytest.raises(FailedError) as told, connection.begin():
            connection.execute(text("SELECT 1"))
        assert told.value.code == "database-not-alone"
