"""Whoever owns the tables takes out where a hub went: what was left signs nothing all the same.

The log ends there with the entry that it left, and nobody can take that out unseen.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from sqlalchemy import Connection, text

from sealift_migrations import upgrade
from sealift_registry.audit import moved
from sealift_registry.audit.moved import ARRIVED, BLOBS, LEFT, Move, MovedHubError
from sealift_registry.audit.signed_moves import LEAVING, MOVED
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.database import Database as Opened
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry, new_entry
from tests import stores
from tests.logs import ORIGIN, numbered
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import another_home
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_g1_190_forged_rows import found, says, signs
from tests.servers.postgres import Database

pytestmark = pytest.mark.embedded("it puts its hub on a server by itself")
SIGNER = CryptoSigner(Ed25519PrivateKey.generate())
AT = "2026-12-01T12:00:00.000000Z"
PLACE = "postgresql://db.example/hub"


@pytest.fixture
def there(hub: Acme) -> Database:
    """The database that the hub has been moved to."""
    database = new_database()
    moved_to(hub.app, url_of(database))
    hub.close()
    return database


def taken_out(database: Database) -> None:
    """What the owner of the tables does; the guard is back in place after it."""
    guard = "sealift.moved {} TRIGGER moved_no_delete"
    database.run(
        f"ALTER TABLE {guard.format('DISABLE')}",
        "DELETE FROM sealift.moved WHERE what IN ('left', 'blobs')",
        f"ALTER TABLE {guard.format('ENABLE ALWAYS')}",
    )


def test_g1_254_a_place_that_was_left_is_left_without_its_row(
    hub: Acme, there: Database, tmp_path: Path
) -> None:
    with another_home(hub, tmp_path / "other") as other:
        opened(other.root, signs)
        moved_to(hub.app, "home")
        hub.close()
        size = len(hub.types())
        taken_out(there)
        for rows in ((), (("arriving", "x"), ("arrived", "x"))):
            says(there, *rows)
            with pytest.raises(SealiftError) as caught:
                opened(other.root, signs)
            assert caught.value.code == "database-moved"
            assert str(hub.root) in caught.value.what
        faults = opened(other.root, found)
    assert any(f"The log says left of {hub.root}" in one for one in faults)
    hub.close()
    assert opened(hub.root, signs) == size, "where it went it goes on"
    assert opened(hub.root, found) == []


@pytest.fixture
def database(tmp_path: Path) -> Opened:
    made = SqliteDatabase(tmp_path / "hub.db", tmp_path / "hub.lock")
    upgrade(made.engine)
    return made


def written(log: AuditLog, kind: str, *moves: Move, **data: str) -> None:
    """An entry, with the rows that go by it."""

    def action(connection: Connection) -> tuple[Entry, None]:
        moved.add(connection, moves, AT)
        return new_entry(kind, "hub", log.clock(), data), None

    log.commit(action)


def without_rows(database: Opened) -> None:
    with stores.behind(database) as connection:
        stores.unguard(connection)
        assert connection.execute(text("DELETE FROM moved")).rowcount


@pytest.mark.parametrize("opens_again", [True, False])
def test_g1_255_the_end_of_the_log_counts_whatever_rows_say(
    database: Opened, *, opens_again: bool
) -> None:
    """To who opens it, and to the very process that moved it."""
    log = AuditLog(database, lambda: SIGNER, ORIGIN, begins=True)
    written(log, LEAVING, Move(LEFT, PLACE), place=PLACE)
    without_rows(database)
    if opens_again:
        log.close()
        log = AuditLog(database, lambda: SIGNER, ORIGIN)
    with closing(log), pytest.raises(MovedHubError, match=r"moved to postgresql://db\.example"):
        log.commit_entry(numbered(0))


def test_g1_256_a_place_that_the_hub_came_to_goes_on(database: Opened) -> None:
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        written(log, LEAVING, Move(ARRIVED, "x"), place=database.place)
        written(log, MOVED)
        without_rows(database)
    with AuditLog(database, lambda: SIGNER, ORIGIN) as log:
        assert log.commit_entry(numbered(0)).seq == 2


def test_g1_257_blobs_are_where_the_log_says_without_a_row(database: Opened) -> None:
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        written(log, MOVED, Move(BLOBS, "s3://models/hub"), blobs_to="s3://models/hub")
    without_rows(database)
    with (
        AuditLog(database, lambda: SIGNER, ORIGIN, blobs="the home") as log,
        pytest.raises(MovedHubError, match="s3://models/hub"),
    ):
        log.commit_entry(numbered(0))
    with AuditLog(database, lambda: SIGNER, ORIGIN, blobs="s3://models/hub") as log:
        assert log.commit_entry(numbered(1)).seq == 1
