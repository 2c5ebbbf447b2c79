"""Tiles: the tree cut into pieces that are written once and read whole (C2SP tlog-tiles).

Tile `(level, number)` holds the 256 consecutive hashes of tree level `8 * level` that begin at
index `256 * number`. What lies between two tile levels is computed from them, so a proof reads two
tiles a level: the one on the entry's path, and the unfinished one at the log's right edge.
Only full tiles are stored. A tile's root is stored with it: those roots are the hashes of the next
level, whose own last tile is mostly unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import HASH_BYTES, node_hash

WIDTH = 256
"""Hashes in a full tile."""
HEIGHT = 8
"""Tree levels that a tile spans."""

HashReader = Callable[[int, int, int], Sequence[bytes]]
"""`(level, first, end)`: the hashes [first, end) of tile level `level`, i.e. of tree level 8·level.

At level 0 they are the entries' leaf hashes, above it the roots of the full tiles one level below.
"""


class Tile(NamedTuple):
    """A full tile: where it lies, the root over it, and its 256 hashes in one piece."""

    level: int
    number: int
    root: bytes
    hashes: bytes


def join(level: int, number: int, hashes: Sequence[bytes]) -> Tile:
    """The full tile of these 256 `hashes`."""
    return Tile(level, number, _levels(hashes)[HEIGHT][0], b"".join(hashes))


def cut(hashes: bytes) -> list[bytes]:
    """The single hashes of a tile's bytes."""
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def filled(old_size: int, new_size: int) -> Iterator[tuple[int, int]]:
    """`(level, number)` of every tile that becomes full as a log grows, the lowest level first."""
    level = 0
    while new_size >> (HEIGHT * (level + 1)):
        span = HEIGHT * (level + 1)
        for number in range(old_size >> span, new_size >> span):
            yield level, number
        level += 1


def path(level: int, number: int, width: int = WIDTH) -> str:
    """Where C2SP tlog-tiles serves that tile: `tile/0/x001/x234/067`, `.p/<width>` if not full."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    part = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{part}"


class TiledTree:
    """Reads nodes of a log of `size` entries from tile hashes: the `NodeReader` of a stored log.

    A tile is read and hashed once, however many of its nodes a proof asks for. With the log's
    `edge`, if it is known, the unfinished tiles are mostly not read at all.
    """

    def __init__(self, hashes: HashReader, size: int, edge: Frontier | None = None) -> None:
        self._hashes = hashes
        self._size = size
        self._edge = edge.nodes() if edge else {}
        self._read: dict[tuple[int, int], list[list[bytes]]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree at `(level, index)`."""
        if (level, index) in self._edge:
            return self._edge[level, index]
        tile_level, height = divmod(level, HEIGHT)
        number, place = divmod(index << height, WIDTH)
        return self._tile(tile_level, number)[height][place >> height]

    def _tile(self, level: int, number: int) -> list[list[bytes]]:
        found = self._read.get((level, number))
        if found is None:
            first = number * WIDTH
            end = min(first + WIDTH, self._size >> (HEIGHT * level))
            found = self._read[level, number] = _levels(self._hashes(level, first, end))
        return found


def _levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Every complete subtree over `hashes`: the hashes themselves, their pairs, and so on."""
    levels = [list(hashes)]
    for _ in range(HEIGHT):
        below = levels[-1]
        pairs = zip(below[0::2], below[1::2], strict=False)  # a last one alone has no parent yet
        levels.append([node_hash(left, right) for left, right in pairs])
    return levels
