"""Whoever asks for a promotion chose the candidate's golden rows; those of the listed one, not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.promotion import comparison_checks
from sealift_registry.regression import comparison_words, comparisons, rows
from sealift_registry.regression.measure import measure
from sealift_registry.regression.measurement import Measurement
from sealift_registry.regression.regression_report import (
    KIND,
    Batch,
    Comparison,
    NumberChurn,
    OnRows,
    ProvedBy,
    RegressionReport,
    Rows,
    Side,
    report_of,
)
from sealift_signing import shape
from sealift_signing.more_member import LOOK, TOLD_FIRST
from tests.registry.hub_fixture import APPROVERS, MODEL, STAGE, TARGET, Acme, version
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.registry.test_regression import asks, compared, evidence, forge, other_model
from tests.words.listening import Heard, Words
from tests.words.planting import free, planted

ORDINARY = 100


def labels(hub: Acme, seed: int, rows: Any) -> Any:  # noqa: ANN401 - arrays
    """What a tiny model answers, as ONNX Runtime says without any of our code."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(hub.folder / f"tiny-{seed}.onnx"))
    return session.run(["label"], {"X": rows})[0]


def drawn(hub: Acme) -> tuple[Any, Any]:
    """Rows on which version 1 is right: of both kinds, as version 2 is right on them or wrong."""
    rows = np.random.default_rng(5).uniform(-1, 1, (4000, 4)).astype(np.float32)
    alike = labels(hub, 1, rows) == labels(hub, 2, rows)
    return rows[alike], rows[~alike]


def chosen(hub: Acme, name: str, rows: Any, **more: Any) -> Path:  # noqa: ANN401 - arrays
    """Goldens that hold these rows, and what version 1 answers to them as what is expected."""
    path = hub.folder / f"{name}.npz"
    np.savez(path, **{"inputs": rows, "expected": labels(hub, 1, rows)} | more)
    return path


def proved(hub: Acme, number: int, goldens: Path) -> None:
    hub.ingest(number, goldens)
    hub.convert(number)


def first_version(hub: Acme) -> None:
    """Version 1 is listed, approved by 100 ordinary rows: version 2 is right on 24 of them."""
    right, wrong = drawn(hub)
    proved(hub, 1, chosen(hub, "ordinary", np.concatenate([right[:24], wrong[:76]])))
    hub.promoted(1)


def flattered(hub: Acme, **more: Any) -> RegressionReport:  # noqa: ANN401 - arrays
    """Version 2 comes with 30 other rows, on each of which it happens to be right."""
    first_version(hub)
    proved(hub, 2, chosen(hub, "flattering", drawn(hub)[0][100:130], **more))
    return compared(hub, 2)


def told(hub: Acme, number: int = 2) -> list[str]:
    """What its comparison has whoever approves look at first, in this order."""
    checks = evidence(hub, number)[-1].predicate.checks
    return [one.words for one in checks if one.name == TOLD_FIRST]


def test_p0_280_goldens_that_flatter_a_candidate_do_not_hide_what_it_gets_wrong(hub: Acme) -> None:
    found = flattered(hub)
    first, others, own = told(hub)
    assert first.startswith(
        f"Compared with version 1, which is listed for {STAGE}, on the 100 golden rows by which "
        "version 1 was approved: accuracy 0.24, was 1; 76 rows of 100 (76.0 %) get another label, "
    )
    assert others == (
        "Its own golden rows DIFFER FROM the 100 by which version 1 was approved: 0 of its 30 "
        "are among them."
    )
    assert own.startswith("On its own 30 golden rows: accuracy 1, was 1; 0 rows of 30 (0.0 %) ")
    assert found.proved_by is not None
    assert found.proved_by.found is not None
    assert (found.proved_by.found.candidate, found.proved_by.found.listed) == ("0.24", "1")
    assert (found.candidate.metric, found.comparison and found.comparison.rows) == ("1", 30)


