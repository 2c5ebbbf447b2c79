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

from sealift_registry.frameworks.framework import VARIABLE, Array, Facts, Tree
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_registry.proof.columns import columns
from sealift_registry.proof.jumps import Ask
from sealift_registry.proof.probing import Making, probes
from sealift_registry.proof.proving import Plan, proved
from sealift_registry.proof.table import laid_out
from sealift_signing.errors import RefusedError
from tests.registry.converting import Converted
from tests.registry.proof_models import Answer, failing, proof, rows

Proto: TypeAlias = Any
"""An onnx.ModelProto."""

TRACKS = "nodes_missing_value_tracks_true"
WIDTH = 400
PLAN = Plan(seed=b"m", as_it_is=True)


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


def _made(facts: Facts, ask: Ask, goldens: Array) -> dict[str, Array]:
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
    plan = Plan(seed=b"m")
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
    facts = Facts(trees=(SPLIT,))
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

    made = _made(Facts(trees=(SPLIT,), may_tie=True), ask, rows())
    for kind in ("missing-at-nodes", "missing-some"):
        assert np.isnan(made[kind][:, 0]).any()
        assert not np.isnan(made[kind][:, 1:]).any()


def test_p0_352_what_is_missing_behind_a_scaler_is_tried_on_many_rows() -> None:
    """Nobody says where those trees' nodes are: then a part of many a row is missing."""

    def ask(x: Array) -> dict[str, Array]:
        return {VARIABLE: np.nan_to_num(x).sum(axis=1)}

    few = _made(Facts(), ask, _goldens())["missing-some"]
    many = _made(Facts(may_tie=True), ask, _goldens())["missing-some"]
    assert len(many) >= 4 * len(few) > 0
    parts = np.isnan(many).mean(axis=1)
    assert parts.min() < 0.15
    assert parts.max() > 0.4
