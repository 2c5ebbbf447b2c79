"""LightGBM and XGBoost: what the tables honour is right for every float32, all else refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

from sealift_registry.frameworks import tree_ensembles
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel, readable
from sealift_registry.intake.model_folder import survey
from sealift_signing.errors import RefusedError
from tests.registry.converting import (
    TRAINED,
    Array,
    Converted,
    answered,
    awkward,
    beside,
    fresh,
    targets,
    wrong,
)

Given = Mapping[str, Any]

RARE = {"objective": "binary", "min_data_in_leaf": 400}
"""Labels that are learnt from without a split: the one leaf is the answer."""


def light(given: Given, kind: str, *, missing: float = 0.0, rounds: int = 5) -> LightgbmModel:
    rows = awkward(TRAINED, 1, missing=missing)
    quiet = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 1}
    data = lightgbm.Dataset(rows, targets(rows, kind), params={"verbose": -1})
    booster = lightgbm.train({**quiet, **given}, data, rounds)
    return LightgbmModel(lightgbm.Booster(model_str=booster.model_to_string()))


def extreme(given: Given, kind: str, *, missing: float = 0.0, rounds: int = 4) -> XgboostModel:
    rows = awkward(TRAINED, 1, missing=missing)
    booster = xgboost.train(
        {"nthread": 1, **given}, xgboost.DMatrix(rows, targets(rows, kind)), rounds
    )
    saved = xgboost.Booster()
    saved.load_model(bytearray(booster.save_raw("ubj")))
    return XgboostModel(saved)


def refused(model: LightgbmModel | XgboostModel) -> str:
    with pytest.raises(RefusedError) as caught:
        Converted(model)
    assert caught.value.code == "converter-unknown"
    assert caught.value.next_step
    return caught.value.what


# -------------------------------------------------------------------- what is refused

FOREST = {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1}
LIGHT_REFUSED: dict[str, tuple[Given, str, str]] = {
    "zero_as_missing": (
        {"objective": "regression", "zero_as_missing": True},
        "numbers",
        "missing_type Zero",
    ),
    "linear_tree": (
        {"objective": "regression", "linear_tree": True},
        "numbers",
        "linear_tree True",
    ),
    "rf": ({"objective": "regression", **FOREST}, "tiny", "average_output True"),
    "rf of labels": ({"objective": "binary", **FOREST}, "two", "average_output True"),
    "sigmoid": ({"objective": "binary", "sigmoid": 2}, "two", "objective's option sigmoid:2"),
    "sqrt": ({"objective": "regression", "reg_sqrt": True}, "numbers", "objective's option sqrt"),
    "ova": ({"objective": "multiclassova", "num_class": 3}, "three", "objective multiclassova"),
    "fair": ({"objective": "fair"}, "numbers", "objective fair"),
    "mape": ({"objective": "mape"}, "positive", "objective mape"),
    "cross_entropy": ({"objective": "cross_entropy"}, "two", "objective cross_entropy"),
    "two classes of many": (
        {"objective": "multiclass", "num_class": 2},
        "two",
        "objective's option num_class:2",
    ),
    "several a round": (
        {"objective": lambda found, _: (found * 0, found * 0 + 1), "num_class": 3},
        "three",
        "objective none",
    ),
}


@pytest.mark.parametrize("case", LIGHT_REFUSED)
def test_p0_11_what_lightgbm_s_converter_drops_is_refused_by_its_name(case: str) -> None:
    given, kind, named = LIGHT_REFUSED[case]
    assert f"LightGBM's {named}" in refused(light(given, kind))


def test_p0_12_categories_of_lightgbm_are_refused() -> None:
    """1.5 is the category 1 to LightGBM, and none to ONNX."""
    draw = np.random.default_rng(1)
    rows = np.stack([draw.integers(0, 9, TRAINED), draw.normal(size=TRAINED)], axis=1) * 1.0
    data = lightgbm.Dataset(rows, rows[:, 0] % 2, categorical_feature=[0], params={"verbose": -1})
    given = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_per_group": 1}
    model = LightgbmModel(lightgbm.train({**given, "cat_smooth": 1}, data, 2))
    assert "LightGBM's decision_type ==" in refused(model)
    assert model.facts().trees == ()


EXTREME_REFUSED: dict[str, tuple[Given, str, str]] = {
    "reg:logistic": ({"objective": "reg:logistic"}, "two", "objective reg:logistic"),
    "logitraw": ({"objective": "binary:logitraw"}, "two", "objective binary:logitraw"),
    "hinge": ({"objective": "binary:hinge"}, "two", "objective binary:hinge"),
    "softmax": ({"objective": "multi:softmax", "num_class": 3}, "three", "objective multi:softmax"),
    "dart": ({"objective": "reg:squarederror", "booster": "dart"}, "numbers", "booster dart"),
    "gblinear": (
        {"objective": "reg:squarederror", "booster": "gblinear"},
        "numbers",
        "booster gblinear",
    ),
    "parallel": (
        {"objective": "binary:logistic", "num_parallel_tree": 3},
        "two",
        "num_parallel_tree 3",
    ),
    "parallel classes": (
        {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2},
        "three",
        "num_parallel_tree 2",
    ),
    "two classes of many": (
        {"objective": "multi:softprob", "num_class": 2},
        "two",
        "num_class 2",
    ),
    "quantiles": (
        {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]},
        "numbers",
        "num_target 2",
    ),
    "targets": ({"objective": "reg:squarederror"}, "pairs", "num_target 2"),
    "trees of targets": (
        {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"},
        "pairs",
        "num_target 2",
    ),
}


@pytest.mark.parametrize("case", EXTREME_REFUSED)
def test_p0_13_what_xgboost_s_converter_drops_is_refused_by_its_name(case: str) -> None:
    given, kind, named = EXTREME_REFUSED[case]
    assert f"XGBoost's {named}" in refused(extreme(given, kind))


def test_p0_14_categories_of_xgboost_are_refused() -> None:
    draw = np.random.default_rng(1)
    rows = np.stack([draw.integers(0, 9, TRAINED), draw.normal(size=TRAINED)], axis=1) * 1.0
    data = xgboost.DMatrix(rows, rows[:, 0] % 2, feature_types=["c", "q"], enable_categorical=True)
    model = XgboostModel(xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 2))
    assert "XGBoost's split_type categorical" in refused(model)
    assert model.facts().trees == ()


@pytest.mark.parametrize("booster", ["dart", "gblinear"])
def test_p0_15_the_scan_says_that_what_it_lets_in_has_no_converter(
    tmp_path: Path, booster: str
) -> None:
    rows = awkward(60, 1)
    given = {"objective": "reg:squarederror", "booster": booster, "nthread": 1}
    model = xgboost.train(given, xgboost.DMatrix(rows, targets(rows, "numbers")), 2)
    model.save_model(tmp_path / "model.ubj")
    said = readable(tmp_path, survey(tmp_path))
    assert said == (
        f"XGBoost reads it: a {booster} model of 5 features, and no converter knows what {booster} "
        "makes."
    )


# -------------------------------------------------------------------- what is right

LIGHT: dict[str, tuple[Given, str]] = {
    **{name: ({"objective": name}, "numbers") for name in ("regression", "regression_l1", "huber")},
    **{name: ({"objective": name}, "positive") for name in ("poisson", "gamma", "tweedie")},
    "quantile": ({"objective": "quantile", "alpha": 0.3}, "numbers"),
    "tiny": ({"objective": "regression"}, "tiny"),
    "binary": ({"objective": "binary"}, "two"),
    "unbalanced": ({"objective": "binary", "is_unbalance": True}, "rare"),
    "one leaf": (RARE, "rare"),
    # A runtime that decides by the sum takes a half of it for the bound, and not zero.
    "one leaf, most of one class": (RARE, "most"),
    "classes": ({"objective": "multiclass", "num_class": 3}, "three"),
    "dart": ({"objective": "multiclass", "num_class": 3, "boosting": "dart"}, "three"),
    "goss": ({"objective": "regression", "data_sample_strategy": "goss"}, "numbers"),
    "no missing": ({"objective": "binary", "use_missing": False}, "two"),
    "random": ({"objective": "regression", "extra_trees": True}, "numbers"),
}
EXTREME: dict[str, tuple[Given, str]] = {
    **{
        name: ({"objective": f"reg:{name}"}, "numbers")
        for name in ("squarederror", "absoluteerror", "pseudohubererror")
    },
    **{
        name: ({"objective": name, "base_score": 3.5}, "positive")
        for name in ("count:poisson", "reg:gamma", "reg:tweedie", "reg:squaredlogerror")
    },
    "quantile": ({"objective": "reg:quantileerror", "quantile_alpha": 0.3}, "numbers"),
    "tiny": ({"objective": "reg:squarederror"}, "tiny"),
    "binary": ({"objective": "binary:logistic"}, "two"),
    "one leaf": ({"objective": "binary:logistic", "gamma": 1e9, "base_score": 0.9}, "two"),
    "one leaf, most of one class": ({"objective": "binary:logistic", "gamma": 1e9}, "most"),
    "base_score": ({"objective": "binary:logistic", "base_score": 0.05}, "two"),
    "classes": ({"objective": "multi:softprob", "num_class": 3}, "three"),
    "exact": ({"objective": "multi:softprob", "num_class": 3, "tree_method": "exact"}, "three"),
    "lossguide": ({"objective": "reg:squarederror", "grow_policy": "lossguide"}, "numbers"),
}
Make = Callable[..., LightgbmModel | XgboostModel]
RIGHT = [(light, *one) for one in LIGHT.values()] + [(extreme, *one) for one in EXTREME.values()]


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize(
    "make, given, kind",
    RIGHT,
    ids=[*map("lightgbm-{}".format, LIGHT), *map("xgboost-{}".format, EXTREME)],
)
def test_p0_16_what_is_honoured_is_right_for_every_float32(
    make: Make, given: Given, kind: str, missing: float
) -> None:
    """On fresh rows, where values are missing or without bounds, and beside every threshold."""
    model = make(given, kind, missing=missing)
    variant = Converted(model)
    rows = fresh(missing=0.1)
    assert wrong(model, variant, rows) == {}
    assert _exactly(model, variant, beside(model, rows))
    assert wrong(model, variant, np.zeros((3, rows.shape[1]))) == {}
    bounds = answered(model, np.copysign(np.inf, rows[:100]))
    assert wrong(model, variant, bounds) == {}


def _exactly(model: LightgbmModel | XgboostModel, variant: Converted, rows: Array) -> bool:
    """Not one row takes another branch."""
    if not len(rows):
        return True
    ours, theirs = variant.answer(rows), model.answer({"inputs": rows})
    away = {name: np.abs(ours[name].reshape(theirs[name].shape) - theirs[name]) for name in theirs}
    scale = {name: np.abs(found).max() for name, found in theirs.items()}
    return all(
        bool((found <= 2e-6 * (1 + scale[name]) if name != "label" else found == 0).all())
        for name, found in away.items()
    )


def test_p0_17_a_threshold_is_the_largest_float32_that_is_not_above() -> None:
    thresholds = np.array([0.1, -0.1, 0.5, 1e300, -1e300, 1e-40, -1e-40, 16777217.0, 0.0])
    found = tree_ensembles.below(thresholds)
    assert (found <= thresholds).all()
    with np.errstate(over="ignore"):
        above = np.nextafter(found.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    assert (above > thresholds).all()
    assert found[2] == 0.5
    assert found[3] == np.finfo(np.float32).max


def test_p0_18_trees_that_were_written_otherwise_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A converter that mixes them up is found before a row is tried."""
    import onnxmltools

    honest = onnxmltools.convert_lightgbm

    def mixed_up(*args: Any, **given: Any) -> Any:  # noqa: ANN401 - onnx is Any to us
        made = honest(*args, **given)
        for one in made.graph.node[0].attribute:
            if one.name == "nodes_values":
                one.floats[0] += 1e-3
        return made

    monkeypatch.setattr(onnxmltools, "convert_lightgbm", mixed_up)
    said = refused(light({"objective": "regression"}, "numbers"))
    assert "they were written otherwise than they stand in the model" in said
