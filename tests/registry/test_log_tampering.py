"""Acceptance 7: what is done to a log's database behind its back is refused, or named."""

# ruff: noqa: S608 - the SQL is a forger's, and the values are this file's
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.logs import KEY, ORIGIN, SIDES, SomeLog, copied, numbered, opened, tamper

ENTRIES = 300
# In a full tile, and behind it.
PLACES = [0, 41, 255, 256, 298]


@pytest.fixture(scope="module", params=list(SIDES))
def honest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SomeLog:
    """A log of 300 entries, closed; tests work on copies of its file."""
    with opened(request.param, tmp_path_factory.mktemp("honest")) as log:
        for number in range(ENTRIES):
            log.commit(numbered(number))
    return log


@pytest.fixture
def log(honest: SomeLog, tmp_path: Path) -> Iterator[SomeLog]:
    """A copy of it, open."""
    copied(honest, tmp_path)
    with opened(honest.side, tmp_path) as copy:
        yield copy


def verified(log: SomeLog) -> list[tuple[str, int | None]]:
    return [(found.code, found.seq) for found in log.reader.verify(KEY, ORIGIN).findings]


def checked(log: SomeLog) -> list[tuple[str, int | None]]:
    return [(found.code, found.seq) for found in log.reader.fsck(KEY, ORIGIN).findings]


def test_a1_07_an_honest_log_is_well(log: SomeLog) -> None:
    verdict = log.reader.fsck(KEY, ORIGIN)
    assert verdict.ok
    assert verdict.size == ENTRIES
    assert verdict.root == log.reader.checkpoint().root


@pytest.mark.parametrize("seq", PLACES)
def test_a1_07_verify_names_an_edited_row(log: SomeLog, seq: int) -> None:
    tamper(log, f"UPDATE log_entry SET body = CAST('forged' AS BLOB) WHERE seq = {seq}")
    assert verified(log) == [("row-edited", seq)]


def test_a1_07_verify_names_an_edited_row_with_a_fitting_hash(log: SomeLog) -> None:
    fitting = "x'" + "c3" * 32 + "'"
    tamper(log, f"UPDATE log_entry SET body = x'00', leaf = {fitting} WHERE seq = 298")
    assert verified(log) == [("row-edited", 298)]


@pytest.mark.embedded("a server's columns hold nothing of another type")
def test_a1_07_verify_names_a_body_of_another_type(log: SomeLog) -> None:
    tamper(log, "UPDATE log_entry SET body = CAST(body AS TEXT) WHERE seq = 7")
    assert verified(log) == [("row-edited", 7)]


@pytest.mark.parametrize("seq", PLACES)
def test_a1_07_verify_names_a_deleted_row(log: SomeLog, seq: int) -> None:
    tamper(log, f"DELETE FROM log_entry WHERE seq = {seq}")
    assert verified(log) == [("row-deleted", seq)]


@pytest.mark.parametrize("seq", PLACES)
def test_a1_07_verify_names_a_deleted_row_though_the_others_moved_up(
    log: SomeLog, seq: int
) -> None:
    tamper(
        log,
        f"DELETE FROM log_entry WHERE seq = {seq}",
        f"UPDATE log_entry SET seq = -seq WHERE seq > {seq}",
        "UPDATE log_entry SET seq = -seq - 1 WHERE seq < 0",
    )
    assert verified(log) == [("row-deleted", seq), ("row-reordered", seq)]


@pytest.mark.parametrize("seq", PLACES)
def test_a1_07_verify_names_an_inserted_row(log: SomeLog, seq: int) -> None:
    tamper(
        log,
        f"UPDATE log_entry SET seq = -seq - 1 WHERE seq >= {seq}",
        "UPDATE log_entry SET seq = -seq WHERE seq < 0",
        f"INSERT INTO log_entry VALUES ({seq}, x'00', x'00', 'id', 'a.b', NULL, 'now', 'mallory')",
    )
    assert verified(log) == [("row-inserted", seq), ("row-reordered", seq + 1)]


def test_a1_07_verify_names_a_row_appended_without_a_commit(log: SomeLog) -> None:
    tamper(
        log,
        f"INSERT INTO log_entry SELECT {ENTRIES}, leaf, body, 'id', type, site, recorded_at, actor "
        "FROM log_entry WHERE seq = 3",
    )
    assert verified(log) == [("row-inserted", ENTRIES)]


@pytest.mark.parametrize("one,other", [(0, 1), (3, 299), (255, 256), (298, 299)])
def test_a1_07_verify_names_reordered_rows(log: SomeLog, one: int, other: int) -> None:
    tamper(
        log,
        f"UPDATE log_entry SET seq = -1 WHERE seq = {one}",
        f"UPDATE log_entry SET seq = {one} WHERE seq = {other}",
        f"UPDATE log_entry SET seq = {other} WHERE seq = -1",
    )
    assert verified(log) == [("row-reordered", one), ("row-reordered", other)]


