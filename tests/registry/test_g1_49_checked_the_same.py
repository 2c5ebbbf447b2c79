"""What somebody changed is named by both engines in the same words; and an action that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from sealift_migrations import upgrade
from sealift_registry import fsck
from sealift_registry.audit import batch
from sealift_registry.audit.append import Appender
from sealift_registry.audit.batch import PendingAction
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.tables import log_entry
from sealift_registry.storage.database import Database
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.tables import tuf_document
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import Entry
from tests.logs import KEY, ORIGIN, SIGNER, numbered
from tests.registry.both_engines import Both, both, empty_postgres
from tests.registry.hub_fixture import Acme
from tests.registry.test_stored_sites import no_triggers

CHANGES = (
    "UPDATE promotion SET person = 'mallory'",
    "UPDATE approval SET valid_until = NULL",
    "UPDATE site SET stage = 'other'",
    "UPDATE listing SET stage = 'other'",
    "UPDATE tuf_document SET body = x'00' WHERE path LIKE 'sites/%'",
    "DELETE FROM tuf_online_body WHERE role = 'snapshot'",
    "UPDATE log_entry SET actor = 'mallory' WHERE seq % 3 = 1",
    "DELETE FROM log_term WHERE seq % 4 = 2",
    "INSERT INTO site_state SELECT 'nobody', 'e', 'runs', '', '', 1, 1, 1, x''",
)


@pytest.fixture(params=[*CHANGES, "all of them"])
def changed(request: pytest.FixtureRequest, ready: Acme) -> Iterator[tuple[Acme, Both]]:
    no_triggers(ready)
    for one in CHANGES if request.param == "all of them" else (request.param,):
        ready.sql(one)
    with both(ready.root / "sealift.db") as made:
        yield ready, made


def test_g1_49_what_was_changed_is_named_by_both(changed: tuple[Acme, Both]) -> None:
    ready, engines = changed
    with engines.reading() as connections:
        one, other = ([*fsck.check(connection)] for connection in connections)
    key = ready.app.hub.online.public("log")
    with ready.app.hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
    verdicts = [
        LogReader(database).fsck(key, origin) for database in (engines.sqlite, engines.postgres)
    ]
    assert one == other
    assert verdicts[0] == verdicts[1]
    assert one or not verdicts[0].ok


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made: Database = empty_postgres()
    if request.param == "sqlite":
        made.close()
        made = SqliteDatabase(tmp_path / "hub.db", tmp_path / "lock")
        upgrade(made.engine)
    with closing(made):
        yield made


def test_g1_49_of_a_commit_only_what_failed_is_undone(database: Database) -> None:
    """On PostgreSQL nothing more is read or written after an error, up to the savepoint."""

    def action(digest: str, number: int) -> PendingAction[None]:
        def run(connection: Connection) -> tuple[Entry, None]:
            row = {"path": "p", "sha256": f"{number}", "body": b""}
            connection.execute(insert(tuf_document).values(**row))
            connection.execute(insert(tuf_document).values(**row | {"sha256": digest}))
            return numbered(number), None

        return PendingAction(run)

    requests = [action("a", 0), action("a", 1), action("b", 2), action("2", 3), action("c", 4)]
    batch.write(database, Appender(SIGNER, ORIGIN, begins=True), requests)
    failed = [isinstance(one.answer.exception(), DBAPIError) for one in requests]
    assert failed == [False, True, False, True, False]
    with database.reading() as connection:
        documents = connection.execute(select(tuf_document.c.sha256)).scalars()
        assert sorted(documents) == ["0", "2", "4", "a", "b", "c"]
        count = select(log_entry.c.seq).order_by(log_entry.c.seq)
        assert list(connection.execute(count).scalars()) == [0, 1, 2]
    assert LogReader(database).fsck(KEY, ORIGIN).ok
