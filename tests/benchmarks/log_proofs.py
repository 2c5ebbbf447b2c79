"""Proofs from a large log, questions to it, and the check of all of it."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from sealift_signing.transparency.merkle import node_hash, verify_consistency, verify_inclusion
from tests.benchmarks import large_log, log_questions
from tests.benchmarks.figures import Claim, Line, Measured, Timing, figure, repeated, shares
from tests.benchmarks.racing import tell
from tests.logs import KEY, ORIGIN, HubSide

ENTRIES, QUICK_ENTRIES = 1_000_000, 100_000
PROOFS = 500
MOST_PROOF_MS = 20.0
"""Milliseconds that 99 of 100 inclusion proofs take at most."""
MOST_VERIFY = 30.0
"""Seconds that the check of a million entries takes at most."""


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Build it, prove random entries and growths of it, ask it, and check all of it."""
    size = QUICK_ENTRIES if quick else ENTRIES
    with closing(HubSide(folder)) as hub:
        tell(f"building a log of {size:,} entries")
        large_log.build(hub.path, size)
        yield from _proofs(hub, size)
        tell("asking it")
        yield from log_questions.measure(hub, size)
        tell("checking it")
        yield from _check(hub, size)


def _proofs(hub: HubSide, size: int) -> Iterator[Line]:
    root = hub.reader.checkpoint(size).root
    chance = random.Random(1)  # noqa: S311 - which entries, not secrets
    seqs = [chance.randrange(size) for _ in range(PROOFS)]
    olds = [chance.randrange(1, size) for _ in range(PROOFS)]
    included: list[tuple[bytes, ...]] = []
    grown: list[tuple[bytes, ...]] = []
    inclusion = repeated(
        "inclusion proof",
        PROOFS,
        lambda n: included.append(hub.reader.inclusion_proof(seqs[n], size)),
    )
    yield inclusion
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
    what = f"inclusion proof at {size:,} entries, p99"
    yield Claim("6", what, inclusion.p99_ms, "ms", most=MOST_PROOF_MS)


def _leaves(path: Path, seqs: Sequence[int]) -> list[bytes]:
    with closing(sqlite3.connect(path)) as raw:
        query = "SELECT leaf FROM log_entry WHERE seq = ?"
        return [raw.execute(query, (seq,)).fetchone()[0] for seq in seqs]


def _check(hub: HubSide, size: int) -> Iterator[Line]:
    """Beside it, as controls, what it cannot do without: reading the rows, and hashing."""
    wall, cpu = time.perf_counter(), time.process_time()
    verdict = hub.reader.verify(KEY, ORIGIN)
    timing = Timing(time.perf_counter() - wall, time.process_time() - cpu)
    if not verdict.ok or verdict.size != size:
        raise AssertionError(verdict)
    reading, hashing = _reading(hub.path), _hashing(hub.path, size)
    one = Measured(f"verify a log of {size:,} entries, each a commit", 0, (timing,))
    controls = {"reading": reading, "hashing": hashing}
    yield Measured(one.name, 0, one.rounds, shares=shares(one, {}, {}, controls))
    yield reading
    yield hashing
    yield figure("verify the whole log, by entry", [timing.wall / size] * size)
    a_million = timing.wall / size * 1_000_000
    what = f"verify, for a million entries, at {size:,}"
    yield Claim("6", what, a_million, "s", most=MOST_VERIFY)


def _reading(path: Path) -> Measured:
    """Every row of entries and checkpoints, through sqlite3 alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    with closing(sqlite3.connect(path)) as raw:
        for table in ("log_entry", "log_checkpoint", "log_tile"):
            for _ in raw.execute(f"SELECT * FROM {table}"):  # noqa: S608 - our own names
                pass
    timing = Timing(time.perf_counter() - wall, time.process_time() - cpu)
    return Measured("read its rows", 0, (timing,), control=True)


def _hashing(path: Path, size: int) -> Measured:
    """As many hashes: of each body, of each node, and of each commit's root from its edge."""
    with closing(sqlite3.connect(path)) as raw:
        length = raw.execute("SELECT CAST(AVG(LENGTH(body)) AS INTEGER) FROM log_entry").fetchone()
    body, node = bytes(length[0] + 1), bytes(32)
    nodes = sum(number.bit_count() for number in range(1, size + 1))
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(size):
        sha256(body).digest()
    for _ in range(size + nodes):
        node_hash(node, node)
    timing = Timing(time.perf_counter() - wall, time.process_time() - cpu)
    return Measured("hash as often", 0, (timing,), control=True)