def test_p0_280_the_approver_reads_it_before_all_else(hub: Acme, capsys: Capsys) -> None:
    flattered(hub)
    cli = Cli(hub, capsys)
    words = ("--to", STAGE, "--reason", "better", "--at-hub", "--key", cli.key("dora"))
    first = f"{LOOK}, of catalog/{MODEL}/2/{TARGET}: “Compared with version 1, which is listed for"
    for said in (cli.says("promote", str(version(2)), *words), cli.says("show", "P-2")):
        looks = [one for one in said.splitlines() if one.startswith(LOOK)]
        assert looks[0].startswith(first)
        assert "accuracy 0.24, was 1;" in looks[0]
        assert "DIFFER FROM the 100 by which version 1 was approved" in looks[1]
    table = cli.says("show", str(version(2)))
    assert "on version 1's golden rows" in table
    assert "on its own golden rows" in table
    (data,) = cli.json("show", "P-2")["regression"]
    theirs = data["proved_by"]
    assert (theirs["own"], theirs["theirs"]) == (
        {"total": 30, "distinct": 30},
        {"total": 100, "distinct": 100},
    )
    assert (theirs["both"], theirs["otherwise"], theirs["found"]["candidate"]) == (0, 0, "0.24")


def test_p0_281_rows_that_are_picked_from_the_listed_ones_are_others_too(hub: Acme) -> None:
    first_version(hub)
    proved(hub, 2, chosen(hub, "picked", drawn(hub)[0][:24]))
    compared(hub, 2)
    first, others, own = told(hub)
    assert "accuracy 0.24, was 1" in first
    assert "ONLY 24 OF THE 100 by which version 1 was approved: 76 are left out." in others
    assert own.startswith("On its own 24 golden rows: accuracy 1")


def test_p0_281_the_worse_of_both_is_told_first_whichever_it_is(hub: Acme) -> None:
    first_version(hub)
    proved(hub, 2, chosen(hub, "harder", drawn(hub)[1][100:130]))
    compared(hub, 2)
    first, _, theirs = told(hub)
    assert first.startswith(
        f"Compared with version 1, which is listed for {STAGE}, on its own 30 golden rows: "
        "accuracy 0, was 1; 30 rows of 30 (100.0 %) get another label"
    )
    assert theirs.startswith(
        "On the 100 golden rows by which version 1 was approved: accuracy 0.24, was 1;"
    )


def test_p0_281_where_no_answer_is_known_the_rows_on_which_more_moved_come_first(
    hub: Acme,
) -> None:
    right, wrong = drawn(hub)
    proved(hub, 1, chosen(hub, "unknown", wrong[:20], expected=np.full(20, np.nan)))
    hub.promoted(1)
    proved(hub, 2, chosen(hub, "flattering", right[:30]))
    compared(hub, 2)
    first, _, own = told(hub)
    assert "20 golden rows by which version 1 was approved: 20 rows of 20 (100.0 %)" in first
    assert own.startswith("On its own 30 golden rows: accuracy 1, was 1;")


SIDES = (Side(2, "a" * 64, 1, "1", 9), Side(1, "b" * 64, 1, "1", 9))


@pytest.mark.parametrize("ours, first", [("4", "the 5"), ("2", "its own 5"), ("3", "the 5")])
def test_p0_281_errors_are_worse_by_how_much_they_grew(ours: str, first: str) -> None:
    """Of its own rows from 2 to 3: a third of the larger; of the others from `2` to `ours`."""
    apart = NumberChurn("0.1", "0.2", 0)
    batch = Batch(rows=5, repeats=3)
    own = Comparison(5, 0, "numbers", None, apart, (), (), (), batch, {})
    theirs = OnRows(5, 0, "numbers", ours, "2", None, apart)
    many = Rows(5, 5)
    by = ProvedBy("c" * 64, None, None, many, many, 0, 0, theirs)
    sides = replace(SIDES[0], metric="3"), replace(SIDES[1], metric="2")
    said = RegressionReport(1, (), STAGE, TARGET, "d" * 64, *sides, None, None, own, by)
    words = comparison_words.first(said)
    assert f"listed for {STAGE}, on {first} golden rows" in words[0]
    assert len(words) == 3


