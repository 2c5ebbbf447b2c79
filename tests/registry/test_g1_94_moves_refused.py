"""What is not moved, and where to; and a move that fails: the hub is where it was, and works."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.pool import Pool

from sealift_registry.audit import moved
from sealift_registry.moving import checks, moves, row_copies
from sealift_registry.moving.route import route
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.errors import FailedError, RefusedError, SealiftError, UsageError
from sealift_sync.bundle import writer
from tests.registry.hub_fixture import Acme, Loose, copied
from tests.registry.moving_hubs import QUIET, moved_to, new_database, opened, url_of
from tests.registry.test_g1_245_former_keys import forge
from tests.servers.postgres import Database, postgres, set_up, starting

pytestmark = pytest.mark.embedded(
    "it begins in the home, and is moved to servers by the test itself"
)


@pytest.fixture
def database() -> Database:
    return new_database()


def refused(hub: Acme, to: str) -> SealiftError:
    """The error of a move, after which the hub is where it was, and takes an entry."""
    size = len(hub.types())
    with pytest.raises(SealiftError) as caught:
        moved_to(hub.app, to)
    hub.close()
    assert not hub.app.hub.home.settings.database.url
    assert len(hub.types()) == size
    hub.app.hub.log.commit_entry(hub.app.hub.entry("test.works", "tester", {}))
    return caught.value


def test_a_hub_that_is_not_whole_is_not_moved(hub: Acme, database: Database) -> None:
    hub.close()
    with closing(sqlite3.connect(hub.root / "sealift.db")) as raw:
        raw.execute("DROP TRIGGER statement_no_update")
        raw.execute("UPDATE statement SET kind = 'approval'")
        raw.commit()
    error = refused(hub, url_of(database))
    assert (error.code, error.exit_code) == ("move-not-whole", 1)
    assert "audit fsck" in error.next_step
    with (
        closing(PostgresDatabase(url_of(database))) as there,
        there.reading() as connection,
    ):
        assert sum(row_copies.count(connection).values()) == 0


def test_a_column_that_holds_something_else_is_not_moved(hub: Acme, database: Database) -> None:
    hub.close()
    with closing(sqlite3.connect(hub.root / "sealift.db")) as raw:
        raw.execute("UPDATE artifact SET made = x'00ff'")
        raw.commit()
    assert refused(hub, url_of(database)).code == "move-not-whole"


def test_a_place_where_the_same_hub_went_another_way(hub: Acme, acme_elsewhere: str) -> None:
    assert refused(hub, acme_elsewhere).code == "home-is-another-history"


@pytest.fixture
def acme_elsewhere(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database to which a copy of this hub was moved before it went on here."""
    made, url = copied(founded, tmp_path_factory.mktemp("other")), url_of(new_database())
    moved_to(made.app, url)
    made.close()
    return url


def test_a_place_without_tables(hub: Acme) -> None:
    bare = postgres().fresh()
    error = refused(hub, bare.url())
    assert error.code == "database-older"
    assert "sealift db upgrade" in error.next_step


def test_a_place_that_is_not_there(hub: Acme) -> None:
    assert refused(hub, "postgresql://nobody@/none?host=/nowhere").code == "database-unreachable"


def test_nothing_is_named(hub: Acme) -> None:
    with pytest.raises(UsageError, match="Nothing was named"):
        route(hub.app.hub.home, None, None)
    done = moved_to(hub.app, "home")
    assert done.already
    assert hub.types()[-1] != "hub.moved"


def test_a_copy_that_an_interrupted_run_left_and_is_old(hub: Acme, database: Database) -> None:
    url = url_of(database)
    way = route(hub.app.hub.home, url, None)
    with closing(way.database()) as target:
        moves._copy_to(hub.app.hub, target, QUIET.rows)
    hub.ingest(3, hub.goldens())  # the hub goes on working where it is
    error = refused(hub, url)
    assert error.code == "move-stale-copy"
    fresh = url_of(new_database())
    moved_to(hub.app, fresh)
    hub.close()
    assert checks.faults(hub.app.hub) == []


