"""Forests in ONNX: what trees add is summed so that 32 bits hold it.

A tree of a classifier that has no doubt adds 1 for one label. Such sums are exact, in whatever
order a runtime adds them, and so are labels that have as many votes. skl2onnx has each tree add its
part of the whole, of which 32 bits have but the neighbour: twenty times 0.05, half of them, is not
0.5.

Trees of a regressor add what is left of their leaves without the middle; see `centred`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.scikit_learn_nodes import GraphPart, Model, Own
from sealift_registry.frameworks.tree_sums import centred


def _voted(part: GraphPart) -> None:
    """RandomForestClassifier and ExtraTreesClassifier."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType

    forest = part.model
    sums = _summed(part, _written(forest.estimators_, len(forest.classes_), counts=True))
    part.label(part.node("ArgMax", sums, axis=1, keepdims=0))
    shares = part.node("Div", sums, part.numbers(len(forest.estimators_)))
    if not isinstance(part.operator.outputs[1].type, DoubleTensorType):
        shares = part.node("Cast", shares, to=TensorProto.FLOAT)
    part.answer(shares, 1)


def _summed(part: GraphPart, trees: Mapping[str, Any]) -> str:
    """What `trees` add up to, as doubles; they are given float32, as scikit-learn gives them."""
    from onnx import TensorProto

    narrow = part.node("Cast", part.given, to=TensorProto.FLOAT)
    summed = part.node(
        "TreeEnsembleRegressor", narrow, op_domain="ai.onnx.ml", op_version=1, **trees
    )
    return part.node("Cast", summed, to=TensorProto.DOUBLE)


def _written(
    trees: Sequence[Model], targets: int, *, weight: float = 1.0, counts: bool = False
) -> dict[str, Any]:
    """The trees as attributes of the operator, a number of each leaf for each target."""
    import numpy as np
    from skl2onnx.common.tree_ensemble import (
        add_tree_to_attribute_pairs,
        get_default_tree_regressor_attribute_pairs,
    )

    found: dict[str, Any] = get_default_tree_regressor_attribute_pairs()
    found["n_targets"] = targets
    for number, one in enumerate(trees):
        add_tree_to_attribute_pairs(
            found,
            is_classifier=False,
            tree=one.tree_,
            tree_id=number,
            tree_weight=weight,
            weight_id_bias=0,
            leaf_weights_are_counts=counts,
            adjust_threshold_for_sklearn=True,
            dtype=np.float32,
        )
    for name in ("nodes_values", "nodes_hitrates", "target_weights"):
        found[name] = np.array(found[name], np.float32)
    return found


# -------------------------------------------------------------------- regressors


def _tree(part: GraphPart) -> None:
    """DecisionTreeRegressor and ExtraTreeRegressor."""
    _added(part, [part.model], part.model.n_outputs_)


def _mean(part: GraphPart) -> None:
    """RandomForestRegressor and ExtraTreesRegressor."""
    trees = part.model.estimators_
    _added(part, trees, part.model.n_outputs_, weight=1 / len(trees))


def _boosted(part: GraphPart) -> None:
    """GradientBoostingRegressor."""
    import numpy as np

    model = part.model
    begun = 0.0 if model.init == "zero" else float(np.ravel(model.init_.constant_)[0])
    trees = model.estimators_[:, 0].tolist()
    _added(part, trees, 1, weight=model.learning_rate, begun=begun)


def _added(
    part: GraphPart, trees: Sequence[Model], targets: int, weight: float = 1.0, begun: float = 0.0
) -> None:
    """Answer with the sum of what `trees` add to `begun`, each by its `weight`."""
    import numpy as np
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType

    written = _written(trees, targets, weight=weight)
    added = np.full(targets, begun)
    weights = []
    for one in trees:
        values, middle = _leaves(one, targets)
        weights.append(weight * values.ravel())
        added += weight * middle
    written["target_weights"] = np.concatenate(weights).astype(np.float32)
    answer = _summed(part, written)
    if added.any():
        answer = part.node("Add", answer, part.numbers(added))
    if not isinstance(part.operator.outputs[0].type, DoubleTensorType):
        answer = part.node("Cast", answer, to=TensorProto.FLOAT)
    part.answer(answer)


def _leaves(tree: Model, targets: int) -> tuple[Array, Array]:
    """Its leaves' numbers, in the order in which they are written, and what was taken off them."""
    found = tree.tree_
    leaves = found.children_left < 0
    return centred(found.value[leaves].reshape(-1, targets))


CONVERTS: Mapping[str, Own] = {
    "DecisionTreeRegressor": _tree,
    "ExtraTreeRegressor": _tree,
    "ExtraTreesClassifier": _voted,
    "ExtraTreesRegressor": _mean,
    "GradientBoostingRegressor": _boosted,
    "RandomForestClassifier": _voted,
    "RandomForestRegressor": _mean,
}
"""Class → how it is converted."""
