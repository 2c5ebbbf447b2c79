"""XGBoost's models: objectives, boosters, options, missing values, categories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.hunt import judge
from tests.hunt.data import TRAINED, Table, Task, table
from tests.hunt.draws import Array, Draws
from tests.hunt.judge import Answers, Original
from tests.hunt.original import Drawn, Rows, UnfitError

OBJECTIVES: dict[str, Task] = {
    "binary:logistic": "classes",
    "multi:softprob": "classes",
    "multi:softmax": "classes",
    "binary:logitraw": "classes",
    "binary:hinge": "classes",
    "reg:logistic": "classes",
    "reg:squarederror": "numbers",
    "reg:squaredlogerror": "positive",
    "reg:pseudohubererror": "numbers",
    "reg:absoluteerror": "numbers",
    "reg:quantileerror": "numbers",
    "reg:gamma": "positive",
    "reg:tweedie": "positive",
    "count:poisson": "counts",
    "rank:pairwise": "counts",
    "rank:ndcg": "counts",
    "survival:cox": "positive",
    "survival:aft": "positive",
}
USUAL = ("binary:logistic", "multi:softprob", "reg:squarederror")

OPTIONS: tuple[tuple[float, Callable[[Draws], dict[str, Any]]], ...] = (
    (0.15, lambda draws: {"base_score": draws.pick((0.1, 0.9))}),
    (0.15, lambda draws: {"num_parallel_tree": 3, "subsample": 0.7}),
    (0.1, lambda draws: {"grow_policy": "lossguide", "max_leaves": 8}),
    (0.1, lambda draws: {"max_delta_step": 0.7}),
    (0.1, lambda draws: {"scale_pos_weight": 3.0}),
    (0.1, lambda draws: {"reg_alpha": 0.1, "gamma": 0.1}),
    (0.1, lambda draws: {"colsample_bytree": 0.6}),
    (0.1, lambda draws: {"max_bin": draws.pick((4, 16))}),
    (0.05, lambda draws: {"multi_strategy": "multi_output_tree"}),
)


def drawn(seed: int, family: str, folder: Path, attempt: int = 0) -> Drawn:
    """The model that `seed` makes.

    Raises:
        UnfitError: XGBoost does not train it.
    """
    draws = Draws(seed, attempt)
    objective = draws.pick(USUAL) if family == "usual" else draws.pick(tuple(OBJECTIVES))
    data = table(draws, OBJECTIVES[objective], missing=True)
    params = _params(draws, objective, data)
    coded = data.where(("codes", "flag", "grid"))
    linear = params["booster"] == "gblinear"
    categorical = draws.some(coded) if coded and not linear and draws.chance(0.3) else []
    categorical = [at for at in categorical if min(data.columns[at].codes, default=-1) >= 0]
    form = draws.pick(("ubj", "json"))
    path = folder / f"model.{form}"
    try:
        answer, how = _trained(draws, params, data, categorical, path)
        answer(data.rows(Draws(seed, 5), 20))
    except Exception as bad:
        raise UnfitError(f"{type(bad).__name__}: {bad}") from bad
    shown = ", ".join(f"{name}={value!r}" for name, value in params.items())
    words = f"{how} {shown}, categorical {categorical}, on {_told(data)}"
    tags = (objective, params["booster"], *(["categorical"] if categorical else []))
    return Drawn("xgboost", words, path, f"xgboost-{form}", answer, Rows(seed, data), tags=tags)


def _params(draws: Draws, objective: str, data: Table) -> dict[str, Any]:
    params: dict[str, Any] = {
        "objective": objective,
        "booster": draws.pick(("gbtree", "gbtree", "gbtree", "gbtree", "dart", "gblinear")),
        "max_depth": draws.pick((1, 3, 6)),
        "learning_rate": draws.size(0.05, 1),
        "seed": draws.whole(0, 99),
        "nthread": 1,
        "verbosity": 0,
    }
    if params["booster"] == "gblinear":
        del params["max_depth"]
    else:
        params["tree_method"] = draws.pick(("hist", "exact", "approx"))
    if params["booster"] == "dart":
        params["rate_drop"] = 0.2
    if objective.startswith("multi:"):
        params["num_class"] = max(2, len(data.labels))
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = draws.pick((0.8, [0.2, 0.8]))
    for chance, made in OPTIONS:
        if draws.chance(chance) and params["booster"] != "gblinear":
            params |= made(draws)
    return params


def _trained(
    draws: Draws, params: dict[str, Any], data: Table, categorical: list[int], path: Path
) -> tuple[Original, str]:
    """Trained by one of XGBoost's two faces, and saved to `path`."""
    rows = data.rows(draws, TRAINED)
    target = data.target(draws, rows)
    if data.task == "classes":
        target = np.searchsorted(np.unique(target), target)
        if not params["objective"].startswith("multi:"):
            target = (target > 0).astype(int)
    rounds = draws.pick((1, 4, 15, 30))
    plain = params["objective"] in USUAL and not categorical and params.get("num_class") != 2
    if plain and draws.chance(0.5):
        return _of_class(draws, params, rounds, (rows, target), path)
    return of_booster(params, rounds, (rows, target), categorical, path)


