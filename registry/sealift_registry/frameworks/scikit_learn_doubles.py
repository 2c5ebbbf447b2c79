"""scikit-learn computes in 64 bits, and so do the graphs that are made of it.

What is summed of great numbers that all but cancel (support vectors, discriminants, distances) has
no digit left in 32 bits. A variant still takes and answers float32; between, all is in doubles, but
for trees: scikit-learn itself gives them float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sealift_registry.frameworks import scikit_learn_converters as own
from sealift_registry.frameworks import scikit_learn_forests as forests
from sealift_registry.frameworks.scikit_learn_graphs import drop_unused
from sealift_registry.frameworks.scikit_learn_nodes import converted_by
from sealift_registry.frameworks.scikit_learn_parts import (
    Estimator,
    grown,
    name_of,
    parts_of,
    width,
)

Graph: TypeAlias = Any
Convert: TypeAlias = Callable[[Any, Any, Any], None]
"""How skl2onnx has a part converted: its scope, the part as an operator, and the container."""
Parse: TypeAlias = Callable[..., Any]
Shape: TypeAlias = Callable[[Any], None]

THROUGH = frozenset(
    {
        "AdaBoostRegressor",
        "BaggingClassifier",
        "BaggingRegressor",
        "ColumnTransformer",
        "FeatureUnion",
        "GridSearchCV",
    }
    | {"MultiOutputRegressor", "OneVsRestClassifier", "Pipeline", "RANSACRegressor"}
    | {"StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor"}
)
"""Parts whose own parts are converted each by itself; others that hold trees are all trees."""

NARROW = "narrow"
"""How the names of what is float32 within a graph begin."""


def converts(estimator: Estimator) -> Mapping[type, Convert]:
    """Class → how it is converted, for those in `estimator` that skl2onnx converts otherwise."""
    found: dict[type, Convert] = {}
    ours = {**own.CONVERTS, **forests.CONVERTS}
    for part in parts_of(estimator):
        name = name_of(part)
        if name in ours:
            found[type(part)] = converted_by(ours[name])
        elif name not in THROUGH and (grown(part) or name == "AdaBoostClassifier"):
            found[type(part)] = _narrow
    return found


def widths(estimator: Estimator) -> tuple[Mapping[type, Parse], Mapping[type, Shape]]:
    """Class → how wide it is when it is read and when it is converted, for all that make columns.

    skl2onnx forgets the first where columns are chosen from what a step makes, and has the second
    otherwise for some.
    """
    kinds = {type(part) for part in parts_of(estimator) if _makes_columns(part)}
    return dict.fromkeys(kinds, _read), dict.fromkeys(kinds, _wide)


def _makes_columns(part: Estimator) -> bool:
    answers = name_of(part) in THROUGH or hasattr(part, "predict")
    return not answers and bool(width(part))


def _read(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:  # noqa: ANN401 - skl2onnx is Any to us
    from skl2onnx._parse import _parse_sklearn_simple_model

    made = _parse_sklearn_simple_model(scope, model, inputs, custom_parsers=custom_parsers)
    made[0].type.shape = [None, width(model)]
    return made


def _wide(operator: Any) -> None:  # noqa: ANN401 - skl2onnx is Any to us
    from skl2onnx.common.data_types import DoubleTensorType

    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = DoubleTensorType([rows, width(operator.raw_operator)])


def _narrow(scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401 - skl2onnx is Any to us
    """Give a part float32, and hand on what it answers as doubles."""
    from onnx import TensorProto
    from skl2onnx.common._registration import get_converter
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    (given,) = operator.inputs
    if not isinstance(given.type, DoubleTensorType):
        get_converter(operator.type)(scope, operator, container)
        return
    narrow = scope.declare_local_variable(NARROW, FloatTensorType(given.type.shape))
    container.add_node("Cast", [given.full_name], [narrow.full_name], to=TensorProto.FLOAT)
    part = scope.declare_local_operator(operator.type, operator.raw_operator)
    part.inputs.append(narrow)
    for answer in operator.outputs:
        is_wide = isinstance(answer.type, DoubleTensorType)
        kind = FloatTensorType(answer.type.shape) if is_wide else answer.type
        made = scope.declare_local_variable(NARROW, kind)
        part.outputs.append(made)
        if is_wide:
            container.add_node("Cast", [made.full_name], [answer.full_name], to=TensorProto.DOUBLE)
        else:
            container.add_node("Identity", [made.full_name], [answer.full_name])


# -------------------------------------------------------------------- the graph's borders


def narrow_borders(graph: Graph, *, answers_wide: bool) -> None:
    """Have `graph`, which is all of doubles, take float32, and answer it.

    Args:
        graph: of a model.
        answers_wide: it answers doubles: of 1,000,000 and a half, float32 has no tenth.
    """
    from onnx import TensorProto, helper

    (given,) = graph.input
    given.type.tensor_type.elem_type = TensorProto.FLOAT
    wide = f"{given.name}_wide"
    for node in graph.node:
        node.input[:] = [wide if one == given.name else one for one in node.input]
    graph.node.insert(0, helper.make_node("Cast", [given.name], [wide], to=TensorProto.DOUBLE))
    for output in graph.output:
        if output.type.tensor_type.elem_type == TensorProto.DOUBLE and not answers_wide:
            output.type.tensor_type.elem_type = TensorProto.FLOAT
            wide = f"{output.name}_wide"
            _rename(graph, output.name, wide)
            narrow = helper.make_node("Cast", [wide], [output.name], to=TensorProto.FLOAT)
            graph.node.append(narrow)
    _straighten(graph)
    drop_unused(graph)


def _rename(graph: Graph, name: str, other: str) -> None:
    for node in graph.node:
        node.input[:] = [other if one == name else one for one in node.input]
        node.output[:] = [other if one == name else one for one in node.output]


def _straighten(graph: Graph) -> None:
    """What is cast to doubles and straight back need not be."""
    from onnx import TensorProto

    given_name = graph.input[0].name
    casts = [node for node in graph.node if node.op_type == "Cast"]
    before = {
        one.output[0]: one.input[0]
        for one in casts
        if one.input[0] == given_name or one.input[0].startswith(NARROW)
    }
    answers = {one.name for one in graph.output}
    for node in casts:
        narrow, given = node.output[0], before.get(node.input[0])
        if given is None or node.attribute[0].i != TensorProto.FLOAT:
            continue
        if narrow not in answers:
            _rename(graph, narrow, given)
        elif given != given_name:
            _rename(graph, given, narrow)
        else:
            continue
        graph.node.remove(node)
