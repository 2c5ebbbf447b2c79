"""A candidate that breaks down, or whose answers cannot be told, silences nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from sealift_registry.proof import comparing as laid
from sealift_registry.regression import (
    comparison_words,
    differences,
    isolation,
    measure,
    measure_worker,
    rows,
    side_by_side,
)
from sealift_registry.regression.breakdowns import no_answer
from sealift_registry.regression.regression_report import KIND, Broke, RegressionReport
from sealift_registry.workers import runner
from sealift_signing.errors import FailedError
from tests.registry.hub_fixture import APPROVERS, STAGE, Acme, quiet
from tests.registry.test_promotions import refused
from tests.registry.test_regression import NOBODY, asks, compared, labelled, other_model
from tests.registry.test_regression_rows import (
    chosen,
    cut_of,
    drawn,
    first_version,
    flattered,
    picky,
    proved,
    told,
)

SURE, TORN = [0.9, 0.1], [0.5, 0.5]


BY = "the golden rows by which version 1 was approved"


def crashes(monkeypatch: pytest.MonkeyPatch, *those: tuple[str, str], beside: bool = False) -> None:
    """Have processes end: the one in which both are, and those of `those` models on such rows."""

    def broken(worker: Any, verb: str, request: Any, progress: Any, **more: Any) -> Any:  # noqa: ANN401 - as ask
        at = {name for name, path in request.items() if str(path).endswith("theirs.npz")}
        of = "candidate" if "/candidate/" in str(request.get("model")) else "listed"
        if verb == "measure":
            progress("candidate", 0, 0)
            progress(measure.LISTED, 0, 0)
        alone = verb == "answers" and (of, "theirs" if at else "own") in those
        if verb == "measure" or alone or (beside and verb == "beside"):
            raise FailedError("worker-crashed", "A value: 5.", subject="x", next_step="y")
        return runner.ask(worker, verb, request, progress, **more)

    monkeypatch.setattr(measure, "ask", broken)
    monkeypatch.setattr(isolation, "ask", broken)


def test_p0_310_a_candidate_that_breaks_down_on_the_listed_ones_rows_is_told_so_first(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be wrong there on 76 of 100; and what it does on its own rows is still found."""
    crashes(monkeypatch, ("candidate", "theirs"))
    found = flattered(hub)
    assert found.proved_by is not None
    assert (found.nothing, found.proved_by.nothing) == (None, "broke-down")
    assert (found.broke, found.proved_by.broke) == (None, "candidate")
    first, own, others = told(hub)
    assert first == (
        f"This version BREAKS DOWN on {BY}: its process ended (worker-crashed). NOT COMPARED on "
        "them."
    )
    assert "on its own 30 golden rows: accuracy 1, was 1; 0 rows of 30" in own
    assert "0 of its 30 are among them" in others
    assert found.comparison is not None
    assert found.comparison.batch is None
    assert comparison_words.table(found)[1].startswith("accuracy")
    monkeypatch.undo()
    assert "accuracy 0.24, was 1" in compared_again(hub), "a busy machine's answer is not kept"


def compared_again(hub: Acme) -> str:
    compared(hub, 2)
    return told(hub)[0]