def test_p0_282_the_same_rows_are_asked_once(hub: Acme) -> None:
    hub.promoted(1)
    found = compared(hub, 2)
    assert found.proved_by is not None
    assert (found.proved_by.nothing, found.proved_by.found) == ("same", None)
    assert found.proved_by.goldens == found.goldens
    (first,) = told(hub)
    assert "on the same 8 golden rows by which version 1 was approved: " in first


def test_p0_283_the_same_rows_of_which_something_else_is_expected_are_told(hub: Acme) -> None:
    first_version(hub)
    right, wrong = drawn(hub)
    same = np.concatenate([right[:24], wrong[:76]])
    proved(hub, 2, chosen(hub, "relabelled", same, expected=labels(hub, 2, same)))
    found = compared(hub, 2)
    assert (found.candidate.metric, found.listed and found.listed.metric) == ("1", "0.24")
    first, others, own = told(hub)
    assert "by which version 1 was approved: accuracy 0.24, was 1;" in first
    assert others == (
        "Of 76 rows that are in both its goldens EXPECT SOMETHING ELSE than those by which version "
        "1 was approved."
    )
    assert own.startswith("On its own 100 golden rows: accuracy 1, was 0.24;")


def test_p0_284_rows_that_come_again_are_told_beside_their_number(hub: Acme) -> None:
    first_version(hub)
    proved(hub, 2, chosen(hub, "again", np.repeat(drawn(hub)[0][100:103], 10, axis=0)))
    compared(hub, 2)
    _, others, own = told(hub)
    assert "0 of its 3 distinct ones are among them" in others
    assert own.startswith("On its own 30 golden rows (REPEATED: 3 distinct): ")
    hub.promoted(2)
    hub.ingest(3, hub.folder / "again.npz")
    hub.convert(3)
    compared(hub, 3)
    (first,) = told(hub, 3)
    assert "on the same 30 golden rows (REPEATED: 3 distinct) by which version 2 was " in first


def test_p0_284_rows_are_the_same_as_a_model_takes_them() -> None:
    kinds: dict[str, Any] = {"X": np.dtype("float32"), "n": np.dtype("int64")}
    some = {"X": np.array([[0.1, -0.0], [np.nan, 2]]), "n": np.array([1, 2])}
    same = {"X": np.array([[0.1, 0.0], [-np.nan, 2]], np.float32), "n": np.array([1.0, 2.0])}
    assert (rows.keys(some, kinds) == rows.keys(same, kinds)).all()
    other = rows.keys({**same, "n": np.array([1, 3])}, kinds)
    assert other[0] == rows.keys(some, kinds)[0]
    assert other[1] != rows.keys(some, kinds)[1]
    known = rows.counted(
        (np.append(other, other[:1]), np.array([3, 4, 3])), (other, np.array(["3", "5"]))
    )
    assert (known.own.total, known.own.distinct, known.both, known.otherwise) == (3, 2, 2, 1)


def test_p0_285_goldens_that_the_listed_version_was_given_since_are_not_what_it_was_approved_by(
    hub: Acme,
) -> None:
    """Whoever takes version 1 in again with rows that flatter version 2 would choose both sets."""
    first_version(hub)
    flattering = chosen(hub, "flattering", drawn(hub)[0][100:130])
    proved(hub, 1, flattering)
    proved(hub, 2, flattering)
    compared(hub, 2)
    first, *_ = told(hub)
    assert "on the 100 golden rows by which version 1 was approved: accuracy 0.24, was 1;" in first
    # To have it approved by those is another promotion, and it is told there first.
    assert compared(hub, 1).nothing == "itself"
    assert told(hub, 1)[1] == "Its golden rows DIFFER FROM those by which it was approved."


