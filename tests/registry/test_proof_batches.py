"""An answer may not depend on the rows that happen to come with it: asked alone, it is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import ReferenceModel, RuntimeModel
from sealift_registry.proof import batches, probe_order
from sealift_registry.proof.batches import BATCHES
from sealift_registry.proof.model_runs import Runner
from sealift_registry.proof.proof_report import Findings, first_failed
from sealift_registry.proof.proving import ProofScope, proved
from tests.registry.proof_models import (
    Answer,
    Made,
    failing,
    linear,
    missing,
    proof,
    refusing,
    rows,
)

COPY = ProofScope(as_it_is=True)


def graph(path: Path, nodes: Sequence[Any], width: int, batch: int | str = "rows") -> Path:
    """An ONNX file of `nodes`, from `X` (four numbers a row) by `W` and `of-rows` to `Y`."""
    value = helper.make_tensor_value_info
    constants = [
        helper.make_tensor("W", TensorProto.FLOAT, [4, 3], np.linspace(-1, 2, 12).tolist()),
        helper.make_tensor("of-rows", TensorProto.INT64, [1], [0]),
    ]
    made = helper.make_graph(
        list(nodes),
        "g",
        [value("X", TensorProto.FLOAT, [batch, 4])],
        [value("Y", TensorProto.FLOAT, [batch, width])],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


SCORES = helper.make_node("MatMul", ["X", "W"], ["S"])
MIXED = {
    "softmax": [SCORES, helper.make_node("Softmax", ["S"], ["Y"], axis=0)],
    "mean": [
        helper.make_node("ReduceMean", ["X", "of-rows"], ["M"], keepdims=1),
        helper.make_node("Sub", ["X", "M"], ["C"]),
        helper.make_node("MatMul", ["C", "W"], ["Y"]),
    ],
    "largest": [
        SCORES,
        helper.make_node("ReduceMax", ["S", "of-rows"], ["M"], keepdims=1),
        helper.make_node("Div", ["S", "M"], ["Y"]),
    ],
}
HONEST = [SCORES, helper.make_node("Softmax", ["S"], ["Y"], axis=1)]


def itself(path: Path, goldens: Array | None = None) -> Findings:
    """The proof of an ONNX file that is taken as it is."""
    given = rows() if goldens is None else goldens
    return proved(ReferenceModel(path), RuntimeModel(path), {"X": given}, None, COPY)


def kinds(found: Findings) -> dict[str, int]:
    return {one.kind: one.ran for one in found.probes if one.kind in BATCHES}


@pytest.mark.parametrize("batch", ["rows", 4])
@pytest.mark.parametrize("name", MIXED)
def test_p0_300_what_hangs_on_the_rows_beside_it_fails(
    name: str, batch: int | str, tmp_path: Path
) -> None:
    found = itself(graph(tmp_path / "m.onnx", MIXED[name], 3, batch))
    assert "batches" in failing(found), [one.words for one in found.checks]
    (said,) = (one.words for one in found.checks if one.name == "batches")
    assert "asked again in other batches" in said
    assert first_failed(found.checks).name == "batches"


@pytest.mark.parametrize("batch", ["rows", 1, 4])
def test_p0_300_a_row_that_is_answered_for_itself_passes(batch: int | str, tmp_path: Path) -> None:
    found = itself(graph(tmp_path / "m.onnx", HONEST, 3, batch))
    assert failing(found) == set()
    wanted = {"rows": {"alone": batches.MOST, "few-at-once": batches.MOST}, 1: {}}
    assert kinds(found) == wanted.get(batch, {"alone": batches.MOST})


def test_p0_301_a_model_that_loses_its_axis_of_rows_when_there_is_one_row_is_no_fault(
    tmp_path: Path,
) -> None:
    nodes = [SCORES, helper.make_node("Squeeze", ["S"], ["Y"])]
    assert failing(itself(graph(tmp_path / "m.onnx", nodes, 3))) == set()


def test_p0_301_what_takes_no_single_row_fails() -> None:
    def several(x: Array) -> dict[str, Array]:
        if len(x) == 1:
            raise ValueError
        return linear()(x)

    found = proof(linear(), several)
    assert "batches" in failing(found)
    assert [one.wrong for one in found.probes if one.kind == "alone"] == [batches.MOST]
    (few,) = (one.wrong for one in found.probes if one.kind == "few-at-once")
    assert few <= 1  # the last of them may be left alone


def wrong_of(sizes: range) -> Answer:
    """A runtime that computes so many rows in another way, and wrongly."""

    def answer(x: Array) -> dict[str, Array]:
        found = linear()(x)
        return {k: v * x.dtype.type(1.1) for k, v in found.items()} if len(x) in sizes else found

    return answer


@pytest.mark.parametrize(
    "sizes, kind",
    [
        (range(1, 2), "alone"),
        (range(2, 4), "few-at-once"),
        (range(4, 17), "few-at-once"),
        (range(50, 64), "few-at-once"),
    ],
)
def test_p0_302_a_runtime_that_is_wrong_of_few_rows_alone_is_seen(sizes: range, kind: str) -> None:
    found = proof(linear(), wrong_of(sizes), rows(80))
    assert "batches" in failing(found)
    assert {one.kind for one in found.probes if one.wrong} == {kind}
    assert "the answers are alike, but " in found.words
    assert found.words.endswith((" differ in other batches", " differs in other batches"))


def test_p0_302_the_same_batches_come_again_by_the_same_seed() -> None:
    asked: list[list[int]] = []

    def watched() -> Answer:
        sizes: list[int] = []
        asked.append(sizes)

        def answer(x: Array) -> dict[str, Array]:
            sizes.append(len(x))
            return linear()(x)

        return answer

    for seed in (b"a", b"a", b"b"):
        proof(linear(), watched(), plan=ProofScope(seed))
    assert asked[0] == asked[1] != asked[2]


def test_p0_303_without_probes_nothing_is_asked_again() -> None:
    assert kinds(proof(linear(), linear(), plan=ProofScope(most_rows=0))) == {}


def test_p0_303_as_few_as_there_is_time_for_and_never_less_than_sixteen() -> None:
    found = proof(linear(), linear(), plan=ProofScope(seconds=0.0))
    again = {one.kind: (one.ran, one.left_out) for one in found.probes if one.kind in BATCHES}
    assert again["alone"][0] == batches.LEAST
    assert batches.LEAST <= again["few-at-once"][0] < 2 * batches.LEAST + 64
    assert sum(again["alone"]) == sum(again["few-at-once"])
    left = again["alone"][1] + again["few-at-once"][1]
    assert left > 0
    (said,) = (one.words for one in found.checks if one.name == "batches")
    assert f"there was no time for {left:,}" in said


def test_p0_303_large_rows_are_few() -> None:
    assert batches.most_rows(4) == batches.MOST
    assert batches.most_rows(3 * 224 * 224) == 27
    assert batches.most_rows(10**9) == batches.LEAST


def test_p0_304_a_row_that_is_alone_fills_all_of_a_batch_of_fixed_size() -> None:
    asked: list[Array] = []

    def answer(x: Array) -> dict[str, Array]:
        asked.append(x)
        return linear()(x)

    runner = Runner(Made(answer), in_doubles=False).by(1, of=4)
    given = rows(3).astype(np.float32)
    found = runner.answers({"inputs": given})
    assert [one.tolist() for one in asked] == [[row] * 4 for row in given.tolist()]
    assert np.allclose(found["variable"], linear()(given)["variable"])


@dataclass(frozen=True)
class Fixed(Made):
    """A model that takes so many rows and no other number of them."""

    batch: int = 4


def test_p0_304_of_a_fixed_batch_each_row_asked_alone_is_beside_itself_only() -> None:
    alike: list[bool] = []

    def answer(x: Array) -> dict[str, Array]:
        assert len(x) == 4
        alike.append(len({row.tobytes() for row in x}) == 1)
        return linear()(x)

    found = proof(linear(), Fixed(answer))
    assert failing(found) == set()
    assert sum(alike) >= batches.MOST


def test_p0_309_a_source_that_takes_one_row_at_a_time_is_asked_so(tmp_path: Path) -> None:
    """The evaluator would take many rows of such a file, and mix what must not be mixed."""
    nodes = [
        helper.make_node("ReduceMean", ["X"], ["M"], keepdims=0),
        helper.make_node("Sub", ["X", "M"], ["C"]),
        helper.make_node("MatMul", ["C", "W"], ["Y"]),
    ]
    assert failing(itself(graph(tmp_path / "m.onnx", nodes, 3, 1))) == set()


def test_p0_309_as_many_rows_are_asked_again_as_may_be_compared_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe_order, "MOST_BYTES", 5 * np.dtype(np.float64).itemsize)
    assert kinds(proof(linear(), linear())) == {"alone": 5, "few-at-once": 5}


def test_p0_309_a_source_that_takes_some_rows_alone_only_is_proved_all_the_same() -> None:
    def odd(x: Array) -> Array:
        return missing(x) & (len(x) > 1)

    found = proof(refusing(linear(), odd), linear())
    assert failing(found) == set()
    assert kinds(found)["alone"] > 0


def test_p0_309_the_source_has_no_more_time_than_the_variant() -> None:
    asked: list[int] = []

    def answer(x: Array) -> dict[str, Array]:
        asked.append(len(x))
        return linear()(x)

    def told(subject: str, _done: int, _total: int) -> None:
        if "batches" in subject:
            asked.clear()

    proof(Made(answer), linear(), plan=ProofScope(seconds=0.0, progress=told))
    assert asked[0] == batches.LEAST
