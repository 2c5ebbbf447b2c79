"""XGBoost models in its own two formats, which hold no code.

Its own reader, which is native code, must take the file. That the reader runs in the scanner,
within limits, is the point: a file that would crash it crashes the scanner, and is not let in.
"""

from __future__ import annotations

import json
import re
import struct
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

_JSON = rb'\s*\{\s*("version"\s*:\s*\[[\d,\s]*\]\s*,\s*)?"learner"\s*:'

BOOSTERS = frozenset({"dart", "gblinear", "gbtree"})

BINARY, MULTICLASS = "binary:logistic", "multi:softprob"
NUMBERS = frozenset(
    {"count:poisson", "reg:absoluteerror", "reg:gamma", "reg:logistic", "reg:quantileerror"}
    | {"reg:pseudohubererror", "reg:squarederror", "reg:squaredlogerror", "reg:tweedie"}
)
"""Objectives whose answer is one number a row."""


# -------------------------------------------------------------------- telling it


def is_ubj(head: bytes, _data: BinaryIO) -> bool:
    """An object in Universal Binary JSON whose first member is `learner` or `version`."""
    members = (b"learner", b"version")
    return any(head.startswith(b"{L" + struct.pack(">q", len(one)) + one) for one in members)


def is_json(head: bytes, _data: BinaryIO) -> bool:
    """JSON whose first member is `learner`, or `version` and then `learner`."""
    return re.match(_JSON, head) is not None


# -------------------------------------------------------------------- scanning it


def readable(folder: Path, survey: Survey) -> str:
    """XGBoost reads the file, and finds a model of a known booster in it.

    Raises:
        RefusedError: it does not.
    """
    import xgboost

    booster = xgboost.Booster()
    try:
        # Given bytes, XGBoost looks at the content; given a path, at the name's ending.
        booster.load_model(bytearray((folder / survey.model).read_bytes()))
        config = json.loads(booster.save_config())
        kind = config["learner"]["gradient_booster"]["name"]
        features = booster.num_features()
    except (xgboost.core.XGBoostError, ValueError, KeyError) as bad:
        raise _refused(survey.model, bad) from bad
    if kind not in BOOSTERS or features < 1:
        raise _refused(survey.model, ValueError(f"booster {kind}"))
    return f"XGBoost reads it: a {kind} model of {features} features."


def _refused(path: str, bad: Exception) -> RefusedError:
    return RefusedError(
        "xgboost-model",
        f"XGBoost cannot read {path}: {first_line(bad)}.",
        subject=path,
        next_step="Save the model again, and ingest that.",
    )


# -------------------------------------------------------------------- running and converting it


def load(path: Path) -> XgboostModel:
    """The booster in the file at `path`; see `framework.Load`."""
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
        """See `framework.Model`."""
        import numpy as np
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

    def facts(self) -> Facts:
        """See `framework.Model`."""
        return Facts()

    def parameters(self) -> dict[str, str]:
        """See `framework.Convertible`."""
        return {"objective": self._objective}

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401, ARG002 - onnx is Any to us; this converter has no options
        """See `framework.Convertible`."""
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        shape = [None, self._booster.num_features()]
        try:
            return convert_xgboost(
                self._booster,
                name="model",
                initial_types=[(INPUT, FloatTensorType(shape))],
                target_opset=opsets["ai.onnx"],
            )
        except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as bad:
            raise no_converter(f"this XGBoost model ({self._objective})", first_line(bad)) from bad


FRAMEWORK = Framework(
    name="XGBoost",
    files="XGBoost (.ubj, .json)",
    instead=".ubj for XGBoost",
    formats=(Format("xgboost-ubj", is_ubj), Format("xgboost-json", is_json)),
    checks={"xgboost-model": readable},
    packages=("xgboost-cpu", "xgboost"),
    policies=frozenset({"portable"}),
    converter=Converter(
        "xgboost",
        load,
        packages=("onnxmltools", "onnx", "xgboost|xgboost-cpu", "numpy"),
        honours={"objective": NUMBERS | {BINARY, MULTICLASS}},
    ),
)
