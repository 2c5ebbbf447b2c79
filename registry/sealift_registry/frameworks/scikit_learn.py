"""scikit-learn models kept by skops, with none but the types that skops trusts by itself."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.frameworks.content import archived
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

LARGEST_UNPACKED = 16 * 1024**3
_MEMBER = re.compile(r"schema\.json|[A-Za-z0-9_-]+\.(npy|npz|json|txt|bin)")


def is_skops(head: bytes, data: BinaryIO) -> bool:
    """An archive with the list of types that skops writes."""
    return "schema.json" in archived(head, data)


# -------------------------------------------------------------------- scanning it


def archive(folder: Path, survey: Survey) -> str:
    """The archive holds nothing but what skops writes, and unpacks to a sensible size.

    Raises:
        RefusedError: another file in it, or too much.
    """
    with zipfile.ZipFile(folder / survey.model) as found:
        members = found.infolist()
    for member in members:
        if not _MEMBER.fullmatch(member.filename):
            raise _refused(
                survey, f"{survey.model} holds {member.filename!r}, which skops does not write."
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > LARGEST_UNPACKED:
        raise _refused(
            survey,
            f"{survey.model} unpacks to {unpacked:,} bytes; at most {LARGEST_UNPACKED:,} are "
            "taken in.",
        )
    return f"The archive holds {len(members)} files of skops, {unpacked:,} bytes unpacked."


def types(folder: Path, survey: Survey) -> str:
    """Every type in the file is one that skops trusts by itself; none is imported to find out.

    Raises:
        RefusedError: an untrusted type, by its name.
    """
    import skops.io

    try:
        untrusted = skops.io.get_untrusted_types(file=folder / survey.model)
    except MemoryError:
        raise
    except Exception as bad:
        words = f"{survey.model} cannot be read as skops: {first_line(bad)}."
        raise _refused(survey, words) from bad
    if untrusted:
        raise RefusedError(
            "skops-types",
            f"{survey.model} holds the type {untrusted[0]}, which skops does not trust"
            + (f" (nor {len(untrusted) - 1} more)." if len(untrusted) > 1 else "."),
            subject=untrusted[0],
            next_step=_advice(untrusted),
        )
    return "skops trusts every type in the file."


def _advice(untrusted: list[str]) -> str:
    if any(name.startswith("lightgbm.") for name in untrusted):
        return (
            "Log or save its booster instead, which needs no skops: model.booster_ with "
            "mlflow.lightgbm.log_model, or model.booster_.save_model('model.txt')."
        )
    return (
        "Convert the model to ONNX where it was trained (skl2onnx.to_onnx), and ingest the ONNX "
        "file; or train one that has no such part."
    )


def _refused(survey: Survey, words: str) -> RefusedError:
    return RefusedError(
        "skops-archive",
        words,
        subject=survey.model,
        next_step="Save the model again with skops.io.dump, and ingest that.",
    )


# -------------------------------------------------------------------- running and converting it


def load(path: Path) -> SklearnModel:
    """The estimator in the skops file at `path`; see `framework.Load`."""
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
        """See `framework.Model`."""
        import numpy as np
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

    def facts(self) -> Facts:
        """See `framework.Model`."""
        return Facts()

    def parameters(self) -> dict[str, str]:
        """See `framework.Convertible`; of this framework's, the converter tells what it lacks."""
        return {}

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `framework.Convertible`."""
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
        from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
        from sklearn.base import is_classifier

        features = getattr(self._estimator, "n_features_in_", None)
        if features is None:
            raise no_converter(self._name(), "it does not say how many features it takes")
        own = dict(options) if is_classifier(self._estimator) else {}
        try:
            return convert_sklearn(
                self._estimator,
                name="model",
                initial_types=[(INPUT, FloatTensorType([None, int(features)]))],
                target_opset=_spelled(opsets),
                options={id(self._estimator): own} if own else None,
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


FRAMEWORK = Framework(
    name="scikit-learn",
    files="skops",
    instead="skops for scikit-learn (in MLflow: serialization_format='skops')",
    formats=(Format("skops", is_skops),),
    checks={"skops-archive": archive, "skops-types": types},
    packages=("skops", "scikit-learn"),
    policies=frozenset({"portable"}),
    converter=Converter(
        "sklearn",
        load,
        packages=("skl2onnx", "onnx", "scikit-learn", "skops", "numpy"),
        # zipmap would answer with one dictionary a row, which few runtimes can hand out.
        options={"zipmap": False},
    ),
    needs=("sklearn",),
    is_archive=True,
)
