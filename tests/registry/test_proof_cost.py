"""What a proof takes of time and memory, however the model is made."""

from __future__ import annotations

import time
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from onnx import NodeProto, helper

from sealift_registry.frameworks import lightgbm_trees, tree_ensembles
from sealift_registry.frameworks.framework import VARIABLE, Array, ModelFacts, Tree
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_registry.proof import tree_rows
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.columns import columns
from sealift_registry.proof.probe_rows import Making, probes
from sealift_registry.proof.table import laid_out
from sealift_signing.errors import RefusedError
from tests.registry.proof_models import rows

LEAF = -1


def _chain(depth: int) -> Tree:
    """Each node has a leaf to the left, and the next node to the right."""
    inner = np.arange(depth)
    feature = np.concatenate([inner % 4, np.full(depth + 1, LEAF)])
    threshold = np.concatenate([inner / depth, np.zeros(depth + 1)])
    left = np.concatenate([depth + inner, np.zeros(depth + 1, int)])
    right = np.concatenate([inner + 1, np.zeros(depth + 1, int)])
    right[depth - 1] = 2 * depth
    return Tree(feature, threshold, left, right)


def _directed(*trees: Tree, seconds: float = 600.0) -> tuple[Array, int]:
    facts, given = ModelFacts(trees=trees), rows(20)
    known = columns(given, laid_out({"inputs": given.astype(np.float32)}).dtypes, facts)
    draw = np.random.default_rng(1)
    return tree_rows.directed(trees, given, known, draw, 3000, Budget(seconds))


@pytest.mark.parametrize("depth", [1000, 30_000])
def test_p0_160_a_chain_of_nodes_takes_seconds_and_not_minutes(depth: int) -> None:
    began = time.process_time()
    found, left_out = _directed(_chain(depth))
    assert time.process_time() - began < 15
    assert len(found) >= tree_rows.FIRST
    assert (left_out > 0) == (depth > 1000)


def test_p0_160_rows_for_thresholds_end_with_the_time() -> None:
    found, left_out = _directed(_chain(1000), seconds=-1.0)
    assert len(found) == tree_rows.FIRST
    assert 2000 < left_out <= 3000


def test_p0_161_what_there_was_no_time_to_make_is_counted() -> None:
    def too_late(_rows: Array) -> dict[str, Array]:
        raise TimeoutError

    given, facts = rows(20), ModelFacts(trees=(_chain(1000),))
    known = columns(given, laid_out({"inputs": given.astype(np.float32)}).dtypes, facts)
    made, left_out = probes(Making(given, known, facts, b"a", too_late, Budget(-1.0)))
    assert "jumps" not in made
    assert set(left_out) == {"jumps", "thresholds"}
    made, left_out = probes(Making(given, known, facts, b"a", lambda x: {VARIABLE: x[:, 0]}))
    assert "jumps" in made
    assert left_out == {}


@pytest.mark.parametrize(
    "left, right",
    [([1, 3, 1, 0, 0], [2, 4, 3, 0, 0]), ([1, 2, 1, 0, 0], [3, 2, 4, 0, 0])],
    ids=["two ways", "a circle"],
)
def test_p0_162_nodes_that_hang_together_otherwise_than_a_tree_s_end(
    left: list[int], right: list[int]
) -> None:
    odd = Tree(np.array([0, 1, 2, LEAF, LEAF]), np.full(5, 0.5), np.array(left), np.array(right))
    found, left_out = _directed(odd)
    assert len(found) <= 9
    assert left_out == 0


# -------------------------------------------------------------------- what files may say of trees


def test_p0_162_nodes_with_two_parents_are_refused_before_all_ways_are_gone() -> None:
    """Of sixty levels there are more ways than anybody can go."""
    levels = 60
    nodes = np.arange(levels)
    below = np.append(nodes + 1, 0)
    feature = np.append(np.zeros(levels, int), LEAF)
    with pytest.raises(RefusedError) as caught:
        tree_ensembles.grown(feature, np.zeros(levels + 1), below, below, np.ones(levels + 1))
    assert caught.value.code == "converter-unknown"
    assert "do not hang together" in caught.value.what


def test_p0_162_trees_of_onnx_that_share_nodes_are_run_and_no_rows_are_made_of_them() -> None:
    def ensemble(truths: list[int], falses: list[int]) -> NodeProto:
        return helper.make_node(
            "TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", nodes_treeids=[0] * 5,
            nodes_nodeids=list(range(5)), nodes_featureids=[0, 1, 2, 0, 0],
            nodes_values=[0.5] * 5, nodes_modes=["BRANCH_LEQ"] * 3 + ["LEAF"] * 2,
            nodes_truenodeids=truths, nodes_falsenodeids=falses,
        )  # fmt: skip

    assert not list(tree_ensembles.asked([ensemble([1, 3, 3, 0, 0], [2, 4, 4, 0, 0])]))
    assert not list(tree_ensembles.asked([ensemble([1, 2, 3, 0, 0], [4, 4, 4, 0, 0])]))


def test_p0_163_a_chain_of_lightgbm_is_refused_in_a_sentence(tmp_path: Path) -> None:
    saved = tmp_path / "deep.txt"
    saved.write_text(_deep(2000), encoding="utf-8")
    with pytest.raises(RefusedError) as caught:
        lightgbm_trees.load(saved)
    assert caught.value.code == "converter-unknown"
    assert "a thousand levels" in caught.value.what


def _deep(depth: int) -> str:
    """A model of LightGBM's whose only tree is a chain."""
    draw = np.random.default_rng(1)
    given = draw.normal(size=(4 * depth, 1))
    settings = {"num_leaves": depth, "min_data_in_leaf": 1, "verbose": -1, "max_bin": 8 * depth}
    data = lightgbm.Dataset(given, draw.normal(size=len(given)), params={"min_data_in_bin": 1})
    text = lightgbm.train(settings | {"min_data_in_bin": 1}, data, 1).model_to_string()
    lines = [line for line in text.splitlines() if not line.startswith("tree_sizes=")]
    count = len(next(one for one in lines if one.startswith("left_child=")).split())
    left = " ".join(str(-1 - number) for number in range(count))
    right = " ".join(str(number + 1) for number in range(count - 1)) + f" {-1 - count}"
    return "\n".join(
        f"left_child={left}"
        if line.startswith("left_child=")
        else f"right_child={right}"
        if line.startswith("right_child=")
        else line
        for line in lines
    )


@pytest.mark.parametrize("kind", [KeyError, TypeError, AssertionError])
def test_p0_164_whatever_boosted_trees_raise_on_a_row_is_a_refusal_of_it(
    kind: type[Exception],
) -> None:
    class Broken:
        """Answers nothing."""

        def predict(self, *_given: object, **_named: object) -> Array:
            raise kind

        def num_features(self) -> int:
            return 4

        num_feature = num_features

    for model in (LightgbmModel.__new__(LightgbmModel), XgboostModel.__new__(XgboostModel)):
        vars(model).update(_booster=Broken(), _objective="regression")
        with pytest.raises(RefusedError) as caught:
            model.answer({"inputs": rows()})
        assert caught.value.code == "goldens-unfit"
        assert kind.__name__ in caught.value.what
