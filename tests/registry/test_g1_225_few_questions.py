"""What became of a commit is asked in few questions, however large it was: every writer waits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from sealift_migrations import upgrade
from sealift_registry.audit import settling
from sealift_registry.audit.writer import LARGEST_BATCH, AuditLog
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from tests.logs import ORIGIN, SIGNER, numbered
from tests.servers.postgres import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made: Database
    if request.param == "sqlite":
        made = SqliteDatabase(tmp_path / "hub.db", tmp_path / "lock")
        upgrade(made.engine)
    else:
        made = PostgresDatabase(postgres().migrated().url("sealift_app"))
    with closing(made):
        yield made


def asked_for(database: Database, ids: list[str]) -> tuple[dict[str, settling.Place], int]:
    """What is answered, and how many questions that took."""
    asked: list[str] = []

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    event.listen(database.engine, "before_cursor_execute", note)
    found = settling.ask(database, ids)
    event.remove(database.engine, "before_cursor_execute", note)
    assert found is not None
    return dict(found), len(asked)


def test_g1_225_as_many_questions_of_a_full_commit_as_of_one_entry(database: Database) -> None:
    entries = [numbered(number) for number in range(LARGEST_BATCH)]
    ids = [one.id for one in entries]
    with (
        AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log,
        ThreadPoolExecutor(8) as pool,
    ):
        made = list(pool.map(log.commit_entry, entries[:40]))
    places = [settling.Place(one.seq, one.size) for one in made]
    few, one = asked_for(database, ids[:1])
    assert few == {ids[0]: places[0]}
    many, all_of_them = asked_for(database, ids)
    assert many == dict(zip(ids, places, strict=False))
    assert all_of_them == one
