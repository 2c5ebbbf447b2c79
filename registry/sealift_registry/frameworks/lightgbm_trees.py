"""LightGBM models in its own text format, which holds no code.

Its own reader, which is native code, must take the file; it runs in the scanner, within limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.frameworks.framework import (
    INPUT,
    LABEL,
    PROBABILITIES,
    VARIABLE,
    Array,
    Converter,
    Facts,
    Format,
    Framework,
    Survey,
    no_converter,
    only_input,
)
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import RefusedError

BINARY = frozenset({"binary"})
MULTICLASS = frozenset({"multiclass", "multiclassova"})
NUMBERS = frozenset(
    {"fair", "gamma", "huber", "mape", "poisson", "quantile", "regression", "regression_l1"}
    | {"tweedie"}
)
"""Objectives whose answer is one number a row."""


def is_lightgbm(head: bytes, _data: BinaryIO) -> bool:
    """Text that begins with `tree` and the number of its format."""
    return re.match(rb"tree\r?\nversion=v\d+\r?\n", head) is not None


# -------------------------------------------------------------------- scanning it


def readable(folder: Path, survey: Survey) -> str:
    """LightGBM reads the file, and finds trees in it.

    Raises:
        RefusedError: it does not.
    """
    import lightgbm

    path = folder / survey.model
    try:
        text = path.read_text(encoding="utf-8")
        if "\nend of trees\n" not in text.replace("\r\n", "\n"):
            msg = "it is cut off before 'end of trees'"
            raise ValueError(msg)  # noqa: TRY301 - told with the reader's own errors
        booster = lightgbm.Booster(model_str=text)
        trees, features = booster.num_trees(), booster.num_feature()
    except (lightgbm.basic.LightGBMError, ValueError) as bad:
        raise _refused(survey.model, bad) from bad
    if trees < 1 or features < 1:
        raise _refused(survey.model, ValueError("no trees"))
    return f"LightGBM reads it: {trees} trees over {features} features."


def _refused(path: str, bad: Exception) -> RefusedError:
    return RefusedError(
        "lightgbm-model",
        f"LightGBM cannot read {path}: {first_line(bad)}.",
        subject=path,
        next_step="Save the model again, and ingest that.",
    )


# -------------------------------------------------------------------- running and converting it


def load(path: Path) -> LightgbmModel:
    """The booster in the text file at `path`; see `framework.Load`."""
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
        """See `framework.Model`."""
        import lightgbm
        import numpy as np

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

    def facts(self) -> Facts:
        """See `framework.Model`."""
        return Facts()

    def parameters(self) -> dict[str, str]:
        """See `framework.Convertible`."""
        return {"objective": self._kind()}

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `framework.Convertible`."""
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        try:
            return convert_lightgbm(
                self._booster,
                name="model",
                initial_types=[(INPUT, FloatTensorType([None, self._booster.num_feature()]))],
                target_opset=opsets["ai.onnx"],
                zipmap=bool(options["zipmap"]),
            )
        except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as bad:
            raise no_converter(f"this LightGBM model ({self._kind()})", first_line(bad)) from bad

    def _kind(self) -> str:
        """The objective without its parameters: `binary` of `binary sigmoid:1`."""
        return self._objective.partition(" ")[0]


FRAMEWORK = Framework(
    name="LightGBM",
    files="LightGBM's text file",
    instead="the text file for LightGBM",
    formats=(Format("lightgbm", is_lightgbm),),
    checks={"lightgbm-model": readable},
    packages=("lightgbm",),
    policies=frozenset({"portable"}),
    converter=Converter(
        "lightgbm",
        load,
        packages=("onnxmltools", "onnx", "lightgbm", "numpy"),
        # zipmap would answer with one dictionary a row, which few runtimes can hand out.
        options={"zipmap": False},
        honours={"objective": BINARY | MULTICLASS | NUMBERS},
    ),
)
