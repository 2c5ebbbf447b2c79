"""Targets far from zero: what was learnt is the little beside a million, and it stays."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from sealift_registry.frameworks import tree_sums
from sealift_registry.frameworks.framework import VARIABLE, ModelFacts
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_registry.proof import comparing
from sealift_signing.errors import RefusedError
from tests.hunt import data, hunting
from tests.hunt.draws import Draws
from tests.hunt.judge import Answers, judged
from tests.hunt.original import Drawn, Rows
from tests.registry.converting import Array, Converted, float32s
from tests.registry.proof_models import Answer, failing, linear, proof

WIDTH, FRESH = 4, 1000
PLACES = [(1e3, 1.0), (1e6, 1.0), (-1e6, 1.0), (1e9, 100.0), (300.0, 0.01), (1.0, 1e-7)]
"""Where targets lie, and how wide they are there: a price, a time, a temperature."""

Predict = Callable[[Array], Array]
Model = LightgbmModel | SklearnModel | XgboostModel


def table(place: float, width: float) -> tuple[Array, Array]:
    """Rows, and what was seen on them."""
    draw = np.random.default_rng(1)
    found = float32s(draw.normal(size=(300, WIDTH)))
    hidden = np.tanh(found @ [1, -0.7, 0.5, 0.2]) + 0.1 * draw.normal(size=300)
    return found, place + width * hidden


def fresh(count: int = FRESH) -> Array:
    return float32s(np.random.default_rng(2).normal(size=(count, WIDTH)))


def away(predict: Predict, variant: Converted) -> float:
    """How far the variant is off at most, as a part of the spread of the original's answers."""
    given = fresh()
    theirs = np.asarray(predict(given), np.float64).reshape(FRESH, -1)
    ours = variant.answer(given)[VARIABLE].astype(np.float64).reshape(theirs.shape)
    assert (theirs.std(axis=0) > 0).all()
    return float((np.abs(ours - theirs).max(axis=0) / theirs.std(axis=0)).max())


# -------------------------------------------------------------------- converters

FEW = {"n_estimators": 20, "random_state": 1}
TREES = RandomForestRegressor(5, random_state=1)
NUMBERS: dict[str, Callable[[], Any]] = {
    "tree": lambda: DecisionTreeRegressor(random_state=1),
    "extra tree": lambda: ExtraTreeRegressor(random_state=1),
    "forest": lambda: RandomForestRegressor(**FEW),
    "extra trees": lambda: ExtraTreesRegressor(**FEW),
    "boosting": lambda: GradientBoostingRegressor(**FEW),
    "boosting of medians": lambda: GradientBoostingRegressor(**FEW, loss="absolute_error"),
    "boosting from zero": lambda: GradientBoostingRegressor(**FEW, init="zero"),
    "adaptive boosting": lambda: AdaBoostRegressor(**FEW),
    "bags of trees": lambda: BaggingRegressor(random_state=1),
    "a scaler and a forest": lambda: make_pipeline(MinMaxScaler(), TREES),
    "a stack": lambda: StackingRegressor([("forest", TREES), ("line", Ridge())]),
    "a vote": lambda: VotingRegressor([("forest", TREES), ("line", Ridge())]),
    "a line": LinearRegression,
    "scaled, and a line": lambda: make_pipeline(StandardScaler(), Ridge()),
    "neighbours": lambda: KNeighborsRegressor(3),
    "several of one": lambda: MultiOutputRegressor(GradientBoostingRegressor(**FEW)),
}
SEVERAL = ("tree", "forest", "extra trees", "a line")


def sklearn(estimator: Any, place: float, width: float, several: int = 1) -> tuple[Model, Predict]:  # noqa: ANN401 - scikit-learn is Any to us
    given, target = table(place, width)
    targets = np.stack([target, 2 - target], axis=1) if several > 1 else target
    estimator.fit(given, targets)
    return SklearnModel(estimator), estimator.predict


@pytest.mark.parametrize("place, width", PLACES)
@pytest.mark.parametrize("kind", NUMBERS)
def test_p0_290_numbers_of_scikit_learn_keep_their_spread(
    kind: str, place: float, width: float
) -> None:
    model, predict = sklearn(NUMBERS[kind](), place, width, 1 + (kind == "several of one"))
    assert away(predict, Converted(model)) < 1e-3


