"""What a synchronous standby has not confirmed is not told as done, however its wait ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import NamedTuple

import pytest
from sqlalchemy import text

from sealift_registry.audit import settling
from sealift_registry.audit.batch import Committed
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage import postgresql
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.logs import KEY, ORIGIN, SIGNER, numbered
from tests.servers.postgres import Database, PostgresServer, standby_of, starting

APPLICATION = "sealift_app"
GONE = "nobody_of_this_name"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = %s"
END = {"cancelled": "pg_cancel_backend", "terminated": "pg_terminate_backend"}


class Line(NamedTuple):
    """A log, at a server that may wait for a standby."""

    server: PostgresServer
    there: Database
    log: AuditLog
    database: PostgresDatabase

    def standby(self, name: str) -> None:
        self.server.set(synchronous_standby_names=name)

    def end(self, how: str, *, at_most: float = 30) -> bool:
        """End a wait for the standby, once there is one."""
        until = time.monotonic() + at_most
        with closing(self.there.connect()) as connection:
            while time.monotonic() < until:
                for (pid,) in connection.execute(WAITING, [self.there.name]).fetchall():
                    connection.execute(f"SELECT {END[how]}(%s)".encode(), [pid])
                    return True
                time.sleep(0.01)
        return False

    def size(self) -> int:
        return LogReader(self.database).fsck(KEY, ORIGIN).size


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One whose hub is not to hear warnings."""
    with starting() as server:
        server.migrated().run(f"ALTER ROLE {APPLICATION} SET client_min_messages = error")
        yield server


@pytest.fixture
def line(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr(postgresql, "UNTIL_COMMITTED", 2.0)
    monkeypatch.setattr(settling, "ask", partial(settling.ask, patience=0.5))
    there = server.migrated()
    with (
        closing(PostgresDatabase(there.url(APPLICATION))) as database,
        AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log,
    ):
        assert log.commit_entry(numbered(0)).seq == 0
        made = Line(server, there, log, database)
        made.standby(GONE)
        try:
            yield made
        finally:
            made.standby("")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def unknown(committing: Future[Committed[None]]) -> None:
    with pytest.raises(FailedError) as told:
        committing.result(60)
    assert told.value.code == "log-unknown", told.value
    assert "psycopg" not in str(told.value)


@pytest.mark.parametrize("how", ["cancelled", "terminated"])
def test_g1_152_a_wait_that_an_administrator_ends_is_not_told_as_done(
    line: Line, pool: ThreadPoolExecutor, how: str
) -> None:
    committing = pool.submit(line.log.commit_entry, numbered(1))
    assert line.end(how)
    unknown(committing)
    assert line.size() == 2, "it is there, where it was written"
    line.standby("")
    assert line.log.commit_entry(numbered(2)).seq == 2


def test_g1_152_once_the_standby_has_it_it_is_told_as_done(
    line: Line, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "UNTIL_COMMITTED", 60.0)
    committing = pool.submit(line.log.commit_entry, numbered(1))
    assert line.end("cancelled")
    line.standby("")
    assert committing.result(60).seq == 1


def test_g1_152_a_wait_that_nobody_ends_is_told_of(
    line: Line, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not cancelled from here: nobody sees what the standby may lack."""
    monkeypatch.setattr(postgresql, "_FIRST", postgresql._FIRST.bindparams(turn="1s"))
    began = time.monotonic()
    unknown(pool.submit(line.log.commit_entry, numbered(1)))
    assert time.monotonic() - began < 30
    assert line.size() == 1
    line.standby("")
    assert line.log.commit_entry(numbered(2)).seq == 2
    assert line.size() == 3


def test_g1_152_a_standby_that_is_there_is_waited_for(line: Line, pool: ThreadPoolExecutor) -> None:
    with standby_of(line.server) as standby:
        line.standby("*")
        assert line.log.commit_entry(numbered(1)).seq == 1
        standby.shut_down()
        committing = pool.submit(line.log.commit_entry, numbered(2))
        assert line.end("cancelled")
        standby.start()
        assert committing.result(60).seq == 2


def test_g1_152_rows_that_no_log_has_are_not_told_as_done_either(line: Line) -> None:
    """Who founds, moves or upgrades."""

    def write() -> None:
        with line.database.in_words(), line.database.writing() as connection, connection.begin():
            connection.execute(text("INSERT INTO seen_ahead VALUES ('note')"))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert line.end("cancelled")
        with pytest.raises(FailedError) as told:
            writing.result(60)
    assert told.value.code == "database-unconfirmed"
