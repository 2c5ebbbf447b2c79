"""LightGBM models in its own text format, which holds no code."""

from __future__ import annotations

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

BINARY = frozenset({"binary"})
MULTICLASS = frozenset({"multiclass", "multiclassova"})
NUMBERS = frozenset(
    {"fair", "gamma", "huber", "mape", "poisson", "quantile", "regression", "regression_l1"}
    | {"tweedie"}
)
"""Objectives whose answer is one number a row."""


def load(path: Path) -> LightgbmModel:
    """The booster in the text file at `path`; see `protocol.Load`."""
    import lightgbm

    try:
        return LightgbmModel(lightgbm.Booster(model_file=str(path)))
    except lightgbm.basic.LightGBMError as bad:
        raise RefusedError(
            "model-unreadable",
            f"LightGBM cannot read {path.name}: {first_line(bad)}.",
            subject=path.name,
            next_step="Save the model again, and ingest that.",
        ) from bad


class LightgbmModel:
    """A booster, whichever of LightGBM's classes saved it."""

    def __init__(self, booster: Any) -> None:  # noqa: ANN401 - LightGBM is Any to us
        self._booster = booster
        self._objective = str(booster.dump_model(num_iteration=1).get("objective", "none"))

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `protocol.Model`."""
        import lightgbm

        try:
            found = np.asarray(self._booster.predict(only_input(inputs)))
        except (lightgbm.basic.LightGBMError, ValueError) as bad:
            raise RefusedError(
                "goldens-unfit",
                f"The model does not take the goldens: {first_line(bad)}.",
                subject=self._objective,
                next_step=f"Give goldens of {self._booster.num_feature()} features.",
            ) from bad
        if self._kind() in BINARY:
            labels = (found > 0.5).astype(np.int64)  # noqa: PLR2004 - as LGBMClassifier decides
            return {LABEL: labels, PROBABILITIES: np.stack([1 - found, found], axis=1)}
        if self._kind() in MULTICLASS:
            return {LABEL: found.argmax(axis=1), PROBABILITIES: found}
        return {VARIABLE: found}

    def to_onnx(self, recipe: Recipe) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `protocol.Convertible`."""
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        if self._kind() not in BINARY | MULTICLASS | NUMBERS:
            raise no_converter(f"LightGBM's objective {word(self._kind())}")
        try:
            return convert_lightgbm(
                self._booster,
                name="model",
                initial_types=[(INPUT, FloatTensorType([None, self._booster.num_feature()]))],
                target_opset=recipe.opsets["ai.onnx"],
                zipmap=bool(recipe.options["zipmap"]),
            )
        except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as bad:
            raise no_converter(f"this LightGBM model ({self._kind()})", first_line(bad)) from bad

    def _kind(self) -> str:
        """The objective without its parameters: `binary` of `binary sigmoid:1`."""
        return self._objective.partition(" ")[0]
