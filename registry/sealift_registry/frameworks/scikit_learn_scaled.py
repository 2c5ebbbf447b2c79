"""Trees behind scalers are asked of the row itself.

A tree asks of a scaled value whether it is at most the middle between two values of its training.
Ages and years are whole, and often lie on that very middle, where the last bit of a scaler in 32
bits decides, and not the source's in 64. So each question is put to the column that the scaler
takes: what the scaler makes of each float32 is the source's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sealift_registry.frameworks import scikit_learn_parts as parts
from sealift_registry.frameworks import scikit_learn_step_paths as ways
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


def ask_rows(model: Any, estimator: Estimator, alone: Callable[[Estimator], Any]) -> None:  # noqa: ANN401 - onnx is Any to us
    """Have the trees of `model` (ONNX) ask the row what they ask its scaled columns.

    Args:
        model: of `estimator`, whose trees are changed in place.
        estimator: fitted.
        alone: the graph of a pipeline of some of its steps.
    """
    groups = _groups(model.graph)
    found = ways.ways(estimator) if groups else []
    if not found:
        return
    meanings = ways.Meanings(model.graph)
    meant = ways.meant(found, lambda steps: alone(_chained(steps)))
    row = parts.thinkable_row(estimator)
    for made, nodes in groups.items():
        way = ways.behind(meanings.fed(made), meant)
        if way is not None:
            _ask_rows(model.graph, nodes, _chained(way[0]), way[1], row)
    drop_unused(model.graph)


def _groups(graph: Any) -> Mapping[str, list[Node]]:  # noqa: ANN401 - onnx is Any to us
    """What is made of the row and fed to trees → the operators that are fed with it."""
    found: dict[str, list[Node]] = {}
    for node in graph.node:
        if node.op_type in ENSEMBLES and node.input[0] != graph.input[0].name:
            found.setdefault(node.input[0], []).append(node)
    return {made: nodes for made, nodes in found.items() if all(map(_plain, nodes))}


def _chained(steps: Sequence[Estimator]) -> Estimator:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*steps)


def _ask_rows(
    graph: Any,  # noqa: ANN401 - onnx is Any to us
    nodes: Sequence[Node],
    before: Estimator,
    picked: Array | None,
    row: Array,
) -> None:
    """Have `nodes` ask the row what they ask of what `before` makes, or of `picked` of that."""
    import numpy as np

    raw = columns_of(before, row.shape[1])
    picked = np.arange(len(raw)) if picked is None else picked
    asked = sorted({one for node in nodes for one in _inner(node)[1]})
    if not asked or (raw[picked[asked]] < 0).all() or not _takes(before, row):
        return
    for node in nodes:
        _ask_row(node, before, raw, picked, row)
    _feed(graph, nodes, scaled_too=bool((raw[picked[asked]] < 0).any()))


def columns_of(part: Estimator, width: int) -> Array:
    """Of each column that comes out of `part`, the raw one that it grows with; -1 for none.

    Args:
        part: that is given the row.
        width: of the row.
    """
    import numpy as np

    return _through(part, np.arange(width))


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
        return parts.filled(part, columns)
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


def _ask_row(node: Node, before: Estimator, raw: Array, picked: Array, row: Array) -> None:
    import numpy as np

    places, scaled = (np.array(one, np.int64) for one in _inner(node))
    values = np.array(_attribute(node, "nodes_values").floats, np.float32)
    features = np.array(_attribute(node, "nodes_featureids").ints, np.int64)
    missing = np.array(_attribute(node, "nodes_missing_value_tracks_true").ints, np.int64)
    known = raw[picked[scaled]] >= 0
    features[places[~known]] += row.shape[1]
    there, columns = places[known], picked[scaled[known]]
    scale = _Scaling(before, row, raw[columns], columns)
    gone, _ = scale(np.full(len(there), np.nan, np.float32))
    missing[there] = np.where(np.isnan(gone), missing[there], gone <= values[there])
    values[there] = _turns(scale, values[there], row[0, raw[columns]])
    features[there] = raw[columns]
    _attribute(node, "nodes_values").floats[:] = values.tolist()
    _attribute(node, "nodes_featureids").ints[:] = features.tolist()
    _attribute(node, "nodes_missing_value_tracks_true").ints[:] = missing.tolist()


def _takes(before: Estimator, row: Array) -> bool:
    """Whether `before` takes `row`: else nothing is learnt by changing one value of it."""
    try:
        _made(before, row)
    except ValueError:
        return False
    return True


def _made(before: Estimator, rows: Array) -> Array:
    import numpy as np

    with np.errstate(all="ignore"):
        made = before.transform(rows)
    dense: Array = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
    return dense


class _Scaling:
    """What the source's steps make of values in a column of some row."""

    def __init__(self, before: Estimator, row: Array, given: Array, made: Array) -> None:
        self._before, self._row, self._given, self._made = before, row, given, made

    def __call__(self, values: Array) -> tuple[Array, Array]:
        """The float32 that each of `values` becomes, and which of them the source refuses."""
        import numpy as np

        found = np.full(len(values), np.nan, np.float32)
        refused = np.zeros(len(values), bool)
        for at in range(0, len(values), AT_ONCE):
            some = np.arange(at, min(at + AT_ONCE, len(values)))
            try:
                found[some] = self._scaled(values, some)
            except ValueError:
                refused[some] = self._refused(values, some)
                kept = some[~refused[some]]
                if len(kept):
                    found[kept] = self._scaled(values, kept)
        return found, refused

    def _scaled(self, values: Array, some: Array) -> Array:
        import numpy as np

        rows = np.repeat(self._row, len(some), axis=0)
        number = np.arange(len(some))
        rows[number, self._given[some]] = values[some]
        scaled: Array = _made(self._before, rows)[number, self._made[some]].astype(np.float32)
        return scaled

    def _refused(self, values: Array, some: Array) -> Array:
        """Which are refused: one value refuses all rows, and says nothing of the others."""
        import numpy as np

        asked = self._given[some] << 32 | values[some].view(np.uint32)
        _, first, back = np.unique(asked, return_index=True, return_inverse=True)
        refused, parts = np.zeros(len(first), bool), [np.arange(len(first))]
        while parts:
            part = parts.pop()
            try:
                self._scaled(values, some[first[part]])
            except ValueError:
                if len(part) == 1:
                    refused[part] = True
                else:
                    parts += np.array_split(part, 2)
        return refused[back]


