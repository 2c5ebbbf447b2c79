"""What onnx's evaluator has wrong of old opsets is computed as ONNX says: right files pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import ReferenceModel
from sealift_signing.errors import RefusedError

node = helper.make_node
CHANCE = np.random.default_rng(3)
FOUR = {
    "s": 1 + CHANCE.random(4),
    "b": CHANCE.normal(size=4),
    "m": CHANCE.normal(size=4),
    "v": 1 + CHANCE.random(4),
}
BATCH = [node("BatchNormalization", ["X", "s", "b", "m", "v"], ["Y"], epsilon=0.01)]
WIDE, FLAT = (3, 4, 2, 5), (7, 4)
BY = {"scale": np.float32(0.05), "zero": np.uint8(113)}
EACH = {"scale": np.array([0.01, 0.02, 0.03, 0.04], np.float32), "zero": np.zeros(4, np.int8)}


def both(**said: int) -> list[NodeProto]:
    return [
        node("QuantizeLinear", ["X", "scale", "zero"], ["Q"], **said),
        node("DequantizeLinear", ["Q", "scale", "zero"], ["Y"], **said),
    ]


Given = Mapping[str, Any]
Case = tuple[str, int, tuple[int, ...], Sequence[NodeProto], Given]
CASES: list[Case] = [
    *((f"batch {opset}", opset, WIDE, BATCH, FOUR) for opset in (7, 8, 9, 11, 12, 13)),
    ("batch of a table", 9, FLAT, BATCH, FOUR),
    *((f"softmax {opset}", opset, WIDE, [node("Softmax", ["X"], ["Y"])], {}) for opset in (8, 12)),
    ("softmax by an axis", 11, WIDE, [node("Softmax", ["X"], ["Y"], axis=2)], {}),
    ("softmax from behind", 11, WIDE, [node("Softmax", ["X"], ["Y"], axis=-1)], {}),
    ("log", 12, WIDE, [node("LogSoftmax", ["X"], ["Y"])], {}),
    ("hard", 12, WIDE, [node("Hardmax", ["X"], ["Y"])], {}),
    ("local", 13, WIDE, [node("LRN", ["X"], ["Y"], size=3, alpha=0.1)], {}),
    ("local, 17", 17, WIDE, [node("LRN", ["X"], ["Y"], size=5, alpha=0.3, bias=2.0)], {}),
    ("quantized", 10, WIDE, both(), BY),
    ("quantized, 18", 18, WIDE, both(), BY),
    ("quantized by channel", 13, WIDE, both(axis=1), EACH),
]


def _file(
    path: Path, opset: int, shape: tuple[int, ...], nodes: Sequence[NodeProto], given: Given
) -> Path:
    value = helper.make_tensor_value_info
    constants = [
        numpy_helper.from_array(
            np.asarray(one, np.float32 if np.asarray(one).dtype == np.float64 else None), name
        )
        for name, one in given.items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [value("X", TensorProto.FLOAT, ["rows", *shape[1:]])],
        [value("Y", TensorProto.FLOAT, None)],
        constants,
    )
    sets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=7), str(path))
    return path


def _evaluated(path: Path, x: Array) -> Array | None:
    """What onnx's own evaluator answers; None where it cannot."""
    try:
        (found,) = onnx.reference.ReferenceEvaluator(str(path)).run(None, {"X": x})
    except (RuntimeError, TypeError):
        return None
    return np.asarray(found)


@pytest.mark.parametrize("case", CASES, ids=[one[0] for one in CASES])
def test_p0_307_the_source_answers_as_onnx_says(case: Case, tmp_path: Path) -> None:
    _, opset, shape, nodes, given = case
    path = _file(tmp_path / "m.onnx", opset, shape, nodes, given)
    x = np.random.default_rng(1).normal(scale=2.0, size=shape).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"X": x})
    found = ReferenceModel(path).answer({"X": x})["Y"]
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=[one[0] for one in CASES])
def test_p0_307_nothing_is_put_right_that_the_evaluator_has_right(
    case: Case, tmp_path: Path
) -> None:
    """Of each operator here some file shows that it is needed still."""
    name, opset, shape, nodes, given = case
    path = _file(tmp_path / "m.onnx", opset, shape, nodes, given)
    x = np.random.default_rng(1).normal(scale=2.0, size=shape).astype(np.float32)
    found = _evaluated(path, x)
    ours = ReferenceModel(path).answer({"X": x})["Y"]
    is_right = found is not None and np.abs(found - ours).max() < 2e-6
    assert is_right == (name == "softmax from behind")


def test_p0_307_a_batch_normalization_that_trains_is_refused(tmp_path: Path) -> None:
    trains = [node("BatchNormalization", ["X", "s", "b", "m", "v"], ["Y", "a", "c", "d", "e"])]
    path = _file(tmp_path / "m.onnx", 9, FLAT, trains, FOUR)
    with pytest.raises(RefusedError) as caught:
        ReferenceModel(path).answer({"X": np.zeros(FLAT, np.float32)})
    assert caught.value.code == "reference-evaluator"


@pytest.mark.parametrize(
    "said, words",
    [
        (
            {"activations": ["HardSigmoid", "Tanh", "Tanh"]},
            "LSTM with the functions HardSigmoid, Tanh, Tanh",
        ),
        ({"clip": 0.5}, "LSTM with clip"),
        ({"input_forget": 1}, "LSTM with input_forget"),
        ({"activations": ["Sigmoid", "Tanh", "Tanh"]}, ""),
        ({}, ""),
    ],
)
def test_p0_308_what_the_evaluator_leaves_out_of_a_network_is_named(
    said: dict[str, Any], words: str, tmp_path: Path
) -> None:
    weights = {"W": np.ones((1, 16, 4)), "R": np.ones((1, 16, 4)) / 8}
    nodes = [
        node("Unsqueeze", ["X", "at"], ["T"]),
        node("LSTM", ["T", "W", "R"], ["", "H"], hidden_size=4, **said),
        node("Squeeze", ["H", "at"], ["Y"]),
    ]
    path = _file(tmp_path / "m.onnx", 13, FLAT, nodes, weights | {"at": np.array([0])})
    model, x = ReferenceModel(path), np.ones(FLAT, np.float32)
    if not words:
        assert model.answer({"X": x})["Y"].shape == FLAT
        return
    with pytest.raises(RefusedError) as caught:
        model.answer({"X": x})
    assert f"it leaves out what the file has of {words}." in caught.value.what
