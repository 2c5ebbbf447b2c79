"""Small ONNX graphs, each with what it means in NumPy: no evaluator of ONNX is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tests.hunt import judge
from tests.hunt.data import Table, table
from tests.hunt.draws import Array, Draws
from tests.hunt.judge import Answers
from tests.hunt.original import Drawn, Rows

OPSET, ML_OPSET, IR = 15, 3, 8

Option: TypeAlias = Any
Node: TypeAlias = tuple[int, int, "np.float32", int, int, bool]
"""Number, feature (-1 at a leaf), threshold or weight, the two ways on, if NaN goes left."""


class Graph:
    """A graph that grows node by node, and its meaning with it.

    Attributes:
        width: of what the last node gives.
        told: the operators, in order.
    """

    def __init__(self, width: int) -> None:
        self.width, self.told = width, list[str]()
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []
        self._last = "X"
        self._meanings: list[Callable[[Array], Array]] = []

    def add(
        self,
        kind: str,
        meaning: Callable[[Array], Array],
        *tensors: Array,
        width: int | None = None,
        domain: str = "",
        **options: Option,
    ) -> None:
        """One more node, fed by the last one and by `tensors`."""
        from onnx import helper, numpy_helper

        at = len(self._nodes)
        names = [f"t{at}_{one}" for one in range(len(tensors))]
        self._tensors += [
            numpy_helper.from_array(tensor, name)
            for tensor, name in zip(tensors, names, strict=True)
        ]
        fed = [self._last, *names]
        self._nodes.append(helper.make_node(kind, fed, [f"v{at}"], domain=domain, **options))
        self._last, self.width = f"v{at}", self.width if width is None else width
        self._meanings.append(meaning)
        self.told.append(kind)

    def meaning(self, rows: Array) -> Array:
        with np.errstate(all="ignore"):
            for one in self._meanings:
                rows = one(rows)
        return rows

    def written(self, path: Path, features: int, *, labels: bool) -> Path:
        from onnx import TensorProto, helper

        float_, whole = TensorProto.FLOAT, TensorProto.INT64
        nodes, outputs = list(self._nodes), [(self._last, float_, ["rows", self.width])]
        if labels:
            nodes.append(helper.make_node("ArgMax", [self._last], ["label"], axis=1, keepdims=0))
            outputs.insert(0, ("label", whole, ["rows"]))
        graph = helper.make_graph(
            nodes,
            "drawn",
            [helper.make_tensor_value_info("X", float_, ["rows", features])],
            [helper.make_tensor_value_info(*one) for one in outputs],
            self._tensors,
        )
        sets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, ir_version=IR, opset_imports=sets)
        path.write_bytes(model.SerializeToString(deterministic=True))
        return path


def f4(numbers: Array | list[float] | float) -> Array:
    return np.asarray(numbers, dtype=np.float32)


# -------------------------------------------------------------------- what a graph begins with


def _filled(graph: Graph, draws: Draws, data: Table) -> None:
    """Values for those that are missing."""
    fill = f4([draws.between(-1, 1) for _ in range(graph.width)])
    graph.add(
        "Imputer",
        lambda rows: np.where(np.isnan(rows), fill.astype(float), rows),
        domain="ai.onnx.ml",
        imputed_value_floats=[float(one) for one in fill],
        replaced_value_float=float("nan"),
    )


def _scaled(graph: Graph, draws: Draws, data: Table) -> None:
    seen = data.rows(draws, 200)
    with np.errstate(all="ignore"):
        middle = f4(np.nan_to_num(np.nanmedian(seen, axis=0)))
        wide = np.nan_to_num(np.nanstd(seen, axis=0))
    factor = f4(1 / np.where(wide > 0, wide, 1.0))
    if draws.chance(0.5):
        graph.add(
            "Scaler",
            lambda rows: (rows - middle.astype(float)) * factor.astype(float),
            domain="ai.onnx.ml",
            offset=[float(one) for one in middle],
            scale=[float(one) for one in factor],
        )
    else:
        graph.add("Sub", lambda rows: rows - middle.astype(float), middle)
        graph.add("Mul", lambda rows: rows * factor.astype(float), factor)


# -------------------------------------------------------------------- what it goes on with


def _dense(graph: Graph, draws: Draws) -> None:
    wide = draws.whole(1, 8)
    weights = f4(draws.by.normal(0, 0.7, (graph.width, wide)))
    bias = f4(draws.by.normal(0, 0.3, wide))
    exact, shift = weights.astype(float), bias.astype(float)
    graph.add("Gemm", lambda rows: rows @ exact + shift, weights, bias, width=wide)


def _bent(graph: Graph, draws: Draws) -> None:
    graph.add(*draws.pick(tuple(BENDS.items())))


def _clipped(graph: Graph, draws: Draws) -> None:
    least, most = f4(-draws.size(0.1, 3)), f4(draws.size(0.1, 3))
    graph.add("Clip", lambda rows: np.clip(rows, float(least), float(most)), least, most)


def _chosen(graph: Graph, draws: Draws) -> None:
    among = np.array([draws.whole(0, graph.width - 1) for _ in range(draws.whole(1, 6))])
    graph.add("Gather", lambda rows: rows[:, among], among, width=len(among), axis=1)


def _levelled(graph: Graph, draws: Draws) -> None:
    power = draws.pick((1, 2))

    def meaning(rows: Array) -> Array:
        length = np.linalg.norm(rows, ord=power, axis=1, keepdims=True)
        return np.asarray(rows / np.where(length > 0, length, 1.0))

    graph.add("Normalizer", meaning, domain="ai.onnx.ml", norm=f"L{power}")


def _powered(graph: Graph, draws: Draws) -> None:
    graph.add("Pow", lambda rows: rows**2, f4(2.0))


def _folded(graph: Graph, draws: Draws) -> None:
    """A convolution over the columns, as over a signal."""
    wide, taps = graph.width, draws.pick((1, 3))
    kernel = f4(draws.by.normal(0, 0.7, (1, 1, taps)))
    shape, back = np.array([-1, 1, wide]), np.array([-1, wide])
    edge = taps // 2

    def meaning(rows: Array) -> Array:
        padded = np.pad(rows, ((0, 0), (edge, edge)))
        return np.asarray(
            sum(padded[:, at : at + wide] * float(kernel[0, 0, at]) for at in range(taps))
        )

    graph.add("Reshape", lambda rows: rows, shape)
    graph.add("Conv", meaning, kernel, pads=[edge, edge], kernel_shape=[taps])
    graph.add("Reshape", lambda rows: rows, back)


BENDS: Mapping[str, Callable[[Array], Array]] = {
    "Relu": lambda rows: np.maximum(rows, 0),
    "Tanh": np.tanh,
    "Sigmoid": lambda rows: 1 / (1 + np.exp(-rows)),
    "Softplus": lambda rows: np.logaddexp(0, rows),
    "Softsign": lambda rows: rows / (1 + np.abs(rows)),
    "Abs": np.abs,
    "LeakyRelu": lambda rows: np.where(rows < 0, rows * float(np.float32(0.01)), rows),
    "Elu": lambda rows: np.where(rows < 0, np.expm1(np.minimum(rows, 0)), rows),
}

STEPS: tuple[Callable[[Graph, Draws], None], ...] = (
    _dense,
    _dense,
    _dense,
    _bent,
    _bent,
    _clipped,
    _chosen,
    _levelled,
    _powered,
    _folded,
)

# -------------------------------------------------------------------- what it ends in


def _softmax(graph: Graph, draws: Draws) -> None:
    def meaning(rows: Array) -> Array:
        raised = np.exp(rows - rows.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    graph.add("Softmax", meaning, axis=1)


def _trees(graph: Graph, draws: Draws, data: Table) -> None:
    """Trees of one question or three, that ask the input itself."""
    seen = data.rows(draws, 50)
    trees = [_tree(draws, seen) for _ in range(draws.whole(1, 6))]
    nodes = [(tree, *node) for tree, some in enumerate(trees) for node in some]
    leaves = [node for node in nodes if node[2] < 0]
    graph.add(
        "TreeEnsembleRegressor",
        lambda rows: _asked(trees, rows),
        domain="ai.onnx.ml",
        width=1,
        n_targets=1,
        nodes_treeids=[node[0] for node in nodes],
        nodes_nodeids=[node[1] for node in nodes],
        nodes_featureids=[max(node[2], 0) for node in nodes],
        nodes_values=[float(node[3]) if node[2] >= 0 else 0.0 for node in nodes],
        nodes_modes=["BRANCH_LEQ" if node[2] >= 0 else "LEAF" for node in nodes],
        nodes_truenodeids=[node[4] for node in nodes],
        nodes_falsenodeids=[node[5] for node in nodes],
        nodes_missing_value_tracks_true=[int(node[6]) for node in nodes],
        target_treeids=[node[0] for node in leaves],
        target_nodeids=[node[1] for node in leaves],
        target_ids=[0] * len(leaves),
        target_weights=[float(node[3]) for node in leaves],
    )


def _tree(draws: Draws, seen: Array) -> list[Node]:
    deep = draws.chance(0.6)

    def question(number: int, yes: int, no: int) -> Node:
        feature = draws.whole(0, seen.shape[1] - 1)
        among = seen[~np.isnan(seen[:, feature]), feature]
        threshold = np.float32(draws.pick(among) if len(among) else 0.0)
        return number, feature, threshold, yes, no, draws.chance(0.5)

    def leaf(number: int) -> Node:
        return number, -1, np.float32(draws.by.normal()), 0, 0, False

    if not deep:
        return [question(0, 1, 2), leaf(1), leaf(2)]
    asked = [question(0, 1, 2), question(1, 3, 4), question(2, 5, 6)]
    return asked + [leaf(one) for one in range(3, 7)]


def _asked(trees: list[list[Node]], rows: Array) -> Array:
    total = np.zeros((len(rows), 1))
    for tree in trees:
        for at, row in enumerate(rows):
            _, feature, value, yes, no, lost = tree[0]
            while feature >= 0:
                left = lost if np.isnan(row[feature]) else row[feature] <= float(value)
                _, feature, value, yes, no, lost = tree[yes if left else no]
            total[at, 0] += float(value)
    return total


def drawn(seed: int, family: str, folder: Path, attempt: int = 0) -> Drawn:
    """The graph that `seed` makes; of the family `trees`, one of trees."""
    draws = Draws(seed, attempt)
    trees, labels = family == "trees", family != "trees" and draws.chance(0.5)
    data = table(draws, "classes" if labels else "numbers", missing=True)
    graph = Graph(len(data.columns))
    if trees:
        _trees(graph, draws, data)
    else:
        if data.has_missing:
            _filled(graph, draws, data)
        _scaled(graph, draws, data)
        for _ in range(draws.whole(1, 6)):
            draws.pick(STEPS)(graph, draws)
        if labels:
            _dense(graph, draws)
            _softmax(graph, draws)
    path = graph.written(folder / "model.onnx", len(data.columns), labels=labels)

    def answer(rows: Array) -> Answers:
        found = graph.meaning(rows)
        if labels:
            return Answers(found.argmax(axis=1), found, True, judge.tied(found))
        return Answers(None, found)

    words = f"{' → '.join(graph.told)} on [{', '.join(one.kind for one in data.columns)}]"
    return Drawn("none", words, path, "onnx", answer, Rows(seed, data), tags=(family,))
