"""A session at a server lasts as long as it is relied on, and leaves nothing behind.

Administrators set limits to idle sessions for a database. A reader that waits for something else,
and whoever keeps all writers out for long, are not idle in that sense.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import Connection, Integer, literal_column, select, text

from sealift_migrations.postgres_session import LOCK_CLASS
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.tables import log_entry
from sealift_registry.audit.writer import AuditLog
from sealift_registry.moving import row_copies
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.queries import all_rows
from sealift_signing.errors import FailedError
from sealift_signing.transparency import log_checking
from sealift_signing.transparency.log_checking import StoredLog
from tests.logs import KEY, ORIGIN, SIGNER, numbered
from tests.servers.postgres import Database, postgres

APPLICATION = "sealift_app"
LIMITS = ("idle_in_transaction_session_timeout", "idle_session_timeout")


@pytest.fixture
def server() -> Iterator[Database]:
    made = postgres().migrated()
    yield made
    made.drop()


@pytest.fixture
def database(server: Database) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(server.url(APPLICATION))) as opened:
        yield opened


@pytest.fixture
def impatient(server: Database) -> None:
    for limit in LIMITS:
        server.run(f"ALTER DATABASE {server.name} SET {limit} = '200ms'")


def asked(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


def cursors(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM pg_cursors")).scalar_one())


@pytest.mark.usefixtures("impatient")
def test_g1_110_a_reader_may_wait_in_the_middle(database: PostgresDatabase) -> None:
    with database.in_words(), database.reading() as connection:
        asked(connection)
        time.sleep(0.6)
        assert asked(connection) == 1


@pytest.mark.usefixtures("impatient")
def test_g1_110_whoever_is_alone_may_be_busy_elsewhere(database: PostgresDatabase) -> None:
    with database.in_words(), database.alone() as connection:
        time.sleep(0.6)
        with connection.begin():
            assert asked(connection) == 1
            time.sleep(0.6)
            assert asked(connection) == 1


def test_g1_110_a_writer_that_stops_in_the_middle_still_has_a_limit(
    database: PostgresDatabase,
) -> None:
    with database.writing() as connection, connection.begin():
        shown = connection.execute(text(f"SHOW {LIMITS[0]}")).scalar_one()
    assert shown == "30s"


def test_g1_110_whoever_was_alone_and_is_no_more_is_told(
    server: Database, database: PostgresDatabase
) -> None:
    """The driver's library would connect anew, without the lock, and go on."""
    with database.alone() as connection:
        with connection.begin():
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        server.run(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(FailedError) as lost, database.in_words(), connection.begin():
            asked(connection)
        assert lost.value.code == "database-unreachable"
        for _ in range(2):
            with pytest.raises(FailedError) as told, database.in_words(), connection.begin():
                asked(connection)
            assert told.value.code == "database-not-alone"
    with database.alone() as connection, connection.begin():  # and the next one is, again
        held = text("SELECT count(*) FROM pg_locks WHERE classid = :one AND granted")
        assert connection.execute(held, {"one": LOCK_CLASS}).scalar_one() == 1


# -------------------------------------------------------------- what is not read to the end


def test_g1_110_rows_that_nobody_reads_to_the_end_are_let_go_of(
    database: PostgresDatabase,
) -> None:
    many = select(literal_column("n", Integer)).select_from(text("generate_series(1, 5000) AS n"))

    def stops(connection: Connection) -> None:
        for _ in all_rows(connection, many):
            assert cursors(connection) == 1
            raise InterruptedError

    with database.reading() as connection:
        with pytest.raises(InterruptedError):
            stops(connection)
        assert cursors(connection) == 0


def test_g1_110_tables_that_nobody_copies_to_the_end_are_let_go_of(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_copies, "_at_once", lambda *_: 1)
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        for number in range(3):
            log.commit_entry(numbered(number))
    with database.reading() as connection:
        parts = row_copies._parts(connection, log_entry)
        assert len(next(parts)) == 1
        assert cursors(connection) == 1
        del parts
        assert cursors(connection) == 0


class Watched(LogReader):
    """Counts what a check leaves open."""

    left: int | None = None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with super()._reading() as connection:
            try:
                yield connection
            finally:
                self.left = cursors(connection)


def test_g1_110_a_check_of_the_log_that_stops_leaves_nothing_open(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        log.commit_entry(numbered(0))

    def stops(stored: StoredLog, *_: object, **__: object) -> None:
        assert next(iter(stored.rows))
        raise InterruptedError

    monkeypatch.setattr(log_checking, "verify", stops)
    reader = Watched(database)
    with pytest.raises(InterruptedError):
        reader.verify(KEY, ORIGIN)
    assert reader.left == 0
