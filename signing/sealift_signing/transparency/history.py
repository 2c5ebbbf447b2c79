"""What was committed, read from the checkpoints alone: which hash belongs in which row.

Each commit stored the hashes it added, the tree's edge after it and a signed note of the root. The
three vouch for each other. Where one was edited the others still tell what belongs there; where a
checkpoint is gone the next one's edge is picked up, so that one damaged row does not make all that
follows look wrong.
"""

from __future__ import annotations

from typing import NamedTuple

from sealift_signing.errors import MalformedError
from sealift_signing.transparency import tiles
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import HASH_BYTES
from sealift_signing.transparency.verdict import LogFault


class StoredCheckpoint(NamedTuple):
    """A row of `log_checkpoint`: what one commit added, and what was signed then."""

    size: int
    root: bytes
    frontier: bytes
    leaves: bytes
    note: bytes


MOST_LOST = 1 << 20
"""Entries that one checkpoint may say to be gone before it: of more it is not believed."""


class Commit(NamedTuple):
    """What a checkpoint says was added.

    Attributes:
        first: the first row it added.
        leaves: the hash that belongs in each row; None where no record of it is left.
        edge: the frontier after it; None if it can only be had from the rows themselves.
        findings: what is wrong with the checkpoint.
    """

    first: int
    leaves: list[bytes | None]
    edge: Frontier | None
    findings: tuple[LogFault, ...] = ()


def read(before: Frontier, stored: StoredCheckpoint, origin: str) -> Commit:
    """What `stored` added to the log that ended at `before`."""
    leaves = tiles.cut(stored.leaves) if len(stored.leaves) % HASH_BYTES == 0 else []
    added = stored.size - before.size
    if added == len(leaves) > 0:
        # Mostly nothing is wrong; then what is stored need not be read, but only compared.
        edge = before.extended(leaves)
        right = edge.encode() == stored.frontier and edge.root == stored.root
        if right and _says(stored, origin, stored.root):
            return Commit(before.size, list(leaves), edge)
    if added - len(leaves) > MOST_LOST:
        # Whoever adds one row may write any number into it, and must not have us count so far.
        return Commit(before.size, [], before, (_edited(stored),))
    told = _edge(stored, origin)
    if added <= 0 or len(leaves) > added:
        none: list[bytes | None] = [None] * max(added, 0)
        return Commit(before.size, none, told if added > 0 else before, (_edited(stored),))
    if len(leaves) < added:
        lost: list[bytes | None] = [None] * (added - len(leaves))
        return Commit(before.size, [*lost, *leaves], told, (_missing(before.size, len(lost)),))
    edge = before.extended(leaves)
    if told is not None and not _says(stored, origin, edge.root):
        return Commit(before.size, [None] * added, told, (_edited(stored),))
    return Commit(before.size, list(leaves), edge, (_edited(stored),))


def _edge(stored: StoredCheckpoint, origin: str) -> Frontier | None:
    """The stored frontier, if the stored root and the note agree with it."""
    try:
        edge = Frontier.decode(stored.size, stored.frontier)
    except MalformedError:
        return None
    agreed = edge.root == stored.root and _says(stored, origin, stored.root)
    return edge if agreed else None


def _says(stored: StoredCheckpoint, origin: str, root: bytes) -> bool:
    """Whether the note's text is of this size and root; its signature is checked elsewhere."""
    return stored.note.startswith(Checkpoint(origin, stored.size, root).body() + b"\n")


def _edited(stored: StoredCheckpoint) -> LogFault:
    sentence = f"Checkpoint {stored.size} was edited: its parts contradict each other."
    return LogFault("checkpoint-edited", sentence, stored.size)


def _missing(first: int, count: int) -> LogFault:
    sentence = (
        f"The checkpoint of the commit that added {row_words(first, count)} is gone or was cut."
    )
    return LogFault("checkpoint-missing", sentence, first)


def row_words(first: int, count: int) -> str:
    """`row 4`, or `rows 4 to 9`."""
    return f"row {first}" if count == 1 else f"rows {first} to {first + count - 1}"
