"""Proofs and checks of a large log, built through the same pure step that the writer uses."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import body_of
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import Growth, grow
from sealift_signing.transparency.merkle import verify_consistency, verify_inclusion
from tests.benchmarks.figures import Figure, clocked, figure, repeated
from tests.logs import KEY, ORIGIN, SIGNER, HubSide, numbered

ENTRIES, QUICK_ENTRIES = 1_000_000, 50_000
AT_ONCE = 10_000
PROOFS = 500


def measure(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Build it, prove random entries and growths of it, and check all of it."""
    size = QUICK_ENTRIES if quick else ENTRIES
    hub = HubSide(folder)
    built: list[float] = []
    with clocked(built):
        _build(hub.path, size)
    yield figure(f"build a log of {size:,}, by entry", [built[0] / size] * size)
    yield from _proofs(hub, size)
    took: list[float] = []
    with clocked(took):
        verdict = hub.reader.verify(KEY, ORIGIN)
    yield figure("verify the whole log, by entry", [took[0] / size] * size)
    hub.close()
    if not verdict.ok or verdict.size != size:
        raise AssertionError(verdict)


def _proofs(hub: HubSide, size: int) -> Iterator[Figure]:
    root = hub.reader.checkpoint(size).root
    chance = random.Random(1)  # noqa: S311 - which entries, not secrets
    seqs = [chance.randrange(size) for _ in range(PROOFS)]
    olds = [chance.randrange(AT_ONCE, size, AT_ONCE) for _ in range(PROOFS)]
    included: list[tuple[bytes, ...]] = []
    grown: list[tuple[bytes, ...]] = []
    yield repeated(
        "inclusion proof",
        PROOFS,
        lambda n: included.append(hub.reader.inclusion_proof(seqs[n], size)),
    )
    yield repeated(
        "consistency proof",
        PROOFS,
        lambda n: grown.append(hub.reader.consistency_proof(olds[n], size)),
    )
    leaves = _leaves(hub.path, seqs)
    roots = {old: hub.reader.checkpoint(old).root for old in set(olds)}
    yield repeated(
        "verify an inclusion",
        PROOFS,
        lambda n: verify_inclusion(leaves[n], seqs[n], size, included[n], root),
    )
    yield repeated(
        "verify a consistency",
        PROOFS,
        lambda n: verify_consistency(olds[n], size, grown[n], roots[olds[n]], root),
    )


def _leaves(path: Path, seqs: Sequence[int]) -> list[bytes]:
    with closing(sqlite3.connect(path)) as raw:
        query = "SELECT leaf FROM log_entry WHERE seq = ?"
        return [raw.execute(query, (seq,)).fetchone()[0] for seq in seqs]


def _build(path: Path, size: int) -> None:
    """Entries in the writer's own form, in large commits and past its thread."""
    # A real entry's bytes, cut where its number stands: making each by itself takes a minute.
    before, _, after = body_of(numbered(424_242)).partition(b'{"number":424242}')
    leaves: list[bytes] = []
    roots: dict[int, list[bytes]] = {}

    def stored(level: int, first: int, end: int) -> Sequence[bytes]:
        return leaves[first:end] if level == 0 else roots[level - 1][first:end]

    frontier = Frontier()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        for first in range(0, size, AT_ONCE):
            bodies = [
                b'%b{"number":%d}%b' % (before, n, after) for n in range(first, first + AT_ONCE)
            ]
            growth = grow(frontier, bodies, stored)
            frontier = growth.frontier
            leaves += [row.leaf for row in growth.rows]
            for tile in growth.tiles:
                roots.setdefault(tile.level, []).append(tile.root)
            _insert(raw, growth)


def _insert(raw: sqlite3.Connection, growth: Growth) -> None:
    edge = growth.frontier
    note = checkpoint.sign(Checkpoint(ORIGIN, edge.size, edge.root), SIGNER)
    raw.execute("BEGIN")
    raw.executemany(
        "INSERT INTO log_entry VALUES (?, ?, ?, ?, 'test.even', NULL, '2026', 'anna')",
        ((row.seq, row.leaf, row.body, str(row.seq)) for row in growth.rows),
    )
    raw.executemany("INSERT INTO log_tile VALUES (?, ?, ?, ?)", growth.tiles)
    raw.execute(
        "INSERT INTO log_checkpoint VALUES (?, ?, ?, ?, ?)",
        (edge.size, edge.root, edge.encode(), growth.leaves, note),
    )
    raw.execute("COMMIT")