def test_p0_311_a_stage_that_asks_takes_it_for_no_answer(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes(monkeypatch, ("candidate", "theirs"))
    flattered(hub)
    number = hub.request(2)
    asks(hub, "scan", "parity", KIND)
    for what in (lambda: hub.request(2), lambda: hub.approve(number, APPROVERS[0])):
        why = refused(what, "regression-no-answer")
        assert f"this version breaks down on {BY}" in why
    monkeypatch.undo()
    compared(hub, 2)
    hub.approve(hub.request(2), APPROVERS[0])


def test_p0_312_that_the_listed_one_breaks_down_is_said_of_it_and_keeps_nobody(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes(monkeypatch, ("listed", "own"))
    found = flattered(hub)
    assert (found.nothing, found.broke) == ("broke-down", "listed")
    first, _, own = told(hub)
    assert f"on the 100 golden rows by which version 1 was approved: {FELL}" in first
    assert own == (
        "On its own golden rows nothing was compared: version 1, which is listed for production, "
        "breaks down on them: its process ended (worker-crashed)."
    )
    asks(hub, "scan", "parity", KIND)
    hub.request(2)


FELL = "accuracy 0.24, was 1;"


def test_p0_313_what_breaks_down_only_together_is_compared_all_the_same(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two large models do not fit into one process, and one that takes much memory is as free."""
    crashes(monkeypatch)
    apart_found = flattered(hub)
    words = told(hub)
    monkeypatch.undo()
    assert (apart_found.nothing, apart_found.proved_by and apart_found.proved_by.nothing) == (
        None,
        None,
    )
    hub.ingest(2, hub.folder / "flattering.npz")
    together = compared(hub, 2)
    assert together.comparison is not None
    assert cut_of(together) == cut_of(apart_found)
    assert words[0] == told(hub)[0]
    assert words[1] == told(hub)[1]


def test_p0_313_answers_that_break_down_beside_each_other_are_no_answer(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes(monkeypatch, beside=True)
    found = flattered(hub)
    assert (found.nothing, found.broke) == ("broke-down", None)
    assert any(f"On {BY} it was NOT COMPARED: each of the two" in one for one in told(hub))
    asks(hub, "scan", "parity", KIND)
    why = refused(lambda: hub.request(2), "regression-no-answer")
    assert "whose doing it is was not found out" in why


@pytest.mark.parametrize("broke", ["candidate", "both", "listed", None])
@pytest.mark.parametrize("nothing", ["broke-down", "not-run"])
def test_p0_313_what_may_be_the_candidates_doing_is_no_answer(
    hub: Acme, broke: Broke | None, nothing: Literal["broke-down", "not-run"]
) -> None:
    hub.promoted(1)
    found: RegressionReport = replace(compared(hub, 2), comparison=None, nothing=nothing)
    is_answer = broke == "listed" or (broke is None and nothing == "not-run")
    assert bool(no_answer(replace(found, broke=broke, why="it ended"))) != is_answer


def test_p0_314_a_candidate_that_refuses_the_listed_ones_rows_breaks_down_on_them(
    hub: Acme,
) -> None:
    picky(hub)
    found = compared(hub, 3)
    assert found.proved_by is not None
    assert (found.proved_by.nothing, found.proved_by.broke) == ("not-run", "candidate")
    asks(hub, "scan", "parity", KIND)
    why = refused(lambda: hub.request(3), "regression-no-answer")
    assert f"this version breaks down on {BY}" in why


def _trapped(most: float) -> Any:  # noqa: ANN401 - a change of a model
    """Its scores have no column at all in a batch of which the largest number is `most`."""

    def change(model: Any) -> None:  # noqa: ANN401 - onnx is Any to us
        from onnx import TensorProto, helper

        graph = model.graph
        last = next(one for one in graph.node if one.output[0] == "probabilities")
        last.output[0] = "all"
        make, whole = helper.make_tensor, TensorProto.INT64
        for name, value in (("zero", 0), ("one", 1), ("three", 3)):
            graph.initializer.append(make(name, whole, [1], [value]))
        graph.initializer.append(make("most", TensorProto.FLOAT, [], [most]))
        graph.node.extend(
            [
                helper.make_node("ReduceMax", ["X"], ["largest"], keepdims=0),
                helper.make_node("Equal", ["largest", "most"], ["hit"]),
                helper.make_node("Where", ["hit", "zero", "three"], ["end"]),
                helper.make_node("Slice", ["all", "zero", "end", "one"], ["probabilities"]),
            ]
        )
        for node in graph.node:
            for at, name in enumerate(node.input):
                if name == "probabilities":
                    node.input[at] = "all"

    return change


def test_p0_316_scores_without_columns_on_one_known_row_hide_nothing(hub: Acme) -> None:
    first_version(hub)
    with np.load(hub.folder / "ordinary.npz") as known:
        most = float(known["inputs"].max())
    other_model(hub, _trapped(most))
    proved(hub, 3, chosen(hub, "flattering", drawn(hub)[0][100:130]))
    found = compared(hub, 3)
    assert (found.nothing, found.proved_by and found.proved_by.nothing) == (None, None)
    assert FELL in told(hub, 3)[0]
    assert "its outputs DIFFER on them" in told(hub, 3)[0]
    assert cut_of(found).outputs == ("probabilities has 0 numbers a row, and had 3",)


def test_p0_315_a_tie_of_the_candidate_excuses_none_of_its_own_errors() -> None:
    here = labelled([0, 1, 1, 1], [TORN] * 4)
    there = labelled([1, 1, 0, 1], [SURE, SURE, TORN, TORN])
    found = differences.label_churn(here, there, NOBODY)
    assert found is not None
    assert (found.differing, found.tied) == (2, 1)
    blind = differences.label_churn(here, {"label": there["label"]}, NOBODY)
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
        churn = differences.label_churn(one, other, NOBODY)
        assert churn is not None
        assert churn.differing == 0
        differences.number_churn(one, other, labelled=True)
    nothing = {"label": np.zeros((shape[0], 0), dtype=np.int64)}
    assert differences.label_churn(nothing, there, NOBODY) is None


def test_p0_317_what_is_right_is_told_of_the_listed_one_where_it_cannot_be_of_the_other() -> None:
    right = np.array([0, 1, 1, 0])
    there = labelled(["0", "1", "1", "1"], [SURE] * 4)
    two = {"class": right, "worst": 1 - right}
    assert differences.metrics(right, two, there, NOBODY) == ("labels", None, "0.75")
    assert differences.metrics(right, there, two, NOBODY) is None, "it was never told of the other"


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


def test_p0_319_rows_are_counted_once_all_else_is_found(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who brings rows without end breaks nothing down before the listed one's were asked."""
    done: list[str] = []
    first_version(hub)
    chosen(hub, "own", drawn(hub)[0][:30])
    request = {
        "candidate": str(hub.folder / "tiny-2.onnx"),
        "listed": str(hub.folder / "tiny-1.onnx"),
        "goldens": str(hub.folder / "own.npz"),
        "theirs": str(hub.folder / "ordinary.npz"),
        "seconds": 30.0,
        "sides": [],
        "proved_by": {},
    }
    on_theirs = side_by_side.Pair.on_theirs
    counted = side_by_side.counted

    def noted(what: str, call: Any) -> Any:  # noqa: ANN401 - any function
        def tell(*given: Any) -> Any:  # noqa: ANN401 - any function's
            done.append(what)
            return call(*given)

        return tell

    monkeypatch.setattr(side_by_side.Pair, "on_theirs", noted("theirs", on_theirs))
    monkeypatch.setattr(measure_worker, "_on_own", noted("own", lambda *_: {}))
    monkeypatch.setattr(measure_worker, "counted", noted("counted", counted))
    measure_worker.measure(request, quiet)
    assert done == ["theirs", "own", "counted"]
