"""Databases from before superseded bodies were pruned: brought forward whole, or not at all."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from securesystemslib.signer import CryptoSigner
from sqlalchemy import Engine, text
from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

import sealift_migrations
from sealift_registry.storage.sqlite import give_back_space, open_sqlite
from sealift_registry.trust.stored import Rows
from sealift_signing import publishing, version_links

EXPIRES = datetime(2027, 1, 1, tzinfo=UTC)
CATALOG = "catalog.vision"
DIGEST = "3b" * 32
SIGNER = CryptoSigner.generate_ed25519()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database of the step before."""
    engine = open_sqlite(tmp_path / "hub.db")
    before(engine, "0005")
    yield engine
    engine.dispose()


def before(engine: Engine, step: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(sealift_migrations.__file__).parent))
    with engine.connect() as connection:
        connection.execution_options(sealift_begin="IMMEDIATE")
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, step)


def signed(kind: type[Any], version: int, entries: int = 0) -> Metadata[Any]:
    made = Metadata(kind(version=version, expires=EXPIRES))
    if kind is Targets:
        for n in range(entries):
            path = f"catalog/vision/tiny/{n}/cpu-x86_64"
            made.signed.targets[path] = publishing.target_file(path, 1, DIGEST)
    publishing.sign(made, [SIGNER])
    return made


KINDS: dict[str, type[Any]] = {
    CATALOG: Targets,
    "catalog.sound": Targets,
    "snapshot": Snapshot,
    "timestamp": Timestamp,
    "team.vision": Targets,
    "targets": Targets,
    "catalogue": Targets,
    "CATALOG.vision": Targets,
}
ONLINE = (CATALOG, "catalog.sound", "snapshot", "timestamp")


def fill(engine: Engine, versions: int, entries: int = 3) -> dict[tuple[str, int], bytes]:
    rows = {
        (role, version): publishing.to_bytes(signed(kind, version, entries))
        for role, kind in KINDS.items()
        for version in range(1, versions + 1)
    }
    put(engine, rows)
    return rows


def put(engine: Engine, rows: dict[tuple[str, int], Any]) -> None:
    insert = text("INSERT INTO tuf_metadata VALUES (:role, :version, :body)")
    with engine.begin() as connection:
        connection.execute(
            insert,
            [{"role": role, "version": number, "body": b} for (role, number), b in rows.items()],
        )


def table(engine: Engine, name: str) -> dict[tuple[str, int], Any]:
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {name}"))  # noqa: S608 - our names
        return {(row[0], row[1]): row[2] for row in found}


def test_f2_118_every_version_is_noted_and_the_newest_bodies_are_moved(engine: Engine) -> None:
    rows = fill(engine, 4)
    sealift_migrations.upgrade(engine)
    people = {key: body for key, body in rows.items() if key[0] not in ONLINE}
    assert table(engine, "tuf_metadata") == people
    assert table(engine, "tuf_online") == {
        (role, number): version_links.digest(Metadata.from_bytes(body))
        for (role, number), body in rows.items()
        if role in ONLINE
    }
    assert table(engine, "tuf_online_body") == {(role, 4): rows[role, 4] for role in ONLINE}
    with engine.connect() as connection:
        found = Rows(connection)
        assert found.newest_numbers() == dict.fromkeys(KINDS, 4)
        assert found.roles() == sorted(KINDS)


@pytest.mark.parametrize("sql", ["UPDATE {} SET version = 9", "DELETE FROM {}"])
def test_f2_119_what_was_guarded_is_guarded_again(engine: Engine, tmp_path: Path, sql: str) -> None:
    fill(engine, 2)
    sealift_migrations.upgrade(engine)
    with closing(sqlite3.connect(tmp_path / "hub.db")) as raw:
        for name in ("tuf_metadata", "tuf_online", "tuf_online_body"):
            with pytest.raises(sqlite3.IntegrityError, match=name):
                raw.execute(sql.format(name))


def escaped(_: bytes) -> bytes:
    """As our writer spells what needs escapes: what is signed spells it otherwise."""
    made = signed(Targets, 1)
    made.signed.unrecognized_fields["x"] = 'Zoë \n " \\ \x7f'
    return publishing.to_bytes(made)


def spaced(body: bytes) -> bytes:
    return json.dumps(json.loads(body), indent=1).encode()


@pytest.mark.parametrize("spelling", [escaped, spaced])
def test_f2_120_however_a_body_is_spelled_its_digest_is_of_what_is_signed(
    engine: Engine, spelling: Callable[[bytes], bytes]
) -> None:
    body = spelling(publishing.to_bytes(signed(Targets, 1)))
    put(engine, {(CATALOG, 1): body})
    sealift_migrations.upgrade(engine)
    digest = version_links.digest(Metadata.from_bytes(body))
    assert table(engine, "tuf_online") == {(CATALOG, 1): digest}


