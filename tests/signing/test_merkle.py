"""The tree against RFC 6962's definitions, written down again here as naively as they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_signing.errors import RefusedError
from sealift_signing.transparency.merkle import (
    EMPTY_ROOT,
    ProofError,
    Proven,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The inputs and roots that Certificate Transparency's implementations share as test data.
CT_INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(data: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = naive_split(len(data))
    return hashlib.sha256(b"\x01" + naive_root(data[:k]) + naive_root(data[k:])).digest()


def naive_split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def naive_path(m: int, data: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if len(data) == 1:
        return []
    k = naive_split(len(data))
    if m < k:
        return [*naive_path(m, data[:k]), naive_root(data[k:])]
    return [*naive_path(m - k, data[k:]), naive_root(data[:k])]


def naive_subproof(m: int, data: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 §2.1.2."""
    if m == len(data):
        return [] if whole else [naive_root(data)]
    k = naive_split(len(data))
    if m <= k:
        return [*naive_subproof(m, data[:k], whole=whole), naive_root(data[k:])]
    return [*naive_subproof(m - k, data[k:], whole=False), naive_root(data[:k])]


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def hashed(data: list[bytes]) -> list[bytes]:
    return [leaf_hash(item) for item in data]


@pytest.mark.parametrize("size", range(9))
def test_roots_of_certificate_transparency(size: int) -> None:
    assert root(hashed(CT_INPUTS[:size])).hex() == CT_ROOTS[size]


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 40))
def test_every_proof_of_small_trees_is_the_rfcs(size: int) -> None:
    data = entries(size)
    leaves = hashed(data)
    top = root(leaves)
    assert top == naive_root(data)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert list(proof) == naive_path(index, data)
        verify_inclusion(leaves[index], index, size, proof, top)
    for old in range(1, size + 1):
        proof = consistency_proof(leaves, old)
        assert list(proof) == naive_subproof(old, data, whole=True)
        verify_consistency(old, size, proof, root(leaves[:old]), top)


@given(st.integers(1, 600), st.data())
def test_any_leaf_of_any_tree_is_proven(size: int, data: st.DataObject) -> None:
    leaves = hashed(entries(size))
    index = data.draw(st.integers(0, size - 1))
    verify_inclusion(leaves[index], index, size, inclusion_proof(leaves, index), root(leaves))


@given(st.integers(1, 600), st.data())
def test_any_growth_is_proven(size: int, data: st.DataObject) -> None:
    leaves = hashed(entries(size))
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(leaves, old)
    verify_consistency(old, size, proof, root(leaves[:old]), root(leaves))


@given(st.integers(2, 200), st.data())
def test_a_leaf_is_proven_nowhere_else(size: int, data: st.DataObject) -> None:
    leaves = hashed(entries(size))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    with pytest.raises(ProofError, match=r"is not in the log|too long"):
        verify_inclusion(leaves[index], other, size, proof, root(leaves))
    with pytest.raises(ProofError, match="is not in the log"):
        verify_inclusion(leaves[other], index, size, proof, root(leaves))


@given(st.integers(1, 100), st.data())
def test_one_changed_byte_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = hashed(entries(size))
    index = data.draw(st.integers(0, size - 1))
    parts = [leaves[index], root(leaves), *inclusion_proof(leaves, index)]
    which = data.draw(st.integers(0, len(parts) - 1))
    place = data.draw(st.integers(0, 31))
    broken = bytearray(parts[which])
    broken[place] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(broken)
    leaf, top, *proof = parts
    with pytest.raises(ProofError):
        verify_inclusion(leaf, index, size, proof, top)


@given(st.integers(2, 100), st.data())
def test_another_history_is_not_continued(size: int, data: st.DataObject) -> None:
    leaves = hashed(entries(size))
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    other = list(leaves)
    other[changed] = leaf_hash(b"another entry")
    proof = consistency_proof(other, old)
    with pytest.raises(ProofError, match="does not continue"):
        verify_consistency(old, size, proof, root(leaves[:old]), root(other))


def test_proofs_of_another_length_are_refused() -> None:
    leaves = hashed(entries(11))
    top = root(leaves)
    proof = inclusion_proof(leaves, 3)
    growth = consistency_proof(leaves, 6)
    for wrong in (proof[:-1], proof[1:], (*proof, proof[0]), ()):
        with pytest.raises(ProofError):
            verify_inclusion(leaves[3], 3, 11, wrong, top)
    for wrong in (growth[:-1], growth[1:], (*growth, growth[0]), ()):
        with pytest.raises(ProofError):
            verify_consistency(6, 11, wrong, root(leaves[:6]), top)


