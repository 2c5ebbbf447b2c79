"""A COMMIT that nobody confirmed: its callers are told what became of it, or that nobody knows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Connection, text

from sealift_registry.audit import settling
from sealift_registry.audit.newest_checkpoint import NewestCheckpoint, notes
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.question import Question
from tests.logs import KEY, ORIGIN, SIGNER, number_of, numbered
from tests.servers.cutting import Between
from tests.servers.postgres import postgres


class Line(NamedTuple):
    """A log whose database is behind a connection that is cut."""

    between: Between
    log: AuditLog
    kept: Path
    straight: PostgresDatabase

    def found(self) -> dict[int, int]:
        reader = LogReader(self.straight)
        assert reader.fsck(KEY, ORIGIN).findings == ()
        rows = reader.page(Question(), limit=1_000, newest_first=False)
        return {number_of(row): row.seq for row in rows}


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    database = postgres().migrated()
    straight = PostgresDatabase(database.url("sealift_app"))
    with Between(postgres()) as between:
        through = PostgresDatabase(between.url(database))
        kept = NewestCheckpoint(tmp_path / "newest-checkpoint")
        with AuditLog(through, lambda: SIGNER, ORIGIN, home=kept, begins=True) as log:
            log.commit_entry(numbered(0))
            yield Line(between, log, kept.path, straight)
        through.close()
    straight.close()


def test_g1_62_one_that_never_arrived_did_not_happen(line: Line) -> None:
    line.between.cut = "before"
    with pytest.raises(FailedError, match="nothing was done") as caught:
        line.log.commit_entry(numbered(1))
    assert caught.value.code == "log-unwritten"
    assert line.between.cuts == 1
    assert line.found() == {0: 0}
    assert line.log.commit_entry(numbered(2)).seq == 1, "it goes on by itself"


@pytest.mark.parametrize("how", ["after", "asleep"])
def test_g1_62_one_whose_answer_was_lost_happened(line: Line, how: str) -> None:
    line.between.cut = "after" if how == "after" else "asleep"
    committed = line.log.commit_entry(numbered(1))
    assert (line.between.cuts, committed.seq, committed.size) == (1, 1, 2)
    assert line.found() == {0: 0, 1: 1}
    assert max(claimed(note).size for note in notes(line.kept)) == 2, "kept before it was told"
    assert line.log.commit_entry(numbered(2)).seq == 2


@pytest.mark.parametrize("how, there", [("before", False), ("after", True)])
def test_g1_62_where_nobody_can_be_asked_it_is_unknown(
    line: Line, monkeypatch: pytest.MonkeyPatch, how: str, there: bool
) -> None:
    monkeypatch.setattr(settling, "ask", partial(settling.ask, patience=0.2))
    wanted = numbered(1)

    def last_words(connection: Connection) -> tuple[Entry, None]:
        connection.execute(text("SELECT 1"))
        line.between.cut = "after" if how == "after" else "before"
        return wanted, None

    def closed() -> None:
        while not line.between.cuts:
            pass
        line.between.closed = True

    watch = threading.Thread(target=closed)
    watch.start()
    with pytest.raises(FailedError, match="may or may not have happened") as caught:
        line.log.commit(last_words)
    watch.join()
    assert (caught.value.code, caught.value.subject) == ("log-unknown", wanted.id)
    assert f"sealift audit list --id {wanted.id}" in caught.value.next_step
    assert line.found() == ({0: 0, 1: 1} if there else {0: 0})
    line.between.closed = False
    assert line.log.commit_entry(numbered(2)).seq == 1 + there


def test_g1_62_of_many_in_one_commit_each_is_told_its_own(line: Line) -> None:
    began, held = threading.Event(), threading.Event()

    def slow(_connection: Connection) -> tuple[Entry, None]:
        began.set()
        held.wait(60)
        return numbered(1), None

    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(line.log.commit, slow)
        assert began.wait(60), "or it would take others along"
        others = [pool.submit(line.log.commit_entry, numbered(n)) for n in range(2, 20)]
        while line.log._queue.qsize() < len(others):
            pass
        held.set()
        first.result()
        line.between.cut = "after"
        told = {n: one.result().seq for n, one in enumerate(others, 2)}
    more = line.log.commit_entry(numbered(20)).seq
    assert line.between.cuts == 1
    assert line.found() == {0: 0, 1: 1, **told, 20: more}
