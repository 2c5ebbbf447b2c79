"""How much memory a proof takes: at most four times the model, and less."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_registry.frameworks import onnx_weights
from sealift_registry.frameworks.framework import PROBABILITIES, Array
from sealift_registry.frameworks.onnx_runs import ReferenceModel, RuntimeModel
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.probe_order import at_once, slices
from sealift_registry.proof.proving import ProofScope
from tests.registry import proof_peak
from tests.registry.proof_models import proof, rows

MB = 1_000_000
CLASSES = 10_000
FACTOR = 4
"""What is promised of a model of 1 GB."""


def _peak(folder: Path) -> int:
    """Bytes that the proof of the network in `folder` takes at most."""
    command = [sys.executable, "-m", proof_peak.__name__, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


def test_p0_165_a_proof_takes_less_than_three_times_the_model_s_size(tmp_path: Path) -> None:
    """Beside what the libraries themselves take."""
    proof_peak.network(tmp_path / "tiny", 0.01)
    large = proof_peak.network(tmp_path / "large", 64)
    assert large.stat().st_size > 64 * MB
    assert _peak(large.parent) - _peak(tmp_path / "tiny") < 3 * large.stat().st_size


@pytest.mark.long
def test_p0_165_a_proof_of_a_gigabyte_takes_at_most_four(tmp_path: Path) -> None:
    size = proof_peak.network(tmp_path, 1000).stat().st_size
    assert size > 1000 * MB
    assert _peak(tmp_path) < FACTOR * size


# -------------------------------------------------------------------- weights read by themselves


def _saved(folder: Path) -> tuple[Path, onnx.ModelProto]:
    path = proof_peak.network(folder, 2)
    return path, onnx.load(str(path))


def _same(path: Path, *, apart: int) -> None:
    """What is read of the file is what a runtime reads of it."""
    found = onnx_weights.opened(path)
    assert len(found.weights) == apart
    given = {"of_0": proof_peak.rows()}
    expected, answered = RuntimeModel(path).answer(given), ReferenceModel(path).answer(given)
    np.testing.assert_allclose(answered["told"], expected["told"], rtol=1e-3, atol=1e-4)


def test_p0_166_large_weights_are_read_apart(tmp_path: Path) -> None:
    path, model = _saved(tmp_path)
    _same(path, apart=4)
    found = onnx_weights.opened(path)
    arrays = found.arrays()
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            assert np.array_equal(arrays[tensor.name], numpy_helper.to_array(tensor))
    assert [one.name for one in found.model.graph.initializer] == ["weight_0", "weight_5"]
    assert list(found.model.graph.node) == list(model.graph.node)


def test_p0_166_weights_that_are_inputs_too_are_none_of_the_rows_inputs(tmp_path: Path) -> None:
    path, model = _saved(tmp_path)
    for tensor in model.graph.initializer:
        kind, dims = tensor.data_type, list(tensor.dims)
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, kind, dims))
    onnx.save(model, str(path))
    assert [one.name for one in onnx_weights.opened(path).inputs] == ["of_0"]
    _same(path, apart=4)


def test_p0_166_weights_that_are_spelled_otherwise_are_left_to_protobuf(tmp_path: Path) -> None:
    path, model = _saved(tmp_path)
    for tensor in model.graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            helper.make_tensor(tensor.name, TensorProto.FLOAT, numbers.shape, numbers.ravel())
        )
    onnx.save(model, str(path))
    _same(path, apart=0)


def test_p0_166_a_graph_in_two_parts_is_one_graph(tmp_path: Path) -> None:
    """So protobuf has it: parts of a message are laid together."""
    path, model = _saved(tmp_path)
    first, second = onnx.ModelProto(), onnx.ModelProto()
    first.CopyFrom(model)
    del first.graph.initializer[2:]
    second.graph.initializer.extend(model.graph.initializer[2:])
    path.write_bytes(first.SerializeToString() + second.SerializeToString())
    _same(path, apart=4)


def test_p0_166_weights_in_other_files_are_read_one_by_one(tmp_path: Path) -> None:
    path, model = _saved(tmp_path)
    onnx.save(
        model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=1024
    )
    _same(path, apart=0)


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int8, np.int64, np.uint8, np.bool_])
def test_p0_166_every_plain_type_is_read_as_it_is(kind: type, tmp_path: Path) -> None:
    numbers: Array = np.random.default_rng(1).normal(scale=20, size=(300, 300)).astype(kind)
    weight = numpy_helper.from_array(numbers, "weight")
    graph = helper.make_graph([], "only", [], [], [weight])
    onnx.save(helper.make_model(graph), str(tmp_path / "only.onnx"))
    found = onnx_weights.opened(tmp_path / "only.onnx")
    assert set(found.weights) == {"weight"}
    assert np.array_equal(found.arrays()["weight"], numbers)


# -------------------------------------------------------------------- very many classes


def _wide(x: Array) -> dict[str, Array]:
    """Probabilities of very many classes."""
    weights = np.random.default_rng(3).normal(size=(4, CLASSES)).astype(x.dtype)
    with np.errstate(all="ignore"):
        found = np.exp(np.clip(x @ weights, -50, 50))
        return {PROBABILITIES: found / found.sum(axis=1, keepdims=True)}


def test_p0_168_of_very_many_classes_few_answers_are_in_memory_at_once() -> None:
    goldens = rows(300)
    once = 8 * CLASSES * len(goldens)
    tracemalloc.start()
    try:
        found = proof(_wide, _wide, goldens, plan=ProofScope(most_rows=400))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.verdict == "pass"
    assert sum(one.ran for one in found.probes) > 500
    assert peak < 10 * once


def test_p0_168_a_slice_is_no_larger_than_answers_allow() -> None:
    order = [("noise", number) for number in range(1000)]
    sizes = [len(some) for some in slices(order, 500, Budget(600.0), 7)]
    assert max(sizes) == 7
    assert sum(sizes) == 1000
    assert at_once({"one": np.zeros((10, 2**20))}, 10) == 2
    assert at_once({"one": np.zeros((1, 2**22))}, 1) == 1
