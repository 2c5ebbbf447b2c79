"""Whoever comes while a writer waits for its turn is taken along, and waits for one turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sealift_migrations import upgrade
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from tests.logs import KEY, ORIGIN, SIGNER, numbered
from tests.servers.postgres import postgres

MANY = 8
Opener = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    opened: list[Database] = []
    url = "" if request.param == "sqlite" else postgres().migrated().url("sealift_app")

    def another() -> Database:
        file = tmp_path / "hub.db"
        opened.append(PostgresDatabase(url) if url else SqliteDatabase(file, tmp_path / "lock"))
        return opened[-1]

    if not url:
        upgrade(another().engine)
    yield another
    for one in opened:
        one.close()


def asking(database: Database, patch: pytest.MonkeyPatch) -> threading.Event:
    """Set once its writer asks for its turn."""
    asks, writing = threading.Event(), database.writing

    def asked() -> AbstractContextManager[Connection]:
        asks.set()
        return writing()

    patch.setattr(database, "writing", asked)
    return asks


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_g1_156_those_who_come_meanwhile_are_in_the_same_commit(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = opener(), opener()
    asks = asking(one, monkeypatch)
    with (
        AuditLog(one, lambda: SIGNER, ORIGIN, begins=True) as log,
        ThreadPoolExecutor(MANY) as pool,
    ):
        with other.writing() as connection, connection.begin():
            first = pool.submit(log.commit_entry, numbered(0))
            assert asks.wait(30)
            rest = [pool.submit(log.commit_entry, numbered(n)) for n in range(1, MANY)]
            until(lambda: log._queue.qsize() == len(rest))
        sizes = {answer.result(30).size for answer in (first, *rest)}
    assert sizes == {MANY}, "one commit"
    assert LogReader(one).fsck(KEY, ORIGIN).size == MANY


def test_g1_156_closing_writes_them_all_and_ends(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = opener(), opener()
    log = AuditLog(one, lambda: SIGNER, ORIGIN, begins=True)
    asks = asking(one, monkeypatch)
    with ThreadPoolExecutor(MANY + 1) as pool:
        with other.writing() as connection, connection.begin():
            first = pool.submit(log.commit_entry, numbered(0))
            assert asks.wait(30)
            thread = log._thread
            rest = [pool.submit(log.commit_entry, numbered(n)) for n in range(1, MANY)]
            until(lambda: log._queue.qsize() == len(rest))
            closing = pool.submit(log.close)
            until(lambda: log._queue.qsize() == MANY)
        assert {answer.result(30).size for answer in (first, *rest)} == {MANY}
        closing.result(30)
    assert thread is not None
    thread.join(30)
    assert not thread.is_alive()
