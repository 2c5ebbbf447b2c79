"""XGBoost models in its own two formats, which hold no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sealift_registry.conversion.frameworks.protocol import (
    LABEL,
    PROBABILITIES,
    VARIABLE,
    Array,
    no_converter,
    only_input,
)
from sealift_registry.conversion.recipe import INPUT, Recipe
from sealift_registry.workers.quoting import first_line
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError

BINARY, MULTICLASS = "binary:logistic", "multi:softprob"
NUMBERS = frozenset(
    {"count:poisson", "reg:absoluteerror", "reg:gamma", "reg:logistic", "reg:quantileerror"}
    | {"reg:pseudohubererror", "reg:squarederror", "reg:squaredlogerror", "reg:tweedie"}
)
"""Objectives whose answer is one number a row."""


def load(path: Path) -> XgboostModel:
    """The booster in the file at `path`; see `protocol.Load`."""
    import xgboost

    booster = xgboost.Booster()
    try:
        # Given bytes, XGBoost looks at the content; given a path, at the name's ending.
        booster.load_model(bytearray(path.read_bytes()))
    except xgboost.core.XGBoostError as bad:
        raise RefusedError(
            "model-unreadable",
            f"XGBoost cannot read {path.name}: {first_line(bad)}.",
            subject=path.name,
            next_step="Save the model again, and ingest that.",
        ) from bad
    return XgboostModel(_best(booster))


def _best(booster: Any) -> Any:  # noqa: ANN401 - XGBoost is Any to us
    """The rounds that XGBoost's scikit-learn classes answer by.

    After stopping early they leave out the rounds that came after the best one, which are in the
    file nevertheless; the plain Booster answers by all of them.
    """
    best = booster.attr("best_iteration")
    if best is None or booster.attr("scikit_learn") is None:
        return booster
    return booster[: int(best) + 1]


class XgboostModel:
    """A booster, whichever of XGBoost's classes saved it."""

    def __init__(self, booster: Any) -> None:  # noqa: ANN401 - XGBoost is Any to us
        # The converter understands f0, f1 … only; the columns' names are in the source.
        booster.feature_names = None
        booster.feature_types = None
        self._booster = booster
        learner = json.loads(booster.save_config())["learner"]
        self._objective = str(learner["objective"]["name"])

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `protocol.Model`."""
        import xgboost

        features = only_input(inputs)
        try:
            found = self._booster.predict(xgboost.DMatrix(features), validate_features=False)
        except xgboost.core.XGBoostError as bad:
            raise RefusedError(
                "goldens-unfit",
                f"The model does not take the goldens: {first_line(bad)}.",
                subject=self._objective,
                next_step=f"Give goldens of {self._booster.num_features()} features.",
            ) from bad
        if self._objective == BINARY:
            labels = (found > 0.5).astype(np.int64)  # noqa: PLR2004 - as XGBClassifier decides
            return {LABEL: labels, PROBABILITIES: np.stack([1 - found, found], axis=1)}
        if self._objective == MULTICLASS:
            return {LABEL: found.argmax(axis=1), PROBABILITIES: found}
        return {VARIABLE: found}

    def to_onnx(self, recipe: Recipe) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `protocol.Convertible`."""
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        if self._objective not in NUMBERS | {BINARY, MULTICLASS}:
            raise no_converter(f"XGBoost's objective {word(self._objective)}")
        shape = [None, self._booster.num_features()]
        try:
            return convert_xgboost(
                self._booster,
                name="model",
                initial_types=[(INPUT, FloatTensorType(shape))],
                target_opset=recipe.opsets["ai.onnx"],
            )
        except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as bad:
            raise no_converter(f"this XGBoost model ({self._objective})", first_line(bad)) from bad
