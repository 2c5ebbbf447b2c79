"""Something missing: deep in trees of many columns, and where nobody said what is right then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import lightgbm
import numpy as np
import onnx
import pytest
import xgboost
from onnx import TensorProto, helper, numpy_helper

from sealift_registry.frameworks.framework import VARIABLE, Array, ModelFacts, Tree
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.onnx_runs import ReferenceModel, RuntimeModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_registry.proof.columns import columns
from sealift_registry.proof.jumps import Ask
from sealift_registry.proof.probe_rows import Making, probes
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import ProofScope, proved
from sealift_registry.proof.table import laid_out
from sealift_signing.errors import RefusedError
from sealift_sync.check_rows import unpack
from tests.registry.converting import Converted
from tests.registry.proof_models import Answer, failing, linear, proof, rows

Proto: TypeAlias = Any
"""An onnx.ModelProto."""

TRACKS = "nodes_missing_value_tracks_true"
WIDTH = 400
PLAN = ProofScope(seed=b"m", as_it_is=True)


# -------------------------------------------------------------------- deep in trees


def _trained(seed: int) -> tuple[Array, Array]:
    """Many columns, of which six decide; one value in ten is missing."""
    draw = np.random.default_rng(seed)
    given = draw.normal(size=(800, WIDTH))
    wanted = given[:, :6] @ [2, 1.5, 1, 1, 0.8, 0.6] + 0.3 * draw.normal(size=800)
    return np.where(draw.random(given.shape) < 0.1, np.nan, given), wanted


@cache
def _light(trees: int) -> LightgbmModel:
    given, wanted = _trained(trees)
    quiet = {"verbosity": -1, "num_threads": 1, "seed": 1}
    data = lightgbm.Dataset(given, wanted, params={"verbose": -1})
    found = lightgbm.train({**quiet, "objective": "regression"}, data, trees)
    return LightgbmModel(lightgbm.Booster(model_str=found.model_to_string()))


@cache
def _extreme() -> XgboostModel:
    given, wanted = _trained(5)
    found = xgboost.train(
        {"nthread": 1, "max_depth": 5}, xgboost.DMatrix(given, wanted), num_boost_round=2
    )
    saved = xgboost.Booster()
    saved.load_model(bytearray(found.save_raw("ubj")))
    return XgboostModel(saved)


def _goldens() -> Array:
    return np.random.default_rng(9).normal(size=(20, WIDTH))


def _made(facts: ModelFacts, ask: Ask, goldens: Array) -> dict[str, Array]:
    known = columns(goldens, laid_out({"inputs": goldens.astype(np.float32)}).dtypes, facts)
    return probes(Making(goldens, known, facts, b"a", ask))[0]


def _decides(one: Tree, node: int) -> bool:
    """Whether any row gets to a node with nothing in what the node asks."""
    assert one.missing is not None
    column, at = one.feature[node], node
    while at:
        above = int(np.flatnonzero((one.left == at) | (one.right == at))[-1])
        goes_left = one.left[above] == at
        if one.feature[above] == column and one.missing[above] != goes_left:
            return False
        at = above
    return True


@pytest.mark.parametrize("model", [lambda: _light(1), lambda: _light(8), _extreme])
def test_p0_350_each_node_of_a_wide_model_that_sends_the_missing_astray_is_seen(
    model: Callable[[], LightgbmModel | XgboostModel], tmp_path: Path
) -> None:
    source = model()
    right = onnx.load_from_string(Converted(source).content)
    made = _made(source.facts(), lambda x: source.answer({"inputs": x}), _goldens())
    asked = {"inputs": np.concatenate([made["missing-at-nodes"], made["missing"]])}
    (tree_node,) = [one for one in right.graph.node if one.op_type.startswith("TreeEnsemble")]
    modes = next(one.strings for one in tree_node.attribute if one.name == "nodes_modes")
    inner = [at for at, mode in enumerate(modes) if mode != b"LEAF"]
    theirs = _answers(right, tmp_path, asked)
    unseen = [at for at in inner if _same(theirs, _answers(_flipped(right, at), tmp_path, asked))]
    undecided = sum(
        not _decides(one, int(node))
        for one in source.facts().trees
        for node in np.flatnonzero(one.feature >= 0)
    )
    assert len(inner) > 25
    assert len(unseen) <= undecided


def _answers(model: Proto, folder: Path, asked: Mapping[str, Array]) -> Array:
    path = folder / "asked.onnx"
    onnx.save(model, path)
    (found,) = RuntimeModel(path).answer(asked).values()
    return found


def _same(one: Array, other: Array) -> bool:
    return bool(np.abs(one - other).max() <= 1e-4 * np.std(one))


def _flipped(right: Proto, at: int) -> Proto:
    mutant = onnx.ModelProto()
    mutant.CopyFrom(right)
    for node in mutant.graph.node:
        for one in node.attribute:
            if one.name == TRACKS:
                one.ints[at] = 1 - one.ints[at]
    return mutant


def test_p0_350_one_deep_node_astray_stops_a_wide_model(tmp_path: Path) -> None:
    source = _light(3)
    right = onnx.load_from_string(Converted(source).content)
    path = tmp_path / "variant.onnx"
    onnx.save(right, path)
    plan = ProofScope(seed=b"m")
    given = {"inputs": _goldens()}
    assert failing(proved(source, RuntimeModel(path), given, None, plan)) == set()
    last = int(np.flatnonzero(source.facts().trees[0].feature >= 0)[-1])
    onnx.save(_flipped(right, _place(right, source.facts().trees[0], last)), path)
    assert failing(proved(source, RuntimeModel(path), given, None, plan)) == {"missing"}


def _place(right: Proto, tree: Tree, node: int) -> int:
    """Where the node of the first tree that asks as `node` does stands in the file."""
    (operator,) = [one for one in right.graph.node if one.op_type.startswith("TreeEnsemble")]
    held = {one.name: one for one in operator.attribute}
    values = np.array(held["nodes_values"].floats)
    same = (np.array(held["nodes_featureids"].ints) == tree.feature[node]) & (
        np.abs(values - tree.threshold[node]) < 1e-5
    )
    return int(np.flatnonzero(same & (np.array(held["nodes_treeids"].ints) == 0))[0])


SPLIT = Tree(
    feature=np.array([0, 1, 1, -1, -1, -1, -1]),
    threshold=np.array([np.inf, 0.5, -0.5, 0, 0, 0, 0]),
    left=np.array([1, 3, 5, 0, 0, 0, 0]),
    right=np.array([2, 4, 6, 0, 0, 0, 0]),
    missing=np.array([False, True, False, False, False, False, False]),
)
"""What is missing in the first column alone gets to the node on the right."""


def _walk(tree: Tree) -> Answer:
    leaves = np.array([0, 0, 0, 1.0, 2.0, 3.0, 4.0])

    def answer(x: Array) -> dict[str, Array]:
        node = np.zeros(len(x), int)
        assert tree.missing is not None
        for _ in range(2):
            value = x[np.arange(len(x)), tree.feature[node]].astype(float)
            left = np.where(np.isnan(value), tree.missing[node], value <= tree.threshold[node])
            node = np.where(left, tree.left[node], tree.right[node])
        return {VARIABLE: leaves[node].astype(x.dtype)}

    return answer


@pytest.mark.parametrize("node", [0, 1, 2])
def test_p0_351_a_node_that_only_the_missing_reach_is_led_to(node: int) -> None:
    facts = ModelFacts(trees=(SPLIT,))
    assert SPLIT.missing is not None
    flipped, aside = SPLIT.missing.copy(), SPLIT.threshold.astype(np.float32)
    flipped[node] = not flipped[node]
    mutant = Tree(SPLIT.feature, SPLIT.threshold, SPLIT.left, SPLIT.right, flipped)
    assert failing(proof(_walk(SPLIT), _walk(SPLIT), facts=facts)) == set()
    assert "missing" in failing(proof(_walk(SPLIT), _walk(mutant), facts=facts))
    if node:
        aside[node] = np.nextafter(aside[node], np.float32(np.inf))
        moved = Tree(SPLIT.feature, aside.astype(float), SPLIT.left, SPLIT.right, SPLIT.missing)
        assert "thresholds" in failing(proof(_walk(SPLIT), _walk(moved), facts=facts))


def test_p0_351_rows_of_nothing_are_made_only_where_the_source_takes_them() -> None:
    def ask(x: Array) -> dict[str, Array]:
        if np.isnan(x[:, 1:]).any():
            raise RefusedError("goldens-unfit", "It does not take that.")
        return _walk(SPLIT)(x)

    made = _made(ModelFacts(trees=(SPLIT,), may_tie=True), ask, rows())
    for kind in ("missing-at-nodes", "missing-some"):
        assert np.isnan(made[kind][:, 0]).any()
        assert not np.isnan(made[kind][:, 1:]).any()


def test_p0_352_what_is_missing_behind_a_scaler_is_tried_on_many_rows() -> None:
    """Nobody says where those trees' nodes are: then a part of many a row is missing."""

    def ask(x: Array) -> dict[str, Array]:
        return {VARIABLE: np.nan_to_num(x).sum(axis=1)}

    few = _made(ModelFacts(), ask, _goldens())["missing-some"]
    many = _made(ModelFacts(may_tie=True), ask, _goldens())["missing-some"]
    assert len(many) >= 4 * len(few) > 0
    parts = np.isnan(many).mean(axis=1)
    assert parts.min() < 0.15
    assert parts.max() > 0.4


