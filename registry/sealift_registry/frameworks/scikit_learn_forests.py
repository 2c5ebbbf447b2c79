"""Forests in ONNX: shares are summed whole, and divided by the trees once they are summed.

A tree that has no doubt adds 1 for one label. Such sums are exact, in whatever order a runtime adds
them, and so are labels that have as many votes. skl2onnx has each tree add its part of the whole,
of which 32 bits have but the neighbour: twenty times 0.05, half of them, is not 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealift_registry.frameworks.scikit_learn_nodes import Model, Own, Part


def _voted(part: Part) -> None:
    """RandomForestClassifier and ExtraTreesClassifier."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType

    narrow = part.node("Cast", part.given, to=TensorProto.FLOAT)
    summed = part.node(
        "TreeEnsembleRegressor",
        narrow,
        op_domain="ai.onnx.ml",
        op_version=1,
        **_written(part.model),
    )
    sums = part.node("Cast", summed, to=TensorProto.DOUBLE)
    part.label(part.node("ArgMax", sums, axis=1, keepdims=0))
    shares = part.node("Div", sums, part.numbers(len(part.model.estimators_)))
    if not isinstance(part.operator.outputs[1].type, DoubleTensorType):
        shares = part.node("Cast", shares, to=TensorProto.FLOAT)
    part.answer(shares, 1)


def _written(forest: Model) -> dict[str, Any]:
    """The trees as attributes of the operator, a number of each leaf for each label."""
    import numpy as np
    from skl2onnx.common.tree_ensemble import (
        add_tree_to_attribute_pairs,
        get_default_tree_regressor_attribute_pairs,
    )

    found: dict[str, Any] = get_default_tree_regressor_attribute_pairs()
    found["n_targets"] = len(forest.classes_)
    for number, one in enumerate(forest.estimators_):
        add_tree_to_attribute_pairs(
            found,
            is_classifier=False,
            tree=one.tree_,
            tree_id=number,
            tree_weight=1.0,
            weight_id_bias=0,
            leaf_weights_are_counts=True,
            adjust_threshold_for_sklearn=True,
            dtype=np.float32,
        )
    for name in ("nodes_values", "nodes_hitrates", "target_weights"):
        found[name] = np.array(found[name], np.float32)
    return found


CONVERTS: Mapping[str, Own] = {"ExtraTreesClassifier": _voted, "RandomForestClassifier": _voted}
"""Class → how it is converted."""
