"""Part of a log, to be carried to somebody who witnesses it: a site's entries on their way home.

It begins at entry `first`, with the tree's edge there, and ends at a signed checkpoint. Whoever
knows an earlier checkpoint of the same log can tell that the log only grew since, and that these
entries, all of them and in this order, are what it grew by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from sealift_signing.public_key import PublicKey
from sealift_signing.shape import More
from sealift_signing.transparency import checkpoint as note
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import read_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.merkle import (
    NodeReader,
    ProofError,
    consistency_proof_from,
    leaf_hash,
    verify_consistency,
)
from sealift_signing.vocabulary import Count, Sha256


@dataclass(frozen=True)
class Extract:
    """Entries `first` and following of a log, and what proves them.

    Attributes:
        first: the number of the first entry, from 0.
        edge: the frontier of the `first` entries before it.
        entries: the exact text of each entry.
        proof: that the log continues its first `first` entries (RFC 9162 §2.1.4), for those who
            hold only two checkpoints; empty when `first` is 0.
        checkpoint: the signed note of the log with all these entries.
        more: what else is said of the return, for people; no rule goes by it, and nobody signed it.
    """

    DOCUMENT: ClassVar[str] = "extract"

    format: Literal[1]
    requires: tuple[str, ...]
    first: Count
    edge: tuple[Sha256, ...]
    entries: tuple[str, ...]
    proof: tuple[Sha256, ...]
    checkpoint: str
    more: More | None = None


def make(
    rows: Iterable[LogRow], first: int, size: int, node: NodeReader, signed_note: bytes
) -> Extract:
    """The extract of `rows`, which are the entries [first, size) of the log that `node` reads."""
    proof = consistency_proof_from(node, first, size) if first else ()
    levels = [level for level in range(first.bit_length()) if first >> level & 1]
    edge = tuple(node(level, (first >> level) - 1).hex() for level in reversed(levels))
    entries = tuple(row.body.decode() for row in rows)
    hashes = tuple(part.hex() for part in proof)
    return Extract(1, (), first, edge, entries, hashes, signed_note.decode())


def check(
    extract: Extract, key: PublicKey, origin: str, known: Checkpoint | None
) -> tuple[Checkpoint, Sequence[LogRow]]:
    """The checkpoint that `extract` ends at, and its entries in their places.

    (1) `key` signed the checkpoint, for the log `origin`; (2) the entries lead from the edge to its
    root; (3) `known`, the newest checkpoint seen before, lies on the way; (4) each is an entry.

    Raises:
        ProofError: the log was rolled back, forked or edited, or entries since `known` are missing.
        RefusedError: the checkpoint is not this log's, or something in it is not an entry.
    """
    said = note.verify(extract.checkpoint.encode(), key, origin)  # (1)
    rows = _rows(extract)
    if extract.first + len(rows) != said.size:
        raise _wrong(origin, f"its {len(rows)} entries do not lead to entry {said.size}")
    edge = Frontier(extract.first, tuple(map(bytes.fromhex, extract.edge)))
    leaves = [row.leaf for row in rows]
    if edge.extended(leaves).root != said.root:  # (2)
        raise _wrong(origin, "its entries are not the ones that the checkpoint was signed for")
    _check_known(extract, said, known, edge, leaves)  # (3)
    for row in rows:  # (4)
        read_entry(row.body)
    return said, rows


def _check_known(
    extract: Extract,
    said: Checkpoint,
    known: Checkpoint | None,
    edge: Frontier,
    leaves: Sequence[bytes],
) -> None:
    size = known.size if known else 0
    if size < extract.first:
        raise _wrong(said.origin, f"entries {size} to {extract.first - 1} are missing from it")
    if size > said.size:
        raise _wrong(said.origin, f"{size} entries were seen before, and now it has {said.size}")
    if known and edge.extended(leaves[: size - extract.first]).root != known.root:
        raise _wrong(said.origin, f"its first {size} entries are not those that were seen before")
    if extract.first:
        proof = tuple(map(bytes.fromhex, extract.proof))
        verify_consistency(extract.first, said.size, proof, edge.root, said.root)


def _rows(extract: Extract) -> list[LogRow]:
    bodies = [text.encode() for text in extract.entries]
    return [
        LogRow(extract.first + place, leaf_hash(body), body) for place, body in enumerate(bodies)
    ]


def _wrong(origin: str, why: str) -> ProofError:
    return ProofError(
        "log-not-continued",
        f"The log {origin} does not continue the one that was seen before: {why}.",
        subject=origin,
        next_step="Keep both checkpoints: together they are evidence. Ask the log's keeper.",
    )