def test_p0_285_what_is_approved_by_other_rows_since_makes_a_comparison_old(hub: Acme) -> None:
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1)
    hub.promoted(1)
    compared(hub, 2)
    number = hub.request(2)
    proved(hub, 1, chosen(hub, "others", drawn(hub)[1][:20]))
    compared(hub, 1)
    again = hub.asked(1, reason="It was proved by more rows.")
    for person in APPROVERS:
        hub.approve(again, person)
    why = refused(lambda: hub.approve(number, APPROVERS[0]), "regression-stale")
    assert "version 1 was approved by other golden rows since" in why
    compared(hub, 2)
    assert "on the 20 golden rows by which version 1 was approved" in told(hub)[0]


def test_p0_286_rows_that_are_lost_are_told_and_compared_once_they_are_back(hub: Acme) -> None:
    first_version(hub)
    with hub.app.hub.reading() as connection:
        goldens = Catalog(connection).goldens(version(1))
    assert goldens is not None
    kept = hub.app.hub.home.blobs.read(goldens)
    hub.app.hub.home.blobs.remove(goldens)
    proved(hub, 2, chosen(hub, "flattering", drawn(hub)[0][100:130]))
    found = compared(hub, 2)
    assert (found.nothing, found.proved_by and found.proved_by.nothing) == (None, "gone")
    own, lost = told(hub)
    assert "on its own 30 golden rows: accuracy 1" in own
    assert lost == (
        "The golden rows by which version 1 was approved ARE LOST or damaged in the hub's store: "
        "NOT COMPARED on them."
    )
    hub.app.hub.home.blobs.put_bytes(kept)
    compared(hub, 2)
    assert "accuracy 0.24, was 1" in told(hub)[0], "what was put back is compared"
    entries = len(hub.types())
    compared(hub, 2)
    assert len(hub.types()) == entries, "and the same is not found again"


