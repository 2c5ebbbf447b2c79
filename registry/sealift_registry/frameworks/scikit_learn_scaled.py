"""Trees behind scalers are asked of the row itself.

A tree asks of a scaled value whether it is at most the middle between two values of its training.
Ages and years are whole, and often lie on that very middle, where the last bit of a scaler in 32
bits decides, and not the source's in 64. So each question is put to the column that the scaler
takes: what the scaler makes of each float32 is the source's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sealift_registry.frameworks import scikit_learn_parts as parts
from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.scikit_learn_graphs import drop_unused
from sealift_registry.frameworks.scikit_learn_parts import Estimator
from sealift_registry.frameworks.tree_ensembles import AT_MOST, ENSEMBLES, LEAF

Node: TypeAlias = Any

GROWING = frozenset(
    {"Binarizer", "KBinsDiscretizer", "MaxAbsScaler", "MinMaxScaler", "PowerTransformer"}
    | {"QuantileTransformer", "RobustScaler", "SimpleImputer", "StandardScaler"}
)
"""What makes of a column one other, and of more never less."""

LARGEST = 0x7F7FFFFF
"""The bits of the largest float32."""
AT_ONCE = 20_000
"""Rows that are scaled at once."""


def ask_rows(model: Any, estimator: Estimator) -> None:  # noqa: ANN401 - onnx is Any to us
    """Have the trees of `model` (ONNX) ask the row what they ask its scaled columns."""
    steps = getattr(estimator, "steps", None)
    nodes = [node for node in model.graph.node if node.op_type in ENSEMBLES]
    fed = {node.input[0] for node in nodes}
    given = model.graph.input[0].name
    if not steps or len(fed) != 1 or given in fed or not all(map(_plain, nodes)):
        return
    before = estimator[:-1]
    raw = columns_of(before)
    asked = {one for node in nodes for one in _inner(node)[1]}
    if not asked or max(asked) >= len(raw) or (raw[sorted(asked)] < 0).all():
        return
    for node in nodes:
        _ask_row(node, before, raw, parts.thinkable_row(estimator))
    _feed(model.graph, nodes, given, fed.pop(), scaled_too=bool((raw[sorted(asked)] < 0).any()))


def columns_of(part: Estimator) -> Array:
    """Of each column that comes out of `part`, the raw one that it grows with; -1 for none."""
    import numpy as np

    return _through(part, np.arange(part.n_features_in_))


def _through(part: Estimator, columns: Array) -> Array:
    import numpy as np

    name = part if isinstance(part, str) else parts.name_of(part)
    if name in parts.PASSED_ON:
        return columns if name == "passthrough" else columns[:0]
    if name == "Pipeline":
        for _, step in part.steps:
            columns = _through(step, columns)
        return columns
    if name in {"ColumnTransformer", "FeatureUnion"}:
        return parts.side_by_side(part, columns, _through)
    if name == "SimpleImputer":
        columns = columns[~parts.gone(part)]
    if hasattr(part, "get_support"):
        selected: Array = columns[part.get_support(indices=True)]
        return selected
    width = parts.width(part)
    return columns if name in GROWING and width == len(columns) else np.full(width, -1)


# -------------------------------------------------------------------- one operator's questions


def _plain(node: Node) -> bool:
    """Whether it asks only if a number is at most another, in floats."""
    modes = {one.decode() for one in _attribute(node, "nodes_modes").strings}
    return modes <= {AT_MOST, LEAF} and bool(_attribute(node, "nodes_values").floats)


def _inner(node: Node) -> tuple[list[int], list[int]]:
    """The places of the nodes that ask, and the columns that they ask of."""
    modes, features = _attribute(node, "nodes_modes").strings, _attribute(node, "nodes_featureids")
    places = [at for at, mode in enumerate(modes) if mode != LEAF.encode()]
    return places, [features.ints[at] for at in places]


def _ask_row(node: Node, before: Estimator, raw: Array, row: Array) -> None:
    import numpy as np

    places, scaled = (np.array(one, np.int64) for one in _inner(node))
    values = np.array(_attribute(node, "nodes_values").floats, np.float32)
    features = np.array(_attribute(node, "nodes_featureids").ints, np.int64)
    missing = np.array(_attribute(node, "nodes_missing_value_tracks_true").ints, np.int64)
    known = raw[scaled] >= 0
    features[places[~known]] += row.shape[1]
    there, columns = places[known], scaled[known]
    scale = _Scaling(before, row, raw[columns], columns)
    gone = scale(np.full(len(there), np.nan, np.float32))
    if gone is not None:
        missing[there] = np.where(np.isnan(gone), missing[there], gone <= values[there])
    values[there] = _turns(scale, values[there])
    features[there] = raw[columns]
    _attribute(node, "nodes_values").floats[:] = values.tolist()
    _attribute(node, "nodes_featureids").ints[:] = features.tolist()
    _attribute(node, "nodes_missing_value_tracks_true").ints[:] = missing.tolist()


class _Scaling:
    """What the source's steps make of values in a column of some row."""

    def __init__(self, before: Estimator, row: Array, given: Array, made: Array) -> None:
        self._before, self._row, self._given, self._made = before, row, given, made

    def __call__(self, values: Array) -> Array | None:
        """The float32 that each of `values` becomes; None where the source refuses them."""
        import numpy as np

        found = [np.zeros(0, np.float32)]
        for first in range(0, len(values), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            rows = np.repeat(self._row, len(values[some]), axis=0)
            number = np.arange(len(rows))
            rows[number, self._given[some]] = values[some]
            try:
                with np.errstate(all="ignore"):
                    made = self._before.transform(rows)
                    made = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
                    found.append(made[number, self._made[some]].astype(np.float32))
            except ValueError:
                return None
        return np.concatenate(found)


def _turns(scale: Callable[[Array], Array | None], thresholds: Array) -> Array:
    """The largest float32 that is scaled to at most each of `thresholds`; -inf where none is."""
    import numpy as np

    low, high = np.full(len(thresholds), -LARGEST - 1), np.full(len(thresholds), LARGEST)
    while (low < high).any():
        middle = (low + high + 1) // 2
        made = scale(_floats(middle))
        at_most = np.zeros(len(low), bool) if made is None else made <= thresholds
        low, high = np.where(at_most, middle, low), np.where(at_most, high, middle - 1)
    return np.where(low < -LARGEST, np.float32(-np.inf), _floats(np.maximum(low, -LARGEST)))


def _floats(numbers: Array) -> Array:
    """The float32 so many steps from zero."""
    import numpy as np

    found = np.abs(numbers).astype(np.int32).view(np.float32)
    return np.where(numbers < 0, -found, found)


# -------------------------------------------------------------------- the graph


def _feed(graph: Any, nodes: Sequence[Node], given: str, made: str, *, scaled_too: bool) -> None:  # noqa: ANN401 - onnx is Any to us
    """Give `nodes` the row, and beside it what was made of it where they ask of that too."""
    from onnx import helper

    fed = given
    if scaled_too:
        fed = "row_and_scaled"
        beside = helper.make_node("Concat", [given, made], [fed], axis=1)
        graph.node.insert(min(list(graph.node).index(node) for node in nodes), beside)
    for node in nodes:
        node.input[0] = fed
    drop_unused(graph)


def _attribute(node: Node, name: str) -> Any:  # noqa: ANN401 - onnx is Any to us
    return next(one for one in node.attribute if one.name == name)
