"""Proofs of what came after an edge need no more of the tree before it than that edge."""

from __future__ import annotations

import pytest

from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import (
    inclusion_proof,
    inclusion_proof_from,
    leaf_hash,
    root_from,
)

MOST = 35


@pytest.mark.parametrize("first", range(MOST))
def test_f2_030_an_edge_and_the_leaves_after_it_prove_each_of_those(first: int) -> None:
    leaves = [leaf_hash(b"%d" % n) for n in range(MOST)]
    edge = Frontier().extended(leaves[:first])
    node = edge.reader(leaves[first:])
    assert root_from(node, MOST) == edge.extended(leaves[first:]).root
    for index in range(first, MOST):
        assert inclusion_proof_from(node, index, MOST) == inclusion_proof(leaves, index)
