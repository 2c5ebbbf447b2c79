"""How the row that is furthest off is told: both answers, how far apart, and what to do then."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sealift_registry.frameworks.framework import LABEL, VARIABLE, Array, ModelFacts
from sealift_registry.proof import advice
from sealift_registry.proof.proof_report import Findings, ProofReport
from tests.registry.proof_models import Answer, Made, failing, linear, proof

PREDICTS = ModelFacts(predicts=True)


def words(found: Findings, check: str = "goldens") -> str:
    return next(one.words for one in found.checks if one.name == check)


def number(place: float, by: float = 0.0, width: float = 1.0) -> Answer:
    return lambda x: {VARIABLE: place + width * np.tanh(x[:, 0].astype(np.float64)) + by}


@pytest.mark.parametrize(
    "place, width, by",
    [
        (1e6, 1.0, 0.5),
        (1e6, 1.0, 1e-1),
        (1.7e9, 10.0, -3000.0),
        (1.0, 1e-9, 1e-9),
        (1e13, 1e3, 5e2),
    ],
)
def test_p0_364_two_answers_that_differ_are_two_numbers_and_their_distance_is_said(
    place: float, width: float, by: float
) -> None:
    said = words(proof(number(place, 0, width), number(place, by, width), facts=PREDICTS))
    found = re.search(
        r"variable is (\S+) in the source and (\S+) in the variant; they are (\S+) apart; "
        r"they may be (\S+) apart there",
        said,
    )
    assert found, said
    source, variant, apart, allowed = (float(one) for one in found.groups())
    assert variant - source == pytest.approx(by, rel=0.1)
    assert apart == pytest.approx(abs(by), rel=0.01)
    assert allowed < apart
    assert "e+" not in said


def test_p0_364_nor_are_two_that_may_differ_one_number() -> None:
    found = proof(number(1e6), number(1e6, 1e-7), facts=PREDICTS)
    assert found.worst is not None
    assert found.verdict == "pass"
    assert found.worst.source != found.worst.variant


def test_p0_364_labels_that_differ_late_are_shown_where_they_do() -> None:
    def many(last: int) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            found = np.full((len(x), 60), 7)
            found[:, -1] = last
            return {LABEL: found}

        return answer

    said = words(proof(many(1), many(2), facts=PREDICTS))
    found = re.search(r"label is “(.+?)” in the source and “(.+?)” in the variant", said)
    assert found, said
    assert found[1] != found[2]
    assert len(found[1]) <= 60


def test_p0_364_the_answers_are_those_of_the_column_that_was_measured() -> None:
    """One column is off by more, and may be; the other is what is wrong."""

    def both(large: float, small: float) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            moved = np.tanh(x[:, 0].astype(np.float64))
            return {VARIABLE: np.stack([1e6 * moved + large, 1e-3 * moved + small], axis=1)}

        return answer

    found = proof(both(0, 0), both(10, 1e-4), facts=PREDICTS)
    assert failing(found)
    assert found.worst is not None
    assert found.worst.column == 1
    assert "column 1, is" in words(found)
    assert "they are 0.0001 apart" in words(found)


@pytest.mark.parametrize(
    "source, variant, side",
    [(1.0, np.nan, "variant"), (np.nan, 1.0, "source"), (1.0, np.inf, "variant")],
)
def test_p0_365_the_side_that_answers_no_number_is_named(
    source: float, variant: float, side: str
) -> None:
    def answering(value: float) -> Answer:
        return lambda x: {VARIABLE: np.where(x[:, 0] > 0, value, x[:, 0].astype(np.float64))}

    said = words(proof(answering(source), answering(variant)))
    assert f"is no number in the {side} alone" in said
    assert "apart" not in said
    shown = words(proof(answering(source), answering(variant), facts=PREDICTS))
    assert "in the source and" in shown
    assert "apart" not in shown


def test_p0_365_rows_that_are_asked_again_are_named_as_what_they_are() -> None:
    def beside(x: Array) -> dict[str, Array]:
        return {VARIABLE: linear()(x)[VARIABLE] + (1 if len(x) == 1 else 0)}

    said = words(proof(linear(), beside), "batches")
    assert "of those asked alone, variable" in said

    def few(x: Array) -> dict[str, Array]:
        return {VARIABLE: linear()(x)[VARIABLE] + (1 if 1 < len(x) < 20 else 0)}

    said = words(proof(linear(), few), "batches")
    assert "of those asked a few at once, variable" in said


# -------------------------------------------------------------------- what to do about it


def next_step(found: Findings) -> str:
    report = ProofReport.__new__(ProofReport)
    for name, value in {"findings": found, "reference": "it", "hardware_target": "cpu"}.items():
        object.__setattr__(report, name, value)
    refusal = report.refusal()
    assert refusal is not None
    assert "is not kept: " in refusal.what
    assert "kept" not in refusal.next_step
    return refusal.next_step


@pytest.mark.parametrize("place, width, by", [(1.7e9, 3e4, 5e3), (1e6, 1.0, 0.5), (-1e6, 0.1, 2.0)])
def test_p0_366_what_is_off_by_steps_of_32_bits_is_to_be_trained_without_its_mean(
    place: float, width: float, by: float
) -> None:
    found = proof(number(place, 0, width), number(place, by, width), facts=PREDICTS)
    assert "goldens" in failing(found)
    assert next_step(found) == advice.NEAR
    assert "adds the mean again" in advice.NEAR
    assert "spread" not in advice.NEAR


def test_p0_366_what_moves_where_the_source_does_not_likewise() -> None:
    still: Answer = lambda x: {VARIABLE: np.full(len(x), 1e6, dtype=np.float32)}  # noqa: E731 - of one line
    moved: Answer = lambda x: {  # noqa: E731 - of one line
        VARIABLE: np.where(x[:, 0] > 0, 1e6, 1e6 + 0.125).astype(np.float32)
    }
    found = proof(still, moved)
    assert failing(found) == {"moving"}
    assert next_step(found) == advice.NEAR


def test_p0_366_what_is_converted_wrongly_is_told_otherwise() -> None:
    assert next_step(proof(Made(linear(), PREDICTS), linear(1.1))) == advice.INSTEAD
