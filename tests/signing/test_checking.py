"""The check names the row. A log in memory is tampered with in every way that a database allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint, entry_columns
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Term, body_of, new_entry, read_entry
from sealift_signing.transparency.entry_columns import DerivedRow, StoredTerm, derive
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import LogRow, grow
from sealift_signing.transparency.history import StoredCheckpoint
from sealift_signing.transparency.log_checking import StoredLog, verify
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.transparency.tiles import Tile
from sealift_signing.transparency.verdict import MOST_FINDINGS, LogFault, Verdict

ORIGIN = "sealift/0123456789abcdef/hub"
SIGNER = CryptoSigner.generate_ed25519()
KEY = PublicKey.from_tuf(SIGNER.public_key)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass
class MemoryLog:
    rows: list[LogRow] = field(default_factory=list)
    checkpoints: list[StoredCheckpoint] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)

    def hashes(self, level: int, first: int, end: int) -> Sequence[bytes]:
        if level == 0:
            return [row.leaf for row in self.rows[first:end]]
        return [tile.root for tile in self.tiles if tile.level == level - 1][first:end]

    def commit(self, bodies: Sequence[bytes]) -> None:
        before = Frontier()
        if self.checkpoints:
            before = Frontier.decode(self.checkpoints[-1].size, self.checkpoints[-1].frontier)
        growth = grow(before, bodies, self.hashes)
        edge = growth.frontier
        note = checkpoint.sign(Checkpoint(ORIGIN, edge.size, edge.root), SIGNER)
        self.rows += growth.rows
        self.tiles += growth.tiles
        stored = StoredCheckpoint(edge.size, edge.root, edge.encode(), growth.leaves, note)
        self.checkpoints.append(stored)

    def edit(self, seq: int, body: bytes) -> None:
        """As a careful forger does it: the stored hash is made to fit."""
        self.rows[seq] = LogRow(seq, leaf_hash(body), body)

    def renumber(self) -> None:
        self.rows = [row._replace(seq=seq) for seq, row in enumerate(self.rows)]

    def copy(self) -> MemoryLog:
        return MemoryLog(list(self.rows), list(self.checkpoints), list(self.tiles))

    def verify(self, seen: Sequence[Checkpoint] = (), *, every: bool = False) -> Verdict:
        tiles = sorted(self.tiles, key=lambda tile: (tile.level, tile.number))
        rows = sorted(self.rows, key=lambda row: row.seq)
        log = StoredLog(rows, self.checkpoints, tiles)
        return verify(log, KEY, ORIGIN, seen=seen, every_signature=every)


def made(*batches: int) -> MemoryLog:
    log = MemoryLog()
    for count in batches:
        log.commit([b"entry %d" % (len(log.rows) + number) for number in range(count)])
    return log


LARGE = made(1, 1, 3, 250, 60, 200, 1, 1, 7)


def told(verdict: Verdict) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.seq) for finding in verdict.findings]


@pytest.fixture
def log() -> MemoryLog:
    return LARGE.copy()


@pytest.mark.parametrize("batches", [(), (1,), (1, 1, 1), (256,), (255, 1), (300, 300), (1000,)])
def test_an_honest_log_is_well(batches: tuple[int, ...]) -> None:
    honest = made(*batches)
    verdict = honest.verify(every=True)
    assert verdict.ok
    assert verdict.size == sum(batches)
    assert verdict.root == Frontier().extended(row.leaf for row in honest.rows).root


# In a full tile, alone in its commit, and among others of a commit near the end.
PLACES = [0, 3, 100, 299, 515, 516, 520, 523]


@pytest.mark.parametrize("seq", PLACES)
def test_an_edited_row_is_named(log: MemoryLog, seq: int) -> None:
    log.rows[seq] = log.rows[seq]._replace(body=b"something else")
    assert told(log.verify()) == [("row-edited", seq)]


@pytest.mark.parametrize("seq", PLACES)
def test_an_edited_row_with_a_fitting_hash_is_named(log: MemoryLog, seq: int) -> None:
    log.edit(seq, b"something else")
    assert told(log.verify()) == [("row-edited", seq)]
    assert f"Row {seq} was edited" in log.verify().findings[0].sentence


@pytest.mark.parametrize("seq", PLACES)
def test_an_edited_hash_is_named(log: MemoryLog, seq: int) -> None:
    log.rows[seq] = log.rows[seq]._replace(leaf=bytes(32))
    assert told(log.verify()) == [("leaf-differs", seq)]


@pytest.mark.parametrize("seq", PLACES)
def test_a_deleted_row_is_named(log: MemoryLog, seq: int) -> None:
    del log.rows[seq]
    verdict = log.verify()
    assert told(verdict) == [("row-deleted", seq)]
    assert verdict.size == len(LARGE.rows) - 1


@pytest.mark.parametrize("seq", PLACES[:-1])
def test_a_deleted_row_is_named_even_when_the_others_moved_up(log: MemoryLog, seq: int) -> None:
    del log.rows[seq]
    log.renumber()
    assert told(log.verify()) == [("row-deleted", seq), ("row-reordered", seq)]


@pytest.mark.parametrize("seq", PLACES)
def test_an_inserted_row_is_named(log: MemoryLog, seq: int) -> None:
    log.rows.insert(seq, LogRow(seq, leaf_hash(b"forged"), b"forged"))
    log.renumber()
    assert told(log.verify()) == [("row-inserted", seq), ("row-reordered", seq + 1)]


def test_a_row_behind_the_end_is_named(log: MemoryLog) -> None:
    end = len(log.rows)
    log.rows.append(LogRow(end, leaf_hash(b"forged"), b"forged"))
    log.rows.append(LogRow(end + 40, leaf_hash(b"forged 2"), b"forged 2"))
    log.rows.append(LogRow(-1, leaf_hash(b"forged 3"), b"forged 3"))
    assert told(log.verify()) == [
        ("row-inserted", -1),
        ("row-inserted", end),
        ("row-inserted", end + 40),
    ]


@pytest.mark.parametrize("one,other", [(0, 1), (2, 4), (10, 400), (100, 520), (515, 516)])
def test_exchanged_rows_are_named(log: MemoryLog, one: int, other: int) -> None:
    rows = log.rows
    rows[one], rows[other] = rows[other]._replace(seq=one), rows[one]._replace(seq=other)
    verdict = log.verify()
    assert told(verdict) == [("row-reordered", one), ("row-reordered", other)]
    expected = f"Row {one} holds the entry that was committed as row {other}."
    assert verdict.findings[0].sentence == expected


def test_a_row_moved_to_the_end_is_named(log: MemoryLog) -> None:
    row = log.rows.pop(100)
    log.rows.append(row._replace(seq=9_999))
    assert told(log.verify()) == [("row-reordered", 9_999)]


def test_a_body_that_became_text_is_an_edited_row(log: MemoryLog) -> None:
    """SQLite takes any type in any column."""
    log.rows[5] = LogRow(5, log.rows[5].leaf, log.rows[5].body.decode())  # type: ignore[arg-type]
    assert told(log.verify()) == [("row-edited", 5)]


CheckpointEdit = Callable[[StoredCheckpoint], StoredCheckpoint]
EDITS: dict[str, CheckpointEdit] = {
    "root": lambda at: at._replace(root=bytes(32)),
    "frontier": lambda at: at._replace(frontier=bytes(len(at.frontier))),
    "frontier cut": lambda at: at._replace(frontier=at.frontier[:-1]),
    "frontier text": lambda at: at._replace(frontier="x" * len(at.frontier)),  # type: ignore[arg-type]
    "leaves": lambda at: at._replace(leaves=bytes(len(at.leaves))),
    "leaves cut": lambda at: at._replace(leaves=at.leaves[:-1]),
    "leaves more": lambda at: at._replace(leaves=at.leaves + bytes(32)),
    "note": lambda at: at._replace(note=at.note.replace(b"sealift", b"sealilt")),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("place", [0, 3, 5, 8])
def test_an_edited_checkpoint_is_named_and_no_row_is_blamed(
    log: MemoryLog, edit: str, place: int
) -> None:
    before = log.checkpoints[place]
    log.checkpoints[place] = EDITS[edit](before)
    verdict = log.verify(every=True)
    assert not verdict.ok
    assert verdict.root == log.checkpoints[-1].root or place == 8
    codes = {finding.code for finding in verdict.findings}
    assert codes <= {"checkpoint-edited", "checkpoint-missing", "checkpoint-unsigned"}
    first = log.checkpoints[place - 1].size if place else 0
    assert {finding.seq for finding in verdict.findings} <= {before.size, first}


def test_a_note_signed_by_a_stranger_is_named(log: MemoryLog) -> None:
    stranger = CryptoSigner.generate_ed25519()
    at = log.checkpoints[-1]
    note = checkpoint.sign(Checkpoint(ORIGIN, at.size, at.root), stranger)
    log.checkpoints[-1] = at._replace(note=note)
    assert told(log.verify()) == [("checkpoint-unsigned", at.size)]


def test_an_older_note_by_a_stranger_is_named_when_every_signature_is_asked_for(
    log: MemoryLog,
) -> None:
    """The newest signature vouches for every entry; it does not for what somebody was handed."""
    stranger = CryptoSigner.generate_ed25519()
    at = log.checkpoints[3]
    note = checkpoint.sign(Checkpoint(ORIGIN, at.size, at.root), stranger)
    log.checkpoints[3] = at._replace(note=note)
    assert log.verify().ok
    assert told(log.verify(every=True)) == [("checkpoint-unsigned", at.size)]


def test_a_rewritten_end_is_not_signed(log: MemoryLog) -> None:
    """Whoever rewrites rows, hashes, frontiers and roots still has no signature for them."""
    forged = MemoryLog(log.rows[:515], log.checkpoints[:6], log.tiles)
    note = log.checkpoints[-1].note
    forged.commit([b"forged %d" % n for n in range(9)])
    forged.checkpoints[-1] = forged.checkpoints[-1]._replace(note=note)
    size = len(log.rows)
    assert ("checkpoint-edited", size) in told(forged.verify())


@pytest.mark.parametrize("place", [0, 2, 5, 7])
def test_a_deleted_checkpoint_is_named(log: MemoryLog, place: int) -> None:
    first = log.checkpoints[place - 1].size if place else 0
    del log.checkpoints[place]
    verdict = log.verify()
    assert told(verdict) == [("checkpoint-missing", first)]
    assert verdict.root == LARGE.checkpoints[-1].root


def test_an_edited_row_whose_checkpoint_is_gone_is_still_found(log: MemoryLog) -> None:
    del log.checkpoints[6]
    log.edit(515, b"something else")
    assert told(log.verify()) == [("checkpoint-missing", 515), ("row-edited", 515)]


def test_a_deleted_row_whose_checkpoint_is_gone_is_still_found(log: MemoryLog) -> None:
    del log.checkpoints[6], log.rows[515]
    assert told(log.verify())[0] == ("row-deleted", 515)


def test_rows_without_any_checkpoint_are_nobodys(log: MemoryLog) -> None:
    log.checkpoints.clear()
    log.tiles.clear()
    log.rows[2:] = []
    assert told(log.verify()) == [("row-inserted", 0), ("row-inserted", 1)]


def test_tiles_are_compared(log: MemoryLog) -> None:
    honest = log.tiles[1]
    log.tiles[1] = honest._replace(hashes=bytes(len(honest.hashes)))
    assert told(log.verify()) == [("tile-edited", 256)]
    log.tiles[1] = honest._replace(root=bytes(32))
    assert told(log.verify()) == [("tile-edited", 256)]
    log.tiles[1] = honest._replace(number=7)
    assert told(log.verify()) == [("tile-inserted", None), ("tile-missing", 256)]


def test_a_cut_off_end_shows_only_to_who_saw_it(log: MemoryLog) -> None:
    seen = [checkpoint.claimed(at.note) for at in log.checkpoints]
    cut = MemoryLog(log.rows[:515], log.checkpoints[:6], log.tiles)
    assert cut.verify().ok
    assert cut.verify(seen[:6]).ok
    assert told(cut.verify(seen[:7])) == [("history-changed", None)]
    assert log.verify(seen).ok


def test_a_fork_shows_to_who_saw_the_other_branch(log: MemoryLog) -> None:
    seen = checkpoint.claimed(log.checkpoints[-1].note)
    fork = MemoryLog(log.rows[:515], log.checkpoints[:6], log.tiles)
    fork.commit([b"another history %d" % n for n in range(9)])
    assert fork.verify().ok
    verdict = fork.verify([seen])
    assert told(verdict) == [("history-changed", None)]
    assert "524 entries" in verdict.findings[0].sentence


def test_a_verdict_stays_readable() -> None:
    log = made(3_000)
    for seq in range(3_000):
        log.edit(seq, b"forged %d" % seq)
    verdict = log.verify()
    assert len(verdict.findings) == MOST_FINDINGS + 1
    assert verdict.findings[-1].code == "more"
    assert verdict.joined([LogFault("x", "x", 1)]) == verdict


@given(st.lists(st.integers(1, 40), min_size=1, max_size=15), st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_is_done_to_the_rows_is_found(batches: list[int], data: st.DataObject) -> None:
    log = made(*batches)
    size = len(log.rows)
    seq = data.draw(st.integers(0, size - 1))
    match data.draw(st.sampled_from(["edit", "delete", "insert", "exchange"])):
        case "edit":
            log.edit(seq, b"forged")
            expected = "row-edited"
        case "delete":
            del log.rows[seq]
            expected = "row-deleted"
        case "insert":
            log.rows.insert(seq, LogRow(seq, leaf_hash(b"forged"), b"forged"))
            log.renumber()
            expected = "row-inserted"
        case _:
            other = data.draw(st.integers(0, size - 1))
            rows = log.rows
            rows[seq], rows[other] = rows[other]._replace(seq=seq), rows[seq]._replace(seq=other)
            seq = min(seq, other)
            expected = "row-reordered" if log.rows != made(*batches).rows else ""
    found = told(log.verify())
    assert found[:1] == ([(expected, seq)] if expected else [])


# ---------------------------------------------------------------- columns and terms


def derived(count: int = 5) -> tuple[list[DerivedRow], list[StoredTerm]]:
    rows, terms = [], []
    for seq in range(count):
        kept = [Term("model", "vision/digits"), Term("person", f"p{seq}")][: seq % 3]
        entry = new_entry("a.b", "anna", NOW, {"n": seq}, kept, site="north" if seq % 2 else None)
        rows.append(DerivedRow(seq, body_of(entry), **derive(entry)))  # type: ignore[arg-type]
        terms += [StoredTerm(seq, term.kind, term.value) for term in kept]
    return rows, terms


def test_honest_columns_are_well() -> None:
    assert list(entry_columns.check(*derived())) == []


@pytest.mark.parametrize("name", entry_columns.NAMES)
def test_an_edited_column_is_named(name: str) -> None:
    rows, terms = derived()
    rows[3] = DerivedRow(**(rows[3]._asdict() | {name: "forged"}))
    (finding,) = entry_columns.check(rows, terms)
    assert (finding.code, finding.seq) == ("column-edited", 3)
    assert f"the column {name} says 'forged'" in finding.sentence


def test_terms_are_compared() -> None:
    rows, terms = derived()
    without = [term for term in terms if term.value != "p2"]
    (finding,) = entry_columns.check(rows, without)
    assert finding == LogFault("term-missing", "Row 2: its term person = 'p2' is missing.", 2)
    for seq in (-1, 0, 4, 77):
        forged = StoredTerm(seq, "person", "mallory")
        more = sorted([*terms, forged], key=lambda term: term.seq)
        (finding,) = entry_columns.check(rows, more)
        assert (finding.code, finding.seq) == ("term-added", seq)


def test_a_body_that_is_no_entry_is_named() -> None:
    rows, terms = derived()
    rows[0] = rows[0]._replace(body=b"{}")
    rows[3] = rows[3]._replace(body="text")  # type: ignore[arg-type]
    found = [(finding.code, finding.seq) for finding in entry_columns.check(rows, terms)]
    assert found == [("entry-unreadable", 0), ("entry-unreadable", 3)]


def test_derived_columns_are_those_of_the_entry() -> None:
    entry = replace(new_entry("a.b", "anna", NOW, {}), site="north")
    assert derive(read_entry(body_of(entry))) == {
        "id": entry.id,
        "type": "a.b",
        "site": "north",
        "recorded_at": "2026-11-20T00:00:00.000000Z",
        "actor": "anna",
    }