def of_booster(
    params: dict[str, Any],
    rounds: int,
    seen: tuple[Array, Array],
    categorical: list[int],
    path: Path,
) -> tuple[Original, str]:
    import xgboost

    rows, target = seen
    kinds = ["c" if at in categorical else "q" for at in range(rows.shape[1])]
    options = {"feature_types": kinds, "enable_categorical": True} if categorical else {}
    matrix = xgboost.DMatrix(rows, target, **options)
    objective = params["objective"]
    if objective.startswith("rank:"):
        matrix.set_group([10] * (len(rows) // 10))
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", target)
        matrix.set_float_info("label_upper_bound", target)
    booster = xgboost.train(params, matrix, rounds)
    booster.save_model(path)

    def answer(fresh: Array) -> Answers:
        found = booster.predict(xgboost.DMatrix(fresh, **options))
        if objective == "binary:logistic":
            shares = np.stack([1 - found, found], axis=1)
            return Answers((found > 0.5).astype(int), shares, True, judge.tied(shares))
        if objective == "multi:softprob":
            return Answers(found.argmax(axis=1), found, True, judge.tied(found))
        return Answers(None, found)

    return answer, "Booster"


def _of_class(
    draws: Draws, params: dict[str, Any], rounds: int, seen: tuple[Array, Array], path: Path
) -> tuple[Original, str]:
    import xgboost

    rows, target = seen
    options = {one: value for one, value in params.items() if one not in ("num_class", "seed")}
    options |= {"n_estimators": rounds, "random_state": params["seed"]}
    stops = params["booster"] == "gbtree" and draws.chance(0.3)
    kind = xgboost.XGBRegressor if params["objective"].startswith("reg:") else xgboost.XGBClassifier
    made = kind(**options, early_stopping_rounds=2 if stops else None)
    if stops:
        half = len(rows) // 2
        made.fit(rows[:half], target[:half], eval_set=[(rows[half:], target[half:])], verbose=False)
    else:
        made.fit(rows, target)
    made.save_model(path)

    def answer(fresh: Array) -> Answers:
        if not hasattr(made, "predict_proba"):
            return Answers(None, made.predict(fresh))
        shares = made.predict_proba(fresh)
        return Answers(made.predict(fresh), shares, True, judge.tied(shares))

    return answer, kind.__name__ + (" stopped early" if stops else "")


def _told(data: Table) -> str:
    columns = ", ".join(
        one.kind + (f" ({one.missing:.0%} missing)" if one.missing else "") for one in data.columns
    )
    return f"[{columns}], target times {data.scale}"
