"""scikit-learn models kept by skops, with none but the types that skops trusts by itself."""

from __future__ import annotations

import re
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
from sealift_signing.errors import RefusedError


def load(path: Path) -> SklearnModel:
    """The estimator in the skops file at `path`; see `protocol.Load`."""
    import skops.io

    untrusted = skops.io.get_untrusted_types(file=path)
    if untrusted:
        raise RefusedError(
            "skops-untrusted",
            f"{path.name} holds the type {untrusted[0]}, which skops does not trust; it is not "
            "loaded.",
            subject=untrusted[0],
            next_step="Export the model to ONNX where it was trained, and ingest the ONNX file.",
        )
    return SklearnModel(skops.io.load(path, trusted=[]))


class SklearnModel:
    """An estimator or a pipeline."""

    def __init__(self, estimator: Any) -> None:  # noqa: ANN401 - scikit-learn is Any to us
        self._estimator = estimator

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `protocol.Model`."""
        from sklearn.base import is_classifier

        estimator, features = self._estimator, only_input(inputs)
        try:
            if is_classifier(estimator):
                score = getattr(estimator, "predict_proba", None) or estimator.decision_function
                answers = {LABEL: estimator.predict(features), PROBABILITIES: score(features)}
            elif hasattr(estimator, "predict"):
                answers = {VARIABLE: estimator.predict(features)}
            else:
                answers = {VARIABLE: estimator.transform(features)}
            return {name: np.asarray(found) for name, found in answers.items()}
        except (ValueError, AttributeError) as bad:
            raise RefusedError(
                "goldens-unfit",
                f"The model does not take the goldens: {first_line(bad)}.",
                subject=self._name(),
                next_step="Give goldens with as many features as the model was trained on.",
            ) from bad

    def to_onnx(self, recipe: Recipe) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `protocol.Convertible`."""
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
        from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
        from sklearn.base import is_classifier

        features = getattr(self._estimator, "n_features_in_", None)
        if features is None:
            raise no_converter(self._name(), "it does not say how many features it takes")
        options = dict(recipe.options) if is_classifier(self._estimator) else {}
        try:
            return convert_sklearn(
                self._estimator,
                name="model",
                initial_types=[(INPUT, FloatTensorType([None, int(features)]))],
                target_opset=_spelled(recipe.opsets),
                options={id(self._estimator): options} if options else None,
            )
        except (MissingConverter, MissingShapeCalculator) as bad:
            named = re.search(r"<class '([^']+)'>", str(bad))
            name = named.group(1).rpartition(".")[2] if named else self._name()
            raise no_converter(name) from bad
        except (RuntimeError, ValueError, TypeError, NotImplementedError) as bad:
            raise no_converter(self._name(), first_line(bad)) from bad

    def _name(self) -> str:
        """The class that a person would name: a pipeline's last step."""
        steps = getattr(self._estimator, "steps", None)
        return type(steps[-1][1] if steps else self._estimator).__name__


def _spelled(opsets: Mapping[str, int]) -> dict[str, int]:
    """The default domain as skl2onnx spells it."""
    return {"" if domain == "ai.onnx" else domain: number for domain, number in opsets.items()}
