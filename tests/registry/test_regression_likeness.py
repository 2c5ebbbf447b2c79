"""What is said of a candidate beside the listed version is true of models of every kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.proof import expected_answers
from sealift_registry.proof.models import model_of
from sealift_registry.regression import comparison_words, comparisons, measure_worker
from sealift_registry.regression.measure import measure
from sealift_registry.regression.measurement import Measurement
from sealift_registry.regression.regression_report import Comparison, RegressionReport, Side
from sealift_signing import shape
from sealift_signing.errors import RefusedError
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
        "theirs": None,
        "proved_by": {"nothing": "none"},
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
    def hasty(*given: Any) -> Measurement:  # noqa: ANN401 - as measure
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


THREE = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.25, 0.25]])
ROWS = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)


def test_p0_272_targets_of_a_regression_are_no_classes(tmp_path: Path) -> None:
    here, there = linear(tmp_path / "a", 100 * THREE), linear(tmp_path / "b", THREE)
    found = measured(tmp_path, here, there, X=ROWS)["comparison"]
    assert "labels" not in found
    assert float(found["numbers"]["median"]) == pytest.approx(0.99)
    known = measured(tmp_path, here, there, X=ROWS, expected=ROWS @ THREE)
    assert known["comparison"]["expected"] == "numbers"
    assert float(known["sides"][0]["metric"]) > 10
    assert float(known["sides"][1]["metric"]) < 1e-6


def test_p0_272_the_labels_are_the_same_and_the_shares_are_told_to_be_others(
    tmp_path: Path,
) -> None:
    here = linear(tmp_path / "a", 0.001 * THREE, shares=True)
    there = linear(tmp_path / "b", 100 * THREE, shares=True)
    found = measured(tmp_path, here, there, X=ROWS)["comparison"]
    assert found["labels"]["differing"] == 0
    assert 0.6 < float(found["numbers"]["median"]) < 0.67, "from 1 to a third, of 1"
    comparison = shape.from_json(Comparison, found, what="a comparison")
    said = comparison_words.summary(
        RegressionReport(1, (), "p", "cpu", "c" * 64, *SIDES, None, None, comparison)
    )
    assert "0 rows of 60 (0.0 %) get another label, and its scores are 6" in said


def test_p0_273_labels_fit_no_table_of_another_kind() -> None:
    table = {"variable": np.array([[3.0, -1.0, 0.5], [-2.0, 5.0, 0.5], [0.1, 0.2, 9.0]])}
    beyond = expected_answers.judged(np.array([0, 5, 9]), table, table, ())
    assert beyond is None, "it has no column 9, and need not have one"
    columns = expected_answers.judged(np.array([0, 1, 1]), table, table, ())
    assert columns is not None, "the scores of a network that answers no shares"
    assert columns.source == pytest.approx(2 / 3)
    shares = {"variable": np.eye(3)}
    with pytest.raises(RefusedError, match="cannot answer"):
        expected_answers.judged(np.array([0, 5, 9]), shares, shares, ())


def test_p0_275_an_artifact_that_is_no_onnx_is_told_so(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_of(["weights.skops"]) == ""
    assert model_of(["weights.data", "net.onnx"]) == "net.onnx"
    hub.promoted(1)
    monkeypatch.setattr(comparisons, "model_of", lambda paths: model_of(list(paths)[1:]))
    found = compared(hub, 2)
    assert (found.nothing, found.comparison) == ("not-run", None)
    assert "one of the two is not an ONNX model" in comparison_words.summary(found)


def test_p0_276_a_refusal_of_the_runtime_names_no_folder_of_the_hub(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(RefusedError, match=r"cannot load net\.onnx") as caught:
        RuntimeModel(path)
    assert str(tmp_path) not in str(caught.value)
