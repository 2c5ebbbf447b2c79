"""Merkle trees as Certificate Transparency defines them (RFC 6962 §2.1, RFC 9162 §2.1).

A tree is read through its *complete subtrees*: a node is `(level, index)`, the root of the
`2^level` leaves that begin at leaf `index * 2^level`. Complete subtrees never change once they
exist, so they can be stored, and a proof in a log of a million entries needs some twenty of them.
The functions over a plain list of leaf hashes are the same with a reader that computes its nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from sealift_signing.errors import RefusedError

NodeReader = Callable[[int, int], bytes]
"""The hash of the complete subtree at `(level, index)`."""

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 §2.1)."""


class ProofError(RefusedError):
    """A proof does not prove what it was given for, or the tree has no such part to prove."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf; the 0x00 before it keeps leaves and nodes apart (RFC 6962 §2.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its two children (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root of the tree over `leaf_hashes`, in their order (RFC 9162 §2.1.1)."""
    return root_from(_reader_of(leaf_hashes), len(leaf_hashes))


def root_from(node: NodeReader, size: int) -> bytes:
    """As `root`, of the first `size` leaves of a tree that `node` reads."""
    return _subtree(node, 0, size) if size else EMPTY_ROOT


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """What shows that leaf `index` is in the tree over `leaf_hashes` (RFC 9162 §2.1.3.1).

    Raises:
        ProofError: the tree has no such leaf.
    """
    return inclusion_proof_from(_reader_of(leaf_hashes), index, len(leaf_hashes))