@pytest.mark.parametrize("kind", SEVERAL)
def test_p0_290_several_numbers_a_row_keep_each_its_own(kind: str) -> None:
    model, predict = sklearn(NUMBERS[kind](), 1e6, 1.0, 2)
    assert away(predict, Converted(model)) < 1e-3


OBJECTIVES = ("regression", "regression_l1", "huber", "quantile", "poisson", "gamma", "tweedie")


def light(objective: str, place: float, width: float, **params: object) -> lightgbm.Booster:
    seen = lightgbm.Dataset(*table(place, width), params={"verbosity": -1})
    given = {"objective": objective, "verbosity": -1, "num_threads": 1, "seed": 1, **params}
    return lightgbm.train(given, seen, 20)


@pytest.mark.parametrize("place", [1e3, 1e6])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_p0_290_numbers_of_lightgbm_keep_their_spread(objective: str, place: float) -> None:
    booster = light(objective, place, 1.0)
    assert away(booster.predict, Converted(LightgbmModel(booster))) < 1e-3


@pytest.mark.parametrize(
    "place, width, params",
    [(-1e6, 1.0, {}), (300.0, 0.01, {}), (1e6, 1.0, {"boost_from_average": False})],
)
def test_p0_290_wherever_the_middle_lies(
    place: float, width: float, params: dict[str, object]
) -> None:
    booster = light("regression", place, width, **params)
    assert away(booster.predict, Converted(LightgbmModel(booster))) < 1e-3


@pytest.mark.parametrize(
    "kind, make",
    [
        ("HistGradientBoostingRegressor", lambda: HistGradientBoostingRegressor(max_iter=20)),
        ("TransformedTargetRegressor", lambda: TransformedTargetRegressor(Ridge())),
    ],
)
def test_p0_290_what_is_in_no_table_is_refused_as_ever(kind: str, make: Callable[[], Any]) -> None:
    model, _ = sklearn(make(), 1e6, 1.0)
    with pytest.raises(RefusedError) as caught:
        Converted(model)
    assert kind in caught.value.what


def test_p0_291_leaves_around_zero_are_written_as_they_stand() -> None:
    around = np.array([[-1.0], [0.0], [0.5], [3.0]])
    rest, off = tree_sums.centred(around)
    assert (rest == around).all()
    assert off == [0]


def test_p0_291_what_is_taken_off_is_in_the_middle_of_most_and_each_target_has_its_own() -> None:
    """One leaf far away, as of a row that was mistyped, does not take the digits of the others."""
    far = 1e6 + np.linspace(0, 1, 40)
    leaves = np.stack([np.append(far, 5e8), np.append(np.linspace(-1, 1, 40), 0)], axis=1)
    rest, off = tree_sums.centred(leaves)
    assert off[0] == pytest.approx(1e6, abs=1)
    assert off[1] == 0
    assert np.abs(rest[:40, 0]).max() <= 1
    assert (rest + off == leaves).all()


# -------------------------------------------------------------------- the proof


def drawn(kind: str, form: str, path: Path, predict: Predict) -> Drawn:
    """A model for the whole way that a hub goes with it."""

    class Normal:
        def rows(self, draws: Any, rows: int) -> Array:  # noqa: ANN401 - the hunt's
            return float32s(draws.by.normal(size=(rows, WIDTH)))

    return Drawn(
        kind, "", path, form, lambda given: Answers(None, predict(given)), Rows(1, Normal())
    )


@pytest.mark.parametrize("place, width", [*PLACES, (1e4, 1.0), (1e7, 1.0), (0.0, 1.0)])
def test_p0_292_what_xgboost_adds_up_in_32_bits_is_right_or_stopped(
    place: float, width: float, tmp_path: Path
) -> None:
    """The source itself loses the little; each runtime loses another part of it."""
    booster = xgboost.train(
        {"objective": "reg:squarederror", "nthread": 1, "seed": 1},
        xgboost.DMatrix(*table(place, width)),
        20,
    )
    path = tmp_path / "model.ubj"
    booster.save_model(path)

    def predict(given: Array) -> Array:
        return np.asarray(booster.predict(xgboost.DMatrix(given)), np.float64)

    found = hunting.of(drawn("xgboost", "xgboost-ubj", path, predict), tmp_path)
    variant = Converted(XgboostModel(booster))
    if predict(fresh()).std() == 0:  # then the variant's own little was never the source's
        theirs, ours = predict(fresh()), variant.answer(fresh())[VARIABLE].ravel()
        near = bool((np.abs(ours - theirs) <= np.spacing(np.float32(abs(place)))).all())
    else:
        near = away(predict, variant) <= 0.01
    assert found.outcome == ("signed" if near else "stopped"), found
    assert (found.outcome, found.truth) != ("signed", "wrong")