BROKEN: list[Any] = [
    *(b"", b"{}", b"\xff\xfe", b'{"signatures":[],"signed":{', b"[" * 100_000, b'{"signed":'),
    *("text", 7, 2.5, b'{"signed":{"x":1e999}}', b"[]", b'{"signed":"\\ud800"}'),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_f2_121_a_damaged_row_stops_no_upgrade(engine: Engine, broken: object) -> None:
    """It was named before, and what is left of it is named after."""
    rows = {(CATALOG, 1): broken, (CATALOG, 2): publishing.to_bytes(signed(Targets, 2))}
    put(engine, {**rows, ("catalog.sound", 1): broken})
    sealift_migrations.upgrade(engine)
    assert list(table(engine, "tuf_online")) == [("catalog.sound", 1), (CATALOG, 1), (CATALOG, 2)]
    assert table(engine, "tuf_online_body")["catalog.sound", 1] == broken


@pytest.mark.parametrize("name", ["tuf_online", "tuf_online_body"])
def test_f2_122_a_step_that_fails_leaves_all_as_it_was(engine: Engine, name: str) -> None:
    rows = fill(engine, 3)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {name} (in_the_way)"))
    with pytest.raises(Exception, match=f"{name} already exists"):
        sealift_migrations.upgrade(engine)
    assert sealift_migrations.current(engine) == "0005"
    assert table(engine, "tuf_metadata") == rows
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {name}"))
    sealift_migrations.upgrade(engine)
    assert sealift_migrations.current(engine) == sealift_migrations.newest()


def test_f2_123_a_step_that_is_cut_at_its_end_leaves_all_as_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = fill(engine, 3)
    with monkeypatch.context() as patch:
        patch.setattr("sealift_migrations.sqlite_guards._never_replaced", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sealift_migrations.upgrade(engine)
    assert table(engine, "tuf_metadata") == rows
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        assert not [name for name in tables.scalars() if name.startswith("tuf_online")]
        triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        assert "tuf_metadata_no_delete" in triggers.scalars().all()


def size(path: Path) -> int:
    return path.stat().st_size


def test_f2_124_a_grown_database_is_brought_forward_quickly_and_shrinks(
    engine: Engine, tmp_path: Path
) -> None:
    """Two thousand listings, each of a catalog of forty kilobytes."""
    data = publishing.to_bytes(signed(Targets, 1, 250))
    catalog = {
        (CATALOG, n): data.replace(b'"version":1', b'"version":%d' % n) for n in range(1, 2_001)
    }
    put(engine, catalog)
    grown = size(tmp_path / "hub.db") + size(tmp_path / "hub.db-wal")
    assert grown > 60_000_000
    begun = time.process_time()
    sealift_migrations.upgrade(engine)
    give_back_space(engine)
    assert time.process_time() - begun < 15
    assert size(tmp_path / "hub.db") + size(tmp_path / "hub.db-wal") < 1_500_000
    assert len(table(engine, "tuf_online")) == 2_000
    assert table(engine, "tuf_online_body") == {(CATALOG, 2_000): catalog[CATALOG, 2_000]}
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


@pytest.mark.parametrize("listed, shrinks", [(1, False), (6, True)])
def test_f2_127_a_database_is_written_anew_where_that_gives_much_back(
    engine: Engine, tmp_path: Path, listed: int, shrinks: bool
) -> None:
    """A quarter of it: what is not pruned would be written for nothing."""
    data = publishing.to_bytes(signed(Targets, 1, 2_000))
    rows = {(CATALOG, n): data for n in range(1, listed + 3)}
    put(engine, {**rows, **{("team.vision", n): data for n in range(1, 10)}})
    sealift_migrations.upgrade(engine)
    with engine.connect() as connection:
        before = connection.execute(text("PRAGMA page_count")).scalar_one()
    give_back_space(engine)
    with engine.connect() as connection:
        after = connection.execute(text("PRAGMA page_count")).scalar_one()
        assert (after < before) is shrinks
        assert connection.execute(text("PRAGMA freelist_count")).scalar_one() > 0 or shrinks


def test_f2_125_where_a_database_cannot_shrink_it_stays_whole(
    engine: Engine, tmp_path: Path
) -> None:
    """Somebody reads it: the free pages are used again by what is written next."""
    fill(engine, 40, 50)
    sealift_migrations.upgrade(engine)
    with closing(sqlite3.connect(tmp_path / "hub.db", timeout=0)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        give_back_space(engine)
        raw.rollback()
    assert len(table(engine, "tuf_online")) == 160
    give_back_space(engine)
    assert len(table(engine, "tuf_online")) == 160
