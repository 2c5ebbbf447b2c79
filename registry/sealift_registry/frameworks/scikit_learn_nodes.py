"""A part of a model on its way into a graph of skl2onnx, which is Any to us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from sealift_registry.frameworks.framework import Array

Model: TypeAlias = Any
OWN = 15
"""The opset that the nodes are of."""


class GraphPart:
    """A part of a model on its way into a graph: what it is given, and the nodes made of it."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401 - skl2onnx is Any to us
        self.model: Model = operator.raw_operator
        self.operator, self.scope, self.container = operator, scope, container
        self.outputs = [one.full_name for one in operator.outputs]
        from onnx import TensorProto

        self.given = self.node("Cast", operator.inputs[0].full_name, to=TensorProto.DOUBLE)

    def node(self, kind: str, *given: str, **options: Any) -> str:  # noqa: ANN401 - an operator's own
        """The name of what the operator `kind` makes of `given`."""
        name: str = self.scope.get_unique_variable_name(f"own_{kind.lower()}")
        self.container.add_node(kind, list(given), [name], **{"op_version": OWN, **options})
        return name

    def answer(self, made: str, number: int = 0) -> None:
        """Answer with `made`."""
        self.container.add_node("Identity", [made], [self.outputs[number]], op_version=OWN)

    def numbers(self, values: Any) -> str:  # noqa: ANN401 - whatever is an array
        """The name of a tensor of doubles."""
        import numpy as np
        from onnx import TensorProto

        array = np.asarray(values, np.float64)
        return self._tensor(TensorProto.DOUBLE, array.shape, array.ravel().tolist())

    def whole(self, values: Any) -> str:  # noqa: ANN401 - whatever is an array
        """The name of a tensor of whole numbers."""
        import numpy as np
        from onnx import TensorProto

        array = np.asarray(values, np.int64)
        return self._tensor(TensorProto.INT64, array.shape, array.ravel().tolist())

    def _tensor(self, kind: int, shape: tuple[int, ...], values: list[Any]) -> str:
        name: str = self.scope.get_unique_variable_name("own")
        self.container.add_initializer(name, kind, list(shape), values)
        return name

    def label(self, which: str) -> None:
        """Answer with the labels of the classes numbered `which`."""
        from onnx import TensorProto

        classes = self.model.classes_
        if classes.dtype.kind in "biuf":
            known = self.whole(classes)
        else:
            texts = [str(one).encode() for one in classes]
            known = self._tensor(TensorProto.STRING, (len(texts),), texts)
        self.answer(self.node("Gather", known, which, axis=0))

    def best(self, scores: str) -> None:
        """Answer with the first of the labels with the best score, and with the scores."""
        self.label(self.node("ArgMax", scores, axis=1, keepdims=0))
        self.answer(scores, 1)

    def by_sign(self, score: str, scores: str) -> None:
        """Answer with the second label where the one score is above zero, and with `scores`."""
        from onnx import TensorProto

        above = self.node("Greater", self.node("Squeeze", score, self.whole([1])), self.numbers(0))
        self.label(self.node("Cast", above, to=TensorProto.INT64))
        self.answer(scores, 1)

    def line(self, weights: Array, bias: Array) -> str:
        """A column for each row of `weights`."""
        made = self.node("MatMul", self.given, self.numbers(weights.T))
        return self.node("Add", made, self.numbers(bias))


Own: TypeAlias = Callable[[GraphPart], None]


def converted_by(own: Own) -> Callable[[Any, Any, Any], None]:
    """`own` as skl2onnx calls it."""

    def convert(scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401 - skl2onnx is Any to us
        own(GraphPart(scope, operator, container))

    return convert