@pytest.mark.parametrize("place", [1e3, 1e6, -1e9])
def test_p0_292_a_fiftieth_of_the_spread_is_too_far_off_wherever_it_lies(place: float) -> None:
    def moved(x: Array) -> dict[str, Array]:
        found = linear(offset=place)(x.astype(np.float64))[VARIABLE]
        return {VARIABLE: found + 0.05 * np.sin(1e3 * x[:, 0])}

    exact = lambda x: linear(offset=place)(x.astype(np.float64))  # noqa: E731 - of one line
    assert not failing(proof(exact, exact))
    assert "ordinary" in failing(proof(exact, moved))


def test_p0_292_the_digits_that_differ_are_shown() -> None:
    """1000001 in the source and 1000001 in the variant is no answer to anybody."""

    def beside(place: float) -> Answer:
        return lambda x: {VARIABLE: place + x[:, 0].astype(np.float64)}

    found = proof(beside(1e6), beside(1e6 + 0.02), facts=ModelFacts(predicts=True))
    assert found.worst is not None
    assert float(found.worst.variant) - float(found.worst.source) == pytest.approx(0.02, abs=1e-4)
    assert found.worst.is_rounded


def test_p0_292_a_number_that_is_far_off_has_nothing_to_do_with_its_place() -> None:
    found = proof(linear(offset=1e3), linear(offset=1e3 + 1))
    assert found.worst is not None
    assert not found.worst.is_rounded


@pytest.mark.parametrize("place", [1.0, 1e6, 1e9])
def test_p0_293_an_answer_that_never_changes_may_be_off_by_what_32_bits_lose(place: float) -> None:
    still = np.full((50, 1), place + 0.1)
    scale = comparing.scale(still)
    assert not comparing.numbers(still, still.astype(np.float32), scale).wrong.any()
    assert comparing.numbers(still, still * (1 + 1e-5), scale).wrong.all()


def test_p0_293_what_64_bits_lose_is_no_spread() -> None:
    noise = 1e6 + np.random.default_rng(1).normal(0, 1e-8, (50, 1))
    assert not comparing.numbers(
        noise, noise.astype(np.float32), comparing.scale(noise)
    ).wrong.any()


def _step(x: Array) -> dict[str, Array]:
    """1, or the float32 beside it."""
    return {VARIABLE: np.where(x[:, 0] > 0, 1, 1 + 2.0**-23).astype(np.float32)}


def test_p0_294_an_answer_that_moves_by_a_step_of_32_bits_is_told_first() -> None:
    found = proof(_step, _step)
    assert found.verdict == "pass"
    assert any("BUT FOR A STEP OF 32 BITS" in one for one in found.told_first), found.told_first


def test_p0_294_an_answer_that_moves_by_more_is_not_spoken_of() -> None:
    assert not proof(linear(), linear()).told_first


# -------------------------------------------------------------------- the hunt


def test_p0_295_the_judge_sees_what_is_lost_beside_a_million() -> None:
    """By a millionth of the largest number, as it judged, nothing was wrong."""
    forest = RandomForestRegressor(**FEW)
    model, predict = sklearn(forest, 1e6, 1.0)
    variant = Converted(model)
    original = lambda given: Answers(None, predict(given))  # noqa: E731 - of one line
    assert not judged(original, variant.content, fresh()).is_wrong
    off = lambda given: Answers(None, predict(given) + 0.2 * np.sign(given[:, 0]))  # noqa: E731
    assert judged(off, variant.content, fresh()).is_wrong


def test_p0_295_the_hunt_draws_targets_far_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """One in seven, and all else of a number stays what it was before there were any."""

    def drawn() -> list[data.Table]:
        return [data.table(Draws(seed, 0), "numbers", missing=True) for seed in range(100)]

    found = drawn()
    monkeypatch.setattr(data, "FAR", 0.0)
    near = drawn()
    far = [abs(one.shift / one.scale) >= 999 for one in found]
    assert 5 <= sum(far) <= 30
    assert [replace(one, shift=other.shift) for one, other in zip(found, near, strict=True)] == near
    assert [one for one, is_far in zip(found, far, strict=True) if not is_far] == [
        one for one, is_far in zip(near, far, strict=True) if not is_far
    ]
