"""The one way a log grows: entries in, rows out. Hub and site write what this returns.

A growth is computed from the frontier alone; stored hashes are read only when a tile becomes full,
once in 256 entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sealift_signing.transparency import tiles
from sealift_signing.transparency.entry import Entry, read_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.transparency.tiles import HashReader, Tile


class LogRow(NamedTuple):
    """An entry in its place: `seq` counts from 0, `leaf` is the hash of `body` (RFC 6962 §2.1)."""

    seq: int
    leaf: bytes
    body: bytes

    @property
    def entry(self) -> Entry:
        """What the body says; raises as `read_entry` does."""
        return read_entry(self.body)


class Growth(NamedTuple):
    """What one commit adds: rows, the tiles they fill, and the tree's new edge.

    `leaves` holds the rows' hashes in one piece. It is kept with the checkpoint: a second record of
    what was committed where, so that a check can name the very row that was changed.
    """

    rows: tuple[LogRow, ...]
    tiles: tuple[Tile, ...]
    frontier: Frontier
    leaves: bytes


def grow(frontier: Frontier, bodies: Sequence[bytes], stored: HashReader) -> Growth:
    """Append `bodies` to the log that ends at `frontier`.

    `stored` is asked only for hashes of the log as it was before.
    """
    leaves = [leaf_hash(body) for body in bodies]
    rows = tuple(
        LogRow(frontier.size + place, leaf, body)
        for place, (leaf, body) in enumerate(zip(leaves, bodies, strict=True))
    )
    full = full_tiles(frontier.size, leaves, stored)
    return Growth(rows, tuple(full), frontier.extended(leaves), b"".join(leaves))


def full_tiles(size: int, leaves: Sequence[bytes], stored: HashReader) -> list[Tile]:
    """The tiles that become full as `leaves` are appended to a log of `size` entries."""
    made: list[Tile] = []
    fresh = {0: list(leaves)}  # by level: the new hashes, which follow those already stored
    for level, number in tiles.filled(size, size + len(leaves)):
        known = size >> (tiles.HEIGHT * level)
        first = number * tiles.WIDTH
        end = first + tiles.WIDTH
        old = list(stored(level, first, known)) if first < known else []
        new = fresh[level][max(first - known, 0) : end - known]
        tile = tiles.join(level, number, old + new)
        fresh.setdefault(level + 1, []).append(tile.root)
        made.append(tile)
    return made
