"""A candidate that breaks down, or whose answers cannot be told, silences nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sealift_registry.proof import comparing as laid
from sealift_registry.regression import comparing, rows
from tests.registry.hub_fixture import STAGE, Acme
from tests.registry.test_regression import NOBODY, compared, labelled, other_model
from tests.registry.test_regression_rows import chosen, cut_of, drawn, first_version, proved, told

SURE, TORN = [0.9, 0.1], [0.5, 0.5]


def test_p0_315_a_tie_of_the_candidate_excuses_none_of_its_own_errors() -> None:
    here = labelled([0, 1, 1, 1], [TORN] * 4)
    there = labelled([1, 1, 0, 1], [SURE, SURE, TORN, TORN])
    found = comparing.label_churn(here, there, NOBODY)
    assert found is not None
    assert (found.differing, found.tied) == (2, 1)
    blind = comparing.label_churn(here, {"label": there["label"]}, NOBODY)
    assert blind is not None
    assert (blind.differing, blind.tied) == (2, 0), "and where the listed one tells no scores, none"


@pytest.mark.parametrize("shape", [(4, 0), (0, 3), (0, 0)])
def test_p0_316_outputs_of_nothing_are_compared_and_break_nothing_down(
    shape: tuple[int, int],
) -> None:
    none = np.zeros(shape, dtype=np.float32)
    assert laid.flat(none).shape == shape
    assert not laid.ties(none, laid.scale(np.ones((1, shape[1])))).any()
    here: dict[str, Any] = {"label": np.arange(shape[0]), "probabilities": none}
    there: dict[str, Any] = {
        "label": np.arange(shape[0]),
        "probabilities": np.full((shape[0], 3), 1 / 3),
    }
    for one, other in ((here, there), (there, here), (here, here)):
        churn = comparing.label_churn(one, other, NOBODY)
        assert churn is not None
        assert churn.differing == 0
        comparing.number_churn(one, other, labelled=True)
    nothing = {"label": np.zeros((shape[0], 0), dtype=np.int64)}
    assert comparing.label_churn(nothing, there, NOBODY) is None


def test_p0_317_what_is_right_is_told_of_the_listed_one_where_it_cannot_be_of_the_other() -> None:
    right = np.array([0, 1, 1, 0])
    there = labelled(["0", "1", "1", "1"], [SURE] * 4)
    two = {"class": right, "worst": 1 - right}
    assert comparing.metrics(right, two, there, NOBODY) == ("labels", None, "0.75")
    assert comparing.metrics(right, there, two, NOBODY) is None, "it was never told of the other"


def _two_labels(model: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    """Two outputs of whole numbers, of which none is called `label`."""
    from onnx import TensorProto, helper

    graph = model.graph
    for name in ("class", "again"):
        graph.node.append(helper.make_node("Identity", ["label"], [name]))
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.INT64, ["n"]))
    graph.output.remove(next(one for one in graph.output if one.name == "label"))


@pytest.mark.parametrize("known", [True, False])
def test_p0_317_labels_that_cannot_be_found_are_told_before_all_else(
    hub: Acme, *, known: bool
) -> None:
    if known:
        first_version(hub)
    else:
        table = np.concatenate(drawn(hub))[:20]
        proved(hub, 1, chosen(hub, "unknown", table, expected=np.full(20, np.nan)))
        hub.promoted(1)
    other_model(hub, _two_labels)
    proved(hub, 3, chosen(hub, "flattering", drawn(hub)[0][100:130], expected=np.full(30, np.nan)))
    found = cut_of(compared(hub, 3))
    assert (found.labels, found.without_labels) == (None, "candidate")
    first = told(hub, 3)[0]
    assert first.startswith(f"Compared with version 1, which is listed for {STAGE}, on the ")
    assert "golden rows by which version 1 was approved: " in first
    assert ("accuracy was 1, and this version's CANNOT BE TOLD; " in first) == known
    assert "WHICH LABELS it answers cannot be told" in first


def test_p0_318_many_rows_are_counted_in_little_memory() -> None:
    """They are told apart by 32 bytes each; objects for each of them took some 500."""
    import tracemalloc

    many = 100_000
    table = {"X": np.arange(many, dtype=np.float32).reshape(-1, 1)}
    kinds: dict[str, Any] = {"X": np.dtype("float32")}
    expected = np.zeros(many, dtype=np.int64)
    few = rows.keys({"X": table["X"][:10]}, kinds)
    tracemalloc.start()
    found = rows.counted((rows.keys(table, kinds), expected), (few, expected[:10] + 1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.own.distinct, found.theirs.distinct) == (many, 10)
    assert (found.both, found.otherwise) == (10, 10)
    assert most / many < 150
