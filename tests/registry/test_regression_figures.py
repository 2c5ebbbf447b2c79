"""No figure of a comparison or a proof looks better than what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sealift_registry.proof import telling
from sealift_registry.proof.expecting import Judged
from sealift_registry.regression import comparing, saying
from sealift_registry.regression.report import (
    Batch,
    Comparison,
    LabelChurn,
    OnRows,
    ProvedBy,
    RegressionReport,
    Rows,
    Side,
)
from tests.registry.hub_fixture import STAGE, TARGET

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
        *(found.rows, found.left_out, found.expected, found.labels, found.numbers),
        *((), (), (), Batch(rows=5, repeats=3), {}),
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
    found = comparing.metrics(right, answers(wrong), answers(0), ((), ()))
    assert found == ("labels", told, "1")


def test_p0_330_an_accuracy_keeps_three_digits_wherever_it_lies() -> None:
    for part, told in [(0, "0"), (1e-5, "1e-5"), (1 / 3, "0.333"), (2 / 3, "0.667"), (0.9, "0.9")]:
        assert telling.accuracy(part) == told


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
    assert telling.percent(part) == told
    judged = Judged("labels", MANY, 1.0, part, 0.1, 0.1, 1.0)
    assert f"rightly, the variant {told}%" in telling.expected_check(judged, ()).words
    nearly = Judged("numbers", MANY, 0.1, 0.1, 1.0, 1.0, part)
    (first, *_) = telling.first(nearly, "", {}, ()) or [""]
    assert not first or first.startswith(f"{told}% of the golden rows are answered exactly")


def test_p0_331_what_is_poor_is_told_by_the_same_shares() -> None:
    judged = Judged("labels", MANY, 0.9996, 0.9997, 0.9998, 0.5, 1.0)
    (first, *_) = telling.first(judged, "", {}, ())
    assert "the source tells 99.96% rightly and the variant 99.97%" in first
    assert "right in 99.98%" in first


@pytest.mark.parametrize("differing, told", [(49, "0.049 %"), (99_951, "99.951 %")])
def test_p0_331_rows_that_get_another_label_are_never_none_or_all(
    differing: int, told: str
) -> None:
    one = OnRows(MANY, 0, None, None, None, LabelChurn(differing, 0), None)
    said = report((one, None, None), one)
    assert f"{differing:,} rows of 100,000 ({told}) get another label" in saying.summary(said)
    assert f"{told} of rows" in "\n".join(saying.table(said))


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
    assert f"listed for {STAGE}, on {first} golden rows" in saying.summary(said)
