"""Is the log what was committed and signed? Content, hashes, roots, tiles and signatures.

The check, numbered as in the code:

(1) every checkpoint continues the one before it: the hashes it added extend that frontier to its
    own frontier, root and note;
(2) every row's *content*, hashed again, is the hash that was committed in its place, and so is the
    one stored beside it; roots that agree while content was edited are no consistent log;
(3) every tile holds the committed hashes;
(4) the newest checkpoint bears the signature of the log's key, and none that says so is by one that
    was replaced before;
(5) every checkpoint that others have seen and kept is a beginning of this log.

It streams: rows are never kept, and hashes only of rows that are out of place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from sealift_signing.errors import SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint as note
from sealift_signing.transparency import fault_names, history, tiles
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.fault_names import Misplaced
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.history import Commit, StoredCheckpoint
from sealift_signing.transparency.merkle import HASH_BYTES, leaf_hash
from sealift_signing.transparency.tiles import Tile
from sealift_signing.transparency.verdict import LogFault, Verdict

_NO_HASH = bytes(HASH_BYTES)


class StoredLog(NamedTuple):
    """A log as it lies in a database: each part in the order of its key, read at one moment."""

    rows: Iterable[LogRow]
    checkpoints: Iterable[StoredCheckpoint]
    tiles: Iterable[Tile]


def verify(
    log: StoredLog,
    key: PublicKey,
    origin: str,
    *,
    seen: Iterable[Checkpoint] = (),
    every_signature: bool = False,
    former: Sequence[PublicKey] = (),
) -> Verdict:
    """Check `log` from its first row to its last.

    Args:
        log: what is stored.
        key: the key that signs the log's checkpoints.
        origin: the log's name.
        seen: checkpoints of this log that others kept: only they can show that its end was cut off.
        former: the keys that `key` follows, the oldest first; they sign no more once it did.
        every_signature: check the signature of every checkpoint, not only of the newest. The newest
            vouches for all entries; the older ones matter only to whoever holds them.
    """
    check = _Check(log, (*former, key), origin)
    check.run(set(seen), every_signature=every_signature)
    verdict = Verdict(check.counted, check.content.root, ())
    return verdict.joined(fault_names.name(check.misplaced)).joined(check.findings)


class _Check:
    """The state of one pass over the log."""

    def __init__(self, log: StoredLog, keys: Sequence[PublicKey], origin: str) -> None:
        self.findings: list[LogFault] = []
        self.misplaced: list[Misplaced] = []
        self.counted = 0
        self.content = Frontier()
        """The edge over the rows as they are."""
        self._committed = Frontier()
        """The edge over the rows as they were committed."""
        self._log = log
        self._keys = list(keys)
        self._origin = origin
        self._rows = iter(log.rows)
        self._row = next(self._rows, None)
        self._tiles = _TileMarks()

    def run(self, seen: set[Checkpoint], *, every_signature: bool) -> None:
        newest, checked = None, False
        several = len(self._keys) > 1
        for newest in map(_as_bytes, self._log.checkpoints):
            checked = every_signature or (several and not self._is_by_the_same(newest))
            if checked:
                self._check_signature(newest)
            self._check_commit(newest)
            if seen:
                seen.discard(Checkpoint(self._origin, newest.size, self._committed.root))
        self._check_rest()
        self.findings += self._tiles.compare(self._log.tiles)  # (3)
        if newest is not None and (len(self._keys) > 1 or not checked):
            del self._keys[:-1]  # the newest is by the key of today, whoever signed before
            self._check_signature(newest)
        self.findings += [_history_changed(at) for at in seen if at.size]  # (5)

    def _is_by_the_same(self, stored: StoredCheckpoint) -> bool:
        """Whether it says that the key signed it which signed those before: mostly it does.

        Of a log whose key was replaced: what a former one signed since is a thief's, and what was
        signed over that later looks right.
        """
        return note.names_key(stored.note, self._keys[0], self._origin)

    def _check_signature(self, stored: StoredCheckpoint) -> None:
        """(4) What was signed is what the row says."""
        try:
            said = self._said(stored.note)
        except SealiftError as bad:
            self._find("checkpoint-unsigned", f"Checkpoint {stored.size}: {bad.what}", stored.size)
            return
        if (said.size, said.root) != (stored.size, stored.root):
            sentence = f"Checkpoint {stored.size} is not the one that was signed."
            self._find("checkpoint-edited", sentence, stored.size)

    def _said(self, signed: bytes) -> Checkpoint:
        """What the log's key of then signed: once another one did, those before it do no more."""
        for count, key in enumerate(self._keys[:-1]):
            with suppress(SealiftError):
                said = note.verify(signed, key, self._origin)
                del self._keys[:count]
                return said
        said = note.verify(signed, self._keys[-1], self._origin)
        del self._keys[:-1]
        return said

    def _check_commit(self, stored: StoredCheckpoint) -> None:
        """(1) and (2) for the entries that this checkpoint added."""
        before = self._committed
        commit = history.read(before, stored, self._origin)
        self.findings += commit.findings
        held, found = self._take_rows(commit)
        if None in commit.leaves or commit.edge is None:
            self._committed = self._resume(before, commit, held)
        else:
            self._committed = commit.edge
        untouched = self.content == before and found == held
        self.content = self._committed if untouched else self.content.extended(found)
        self._tiles.add(held)

    def _take_rows(self, commit: Commit) -> tuple[list[bytes], list[bytes]]:
        """(2) The hashes that belong in this commit's rows, and those of the rows there are."""
        held: list[bytes] = []
        found: list[bytes] = []
        for seq, committed in enumerate(commit.leaves, commit.first):
            while self._row is not None and self._row.seq < seq:
                found.append(self._take_stray(self._row))
            if self._row is None or self._row.seq > seq:
                self.misplaced.append(Misplaced(seq, None, committed))
                held.append(committed or _NO_HASH)
                continue
            stored = self._row.leaf
            actual = self._take(self._row)
            found.append(actual)
            held.append(committed or actual)
            if committed is not None and actual != committed:
                self.misplaced.append(Misplaced(seq, actual, committed))
            elif stored != actual:
                sentence = f"Row {seq}: its content does not have the hash stored beside it."
                self._find("leaf-differs", sentence, seq)
        return held, found

    def _take(self, row: LogRow) -> bytes:
        """The hash of a row's content; the next row is fetched."""
        self._row = next(self._rows, None)
        self.counted += 1
        return leaf_hash(_bytes(row.body)) if _bytes(row.body) else _NO_HASH

    def _take_stray(self, row: LogRow) -> bytes:
        actual = self._take(row)
        self.misplaced.append(Misplaced(row.seq, actual, None))
        return actual

    def _check_rest(self) -> None:
        """Rows that no checkpoint covers."""
        extra = []
        while self._row is not None:
            extra.append(self._take_stray(self._row))
        self.content = self.content.extended(extra)

    def _resume(self, before: Frontier, commit: Commit, held: list[bytes]) -> Frontier:
        """The edge after a commit whose record is damaged: the signed one rather than the rows'."""
        counted = before.extended(held)
        if commit.edge is None or commit.edge == counted:
            return counted
        unknown = [n for n, leaf in enumerate(commit.leaves, commit.first) if leaf is None]
        if unknown:
            which = history.row_words(unknown[0], len(unknown))
            sentence = f"In {which}, something is not what was committed there."
            self._find("row-edited", sentence, unknown[0])
        return commit.edge

    def _find(self, code: str, sentence: str, seq: int) -> None:
        self.findings.append(LogFault(code, sentence, seq))


