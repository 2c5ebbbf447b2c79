"""Whether an ONNX graph means to take what is missing: only then it says what is right there.

ONNX leaves open which of two numbers is the larger where one is none, and its reference evaluator
and its runtimes differ in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealift_registry.frameworks.onnx_graph import messages

LOOKING = frozenset(
    {
        *("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"),
        *("Imputer", "IsNaN", "LabelEncoder"),
    }
)
"""Operators of which ONNX says where what is missing goes."""
SAME = frozenset({"Cast", "Identity"})


def looked_for(model: Any) -> bool:  # noqa: ANN401 - onnx is Any to us
    """Whether anything in `model` (ONNX), however deep, looks for what is missing."""
    nodes = list(messages(model, "NodeProto"))
    return any(one.op_type in LOOKING for one in nodes) or any(_beside_itself(nodes))


def _beside_itself(nodes: list[Any]) -> Iterator[bool]:
    """By node, whether it compares a value with itself: only what is missing is not equal then."""
    same = {one.output[0]: one.input[0] for one in nodes if one.op_type in SAME and one.input}

    def origin(name: str) -> str:
        for _ in range(len(same)):
            name = same.get(name, name)
        return name

    for one in nodes:
        if one.op_type == "Equal":
            yield len({origin(name) for name in one.input}) == 1
