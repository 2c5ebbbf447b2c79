"""A database whose rows went elsewhere takes no entry, and neither does a copy before it counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from sqlalchemy import Connection, text

from sealift_migrations import upgrade
from sealift_registry.audit import moved
from sealift_registry.audit.moved import ARRIVED, ARRIVING, BLOBS, LEFT, Move, MovedHubError
from sealift_registry.audit.signed_moves import LEAVING, MOVED
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage import database as databases
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.errors import FailedError
from sealift_signing.transparency.entry import Entry, new_entry
from tests.logs import ORIGIN, numbered
from tests.servers.postgres import engine_of, let_in, postgres

SIGNER = CryptoSigner(Ed25519PrivateKey.generate())
AT = "2026-12-01T12:00:00.000000Z"


@pytest.fixture(params=["sqlite", "postgresql"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Gives a database of each kind, as many times as processes would open it."""
    made: list[Database] = []

    def embedded() -> Database:
        return SqliteDatabase(tmp_path / "hub.db", tmp_path / "hub.lock")

    def opened() -> Database:
        made.append(embedded() if request.param == "sqlite" else PostgresDatabase(url))
        return made[-1]

    if request.param == "sqlite":
        upgrade(embedded().engine)
    else:
        server = postgres().fresh()
        let_in(server)
        engine = engine_of(server, Roles().migrator)
        upgrade(engine)
        engine.dispose()
        url = server.url(Roles().application)
    yield opened
    for one in made:
        one.close()


@pytest.fixture
def database(opens: Callable[[], Database]) -> Database:
    return opens()


def noted(database: Database, *moves: Move) -> None:
    with database.writing() as connection, connection.begin():
        moved.add(connection, moves, AT)


def says(log: AuditLog, *moves: Move, kind: str = MOVED, **data: str) -> None:
    """What an entry says, with the rows that go by it."""

    def action(connection: Connection) -> tuple[Entry, None]:
        moved.add(connection, moves, AT)
        return new_entry(kind, "hub", log.clock(), data), None

    log.commit(action)


def test_what_has_left_signs_nothing_more_whoever_had_it_open(
    opens: Callable[[], Database],
) -> None:
    one, other = opens(), opens()
    with AuditLog(one, lambda: SIGNER, ORIGIN, begins=True) as log:
        assert log.commit_entry(numbered(0)).seq == 0
        url = "postgresql://db.example/hub"
        noted(other, Move(LEFT, url))
        assert log.commit_entry(numbered(1)).seq == 1  # nobody signed that
        says(log, Move(LEFT, url), kind=LEAVING, place=url)
        with pytest.raises(MovedHubError, match=r"moved to postgresql://db\.example/hub"):
            log.commit_entry(numbered(3))
        with pytest.raises(MovedHubError):  # nor another key, by which a restored hub goes on
            log.commit_new_key(lambda _: (numbered(4), None))
    with one.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM log_checkpoint")).scalar() == 3


def test_a_copy_takes_entries_once_it_counts(database: Database) -> None:
    noted(database, Move(ARRIVING, "/srv/hub/sealift.db"))
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        with pytest.raises(MovedHubError, match="does not count yet"):
            log.commit_entry(numbered(0))
        noted(database, Move(ARRIVED, "/srv/hub/sealift.db"))
        assert log.commit_entry(numbered(0)).seq == 0
        noted(database, Move(ARRIVING, "somewhere"))
        with pytest.raises(MovedHubError):
            log.commit_entry(numbered(1))


def test_who_keeps_blobs_elsewhere_adds_nothing(database: Database) -> None:
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        for place in ("s3://models/hub", "s3://models-2/hub"):
            says(log, Move(BLOBS, place), blobs_to=place)
    noted(database, Move(BLOBS, "s3://theirs/hub"))  # nobody signed that
    for kept in ("the home", "s3://models/hub"):
        with (
            AuditLog(database, lambda: SIGNER, ORIGIN, blobs=kept, begins=True) as log,
            pytest.raises(MovedHubError, match=r"s3://models-2/hub"),
        ):
            log.commit_entry(numbered(0))
    for number, same in enumerate(("s3://models-2/hub", None)):
        with AuditLog(database, lambda: SIGNER, ORIGIN, blobs=same, begins=True) as log:
            assert log.commit_entry(numbered(number)).seq == 2 + number


def test_where_it_went_is_never_changed(database: Database) -> None:
    noted(database, Move(LEFT, "elsewhere"))
    for change in ("DELETE FROM moved", "UPDATE moved SET place = 'here'"):
        with (
            pytest.raises(Exception, match=r"append-only|permission denied"),
            database.engine.begin() as connection,
        ):
            connection.execute(text(change))


def test_who_is_alone_keeps_every_writer_out(
    opens: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "UNTIL_ALONE", 0.3)
    one, other = opens(), opens()
    done: list[float] = []
    with AuditLog(other, lambda: SIGNER, ORIGIN, begins=True) as log:

        def commits() -> None:
            log.commit_entry(numbered(0))
            done.append(time.monotonic())

        with one.alone() as connection:
            with (
                pytest.raises(FailedError, match="Another process has been writing"),
                other.alone(),
            ):
                pass
            waits = threading.Thread(target=commits)
            waits.start()
            for _ in range(3):  # more than one transaction, and nobody comes between
                with connection.begin():
                    moved.add(connection, [Move(BLOBS, "the home")], AT)
                time.sleep(0.1)
            assert not done
            ended = time.monotonic()
        waits.join(20)
        assert done[0] > ended
    with other.alone():  # it is free again
        pass