class _TileMarks:
    """Builds the tiles of a log hash by hash, and keeps of each only what tells it apart."""

    def __init__(self) -> None:
        self._open: list[list[bytes]] = [[]]
        self._marks: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._count = 0

    def add(self, leaves: Iterable[bytes]) -> None:
        """Append the next leaves."""
        first = self._open[0]
        for leaf in leaves:
            first.append(leaf)
            self._count += 1
            if len(first) == tiles.WIDTH:
                self._close()

    def compare(self, stored: Iterable[Tile]) -> Iterator[LogFault]:
        """What is wrong with the stored tiles."""
        for tile in stored:
            mark = self._marks.pop((tile.level, tile.number), None)
            if mark is None:
                yield self._finding("tile-inserted", tile.level, tile.number, "does not belong")
            elif mark != (tile.root, _mark(tile.hashes)):
                yield self._finding("tile-edited", tile.level, tile.number, "was edited")
        for level, number in sorted(self._marks):
            yield self._finding("tile-missing", level, number, "was deleted")

    def _close(self) -> None:
        """Turn every level that is full into a tile, from the leaves up."""
        for level, hashes in enumerate(self._open):
            if len(hashes) < tiles.WIDTH:
                return
            number = (self._count >> (tiles.HEIGHT * (level + 1))) - 1
            tile = tiles.join(level, number, hashes)
            self._marks[level, number] = (tile.root, _mark(tile.hashes))
            hashes.clear()
            if level + 1 == len(self._open):
                self._open.append([])
            self._open[level + 1].append(tile.root)

    @staticmethod
    def _finding(code: str, level: int, number: int, what: str) -> LogFault:
        first = number << (tiles.HEIGHT * (level + 1)) if code != "tile-inserted" else None
        return LogFault(code, f"Tile {level}/{number} {what}.", first)


def _mark(hashes: bytes) -> bytes:
    return sha256(_bytes(hashes)).digest()


def _as_bytes(stored: StoredCheckpoint) -> StoredCheckpoint:
    size, *rest = stored
    return StoredCheckpoint(size, *map(_bytes, rest))


def _bytes(value: object) -> bytes:
    """SQLite stores any type in any column: an edited one may be text, which counts as nothing."""
    return value if isinstance(value, bytes) else b""


def _history_changed(at: Checkpoint) -> LogFault:
    sentence = f"This log does not begin with the {at.size} entries that were signed and seen."
    return LogFault("history-changed", sentence, None)
