"""Trees in ONNX add float32, and what they add to is often far from zero.

A price in yen or a time is some million and a little, and the little is what was learnt: of
1,000,000 and a half, float32 has no tenth. So what the leaves of a tree have in common is taken off
them, and added in doubles once the runtime has summed the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.tree_ensembles import (
    Beside,
    Grown,
    Written,
    attribute,
    order_of,
    whole,
)

FAR = 16
"""So many times the leaves' own width from zero, they are summed without their middle."""
MOST = (0.1, 0.9)
"""Between these parts of the leaves is their width: a few that are far off do not stretch it."""


def centred(leaves: Array) -> tuple[Array, Array]:
    """The numbers of leaves without their middle where that is far from zero, and the middle.

    Args:
        leaves: a row for each leaf, a column for each target.
    """
    import numpy as np

    low, middle, high = np.quantile(leaves, [MOST[0], 0.5, MOST[1]], axis=0)
    off = np.where(np.abs(middle) > FAR * (high - low), middle, 0.0)
    return leaves - off, off


def in_doubles(model: Any, written: Sequence[Beside]) -> None:  # noqa: ANN401 - onnx is Any to us
    """Have the regressors of `model` (ONNX) add, and answer, in doubles.

    Args:
        model: changed in place.
        written: its operators, and their trees beside the source's, which has doubles.
    """
    from onnx import TensorProto

    for node, pairs in written:
        if node.op_type != "TreeEnsembleRegressor":
            continue
        _add(model.graph, node, _taken_off(node, pairs))
        for output in model.graph.output:
            output.type.tensor_type.elem_type = TensorProto.DOUBLE


def _taken_off(node: Any, pairs: Sequence[tuple[Written, Grown]]) -> float:  # noqa: ANN401 - onnx is Any to us
    """What is taken off all leaves of an operator of one target, which are written anew."""
    weights = attribute(node, "target_weights")
    leaves = zip(whole(node, "target_treeids"), whole(node, "target_nodeids"), strict=True)
    at = {leaf: place for place, leaf in enumerate(leaves)}
    nodes = list(zip(whole(node, "nodes_treeids"), whole(node, "nodes_nodeids"), strict=True))
    off = 0.0
    for tree, source in pairs:
        if source.leaves is None:
            continue
        ours, theirs = order_of(tree.tree), order_of(source.tree)
        ends = source.tree.feature[theirs] < 0
        rest, middle = centred(source.leaves[theirs[ends]][:, None])
        for place, number in zip(tree.places[ours[ends]], rest[:, 0].tolist(), strict=True):
            weights.floats[at[nodes[place]]] = number
        off += float(middle[0])
    return off


def _add(graph: Any, node: Any, off: float) -> None:  # noqa: ANN401 - onnx is Any to us
    """Add `off` to what `node` answers, in doubles."""
    from onnx import TensorProto, helper

    answer = node.output[0]
    rest, wide, middle = (f"{answer}_{one}" for one in ("rest", "wide", "middle"))
    node.output[0] = rest
    graph.initializer.append(helper.make_tensor(middle, TensorProto.DOUBLE, [1], [off]))
    place = list(graph.node).index(node) + 1
    graph.node.insert(place, helper.make_node("Cast", [rest], [wide], to=TensorProto.DOUBLE))
    graph.node.insert(place + 1, helper.make_node("Add", [wide, middle], [answer]))
