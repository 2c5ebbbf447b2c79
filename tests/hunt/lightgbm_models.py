"""LightGBM's models: objectives, boosting, options, missing values, categories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tests.hunt import judge
from tests.hunt.data import TRAINED, Table, Task, table
from tests.hunt.draws import Array, Draws
from tests.hunt.judge import Answers, Original
from tests.hunt.original import Drawn, Rows, UnfitError

Booster: TypeAlias = Any

OBJECTIVES: dict[str, tuple[str, Task]] = {
    "binary": ("binary", "classes"),
    "multiclass": ("multiclass", "classes"),
    "multiclassova": ("multiclassova", "classes"),
    "cross_entropy": ("cross_entropy", "classes"),
    "cross_entropy_lambda": ("cross_entropy_lambda", "classes"),
    "regression": ("regression", "numbers"),
    "regression_l1": ("regression_l1", "numbers"),
    "huber": ("huber", "numbers"),
    "fair": ("fair", "numbers"),
    "quantile": ("quantile", "numbers"),
    "mape": ("mape", "numbers"),
    "poisson": ("poisson", "counts"),
    "gamma": ("gamma", "positive"),
    "tweedie": ("tweedie", "positive"),
    "lambdarank": ("lambdarank", "counts"),
    "none": ("none", "numbers"),
}
USUAL = ("binary", "multiclass", "regression")

OPTIONS: tuple[tuple[float, Callable[[Draws], dict[str, Any]]], ...] = (
    (0.15, lambda draws: {"linear_tree": True}),
    (0.15, lambda draws: {"zero_as_missing": True}),
    (0.1, lambda draws: {"use_missing": False}),
    (0.1, lambda draws: {"extra_trees": True}),
    (0.1, lambda draws: {"path_smooth": 1.0}),
    (0.1, lambda draws: {"boost_from_average": False}),
    (0.1, lambda draws: {"max_bin": draws.pick((3, 15, 1000))}),
    (0.1, lambda draws: {"max_depth": draws.whole(1, 5)}),
    (0.1, lambda draws: {"feature_fraction": 0.6}),
    (0.1, lambda draws: {"lambda_l1": 0.1, "lambda_l2": 1.0}),
    (0.1, lambda draws: {"max_delta_step": 0.5}),
    (0.05, lambda draws: {"reg_sqrt": True}),
    (0.05, lambda draws: {"sigmoid": 2.0}),
    (0.05, lambda draws: {"is_unbalance": True}),
    (0.05, lambda draws: {"data_sample_strategy": "goss"}),
)


def drawn(seed: int, family: str, folder: Path, attempt: int = 0) -> Drawn:
    """The model that `seed` makes.

    Raises:
        UnfitError: LightGBM does not train it.
    """
    draws = Draws(seed, attempt)
    objective = draws.pick(USUAL) if family == "usual" else draws.pick(tuple(OBJECTIVES))
    named, task = OBJECTIVES[objective]
    data = table(draws, task, missing=True)
    params = _params(draws, named, data)
    categorical = draws.some(data.where(("codes", "flag", "grid")) or [0])
    if not data.where(("codes", "flag", "grid")) or draws.chance(0.5):
        categorical = []
    try:
        booster = _fitted(draws, params, data, categorical)
        path = folder / "model.txt"
        booster.save_model(str(path))
        answers(booster, objective)(data.rows(Draws(seed, 5), 20))
    except Exception as bad:
        raise UnfitError(f"{type(bad).__name__}: {bad}") from bad
    shown = ", ".join(f"{name}={value!r}" for name, value in params.items())
    words = f"{shown}, categorical {categorical}, on {_told(data)}"
    tags = (objective, params["boosting"], *(["categorical"] if categorical else []))
    answer = answers(booster, objective)
    return Drawn("lightgbm", words, path, "lightgbm", answer, Rows(seed, data), tags=tags)


def _params(draws: Draws, objective: str, data: Table) -> dict[str, Any]:
    params: dict[str, Any] = {
        "objective": objective,
        "boosting": draws.pick(("gbdt", "gbdt", "gbdt", "dart", "rf")),
        "num_leaves": draws.pick((2, 4, 15, 31)),
        "learning_rate": draws.size(0.05, 0.5),
        "min_data_in_leaf": draws.pick((1, 5, 20)),
        "seed": draws.whole(0, 99),
        "num_threads": 1,
        "deterministic": True,
        "verbosity": -1,
    }
    if params["boosting"] == "rf" or draws.chance(0.2):
        params |= {"bagging_fraction": 0.7, "bagging_freq": 1}
    if objective.startswith("multiclass"):
        params["num_class"] = max(2, len(data.labels))
    for chance, made in OPTIONS:
        if draws.chance(chance):
            params |= made(draws)
    if "linear_tree" in params:
        params.pop("zero_as_missing", None)
    if objective == "none":
        del params["objective"]
    return params


def _fitted(draws: Draws, params: dict[str, Any], data: Table, categorical: list[int]) -> Booster:
    import lightgbm

    rows = data.rows(draws, TRAINED)
    target = data.target(draws, rows)
    if data.task == "classes":
        target = np.searchsorted(np.unique(target), target)
        if params["objective"] in ("binary", "cross_entropy", "cross_entropy_lambda"):
            target = (target > 0).astype(int)
    given = dict(params)
    if "objective" not in given:
        given["objective"] = lambda told, seen: (told - seen.get_label(), np.ones(len(told)))
    options: dict[str, Any] = {"free_raw_data": False}
    if categorical:
        options["categorical_feature"] = categorical
    if given["objective"] == "lambdarank":
        options["group"] = [10] * (TRAINED // 10)
        target = np.clip(target, 0, 30)
    seen = lightgbm.Dataset(rows, target, params={"verbosity": -1}, **options)
    rounds, more = draws.pick((1, 5, 20, 40)), {}
    if params["boosting"] != "dart" and draws.chance(0.15) and "objective" in params:
        other = data.rows(draws, 100)
        wanted = data.target(draws, other)
        if data.task != "classes" and given["objective"] != "lambdarank":
            more["valid_sets"] = [lightgbm.Dataset(other, wanted, reference=seen)]
            more["callbacks"] = [lightgbm.early_stopping(3, verbose=False)]
    return lightgbm.train(given, seen, rounds, **more)


def answers(booster: Booster, objective: str) -> Original:
    """What LightGBM says; a classifier tells the class as its own class for that would."""

    def answer(rows: Array) -> Answers:
        found = np.asarray(booster.predict(rows))
        if objective == "binary":
            shares = np.stack([1 - found, found], axis=1)
            return Answers((found > 0.5).astype(int), shares, True, judge.tied(shares))
        if objective.startswith("multiclass"):
            return Answers(found.argmax(axis=1), found, True, judge.tied(found))
        return Answers(None, found)

    return answer


def _told(data: Table) -> str:
    columns = ", ".join(
        one.kind + (f" ({one.missing:.0%} missing)" if one.missing else "") for one in data.columns
    )
    return f"[{columns}], target times {data.scale}"
