"""From hashes that are out of place to sentences: which row was edited, deleted, inserted, moved.

Every commit keeps the hashes of the entries it added, and signed roots vouch for those. So the
place where an entry was committed is known even when the row is not there any more, and a row
that holds another entry than was committed there can be traced to where that entry came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sealift_signing.transparency.verdict import LogFault


class Misplaced(NamedTuple):
    """A row whose content is not what was committed there.

    `found` is the hash of what it holds, None where there is no row; `committed` is the hash that
    was committed there, None behind the end of the log, or where no record of it is left.
    """

    seq: int
    found: bytes | None
    committed: bytes | None


@dataclass
class _Run:
    """Consecutive rows that hold the entries of other rows, all displaced by as much."""

    first: int
    length: int
    origin: int

    def continues(self, seq: int, origin: int) -> bool:
        return seq == self.first + self.length and origin == self.origin + self.length

    def finding(self) -> LogFault:
        if self.length == 1:
            sentence = f"Row {self.first} holds the entry that was committed as row {self.origin}."
        else:
            last = self.length - 1
            sentence = (
                f"Rows {self.first} to {self.first + last} hold the entries that were committed "
                f"as rows {self.origin} to {self.origin + last}."
            )
        return LogFault("row-reordered", sentence, self.first)


def name(misplaced: Sequence[Misplaced]) -> Iterator[LogFault]:
    """The findings that explain `misplaced`, which are in the order of their rows."""
    committed_at = {row.committed: row.seq for row in misplaced if row.committed is not None}
    still_there = {row.found for row in misplaced}
    for row in misplaced:
        gone = row.committed is not None and row.committed not in still_there
        if row.found is None or row.found in committed_at:
            nothing_known = row.found is None and row.committed is None
            if gone or nothing_known:
                yield _deleted(row)
        elif gone:
            yield _edited(row)
        else:
            yield _inserted(row)
    yield from (run.finding() for run in _runs(misplaced, committed_at))


def _runs(misplaced: Iterable[Misplaced], committed_at: dict[bytes, int]) -> list[_Run]:
    runs: list[_Run] = []
    for row in misplaced:
        origin = committed_at.get(row.found) if row.found is not None else None
        if origin is None:
            continue
        if runs and runs[-1].continues(row.seq, origin):
            runs[-1].length += 1
        else:
            runs.append(_Run(row.seq, 1, origin))
    return runs


def _deleted(row: Misplaced) -> LogFault:
    sentence = f"Row {row.seq} was deleted: the entry that was committed there is gone."
    return LogFault("row-deleted", sentence, row.seq)


def _edited(row: Misplaced) -> LogFault:
    sentence = f"Row {row.seq} was edited: its content is not what was committed there."
    return LogFault("row-edited", sentence, row.seq)


def _inserted(row: Misplaced) -> LogFault:
    sentence = f"Row {row.seq} was inserted: no commit ever added what it holds."
    return LogFault("row-inserted", sentence, row.seq)