def inclusion_proof_from(node: NodeReader, index: int, size: int) -> tuple[bytes, ...]:
    """As `inclusion_proof`, for the first `size` leaves of a tree that `node` reads."""
    if not 0 <= index < size:
        raise _beyond(index, size)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(node, middle, end))
            end = middle
        else:
            path.append(_subtree(node, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """What shows that the tree only grew since it had `old_size` leaves (RFC 9162 §2.1.4.1).

    Raises:
        ProofError: `old_size` is 0, which proves nothing, or beyond the tree.
    """
    return consistency_proof_from(_reader_of(leaf_hashes), old_size, len(leaf_hashes))


def consistency_proof_from(node: NodeReader, old_size: int, size: int) -> tuple[bytes, ...]:
    """As `consistency_proof`, for the first `size` leaves of a tree that `node` reads."""
    _check_sizes(old_size, size)
    if old_size == size:
        return ()
    path: list[bytes] = []
    start, end = 0, size
    while old_size < end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_subtree(node, middle, end))
            end = middle
        else:
            path.append(_subtree(node, start, middle))
            start = middle
    if start:  # otherwise the old tree is this whole subtree, and its root is already known
        path.append(_subtree(node, start, end))
    return tuple(reversed(path))


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf at `index` is in the tree of `size` leaves and `root`.

    Source: RFC 9162 §2.1.3.2, whose variables are fn (`place`), sn (`last`) and r (`found`).

    Raises:
        ProofError: it is not, or the proof is not one.
    """
    if not 0 <= index < size:
        raise _beyond(index, size)
    _check_hashes([leaf_hash, root, *proof])
    place, last, found = index, size - 1, leaf_hash
    for part in proof:
        if last == 0:
            raise _wrong(f"the proof that entry {index} is in the log is too long")
        if place & 1 or place == last:
            found = node_hash(part, found)
            place, last = _skip_lone_nodes(place, last)
        else:
            found = node_hash(found, part)
        place, last = place >> 1, last >> 1
    if last != 0 or found != root:
        raise _wrong(f"entry {index} is not in the log of {size} entries with this root")


class Proven:
    """What was shown to be in one tree: a leaf costs the nodes that none before it has shown.

    Every node that a proof goes through is in the tree if the proof holds, as none but these hash
    to its root. So a proof ends at the first node that is known, and not at the root each time.
    Several threads may ask at once: a node is entered once it is shown, and never changes.
    """

    MOST = 200_000
    """Nodes that are remembered; then it begins anew."""

    def __init__(self, size: int, root: bytes) -> None:
        self._size, self._root = size, root
        self._known: dict[tuple[int, int], bytes] = {(0, size): root}

    def __len__(self) -> int:
        """How many nodes are remembered."""
        return len(self._known)

    def check(self, node: NodeReader, leaf_hash: bytes, index: int) -> None:
        """Check that the leaf at `index` is in the tree, by nodes of which none is believed.

        Raises:
            ProofError: it is not, or the nodes are not those of the tree.
        """
        if not 0 <= index < self._size:
            raise _beyond(index, self._size)
        known = self._known
        if (there := known.get((index, index + 1))) is not None:
            if there != leaf_hash:
                raise _wrong(f"entry {index} is not in the log of {self._size} entries")
            return
        beside = self._beside(index, known)
        place, found = (index, index + 1), leaf_hash
        shown = {place: found}
        for other in beside:
            sibling = known.get(other)
            shown[other] = sibling = sibling if sibling is not None else _subtree(node, *other)
            _check_hashes([found, sibling])
            right = other[0] == place[1]
            found = node_hash(found, sibling) if right else node_hash(sibling, found)
            place = (place[0], other[1]) if right else (other[0], place[1])
            shown[place] = found
        if found != known[place]:
            raise _wrong(f"entry {index} is not in the log of {self._size} entries")
        if len(known) + len(shown) > self.MOST:
            self._known = known = {(0, self._size): self._root}
        known.update(shown)

    def _beside(self, index: int, known: Mapping[tuple[int, int], bytes]) -> list[tuple[int, int]]:
        """The siblings on the way up from a leaf to the first node above it that is known."""
        start, end = 0, self._size
        beside = list[tuple[int, int]]()
        while end - start > 1:
            if (start, end) in known:
                beside.clear()
            middle = start + _split(end - start)
            if index < middle:
                beside.append((middle, end))
                end = middle
            else:
                beside.append((start, middle))
                start = middle
        return beside[::-1]


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the tree of `new_size` and `new_root` holds the old tree unchanged at its start.

    Source: RFC 9162 §2.1.4.2, whose variables are fn, sn (`place`, `last`), fr and sr.

    Raises:
        ProofError: it does not, the proof is not one, or `old_size` is 0: nothing grows from that.
    """
    _check_sizes(old_size, new_size)
    _check_hashes([old_root, new_root, *proof])
    if old_size == new_size:
        if proof or old_root != new_root:
            raise _wrong(f"there are two different logs of {old_size} entries")
        return
    # A power of two is a complete subtree of the new tree: the proof leaves its root out.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        raise _wrong("the proof that the log only grew is empty")
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_found = new_found = path[0]
    for part in path[1:]:
        if last == 0:
            raise _wrong("the proof that the log only grew is too long")
        if place & 1 or place == last:
            old_found, new_found = node_hash(part, old_found), node_hash(part, new_found)
            place, last = _skip_lone_nodes(place, last)
        else:
            new_found = node_hash(new_found, part)
        place, last = place >> 1, last >> 1
    if last != 0 or old_found != old_root or new_found != new_root:
        raise _wrong(
            f"the log of {new_size} entries does not continue the log of {old_size} entries"
        )


def _split(size: int) -> int:
    """The largest power of two smaller than `size`: where RFC 6962 divides a tree."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(node: NodeReader, start: int, end: int) -> bytes:
    """The root over leaves [start, end) of the tree; what the tree's own divisions reach."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(size)
    return node_hash(_subtree(node, start, middle), _subtree(node, middle, end))


def _reader_of(leaf_hashes: Sequence[bytes]) -> NodeReader:
    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hashes[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def _skip_lone_nodes(place: int, last: int) -> tuple[int, int]:
    """At the right edge, climb past the levels where this node has no sibling."""
    while place & 1 == 0 and place != 0:
        place, last = place >> 1, last >> 1
    return place, last


def _check_sizes(old_size: int, size: int) -> None:
    if old_size < 1:
        raise ProofError(
            "proof-out-of-range",
            "Nothing can be shown to continue an empty log.",
            next_step="Ask for what the log has, or for a newer copy of it.",
        )
    if old_size > size:
        raise ProofError(
            "proof-out-of-range",
            f"A log of {size} entries does not continue one of {old_size}.",
            next_step="Ask for what the log has, or for a newer copy of it.",
        )


def _check_hashes(hashes: Sequence[bytes]) -> None:
    """Hashes of other lengths could be split differently between left and right (RFC 9162 §11)."""
    if any(len(found) != HASH_BYTES for found in hashes):
        raise _wrong("a hash in it is not 32 bytes long")


def _beyond(index: int, size: int) -> ProofError:
    return ProofError(
        "proof-out-of-range",
        f"A log of {size} entries has no entry {index}.",
        next_step="Ask for what the log has, or for a newer copy of it.",
    )


def _wrong(why: str) -> ProofError:
    return ProofError(
        "proof-wrong",
        f"The log's proof does not hold: {why}.",
        next_step="Keep both checkpoints as evidence and ask the log's keeper.",
    )