def _turns(scale: Callable[[Array], tuple[Array, Array]], thresholds: Array, taken: Array) -> Array:
    """The largest float32 that is scaled to at most each of `thresholds`; -inf where none is.

    What is refused lies below or above the values that are taken, of which each has one.
    """
    import numpy as np

    low, high = np.full(len(thresholds), -LARGEST - 1), np.full(len(thresholds), LARGEST)
    while (low < high).any():
        middle = (low + high + 1) // 2
        values = _floats(middle)
        made, refused = scale(values)
        at_most = np.where(refused, values < taken, made <= thresholds)
        low, high = np.where(at_most, middle, low), np.where(at_most, high, middle - 1)
    return np.where(low < -LARGEST, np.float32(-np.inf), _floats(np.maximum(low, -LARGEST)))


def _floats(numbers: Array) -> Array:
    """The float32 so many steps from zero."""
    import numpy as np

    found = np.abs(numbers).astype(np.int32).view(np.float32)
    return np.where(numbers < 0, -found, found)


# -------------------------------------------------------------------- the graph


def _feed(graph: Any, nodes: Sequence[Node], *, scaled_too: bool) -> None:  # noqa: ANN401 - onnx is Any to us
    """Give `nodes` the row, and beside it what was made of it where they ask of that too."""
    from onnx import helper

    given, made = graph.input[0].name, nodes[0].input[0]
    fed = given
    if scaled_too:
        fed = f"row_and_{made}"
        beside = helper.make_node("Concat", [given, made], [fed], axis=1)
        graph.node.insert(min(list(graph.node).index(node) for node in nodes), beside)
    for node in nodes:
        node.input[0] = fed


def _attribute(node: Node, name: str) -> Any:  # noqa: ANN401 - onnx is Any to us
    return next(one for one in node.attribute if one.name == name)