def test_rows_that_were_changed_on_the_way(
    hub: Acme, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns the new place changes a row before it is verified: it is seen, and not moved."""
    real = row_copies.copy

    def copied(*given: Loose) -> Loose:
        found = real(*given)
        given[1].execute(text("UPDATE artifact SET made = 'never' WHERE path LIKE '%source'"))
        return found

    monkeypatch.setattr(row_copies, "copy", copied)
    error = refused(hub, database.url())  # as the administrator: the hub itself could not
    assert error.code == "move-differs"
    assert "artifact" in error.what


def test_somebody_wrote_after_the_copy(
    hub: Acme, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server lost the session that held the lock, and let another in."""
    real = checks.verify

    def written(*given: Loose) -> Loose:
        found = real(*given)
        here = hub.app.hub
        forge(hub, here.online.signer("log"), here.entry("test.works", "tester", {}))
        return found

    monkeypatch.setattr(checks, "verify", written)
    with pytest.raises(FailedError) as caught:
        moved_to(hub.app, url_of(database))
    assert caught.value.code == "move-overtaken"
    with hub.app.hub.reading() as connection:
        assert moved.history(connection) == []


def test_the_server_is_killed_in_the_middle(hub: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    with starting() as server:
        there = server.fresh()
        set_up(there)
        seen: list[str] = []

        def told(table: str, _count: int) -> None:
            if not seen:
                server.kill()
            seen.append(table)

        way = route(hub.app.hub.home, url_of(there), None)
        with pytest.raises(FailedError) as caught:
            moves.move(hub.app.hub, way, {}, moves.Progress(QUIET.blobs, told))
        assert caught.value.code == "database-unreachable"
        server.start()
        hub.ingest(3, hub.goldens())
        moved_to(hub.app, url_of(there))
        hub.close()
        assert checks.faults(hub.app.hub) == []
        hub.close()


def test_home_again_on_a_disk_that_is_full(hub: Acme, database: Database) -> None:
    moved_to(hub.app, url_of(database))
    hub.close()

    def small(connection: Loose, _entry: object) -> None:
        """Let the new file have only so many pages, as a full disk would."""
        if not isinstance(connection, sqlite3.Connection):
            return
        if "incoming" in str(connection.execute("PRAGMA database_list").fetchone()[2]):
            connection.execute("PRAGMA max_page_count = 60")

    event.listen(Pool, "connect", small)
    try:
        with pytest.raises(FailedError) as caught:
            moved_to(hub.app, "home")
    finally:
        event.remove(Pool, "connect", small)
    assert caught.value.code in {"database-full", "database-unreadable"}
    hub.close()
    hub.ingest(3, hub.goldens())  # where it was
    moved_to(hub.app, "home")
    hub.close()
    assert isinstance(hub.app.hub.database, SqliteDatabase)
    assert checks.faults(hub.app.hub) == []


def test_home_again_where_a_database_lies_that_counts(hub: Acme, database: Database) -> None:
    kept = (hub.root / "sealift.db").read_bytes()
    moved_to(hub.app, url_of(database))
    hub.close()
    for left in hub.root.glob("sealift.db*"):
        left.unlink()
    (hub.root / "sealift.db").write_bytes(kept)  # a backup of before
    with pytest.raises(FailedError) as caught:
        moved_to(hub.app, "home")
    assert caught.value.code == "home-has-database"
    assert (hub.root / "sealift.db").read_bytes() == kept


def test_an_export_that_is_being_written(
    assigned_hub: Acme, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Loose) -> None:
        raise KeyboardInterrupt

    hub = assigned_hub
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_read_back", interrupt)
        with pytest.raises(KeyboardInterrupt):
            hub.export()
    claim = hub.app.hub.database.claim("plant-7-000001", "for a test")
    assert claim is not None
    try:
        error = refused(hub, url_of(database))
        assert error.code == "move-during-export"
        assert "plant-7-000001" in error.what
    finally:
        claim.let_go()
    assert not opened(hub.root, lambda app: moved_to(app, url_of(database))).again


@pytest.fixture
def assigned_hub(assigned: Path, tmp_path: Path) -> Iterator[Acme]:
    made = copied(assigned, tmp_path)
    yield made
    made.close()


def test_a_restored_hub_is_not_moved(hub: Acme, database: Database) -> None:
    with hub.app.hub.reading() as connection:
        note = bytes(
            connection.execute(
                text("SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1")
            ).scalar_one()
        )
    hub.sql("DROP TRIGGER log_checkpoint_no_delete")
    hub.sql("DELETE FROM log_checkpoint WHERE size = (SELECT max(size) FROM log_checkpoint)")
    with hub.app.hub.engine.begin() as connection:
        connection.execute(text("INSERT INTO seen_ahead VALUES (:note)"), {"note": note})
    with pytest.raises(RefusedError) as caught:
        moved_to(hub.app, url_of(database))
    assert caught.value.code == "hub-restored"


def test_settings_keep_what_people_wrote(hub: Acme, database: Database) -> None:
    path = hub.root / "settings.toml"
    wrote = path.read_text() + "\n# Ours: ask Ute before you change it.\n"
    path.write_text(wrote)
    url = url_of(database)
    moved_to(hub.app, url)
    hub.close()
    assert "# Ours: ask Ute before you change it.\n" in path.read_text()
    assert path.read_text() == wrote.replace('[database]\nurl = ""', f'[database]\nurl = "{url}"')
