"""Goldens that count again are a row more; old homes keep those that counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

import sealift_migrations
from sealift_registry.catalog import logged, recording
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.sqlite import open_sqlite
from tests.registry.test_migrating_history import before
from tests.servers.postgres import engine_of, postgres

REF = VersionRef("vision", "digits", 1)
A_VERSION = (
    "INSERT INTO model_version (team, model, number, identity, source, source_sha256, "
    "source_version, format, made) VALUES ('vision', 'digits', 1, 'i', '', '', '', '', '1')"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Each engine, as the application opens it."""
    if request.param == "sqlite":
        engine = open_sqlite(tmp_path / "hub.db")
        sealift_migrations.upgrade(engine)
    else:
        engine = engine_of(postgres().migrated(), Roles().application)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """These databases are no hub's: of the log, which has a say, see g1-212."""
    monkeypatch.setattr(logged, "check_goldens", lambda *_given: None)


def rows(connection: Connection) -> list[tuple[object, ...]]:
    found = connection.execute(text("SELECT turn, sha256, made FROM goldens ORDER BY turn"))
    return [tuple(row) for row in found]


def test_g1_20_goldens_are_only_added(engine: Engine) -> None:
    """The clock may go back: what counts is not the row of the latest time."""
    with engine.begin() as connection:
        connection.execute(text(A_VERSION))
        for sha256, made in (
            ("a", "2026-03"),
            ("b", "2026-02"),
            ("b", "2026-04"),
            ("a", "2026-01"),
        ):
            new = recording.add_goldens(connection, REF, sha256, made)
            assert new == (made != "2026-04")
            assert Catalog(connection).goldens(REF) == sha256
        assert rows(connection) == [(1, "a", "2026-03"), (2, "b", "2026-02"), (3, "a", "2026-01")]


def test_g1_21_old_goldens_keep_their_order(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "hub.db")
    before(engine, "0008")
    with engine.begin() as connection:
        connection.execute(text(A_VERSION))
        for sha256, made in (("b", "2026-02"), ("c", "2026-03"), ("a", "2026-01")):
            connection.execute(
                text("INSERT INTO goldens VALUES ('vision', 'digits', 1, :sha256, :made)"),
                {"sha256": sha256, "made": made},
            )
    sealift_migrations.upgrade(engine)
    with engine.begin() as connection:
        assert rows(connection) == [(1, "a", "2026-01"), (2, "b", "2026-02"), (3, "c", "2026-03")]
        assert Catalog(connection).goldens(REF) == "c"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()