@pytest.mark.parametrize("column", ["id", "type", "site", "recorded_at", "actor"])
def test_a1_07_fsck_names_an_edited_column(log: SomeLog, column: str) -> None:
    tamper(log, f"UPDATE log_entry SET {column} = 'forged' WHERE seq = 41")
    assert verified(log) == []
    (finding,) = log.reader.fsck(KEY, ORIGIN).findings
    assert (finding.code, finding.seq) == ("column-edited", 41)
    assert f"the column {column} says 'forged'" in finding.sentence


def test_a1_07_fsck_names_an_edited_term(log: SomeLog) -> None:
    tamper(log, "UPDATE log_term SET value = 'forged' WHERE seq = 41 AND kind = 'model'")
    assert verified(log) == []
    assert checked(log) == [("term-missing", 41), ("term-added", 41)]


def test_a1_07_fsck_names_a_deleted_and_an_added_term(log: SomeLog) -> None:
    tamper(
        log,
        "DELETE FROM log_term WHERE seq = 5 AND kind = 'number'",
        "INSERT INTO log_term VALUES ('person', 'mallory', 6), ('person', 'mallory', 999)",
    )
    assert checked(log) == [("term-missing", 5), ("term-added", 6), ("term-added", 999)]


def test_a1_07_verify_names_edited_and_deleted_checkpoints_and_tiles(log: SomeLog) -> None:
    tamper(
        log,
        "UPDATE log_checkpoint SET root = zeroblob(32) WHERE size = 10",
        "DELETE FROM log_checkpoint WHERE size = 20",
        "UPDATE log_tile SET hashes = zeroblob(8192)",
    )
    assert verified(log) == [
        ("checkpoint-edited", 10),
        ("checkpoint-missing", 19),
        ("tile-edited", 0),
    ]


def test_a1_07_a_cut_off_end_shows_to_a_witness(log: SomeLog) -> None:
    from sealift_signing.transparency.checkpoint import claimed

    seen = claimed(log.reader.checkpoint().note)
    tamper(
        log,
        "DELETE FROM log_entry WHERE seq >= 290",
        "DELETE FROM log_checkpoint WHERE size > 290",
    )
    assert verified(log) == []
    verdict = log.reader.verify(KEY, ORIGIN, seen=[seen])
    assert [found.code for found in verdict.findings] == ["history-changed"]


TABLES = ["log_entry", "log_term", "log_tile", "log_checkpoint"]
CHANGES = [
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
    "REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
    "INSERT OR IGNORE INTO {table} SELECT * FROM {table} LIMIT 1",
    "INSERT INTO {table} SELECT * FROM {table} WHERE 1 ON CONFLICT DO UPDATE SET {column} = 1",
]


@pytest.mark.embedded("SQLite's ways to change a row; g1_24 and g1_26 hold the server's")
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_a1_07_sqlite_refuses_every_change_of_the_log(
    log: SomeLog, table: str, recursive: str
) -> None:
    """Also over a stranger's connection, which has SQLite's defaults and not our settings."""
    column = {"log_term": "value", "log_tile": "root"}.get(table, "note")
    column = "actor" if table == "log_entry" else column
    with closing(sqlite3.connect(log.folder / f"{log.side}.db")) as raw:
        raw.execute(f"PRAGMA recursive_triggers = {recursive}")
        for change in CHANGES:
            with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
                raw.execute(change.format(table=table, column=column))
        raw.rollback()
    assert log.reader.fsck(KEY, ORIGIN).ok


@pytest.mark.embedded("SQLite's INSERT OR REPLACE, which others have not")
def test_a1_07_a_new_row_cannot_replace_one_with_the_same_id(log: SomeLog) -> None:
    with closing(sqlite3.connect(log.folder / f"{log.side}.db")) as raw:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(
                f"INSERT OR REPLACE INTO log_entry SELECT {ENTRIES}, leaf, body, id, type, site, "
                "recorded_at, actor FROM log_entry WHERE seq = 3"
            )
        raw.rollback()
    assert log.reader.fsck(KEY, ORIGIN).ok


@pytest.mark.embedded("SQLite's INSERT OR REPLACE, which others have not")
def test_a1_07_a_tile_cannot_be_replaced_by_its_hidden_number(log: SomeLog) -> None:
    """A table without a number of its own has a hidden one, which the guard could not see."""
    with closing(sqlite3.connect(log.folder / f"{log.side}.db")) as raw:
        with pytest.raises(sqlite3.Error):
            raw.execute(
                "INSERT OR REPLACE INTO log_tile (rowid, level, number, root, hashes) "
                "SELECT 1, 7, 7, root, hashes FROM log_tile LIMIT 1"
            )
        raw.rollback()
    assert log.reader.fsck(KEY, ORIGIN).ok