def test_a_hash_of_another_length_is_refused() -> None:
    """Sixty-four bytes could be divided between left and right in more than one way."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    top = node_hash(left, right)
    verify_inclusion(right, 1, 2, [left], top)
    with pytest.raises(ProofError, match="32 bytes"):
        verify_inclusion(left[31:] + right, 1, 2, [left[:31]], top)
    with pytest.raises(ProofError, match="32 bytes"):
        verify_consistency(1, 2, [right[:31]], left, top)


def test_consistency_from_nothing_is_refused() -> None:
    leaves = hashed(entries(4))
    with pytest.raises(ProofError, match="empty log"):
        consistency_proof(leaves, 0)
    with pytest.raises(ProofError, match="empty log"):
        verify_consistency(0, 4, [], EMPTY_ROOT, root(leaves))


def test_a_log_does_not_continue_a_longer_one() -> None:
    leaves = hashed(entries(4))
    with pytest.raises(ProofError, match="does not continue one of 5"):
        consistency_proof(leaves, 5)
    with pytest.raises(ProofError, match="does not continue one of 5"):
        verify_consistency(5, 4, [], root(leaves), root(leaves))


def test_equal_sizes_need_equal_roots_and_no_proof() -> None:
    one, two = leaf_hash(b"1"), leaf_hash(b"2")
    verify_consistency(1, 1, [], one, one)
    with pytest.raises(ProofError, match="two different logs"):
        verify_consistency(1, 1, [], one, two)
    with pytest.raises(ProofError, match="two different logs"):
        verify_consistency(1, 1, [one], one, one)


@pytest.mark.parametrize("index", [-1, 4, 5])
def test_an_entry_that_is_not_there_is_refused(index: int) -> None:
    leaves = hashed(entries(4))
    with pytest.raises(ProofError, match="has no entry"):
        inclusion_proof(leaves, index)
    with pytest.raises(ProofError, match="has no entry"):
        verify_inclusion(leaves[0], index, 4, [], root(leaves))


def test_a_proof_error_is_a_refusal() -> None:
    assert issubclass(ProofError, RefusedError)


def test_leaves_and_nodes_never_share_a_hash() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_a_log_that_grows_step_by_step_is_consistent_all_along() -> None:
    leaves = hashed(entries(70))
    for old, new in pairwise([1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 70]):
        proof = consistency_proof(leaves[:new], old)
        verify_consistency(old, new, proof, root(leaves[:old]), root(leaves[:new]))


# ---------------------------------------------------------------------- many leaves of one tree


def nodes_of(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    """Reads the nodes of a tree, as a store of them that is honest."""

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


@given(st.integers(1, 70), st.lists(st.integers(0, 69), min_size=1, max_size=30))
def test_leaf_after_leaf_is_shown_to_be_in_the_tree(size: int, asked: list[int]) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    proven, honest = Proven(size, root(leaves)), nodes_of(leaves)
    for index in (one % size for one in asked):
        proven.check(honest, leaves[index], index)
        other = leaf_hash(b"another")
        with pytest.raises(ProofError):
            proven.check(honest, other, index)
        with pytest.raises(ProofError):
            Proven(size, root(leaves)).check(honest, other, index)
    for beyond in (-1, size):
        with pytest.raises(ProofError):
            proven.check(honest, leaves[0], beyond)


@given(st.data())
def test_by_nodes_that_lie_nothing_wrong_is_shown(data: st.DataObject) -> None:
    """Whoever changes the stored nodes while a process goes on has no leaf taken that is none."""
    size = data.draw(st.integers(1, 40))
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    proven, honest = Proven(size, root(leaves)), nodes_of(leaves)
    lies = [leaf_hash(b"lie"), b"short", *leaves]

    def lying(level: int, index: int) -> bytes:
        true = honest(level, index)
        return data.draw(st.sampled_from([true, true, *lies]))

    for _ in range(12):
        index = data.draw(st.integers(0, size - 1))
        said = data.draw(st.sampled_from([leaves[index], *lies]))
        try:
            proven.check(data.draw(st.sampled_from([honest, lying])), said, index)
        except ProofError:
            continue
        assert said == leaves[index]
    for index, leaf in enumerate(leaves):
        proven.check(honest, leaf, index)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Proven, "MOST", 20)
    leaves = [leaf_hash(bytes([number])) for number in range(64)]
    proven = Proven(64, root(leaves))
    for index, leaf in enumerate(leaves):
        proven.check(nodes_of(leaves), leaf, index)
        assert len(proven) <= 20


def test_the_second_leaf_costs_what_the_first_has_not_shown() -> None:
    leaves = [leaf_hash(bytes([number % 256])) for number in range(1024)]
    proven, asked, honest = Proven(1024, root(leaves)), list[tuple[int, int]](), nodes_of(leaves)

    def counted(level: int, index: int) -> bytes:
        asked.append((level, index))
        return honest(level, index)

    proven.check(counted, leaves[500], 500)
    assert len(asked) == 10
    proven.check(counted, leaves[501], 501)
    proven.check(counted, leaves[500], 500)
    assert len(asked) == 10, "its neighbour was on the way"
    proven.check(counted, leaves[502], 502)
    assert len(asked) == 11
