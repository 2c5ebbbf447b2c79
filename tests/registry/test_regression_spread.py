"""Numbers are compared by what they tell, and a program at a site is told of other types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.proof.golden_rows import Goldens
from sealift_registry.regression import comparison_words, differences
from sealift_registry.regression.differences import Taken, number_churn, other_outputs, other_widths
from sealift_registry.regression.regression_report import NumberChurn, OnRows
from sealift_registry.regression.side_by_side import Pair

CHANCE = np.random.default_rng(4)
TOLD = CHANCE.normal(size=200)


def _churn(candidate: Array, listed: Array) -> NumberChurn:
    found = number_churn({"variable": candidate}, {"variable": listed})
    assert found is not None
    return found


@pytest.mark.parametrize("place", [0.0, 293.0, 1e6, 1.7e9])
def test_p0_380_a_model_turned_round_is_as_far_away_wherever_it_lies(place: float) -> None:
    found = _churn(place - TOLD, place + TOLD).by_spread
    assert found is not None
    assert float(found.median) == pytest.approx(2 * np.median(np.abs(TOLD)) / TOLD.std(), rel=0.02)
    assert float(found.largest) > 3
    assert float(found.largest) > float(found.median)


def test_p0_380_a_constant_is_far_from_what_moves_and_what_is_constant_is_measured_by_itself() -> (
    None
):
    moving, constant = 1e6 + TOLD, np.full(len(TOLD), 1e6)
    found = _churn(constant, moving).by_spread
    assert found is not None
    assert float(found.median) > 0.5
    assert _churn(moving, constant).by_spread is None
    assert float(_churn(constant * 2, constant).median) == 0.5


def test_p0_380_one_column_that_moves_is_measured_beside_one_that_does_not() -> None:
    listed = np.stack([1e6 + TOLD, np.ones(len(TOLD))], axis=1)
    other = listed + np.array([10.0, 0.0]) * TOLD.std()
    found = _churn(other, listed).by_spread
    assert found is not None
    assert (found.median, found.largest) == ("10", "10")


def test_p0_380_shares_and_rows_without_a_number_are_as_they_were() -> None:
    shares = np.stack([np.abs(TOLD) % 1, 1 - np.abs(TOLD) % 1], axis=1)
    assert _churn(shares[::-1], shares).by_spread is None
    listed, lost = 1e6 + TOLD, 1e6 + TOLD
    lost[0] = np.nan
    found = _churn(lost, listed)
    assert found.no_number == 1
    assert found.by_spread is not None
    assert found.by_spread.largest == "0"


def test_p0_381_whoever_approves_reads_how_much_of_the_spread_moved() -> None:
    found = OnRows(200, 0, None, None, None, None, _churn(1e6 - TOLD, 1e6 + TOLD))
    assert " % of the listed version's spread away in the median, and " in comparison_words._churn(
        found
    )
    assert comparison_words._moved(found) == 1.0
    same = OnRows(200, 0, None, None, None, None, _churn(1e6 + TOLD, 1e6 + TOLD))
    assert comparison_words._moved(same) == 0.0


@pytest.mark.parametrize(
    "now, before, words",
    [
        ("float64", "float32", "variable is of fractions of 64 bits, and was of fractions of 32"),
        ("int32", "int64", "variable is of whole numbers of 32 bits, and was of whole numbers of"),
        ("uint8", "int8", "variable is of whole numbers without signs of 8 bits, and was of "),
    ],
)
def test_p0_382_an_output_of_another_width_is_told(now: str, before: str, words: str) -> None:
    rows = np.zeros((3, 1))
    (said,) = other_outputs({"variable": rows.astype(now)}, {"variable": rows.astype(before)})
    assert said.startswith(words)
    assert other_outputs({"variable": rows.astype(now)}, {"variable": rows.astype(now)}) == []


def test_p0_382_an_input_of_another_width_is_told_and_compared() -> None:
    narrow = Taken({"X": ("tensor(float)", (4,))})
    wide = Taken({"X": ("tensor(double)", (4,))})
    assert differences.other_inputs(wide, narrow) == ""
    assert other_widths(wide, narrow) == ["the input X is of float64, and was of float32"]
    assert other_widths(wide, wide) == []


def _line(path: Path, kind: int) -> RuntimeModel:
    """Twice its input, in this type, of inputs of the same."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["X", "X"], ["variable"])],
        "g",
        [value("X", kind, ["rows", 2])],
        [value("variable", kind, ["rows", 2])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.save(made, str(path))
    return RuntimeModel(path)


def test_p0_382_both_stand_among_what_whoever_approves_reads_first(tmp_path: Path) -> None:
    candidate = _line(tmp_path / "2.onnx", TensorProto.DOUBLE)
    listed = _line(tmp_path / "1.onnx", TensorProto.FLOAT)
    goldens = Goldens({"inputs": TOLD.reshape(-1, 2)}, None, "")
    pair = Pair(candidate, listed)
    found = pair.measured(goldens, 5.0, lambda *_: None).comparison
    assert found.outputs == (
        "the input X is of float64, and was of float32",
        "variable is of fractions of 64 bits, and was of fractions of 32 bits",
    )
