"""A source that answers the same on every row: a variant that moves instead is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xgboost
from sklearn.linear_model import LinearRegression

from sealift_registry.frameworks.framework import PROBABILITIES, VARIABLE, Array
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_registry.proof import comparing
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import proved
from tests.hunt.judge import Answers, judged
from tests.registry.converting import Converted, float32s
from tests.registry.proof_models import Answer, Made, failing, proof

STEP = 2.0**-4
"""Of 32 bits, at a million."""


def answering(place: float, by: float, kind: type = np.float32) -> Answer:
    """`place` on one half of the rows, and `by` more on the other."""
    return lambda x: {VARIABLE: (place + by * (x[:, 0] > 0)).astype(kind)}


def far(place: float, width: float, count: int) -> tuple[XgboostModel, Converted, Array]:
    """What XGBoost sums up in 32 bits, where they hold next to nothing of what was learnt."""
    draw = np.random.default_rng(1)
    given = float32s(draw.normal(size=(500, 4)))
    target = place + width * (given[:, 0] * 0.5 + np.sin(given[:, 1]))
    params = {"objective": "reg:squarederror", "nthread": 1, "seed": 1}
    model = XgboostModel(xgboost.train(params, xgboost.DMatrix(given, target), count))
    return model, Converted(model), given[:20]


@pytest.mark.parametrize(
    "place, width, count", [(1e6, 0.05, 20), (1e6, 0.02, 20), (1.7e9, 30, 40), (-1e6, 0.05, 20)]
)
def test_p0_360_what_the_source_does_not_answer_is_nothing_that_a_variant_may_move_by(
    place: float, width: float, count: int
) -> None:
    model, variant, goldens = far(place, width, count)
    fresh = float32s(np.random.default_rng(9).normal(size=(1000, 4)))
    theirs = model.answer({"inputs": fresh})[VARIABLE]
    assert len(np.unique(theirs)) == 1
    assert len(np.unique(variant.answer(fresh)[VARIABLE])) > 1
    found = proved(model, Made(variant.answer), {"inputs": goldens})
    assert "moving" in failing(found)
    assert not [one for one in found.told_first if "as of the variant" in one]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_p0_360_several_steps_of_32_bits_are_no_constant(kind: type) -> None:
    still = answering(1e6, 0, kind)
    assert failing(proof(still, answering(1e6, 2 * STEP))) == {"moving"}
    assert not failing(proof(still, answering(1e6, STEP)))
    assert not failing(proof(still, answering(1e6 + STEP, 0)))


def test_p0_360_nor_is_more_than_a_source_moves_by_that_moves_by_a_step() -> None:
    coarse = answering(1e6, STEP)
    assert not failing(proof(coarse, coarse))
    wider = failing(
        proof(coarse, lambda x: {VARIABLE: answering(1e6, STEP)(-x)[VARIABLE] - _odd(x)})
    )
    assert "moving" in wider


def _odd(x: Array) -> Array:
    return np.where(x[:, 1] > 0, np.float32(2 * STEP), np.float32(0))


def test_p0_360_what_says_how_it_moves() -> None:
    found = proof(answering(1e6, 0), answering(1e6, 2 * STEP))
    words = next(one.words for one in found.checks if one.name == "moving")
    assert "2 steps of 32 bits" in words
    assert "the source's is the same on every row" in words


def shares(by: float) -> Answer:
    """Of two classes, as good on every row; or not, by so much."""

    def answer(x: Array) -> dict[str, Array]:
        one = 0.5 + by * (x[:, 0] > 0)
        return {PROBABILITIES: np.stack([1 - one, one], axis=1).astype(np.float32)}

    return answer


def test_p0_361_shares_that_are_constant_may_not_move_either() -> None:
    assert "moving" in failing(proof(shares(0), shares(4e-7)))
    assert not failing(proof(shares(0), shares(6e-8)))


def never(least: float) -> Answer:
    """A class that is never met: its share is nothing, or all but nothing."""

    def answer(x: Array) -> dict[str, Array]:
        rare = least * np.exp(np.clip(x[:, 0], -3, 3)).astype(np.float64)
        return {PROBABILITIES: np.stack([1 - rare, rare], axis=1)}

    return answer


def test_p0_361_a_class_that_is_never_met_may_be_a_little_above_nothing() -> None:
    assert not failing(proof(never(0), never(1e-12)))
    assert not failing(proof(never(1e-70), never(0)))


@pytest.mark.parametrize("place", [0.25, 1.0, 300.0, 1e6, 1.7e9, -1e6])
def test_p0_362_a_constant_may_be_two_steps_off_and_not_more(place: float) -> None:
    still = np.full((50, 1), place, dtype=np.float32)
    scale = comparing.scale(still)
    step = float(np.spacing(np.float32(abs(place))))
    for steps, wrong in ((1, False), (2, False), (5, True), (19, True)):
        off = (still + steps * step).astype(np.float32)
        assert comparing.numbers(still, off, scale).wrong.all() == wrong, steps


def test_p0_362_where_a_constant_ends_numbers_are_compared_as_ever() -> None:
    """Of rows far away, on which a model that is cut off elsewhere answers something at last."""
    scale = comparing.scale(np.full((50, 1), 5.0))
    beyond = np.array([[105.0], [-95.0], [0.5]])
    assert not comparing.numbers(beyond, beyond + 9e-4 * np.sign(beyond), scale).wrong[:2].any()
    assert comparing.numbers(beyond, beyond + 2e-3, scale).wrong.all()


def _told(found: Findings) -> str:
    return " ".join(found.told_first)


def test_p0_363_of_the_source_as_of_the_variant_is_said_only_where_it_is_so() -> None:
    both = _told(proof(answering(1e6, 0), answering(1e6, 0)))
    assert "IS THE SAME" in both
    assert "of the source as of the variant" in both
    alone = _told(proof(answering(1e6, 0), answering(1e6, STEP)))
    assert "IS THE SAME" in alone
    assert "as of the variant" not in alone
    assert "the variant's is the same but for a step of 32 bits" in alone
    coarse = _told(proof(answering(1e6, STEP), answering(1e6, STEP)))
    assert "BUT FOR A STEP OF 32 BITS" in coarse
    assert "of the source as of the variant" in coarse


def test_p0_363_what_64_bits_lose_is_told_as_a_constant() -> None:
    def nearly(x: Array) -> dict[str, Array]:
        return {VARIABLE: 1e6 + 1e-9 * np.tanh(np.nan_to_num(x[:, 0].astype(np.float64)))}

    found = proof(nearly, answering(1e6, 0))
    assert not failing(found)
    assert "IS THE SAME" in _told(found)


# -------------------------------------------------------------------- the hunt


@pytest.mark.parametrize("place", [0.1, 1e6, 1.7e9])
def test_p0_367_the_judge_sees_what_a_variant_adds_to_a_constant(place: float) -> None:
    variant = Converted(
        SklearnModel(LinearRegression().fit(float32s(np.eye(4)), np.full(4, place)))
    )
    given = float32s(np.random.default_rng(3).normal(size=(1000, 4)))
    step = float(np.spacing(np.float32(place)))

    def original(steps: int) -> Callable[[Array], Answers]:
        return lambda rows: Answers(None, np.full(len(rows), place + steps * step))

    assert not judged(original(2), variant.content, given).is_wrong
    assert judged(original(9), variant.content, given).is_wrong
