"""What is said of a candidate beside the listed version is true of models of every kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.regression import comparisons, measure_worker
from sealift_registry.regression.measure import Measured, measure
from sealift_registry.regression.report import Side
from sealift_signing import shape
from tests.registry.hub_fixture import Acme, quiet
from tests.registry.test_regression import compared

SIDES = (Side(2, "a" * 64, 1, None, None), Side(1, "b" * 64, 1, None, None))


def saved(graph: Any, path: Path) -> Path:  # noqa: ANN401 - onnx is Any to us
    from onnx import helper

    opsets = [helper.make_opsetid("", 15)]
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString()
    )
    return path


def linear(path: Path, weights: Any, *, shares: bool = False) -> Path:  # noqa: ANN401 - an array
    """A model that answers `X @ weights`, or the shares that follow from it."""
    from onnx import TensorProto, helper, numpy_helper

    table = np.asarray(weights, dtype=np.float32)
    nodes = [helper.make_node("MatMul", ["X", "W"], ["sums"])]
    nodes.append(helper.make_node("Softmax" if shares else "Identity", ["sums"], ["variable"]))
    given = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", len(table)])
    answers = helper.make_tensor_value_info("variable", TensorProto.FLOAT, ["rows", table.shape[1]])
    kept = [numpy_helper.from_array(table, "W")]
    return saved(helper.make_graph(nodes, "linear", [given], [answers], kept), path)


def counting(path: Path) -> Path:
    """A model of two inputs, one of which is called `labels`."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["labels"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "number"], ["sum"]),
    ]
    given = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows"]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["rows"]),
    ]
    answers = [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["rows"])]
    return saved(helper.make_graph(nodes, "counting", given, answers), path)


def measured(folder: Path, candidate: Path, listed: Path, **goldens: Any) -> dict[str, Any]:  # noqa: ANN401 - arrays
    """What the comparison's process answers."""
    path = folder / "goldens.npz"
    np.savez(path, **goldens)
    request = {
        "candidate": str(candidate),
        "listed": str(listed),
        "goldens": str(path),
        "seconds": 30.0,
        "sides": [shape.to_json(one) for one in SIDES],
    }
    return dict(measure_worker.measure(request, quiet))


def test_p0_270_an_input_that_is_called_labels_is_compared_as_one(tmp_path: Path) -> None:
    one, other = counting(tmp_path / "one.onnx"), counting(tmp_path / "other.onnx")
    x, labels = np.arange(8, dtype=np.float32), np.arange(8)
    found = measured(tmp_path, one, other, x=x, labels=labels, expected=x + labels)
    assert found["comparison"]["rows"] == 8
    assert found["comparison"]["expected"] == "numbers"


def test_p0_271_a_comparison_that_time_cut_short_is_made_again(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(*given: Any) -> Measured:  # noqa: ANN401 - as measure
        found = measure(*given)
        assert found.comparison is not None
        return replace(found, comparison=replace(found.comparison, rows=3, left_out=5))

    hub.promoted(1)
    monkeypatch.setattr(comparisons, "measure", hasty)
    first = compared(hub, 2)
    assert first.comparison is not None
    assert first.comparison.left_out == 5
    monkeypatch.undo()
    again = compared(hub, 2)
    assert again.comparison is not None
    assert (again.comparison.rows, again.comparison.left_out) == (8, 0)