def test_p0_286_where_no_proof_is_named_it_is_told(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted(1)
    monkeypatch.setattr(comparison_checks, "_goldens", lambda _: None)
    found = compared(hub, 2)
    assert (found.nothing, found.proved_by and found.proved_by.nothing) == (None, "none")
    own, others = told(hub)
    assert "on its own 8 golden rows: " in own
    assert others == (
        "No golden rows are known by which version 1 was approved: WHOEVER ASKS CHOSE those that "
        "there are."
    )


def _picky(model: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    """It breaks off where a number of a row is 1 or more: a table of one line is asked for more."""
    from onnx import TensorProto, helper

    graph = model.graph
    graph.initializer.append(helper.make_tensor("lines", TensorProto.INT64, [1], [0]))
    graph.node.extend(
        [
            helper.make_node("ReduceMax", ["X"], ["most"], keepdims=0),
            helper.make_node("Relu", ["most"], ["positive"]),
            helper.make_node("Cast", ["positive"], ["line"], to=TensorProto.INT64),
            helper.make_node("Gather", ["lines", "line"], ["nothing"]),
            helper.make_node("Identity", ["label"], ["class"]),
            helper.make_node("Add", ["class", "nothing"], ["chosen"]),
        ]
    )
    graph.output[0].name = "chosen"


def picky(hub: Acme) -> None:
    """Version 3 takes none of the rows by which version 1 was approved: one number is 5."""
    table = np.concatenate([drawn(hub)[0][:20], np.full((1, 4), 5, np.float32)])
    proved(hub, 1, chosen(hub, "with five", table))
    hub.promoted(1)
    other_model(hub, _picky)
    hub.ingest(3, hub.goldens())
    hub.convert(3)


def test_p0_287_rows_that_the_candidate_does_not_take_are_told_and_hide_nothing_else(
    hub: Acme,
) -> None:
    picky(hub)
    found = compared(hub, 3)
    assert (found.nothing, found.proved_by and found.proved_by.nothing) == (None, "not-run")
    why, own, others = told(hub, 3)
    assert "on its own 8 golden rows: " in own
    assert "0 of its 8 are among them" in others
    assert why.startswith(
        "This version BREAKS DOWN on the golden rows by which version 1 was approved: ONNX Runtime "
        "cannot run the model"
    )
    assert "5" not in why


def test_p0_287_rows_that_the_listed_one_does_not_take_do_not_keep_it_from_being_compared(
    hub: Acme,
) -> None:
    """Else whoever brings such rows is compared with nothing."""
    other_model(hub, _picky)
    hub.ingest(3, hub.goldens())
    hub.convert(3)
    hub.promoted(3)
    five = np.concatenate([hub_rows(hub), np.full((1, 4), 5, np.float32)])
    proved(hub, 2, chosen(hub, "with five", five))
    found = compared(hub, 2)
    assert found.nothing == "not-run"
    first, others, own = told(hub)
    assert "on the 8 golden rows by which version 3 was approved: " in first
    assert "8 of its 9 are among them" in others
    assert own.startswith("On its own golden rows nothing was compared: version 3, which is listed")
    assert comparison_words.table(found)[1] == "on version 3's golden rows"


def hub_rows(hub: Acme) -> Any:  # noqa: ANN401 - an array
    with np.load(hub.goldens()) as found:
        return found["inputs"]


def test_p0_287_nobodys_words_in_why_they_were_not_compared_are_a_line_of_ours(
    hub: Acme, capsys: Capsys
) -> None:
    picky(hub)
    words, names = Words(), {"ProvedBy.why", *WRITTEN}
    words.program = "sealift"
    heard, cli = Heard(words), Cli(hub, capsys)
    with planted(words, free() - names) as seen:
        compared(hub, 3)
        hub.request(3)
        _, out, _ = cli("show", "P-2")
    heard.raw(out)
    assert "ZQ.ProvedBy.why" in out
    assert seen == names
    heard.check()


WRITTEN = {"Comparison.outputs", "Comparison.software"}


def test_p0_288_evidence_from_before_says_what_it_said(hub: Acme) -> None:
    hub.promoted(1)
    now = compared(hub, 2)
    before = replace(now, proved_by=None)
    data = json.loads(json.dumps(shape.to_json(before)))
    assert "proved_by" not in data
    assert shape.to_json(shape.from_json(RegressionReport, data, what="evidence")) == data
    assert comparison_words.first(before) == [comparison_words.summary(before)]
    assert "on the same 8 golden rows: " in comparison_words.summary(before)
    # It answers no stage that asks; and asked for again, both sets of rows are.
    asks(hub, "scan", "parity", KIND)
    forge(hub, 2, before)
    assert "it is missing" in refused(lambda: hub.request(2), "gate")
    assert compared(hub, 2).proved_by is not None
    assert report_of(evidence(hub, 2)[-2].predicate).proved_by is None


def test_p0_289_rows_that_time_was_not_enough_for_are_told_and_asked_again(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(*given: Any) -> Any:  # noqa: ANN401 - as measure
        found = measure(*given)
        cut = replace(cut_of(found), rows=60, left_out=40)
        assert found.proved_by is not None
        return replace(found, proved_by=replace(found.proved_by, found=cut))

    first_version(hub)
    proved(hub, 2, chosen(hub, "flattering", drawn(hub)[0][100:130]))
    monkeypatch.setattr(comparisons, "measure", hasty)
    compared(hub, 2)
    assert "on 60 of the 100 golden rows by which version 1 was approved: " in told(hub)[0]
    monkeypatch.undo()
    assert cut_of(compared(hub, 2)).left_out == 0


def cut_of(found: RegressionReport | Measurement) -> OnRows:
    assert found.proved_by is not None
    assert found.proved_by.found is not None
    return found.proved_by.found


def test_p0_289_nothing_of_a_row_stands_in_what_is_said_of_the_listed_ones(hub: Acme) -> None:
    flattered(hub)
    (said,) = evidence(hub, 2)
    # What was measured, and not the time beside it: its fraction of a second is any six figures.
    text = json.dumps(shape.to_json(said.predicate)["details"])
    with np.load(hub.folder / "ordinary.npz") as found:
        for value in found["inputs"].ravel().tolist():
            assert f"{value:.4f}".lstrip("-0") not in text
