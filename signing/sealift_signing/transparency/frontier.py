"""The right edge of a tree: all that is needed to append to it and to know its root.

A log of n entries is a row of complete subtrees, one for each bit that is set in n, the largest
first. Their roots (at most 53 hashes) are the frontier. It is stored beside every checkpoint, so
that a writer continues a log of any length after reading one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from sealift_signing.errors import MalformedError
from sealift_signing.transparency.merkle import EMPTY_ROOT, HASH_BYTES, NodeReader, node_hash


@dataclass(frozen=True)
class Frontier:
    """The complete subtrees of a log of `size` entries: `hashes`, from the largest to the smallest.

    Raises:
        MalformedError: there is not one 32-byte hash for each bit set in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a frontier that no tree has."""
        whole = set(map(len, self.hashes)) <= {HASH_BYTES}
        if self.size.bit_count() != len(self.hashes) or not whole or self.size < 0:
            raise MalformedError(
                "frontier-malformed", f"That is not the right edge of a log of {self.size} entries."
            )

    def extended(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """The frontier after appending `leaf_hashes`; at most two node hashes each on average."""
        size, hashes = self.size, list(self.hashes)
        for found in leaf_hashes:
            merged, carry = found, size
            while carry & 1:
                merged = node_hash(hashes.pop(), merged)
                carry >>= 1
            hashes.append(merged)
            size += 1
        return Frontier(size, tuple(hashes))

    @property
    def root(self) -> bytes:
        """The root of the tree (RFC 9162 §2.1.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        found = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            found = node_hash(left, found)
        return found

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """The same hashes, each under the `(level, index)` of its subtree in the tree."""
        levels = [level for level in range(self.size.bit_length()) if self.size >> level & 1]
        places = [(level, (self.size >> level) - 1) for level in reversed(levels)]
        return dict(zip(places, self.hashes, strict=True))

    def reader(self, leaf_hashes: Sequence[bytes]) -> NodeReader:
        """Reads the tree that `leaf_hashes` make after this edge; each node is computed once.

        That is all that a proof of one of these leaves needs: of the tree before them a proof
        needs no more than the subtrees of the edge (RFC 9162 §2.1.3.1).
        """
        edge = self.nodes()

        @cache
        def node(level: int, index: int) -> bytes:
            if (index + 1) << level <= self.size:
                return edge[level, index]
            if level == 0:
                return leaf_hashes[index - self.size]
            return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

        return node

    def encode(self) -> bytes:
        """The bytes that are stored; the size is stored beside them."""
        return b"".join(self.hashes)

    @classmethod
    def decode(cls, size: int, data: bytes) -> Frontier:
        """The frontier of `size` entries that `data` holds.

        Raises:
            MalformedError: it holds none of that size.
        """
        starts = range(0, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))
