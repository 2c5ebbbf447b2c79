"""Frontier, tiles and growth: the stored forms of the tree say what the plain list says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealift_signing.errors import MalformedError
from sealift_signing.transparency import merkle, tiles
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import Growth, grow
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.transparency.tiles import Tile, TiledTree


class Stored:
    """What a database would hold: leaves, and full tiles by level and number."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self.leaves: list[bytes] = []
        self.tiles: dict[tuple[int, int], Tile] = {}

    def hashes(self, level: int, first: int, end: int) -> Sequence[bytes]:
        if level == 0:
            return self.leaves[first:end]
        return [self.tiles[level - 1, number].root for number in range(first, end)]

    def add(self, count: int) -> Growth:
        bodies = [b"entry %d" % (len(self.leaves) + number) for number in range(count)]
        growth = grow(self.frontier, bodies, self.hashes)
        assert [row.seq for row in growth.rows] == [
            *range(len(self.leaves), len(self.leaves) + count)
        ]
        self.leaves += [row.leaf for row in growth.rows]
        for tile in growth.tiles:
            assert (tile.level, tile.number) not in self.tiles
            self.tiles[tile.level, tile.number] = tile
        self.frontier = growth.frontier
        return growth


@given(st.lists(st.integers(0, 600), max_size=8))
@settings(deadline=None)
def test_growing_in_any_steps_ends_in_the_same_tree(steps: list[int]) -> None:
    stored = Stored()
    for count in steps:
        stored.add(count)
    size = sum(steps)
    assert stored.frontier.size == size
    assert stored.frontier.root == merkle.root(stored.leaves)
    assert sorted(stored.tiles) == sorted(tiles.filled(0, size))
    assert merkle.root_from(TiledTree(stored.hashes, size), size) == stored.frontier.root


@pytest.fixture(scope="module")
def large() -> Stored:
    stored = Stored()
    for count in (1, 255, 1, 70_000, 1_743):
        stored.add(count)
    return stored


def test_tiles_of_tiles_hold_the_roots_below(large: Stored) -> None:
    assert (1, 0) in large.tiles
    below = tiles.cut(large.tiles[1, 0].hashes)
    assert below == [large.tiles[0, number].root for number in range(256)]
    assert large.tiles[1, 0].root == merkle.root(large.leaves[: 256 * 256])


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 72_000])
def test_proofs_from_tiles_are_those_from_the_list(large: Stored, size: int) -> None:
    node = TiledTree(large.hashes, size)
    leaves = large.leaves[:size]
    for index in {0, 1, size // 3, size // 2, size - 1} & {*range(size)}:
        proof = merkle.inclusion_proof_from(node, index, size)
        assert proof == merkle.inclusion_proof(leaves, index)
    for old in {1, size // 3, size // 2, size - 1, size} - {0}:
        proof = merkle.consistency_proof_from(node, old, size)
        assert proof == merkle.consistency_proof(leaves, old)


def test_a_proof_reads_few_hashes(large: Stored) -> None:
    """Two tiles a level, however long the log is."""
    read = []

    def counted(level: int, first: int, end: int) -> Sequence[bytes]:
        read.append(end - first)
        return large.hashes(level, first, end)

    size = len(large.leaves)
    merkle.inclusion_proof_from(TiledTree(counted, size), 40_000, size)
    assert len(read) <= 2 * 3
    assert sum(read) <= 2 * 3 * 256


def test_which_tiles_become_full() -> None:
    assert list(tiles.filled(0, 255)) == []
    assert list(tiles.filled(255, 256)) == [(0, 0)]
    assert list(tiles.filled(256, 511)) == []
    assert list(tiles.filled(250, 800)) == [(0, 0), (0, 1), (0, 2)]
    assert list(tiles.filled(65_535, 65_536)) == [(0, 255), (1, 0)]


@pytest.mark.parametrize(
    "level,number,width,expected",
    [
        (0, 0, 256, "tile/0/000"),
        (3, 273, 256, "tile/3/273"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (0, 1_234_067, 112, "tile/0/x001/x234/067.p/112"),
        (1, 1_000, 256, "tile/1/x001/000"),
    ],
)
def test_paths_are_those_of_c2sp(level: int, number: int, width: int, expected: str) -> None:
    assert tiles.path(level, number, width) == expected


@given(st.integers(0, 700))
def test_a_frontier_survives_storage(size: int) -> None:
    frontier = Frontier().extended(leaf_hash(b"%d" % n) for n in range(size))
    assert Frontier.decode(size, frontier.encode()) == frontier


@pytest.mark.parametrize(
    "size,data", [(3, bytes(32)), (1, b""), (0, bytes(32)), (1, bytes(31)), (3, bytes(65))]
)
def test_a_frontier_that_no_tree_has_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(MalformedError, match="right edge"):
        Frontier.decode(size, data)
