"""Both logs after power cuts: every acknowledged entry is there, it verifies, and it goes on."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sealift_registry.audit.reading import LogReader
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_sync.site.log.log_reader import SiteLogReader
from tests.logs import ORIGIN, numbered
from tests.power.child import DATABASE, KEY, written_log
from tests.power.cutting import SIZES, Cut, failures
from tests.power.recording import Recording, record

ENTRIES = 60
SIDES = pytest.mark.parametrize("side", ["hub", "site"])
COUNTS = pytest.mark.parametrize("count", SIZES)


def recorded(scratch: Path, side: str, weakened: str = "nothing") -> Recording:
    """A log that is appended to, from one entry on."""
    folder, before = scratch / "home", scratch / "before"
    folder.mkdir()
    with written_log(side, folder) as commit:
        commit(numbered(0))
    shutil.copytree(folder, before)
    return record(folder, before, weakened, f"{side}-log", str(folder), str(ENTRIES))


def check(side: str, cut: Cut) -> None:
    """The log verifies, holds all that was acknowledged, and takes the next entry."""
    with written_log(side, cut.folder) as commit:
        size = commit(numbered(0))
    database = cut.folder / DATABASE
    if side == "hub":
        log = SqliteDatabase(database, database.with_name("sealift.lock"))
        verdict = LogReader(log).fsck(KEY, ORIGIN)
        log.close()
    else:
        with closing(sqlite3.connect(database)) as connection:
            verdict = SiteLogReader(connection).fsck(KEY, ORIGIN)
    assert verdict.findings == ()
    assert verdict.size == size
    assert size > cut.committed, f"{cut.committed} were acknowledged, {size - 1} are there"


@SIDES
@COUNTS
def test_a3_no_acknowledged_entry_is_lost(side: str, count: int, scratch: Path) -> None:
    recording = recorded(scratch, side)
    assert len(recording.marks) == ENTRIES
    assert failures(recording, count, lambda cut: check(side, cut)) == []


@SIDES
@COUNTS
def test_a3_a_log_that_is_not_flushed_is_seen_to_lose(side: str, count: int, scratch: Path) -> None:
    """With synchronous=NORMAL the same cuts lose acknowledged entries: these tests can see."""
    recording = recorded(scratch, side, "synchronous")
    found = failures(recording, count, lambda cut: check(side, cut))
    assert len(found) > count // 4, found
    assert any("were acknowledged" in one for one in found)