# -------------------------------------------------------------------- nobody's promise


def _graph(
    nodes: list[Any], output: tuple[int, list[str | int]], given: tuple[int, ...], **weights: Array
) -> Proto:
    """A model of one input and one output; `output` is its type and its lengths."""
    made = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", *given])],
        [helper.make_tensor_value_info("Y", output[0], ["n", *output[1]])],
        [numpy_helper.from_array(one, name) for name, one in weights.items()],
    )
    sets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, ir_version=7, opset_imports=sets)


def _weights(*shape: int) -> Array:
    return np.random.default_rng(3).normal(0, 0.5, shape).astype(np.float32)


def _max_pool() -> Proto:
    nodes = [
        helper.make_node("MaxPool", ["X"], ["d"], kernel_shape=[2], strides=[2]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w"], ["Y"]),
    ]
    return _graph(nodes, (TensorProto.FLOAT, [2]), (2, 8), w=_weights(8, 2))


def _largest() -> Proto:
    nodes = [
        helper.make_node("ReduceMax", ["X"], ["m"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["m", "w"], ["Y"]),
    ]
    return _graph(nodes, (TensorProto.FLOAT, [2]), (5, 6), w=_weights(6, 2))


def _best() -> Proto:
    nodes = [
        helper.make_node("Gemm", ["X", "w"], ["a"]),
        helper.make_node("ArgMax", ["a"], ["Y"], axis=1, keepdims=0, select_last_index=1),
    ]
    return _graph(nodes, (TensorProto.INT64, []), (6,), w=_weights(6, 4))


def _top() -> Proto:
    nodes = [
        helper.make_node("TopK", ["X", "k"], ["v", "i"]),
        helper.make_node("Gemm", ["v", "w"], ["Y"]),
    ]
    return _graph(nodes, (TensorProto.FLOAT, [2]), (6,), k=np.array([3]), w=_weights(3, 2))


def _recurrent() -> Proto:
    nodes = [
        helper.make_node("Transpose", ["X"], ["t"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["t", "w", "r", "b"], ["y", "h"], hidden_size=4),
        helper.make_node("Squeeze", ["h", "ax"], ["Y"]),
    ]
    weights = {"w": _weights(1, 12, 3), "r": _weights(1, 12, 4), "b": _weights(1, 24)}
    return _graph(nodes, (TensorProto.FLOAT, [4]), (8, 3), ax=np.array([0]), **weights)


RIGHT = {
    "MaxPool": (_max_pool, (2, 8)),
    "ReduceMax": (_largest, (5, 6)),
    "ArgMax": (_best, (6,)),
    "TopK": (_top, (6,)),
    "GRU": (_recurrent, (8, 3)),
}
"""Of all of these, ONNX Runtime and the reference evaluator answer NaN differently."""


def _proved(model: Proto, folder: Path, goldens: Array, *, as_it_is: bool = True) -> Findings:
    path = folder / "model.onnx"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    given = {"inputs": goldens.astype(np.float32)}
    plan = ProofScope(seed=b"m", as_it_is=as_it_is)
    return proved(ReferenceModel(path), RuntimeModel(path), given, None, plan)


def _golden(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(4).normal(size=(20, *shape))


def _check(found: Findings, name: str) -> str:
    return next(one.words for one in found.checks if one.name == name)


@pytest.mark.parametrize("name", RIGHT)
def test_p0_353_what_nobody_says_of_the_missing_fails_no_right_file(
    name: str, tmp_path: Path
) -> None:
    make, shape = RIGHT[name]
    found = _proved(make(), tmp_path, _golden(shape))
    assert failing(found) == set()
    assert "ARE ANSWERED DIFFERENTLY" in " ".join(found.told_first)
    assert "nothing is missing in the goldens" in _check(found, "missing")
    assert "with something missing" in found.words
    kinds = {one.kind: one for one in found.probes}
    assert (kinds["missing"].wrong, kinds["goldens"].apart) == (0, None)
    assert 0 < (kinds["missing"].apart or 0) <= kinds["missing"].ran
    assert next(one for one in found.outputs if one.name == "Y").wrong == 0


@pytest.mark.parametrize("name", RIGHT)
def test_p0_354_goldens_in_which_something_is_missing_are_a_promise(
    name: str, tmp_path: Path
) -> None:
    make, shape = RIGHT[name]
    goldens = _golden(shape)
    goldens.reshape(20, -1)[3, 1] = np.nan
    assert "missing" in failing(_proved(make(), tmp_path, goldens))
    assert "missing" in failing(_proved(make(), tmp_path, _golden(shape), as_it_is=False))


def _looking(nodes: list[Any], **more: Array) -> Proto:
    """`TopK`, behind what looks for what is missing and leaves some of it."""
    graph = _top()
    for node in nodes:
        graph.graph.node.append(node)
    graph.graph.node.append(helper.make_node("Where", ["m", "X", "X"], ["unused"]))
    graph.graph.initializer.extend(numpy_helper.from_array(one, n) for n, one in more.items())
    return graph


LOOKS: Mapping[str, tuple[list[Any], dict[str, Array]]] = {
    "IsNaN": ([helper.make_node("IsNaN", ["X"], ["m"])], {}),
    "not equal to itself": (
        [
            helper.make_node("Identity", ["X"], ["same"]),
            helper.make_node("Equal", ["X", "same"], ["m"]),
        ],
        {},
    ),
    "Imputer": (
        [
            helper.make_node(
                *("Imputer", ["X"], ["filled"]),
                domain="ai.onnx.ml",
                imputed_value_floats=[0.0],
                replaced_value_float=float("nan"),
            ),
            helper.make_node("Greater", ["filled", "zero"], ["m"]),
        ],
        {"zero": np.zeros(1, np.float32)},
    ),
    "trees": (
        [
            helper.make_node(
                *("TreeEnsembleRegressor", ["X"], ["t"]),
                domain="ai.onnx.ml",
                nodes_treeids=[0] * 3,
                nodes_nodeids=[0, 1, 2],
                nodes_featureids=[0] * 3,
                nodes_values=[0.5, 0.0, 0.0],
                nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
                nodes_truenodeids=[1, 0, 0],
                nodes_falsenodeids=[2, 0, 0],
                n_targets=1,
                target_treeids=[0, 0],
                target_nodeids=[1, 2],
                target_ids=[0, 0],
                target_weights=[1.0, 2.0],
            ),
            helper.make_node("Greater", ["t", "zero"], ["m"]),
        ],
        {"zero": np.zeros(1, np.float32)},
    ),
    "in a part of its own": (
        [
            helper.make_node(
                *("If", ["yes"], ["m"]),
                then_branch=helper.make_graph(
                    [helper.make_node("IsNaN", ["X"], ["a"])],
                    "a",
                    [],
                    [helper.make_tensor_value_info("a", TensorProto.BOOL, ["n", 6])],
                ),
                else_branch=helper.make_graph(
                    [helper.make_node("IsInf", ["X"], ["b"])],
                    "b",
                    [],
                    [helper.make_tensor_value_info("b", TensorProto.BOOL, ["n", 6])],
                ),
            )
        ],
        {"yes": np.array(True)},
    ),
}


@pytest.mark.parametrize("how", LOOKS)
def test_p0_354_a_graph_that_looks_for_the_missing_promises_something(
    how: str, tmp_path: Path
) -> None:
    nodes, more = LOOKS[how]
    assert failing(_proved(_looking([], m=np.array([True] * 6)), tmp_path, _golden((6,)))) == set()
    assert "missing" in failing(_proved(_looking(nodes, **more), tmp_path, _golden((6,))))


def test_p0_355_a_row_without_anything_missing_still_fails_such_a_file(tmp_path: Path) -> None:
    """What is forgiven is a row with something missing, and no other."""
    right, wrong = tmp_path / "right.onnx", tmp_path / "wrong.onnx"
    onnx.save(_top(), right)
    other = _top()
    nudged = numpy_helper.to_array(other.graph.initializer[1]) * np.float32(1.01)
    other.graph.initializer[1].CopyFrom(numpy_helper.from_array(nudged, "w"))
    onnx.save(other, wrong)
    given = {"inputs": _golden((6,)).astype(np.float32)}
    found = proved(ReferenceModel(right), RuntimeModel(wrong), given, None, PLAN)
    assert {"goldens", "ordinary", "range"} <= failing(found)
    assert "missing" not in failing(found)


def test_p0_356_no_site_is_asked_what_nobody_promised(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    kept: list[bytes] = []
    onnx.save(_top(), path)
    given = {"inputs": _golden((6,)).astype(np.float32)}
    plan = ProofScope(seed=b"m", as_it_is=True, check_rows=kept.append)
    assert failing(proved(ReferenceModel(path), RuntimeModel(path), given, None, plan)) == set()
    (data,) = kept
    (asked,) = unpack(data).inputs
    assert np.isfinite(np.frombuffer(asked.tensor.data, "<f4")).all()


def test_p0_357_models_of_a_framework_answer_for_what_is_missing(tmp_path: Path) -> None:
    for source in (_light(1), _extreme()):
        assert not source.facts().no_promise
    found = proof(linear(), _dropping_missing, plan=PLAN)
    assert failing(found) == {"missing"}


def _dropping_missing(x: Array) -> dict[str, Array]:
    return linear()(np.nan_to_num(x))
