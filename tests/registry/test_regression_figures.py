"""No figure of a comparison or a proof looks better than what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.proof import expected_answers, figures, proof_words
from sealift_registry.proof.expected_answers import ExpectationResult
from sealift_registry.regression import comparison_words, differences, rows
from sealift_registry.regression.regression_report import (
    Batch,
    Comparison,
    LabelChurn,
    NumberChurn,
    OnRows,
    ProvedBy,
    RegressionReport,
    Rows,
    Side,
)
from tests.registry.hub_fixture import STAGE, TARGET, Acme
from tests.registry.test_regression import compared
from tests.registry.test_regression_likeness import ROWS, THREE, linear, measured
from tests.registry.test_regression_rows import chosen, drawn, first_version, labels, proved, told

MANY = 100_000
SIDES = (Side(2, "a" * 64, 1, None, 9), Side(1, "b" * 64, 1, None, 9))


def answers(wrong: int) -> dict[str, Any]:
    """To many rows of which each is expected to be 1."""
    label = np.ones(MANY, dtype=np.int64)
    label[:wrong] = 0
    return {"label": label}


def report(own: tuple[OnRows, str | None, str | None], theirs: OnRows) -> RegressionReport:
    """What was found on the candidate's rows, with both metrics, and on the listed one's."""
    found, ours, listed = own
    comparison = Comparison(
        rows=found.rows,
        left_out=found.left_out,
        expected=found.expected,
        labels=found.labels,
        numbers=found.numbers,
        outputs=(),
        classes_new=(),
        classes_gone=(),
        batch=Batch(rows=5, repeats=3),
        software={},
        known=found.known,
    )
    many = Rows(theirs.rows, theirs.rows)
    by = ProvedBy("c" * 64, None, None, many, many, 0, 0, theirs)
    sides = replace(SIDES[0], metric=ours), replace(SIDES[1], metric=listed)
    return RegressionReport(
        1, (), STAGE, TARGET, "d" * 64, *sides, None, None, comparison, proved_by=by
    )


# ------------------------------------------------------------------ what is not all is not told so


@pytest.mark.parametrize(
    "wrong, told", [(0, "1"), (1, "0.99999"), (49, "0.99951"), (51, "0.99949"), (12_500, "0.875")]
)
def test_p0_330_an_accuracy_is_told_as_one_only_where_every_answer_is_right(
    wrong: int, told: str
) -> None:
    right = np.ones(MANY, dtype=np.int64)
    found = differences.metrics(right, answers(wrong), answers(0), ((), ()))
    assert found == ("labels", told, "1")


def test_p0_330_an_accuracy_keeps_three_digits_wherever_it_lies() -> None:
    found = [figures.accuracy(part) for part in (0, 1e-5, 1 / 3, 2 / 3, 0.9)]
    assert found == ["0", "1e-5", "0.333", "0.667", "0.9"]


@pytest.mark.parametrize(
    "part, told",
    [
        (0.0, "0.0"),
        (4e-4, "0.04"),
        (0.5, "50.0"),
        (0.9996, "99.96"),
        (0.99951, "99.951"),
        (1, "100.0"),
    ],
)
def test_p0_331_a_share_is_told_as_none_or_all_only_where_it_is(part: float, told: str) -> None:
    assert figures.percent(part) == told
    judged = ExpectationResult("labels", MANY, 1.0, part, 0.1, 0.1, 1.0)
    assert f"right, the variant {told}%" in proof_words.expected_check(judged, ()).words
    nearly = ExpectationResult("numbers", MANY, 0.1, 0.1, 1.0, 1.0, part)
    (first, *_) = proof_words.first(nearly, "", {}, ()) or [""]
    assert not first or first.startswith(f"{told}% of the golden rows are answered exactly")


def test_p0_331_what_is_poor_is_told_by_the_same_shares() -> None:
    judged = ExpectationResult("labels", MANY, 0.9996, 0.9997, 0.9998, 0.5, 1.0)
    (first, *_) = proof_words.first(judged, "", {}, ())
    assert "the source gets 99.96% right and the variant 99.97%" in first
    assert "would get 99.98%" in first


@pytest.mark.parametrize("differing, told", [(49, "0.049 %"), (99_951, "99.951 %")])
def test_p0_331_rows_that_get_another_label_are_never_none_or_all(
    differing: int, told: str
) -> None:
    one = OnRows(MANY, 0, None, None, None, LabelChurn(differing, 0), None)
    said = report((one, None, None), one)
    assert f"{differing:,} rows of 100,000 ({told}) get another label" in comparison_words.summary(
        said
    )
    assert f"{told} of rows" in "\n".join(comparison_words.table(said))


# ------------------------------------------------------------------ which rows are told first


def on(churn: int, ours: str | None = None, was: str | None = None) -> OnRows:
    kind: Any = None if ours is None and was is None else "labels"
    return OnRows(100, 0, kind, ours, was, LabelChurn(churn, 0), None)


@pytest.mark.parametrize(
    "own, theirs, first",
    [
        (on(90), on(76, "0.24", "1"), "the 100"),
        (on(90), on(0, "1", "1"), "the 100"),
        (on(10, "0.9", "1"), on(90), "its own 100"),
        (on(0, "1", "1"), on(90), "the 100"),
        (on(9, "1", "0.91"), on(0), "the 100"),
        (on(90), on(89), "its own 100"),
        (on(90), on(90), "the 100"),
    ],
    ids=["known-theirs", "doubt", "known-own", "none-fell", "grew", "moved", "alike"],
)
def test_p0_332_a_known_fall_is_told_before_what_moved_and_on_doubt_the_listed_ones_rows(
    own: OnRows, theirs: OnRows, first: str
) -> None:
    said = report((own, own.candidate, own.listed), theirs)
    assert f"listed for {STAGE}, on {first} golden rows" in comparison_words.summary(said)


# ------------------------------------------------------------------ of how many rows it is known


def test_p0_333_an_accuracy_bears_of_how_many_rows_the_answer_is_known(tmp_path: Path) -> None:
    here = linear(tmp_path / "a", np.eye(4), shares=True)
    there = linear(tmp_path / "b", np.eye(4), shares=True)
    right = ROWS.argmax(axis=1).astype(float)
    known = np.where(np.arange(60) < 47, right, np.nan)
    found = measured(tmp_path, here, there, X=ROWS, expected=known)["comparison"]
    assert (found["expected"], found["known"]) == ("labels", 47)
    assert measured(tmp_path, here, there, X=ROWS, expected=right)["comparison"]["known"] == 60
    assert "known" not in measured(tmp_path, here, there, X=ROWS)["comparison"]


@pytest.mark.parametrize(
    "known, told, row",
    [
        (
            47,
            "accuracy 1, was 1, of the 47 rows whose answer is known;",
            "accuracy (47 of 100 rows)",
        ),
        (1, "accuracy 1, was 1, of the 1 row whose answer is known;", "accuracy (1 of 100 rows)"),
        (100, "accuracy 1, was 1; ", "accuracy (100 rows)"),
        (None, "accuracy 1, was 1; ", "accuracy  "),
    ],
)
def test_p0_333_words_and_table_bear_it_too(known: int | None, told: str, row: str) -> None:
    one = replace(on(5, "1", "1"), known=known)
    said = report((one, "1", "1"), one)
    assert sum(told in text for text in comparison_words.first(said)) == 2
    assert sum(row in line for line in comparison_words.table(said)) == 2
    (accuracy,) = [one for one in comparison_words.checks(said) if one.name == "accuracy"]
    assert ("of 47 of 100 rows" in accuracy.words) == (known == 47)


@pytest.mark.parametrize("ours", [[3, 4, np.nan, np.nan], None], ids=["unknown", "dropped"])
def test_p0_334_rows_that_no_longer_say_what_is_right_are_counted(ours: list[float] | None) -> None:
    kinds: dict[str, Any] = {"X": np.dtype("float32")}
    table = {"X": np.arange(4, dtype=np.float32)}
    keys = rows.keys(table, kinds)
    expected = None if ours is None else np.array(ours)
    found = rows.counted((keys, expected), (keys[:3], np.array([3.0, 9.0, 5.0])))
    assert found.both == 3
    assert (found.otherwise, found.unsaid) == ((1, 1) if ours else (0, 3))
    same = rows.counted((keys, np.arange(4)), (keys, np.array([np.nan, 1, 2, 3])))
    assert (same.otherwise, same.unsaid) == (0, 0), "that more is known now is no fault"


@pytest.mark.parametrize("dropped", [False, True])
def test_p0_334_it_is_told_first(hub: Acme, *, dropped: bool) -> None:
    first_version(hub)
    right, wrong = drawn(hub)
    same = np.concatenate([right[:24], wrong[:76]])
    known = labels(hub, 1, same).astype(float)
    known[24:77] = np.nan
    path = chosen(hub, "silent", same, expected=known)
    if dropped:
        np.savez(path, inputs=same)
    proved(hub, 2, path)
    found = compared(hub, 2)
    assert found.proved_by is not None
    assert found.proved_by.unsaid == (100 if dropped else 53)
    first, *others, own = told(hub)
    assert "accuracy 0.24, was 1;" in first
    silent = "100" if dropped else "53"
    assert (
        f"Of 100 rows that are in both its goldens NO LONGER SAY of {silent} what is right."
        in others
    )
    nothing = "BY ITS OWN golden rows neither could be measured"
    assert any(one.startswith(nothing) for one in others) == dropped
    assert ("of the 47 rows whose answer is known" in own) != dropped


# ------------------------------------------------------------------ no number is told in words


def numbers(ours: Any, theirs: Any) -> NumberChurn:  # noqa: ANN401 - arrays
    found = differences.number_churn({"y": np.array(ours)}, {"y": np.array(theirs)})
    assert found is not None
    return found


def test_p0_335_rows_on_which_only_the_listed_one_answers_a_number_are_counted() -> None:
    nan, inf = np.nan, np.inf
    found = numbers([1.0, nan, inf, 1.0, nan, nan], [1.0, 1.0, 1.0, nan, nan, inf])
    assert (found.no_number, found.lost) == (4, 2)
    assert numbers([1.0, 2.0], [1.0, 1.0]).lost == 0


def test_p0_335_an_error_is_no_number_and_never_the_largest_one() -> None:
    right = np.array([1.0, 2.0, 3.0, 4.0])
    here = {"y": np.array([1.0, 2.0, np.nan, 4.0])}
    there = {"y": np.array([1.5, 2.5, 3.5, 4.5])}
    found = differences.metrics(right, here, there, ((), ()))
    assert found == ("numbers", None, "0.5")
    # Where the listed one has no number, neither is measured.
    assert differences.metrics(right, there, here, ((), ())) == ("numbers", "0.5", "0")
    assert differences.measured_by(right, here, ((), ())) == 3
    nothing = {"y": np.full(4, np.nan)}
    assert differences.metrics(right, here, nothing, ((), ())) is None
    assert differences.measured_by(right, nothing, ((), ())) is None


def test_p0_335_shares_that_are_no_numbers_are_no_label() -> None:
    right = np.array([0, 0, 1])
    here = {"p": np.array([[np.nan, np.nan], [0.9, 0.1], [0.1, 0.9]])}
    there = {"p": np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])}
    assert differences.metrics(right, here, there, ((), ())) == ("labels", "0.667", "1")
    churn = differences.label_churn(here, there, (("0", "1"), ("0", "1")))
    assert churn is not None
    assert churn.differing == 1


@pytest.mark.parametrize("lost", [60, 100])
def test_p0_336_no_number_is_told_in_words_first_and_in_a_line_of_the_table(lost: int) -> None:
    apart = NumberChurn("0", "0", lost, lost)
    one = OnRows(100, 0, "numbers", None, "0.2", None, apart, known=100)
    said = report((one, None, "0.2"), one)
    text = comparison_words.summary(said)
    assert f"approved: it answers NO NUMBER on {lost} rows of 100 ({lost}.0 %)" in text
    assert "mean error was 0.2, and this version's CANNOT BE TOLD" in text
    assert ("in the median" in text) == (lost < 100), "of no row there is none"
    table = "\n".join(comparison_words.table(said))
    assert table.count("NO NUMBER") == 2
    assert f"{lost}.0 % of rows" in table
    assert ("median difference" in table) == (lost < 100)
    (check,) = [one for one in comparison_words.checks(said) if one.name == "no-number"]
    assert f"NO NUMBER on {lost} rows" in check.words
    shown = text + table + "".join(one.words for one in comparison_words.checks(said))
    assert "e308" not in shown
    assert "inf" not in shown


def test_p0_336_rows_without_a_number_count_as_wholly_moved() -> None:
    still = OnRows(100, 0, None, None, None, None, NumberChurn("0.3", "0.4", 0, 0))
    gone = replace(still, numbers=NumberChurn("0", "0", 60, 60))
    assert "on its own 100 golden rows: it answers NO NUMBER" in comparison_words.summary(
        report((gone, None, None), still)
    )
    known = replace(still, expected="numbers", candidate="0.3", listed="0.2", known=100)
    unmeasured = replace(gone, expected="numbers", listed="0.2", known=100)
    assert "on its own 100 golden rows: it answers NO NUMBER" in comparison_words.summary(
        report((unmeasured, None, "0.2"), known)
    )


def test_p0_336_a_candidate_that_answers_no_number_is_told_so(tmp_path: Path) -> None:
    there = linear(tmp_path / "b", THREE)
    here = linear(tmp_path / "a", np.where(THREE == 0.5, np.inf, THREE))
    found = measured(tmp_path, here, there, X=ROWS, expected=ROWS @ THREE)
    assert found["comparison"]["numbers"]["lost"] == 60
    assert "metric" not in found["sides"][0]


@pytest.mark.parametrize("is_poor", [False, True])
def test_p0_337_a_proof_tells_no_number_in_words(*, is_poor: bool) -> None:
    error = float("inf")
    judged = ExpectationResult("numbers", 20, error if is_poor else 0.1, error, 1.0, 1.0, 1.0)
    said = [proof_words.expected_check(judged, ()).words, *proof_words.first(judged, "", {}, ())]
    assert all("e308" not in one for one in said)
    assert all("the variant answers NO NUMBER on some" in one for one in said)
    assert all(("the source answers NO NUMBER" in one) == is_poor for one in said)


def test_p0_338_an_error_of_evidence_from_before_is_told_in_words_too() -> None:
    one = OnRows(100, 0, "numbers", "1.8e308", "0.2", None, NumberChurn("0", "0", 60))
    other = replace(one, candidate="0.2", listed="1.8e308")
    said = report((other, "0.2", "1.8e308"), one)
    text = "\n".join([*comparison_words.first(said), *comparison_words.table(said)])
    assert "on the 100 golden rows by which version 1 was approved" in comparison_words.summary(
        said
    )
    assert text.count("mean error was 0.2, and this version's CANNOT BE TOLD") == 1
    assert "e308" not in text
    assert "e308" not in "".join(one.words for one in comparison_words.checks(said))


def test_p0_338_a_proof_counts_shares_that_are_no_numbers_as_wrong() -> None:
    shares = {"p": np.array([[np.nan, np.nan], [np.nan, np.nan], [0.9, 0.1], [0.1, 0.9]])}
    found = expected_answers.judged(np.array([0, 0, 0, 1]), shares, shares, ("0", "1"))
    assert found is not None
    assert (found.source, found.variant) == (0.5, 0.5)
    lost = {"p": np.array([[np.nan, np.nan], [0.1, 0.9]])}
    named = expected_answers.judged(np.array([0, 1]), lost, lost, ("0", "1"))
    assert named is not None
    assert named.missed == (("0", 1),)
