"""scikit-learn models kept by skops, with none but the types that skops trusts by itself."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.frameworks import scikit_learn_doubles as wide
from sealift_registry.frameworks import scikit_learn_graphs as graphs
from sealift_registry.frameworks import (
    scikit_learn_parts,
    scikit_learn_scaled,
    tree_ensembles,
    variant_names,
)
from sealift_registry.frameworks.content import archived
from sealift_registry.frameworks.framework import (
    INPUT,
    LABEL,
    PROBABILITIES,
    TIE,
    VARIABLE,
    WITHOUT_CONVERTER,
    Array,
    Converter,
    Format,
    Framework,
    ModelFacts,
    ModelFolder,
    converting,
    no_converter,
    only_input,
    unfit,
)
from sealift_registry.frameworks.scikit_learn_table import HONOURS
from sealift_registry.frameworks.variant_names import Names
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import counted

LARGEST_UNPACKED = 16 * 1024**3
_MEMBER = re.compile(r"schema\.json|[A-Za-z0-9_-]+\.(npy|npz|json|txt|bin)")


def is_skops(head: bytes, data: BinaryIO) -> bool:
    """An archive with the list of types that skops writes."""
    return "schema.json" in archived(head, data)


# -------------------------------------------------------------------- scanning it


def archive(folder: Path, survey: ModelFolder) -> str:
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
    files = counted(len(members), "file")
    return f"The archive holds {files} of skops, {unpacked:,} bytes unpacked."


def types(folder: Path, survey: ModelFolder) -> str:
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
    return WITHOUT_CONVERTER


def _refused(survey: ModelFolder, words: str) -> RefusedError:
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
            next_step=WITHOUT_CONVERTER,
        )
    return SklearnModel(skops.io.load(path, trusted=[]))


class SklearnModel:
    """An estimator or a pipeline."""

    def __init__(self, estimator: Any) -> None:  # noqa: ANN401 - scikit-learn is Any to us
        self._estimator = estimator

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `frameworks.framework.Model`."""
        import numpy as np

        features = only_input(inputs)
        try:
            with warnings.catch_warnings():
                # Columns come in their order here, and not by the names that it was trained with.
                warnings.simplefilter("ignore", UserWarning)
                answers = self._answers(features)
            return {name: np.asarray(found) for name, found in answers.items()}
        except MemoryError:
            raise
        except Exception as bad:
            # Estimators meet rows that they do not take with any class of error.
            width = getattr(self._estimator, "n_features_in_", None)
            raise unfit(bad, self._name(), features, width) from bad

    def _answers(self, features: Array) -> dict[str, Any]:
        from sklearn.base import is_classifier

        estimator = self._estimator
        if is_classifier(estimator):
            return {LABEL: estimator.predict(features), PROBABILITIES: self._scores(features)}
        if hasattr(estimator, "predict"):
            return {VARIABLE: estimator.predict(features)}
        found = estimator.transform(features)
        return {VARIABLE: found.toarray() if hasattr(found, "toarray") else found}

    def _scores(self, features: Array) -> Array:
        """A number a class: scikit-learn has one alone for two classes that it only scores."""
        import numpy as np

        if hasattr(self._estimator, "predict_proba"):
            return np.asarray(self._estimator.predict_proba(features))
        return self._decided(features)

    def _decided(self, features: Array) -> Array:
        import numpy as np

        scores = np.asarray(self._estimator.decision_function(features))
        return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores

    def decisions(self, inputs: Mapping[str, Array]) -> Array | None:
        """See `framework.Deciding`: shares that are all but 1 no longer tell what decided."""
        if not hasattr(self._estimator, "decision_function"):
            return None
        try:
            return self._decided(only_input(inputs))
        except MemoryError:
            raise
        except Exception as bad:
            raise unfit(bad, self._name(), only_input(inputs), None) from bad

    def ties(self, inputs: Mapping[str, Array]) -> Array:
        """See `framework.Tying`: of nearest neighbours, the last in and the first out are as near.

        No other estimator says it.
        """
        import numpy as np

        rows = only_input(inputs)
        last, before = scikit_learn_parts.neighbours(self._estimator)
        if last is None or last.n_neighbors >= last.n_samples_fit_:
            return np.zeros(len(rows), dtype=bool)
        try:
            for step in before:
                rows = step.transform(rows)
            away, _ = last.kneighbors(rows, n_neighbors=last.n_neighbors + 1)
        except MemoryError:
            raise
        except Exception as bad:
            raise unfit(bad, self._name(), only_input(inputs), None) from bad
        return np.asarray(away[:, -1] - away[:, -2] <= TIE * away[:, -1])

    def facts(self) -> ModelFacts:
        """See `frameworks.framework.Model`."""
        return scikit_learn_parts.facts(self._estimator)

    def parameters(self) -> list[tuple[str, str]]:
        """See `framework.Convertible`."""
        self._check_trained()
        with converting(self._name()):
            return scikit_learn_parts.parameters(self._estimator)

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `framework.Convertible`."""
        self._check_trained()
        with converting(self._name()):
            made = self._converted(self._estimator, opsets, self._options(options))
            self._put_right(made, opsets)
        return made

    def _converted(
        self,
        estimator: Any,  # noqa: ANN401 - scikit-learn is Any to us
        opsets: Mapping[str, int],
        options: dict[int, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - onnx is Any to us
        """What skl2onnx makes of `estimator`, which is this one or of parts of it, on a row."""
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import DoubleTensorType
        from sklearn.base import is_classifier

        parsers, shapes = wide.widths(self._estimator)
        made = convert_sklearn(
            estimator,
            name="model",
            initial_types=[(INPUT, DoubleTensorType([None, self._estimator.n_features_in_]))],
            target_opset=_spelled(opsets),
            options=options,
            custom_conversion_functions=wide.converts(self._estimator),
            custom_parsers=parsers,
            custom_shape_calculators=shapes,
        )
        wide.narrow_borders(made.graph, answers_wide=not is_classifier(estimator))
        return made

    def _options(self, options: Mapping[str, Any]) -> dict[int, Any] | None:
        from sklearn.base import is_classifier

        if self._name() == "LinearSVC":
            # It knows no zipmap, and would be given it as a pipeline's last step.
            return {id(scikit_learn_parts.last_of(self._estimator)): {"raw_scores": False}}
        return {id(self._estimator): dict(options)} if is_classifier(self._estimator) else None

    def _put_right(self, made: Any, opsets: Mapping[str, int]) -> None:  # noqa: ANN401 - onnx is Any to us
        def alone(steps: Any) -> Any:  # noqa: ANN401 - scikit-learn and onnx are Any to us
            with converting(self._name()):
                return self._converted(steps, opsets).graph

        # A recipe need not name each domain.
        opset = opsets.get("ai.onnx", tree_ensembles.OPSET)
        tree_ensembles.exact(made, scikit_learn_parts.grown(self._estimator))
        scikit_learn_scaled.ask_rows(made, self._estimator, alone)
        tree_ensembles.label_by_half(made, opset, at_least=True)
        graphs.rename_only(made.graph, LABEL, VARIABLE)
        with suppress(RefusedError):
            row = scikit_learn_parts.thinkable_row(self._estimator)
            graphs.widths(made.graph, self.answer({INPUT: row}))
        variant_names.bear(made, self._names())

    def _names(self) -> Names:
        names = getattr(self._estimator, "feature_names_in_", ())
        found = self.facts()
        return Names([str(one) for one in names], found.classes, found.categories)

    def _check_trained(self) -> None:
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(self._estimator)
        except (NotFittedError, TypeError, AttributeError) as bad:
            raise no_converter(self._name(), "it was never trained") from bad
        if getattr(self._estimator, "n_features_in_", None) is None:
            raise no_converter(self._name(), "it does not say how many features it takes")

    def _name(self) -> str:
        """The class that a person would name: a pipeline's last step."""
        return scikit_learn_parts.name_of(scikit_learn_parts.last_of(self._estimator))


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
        honours=HONOURS,
    ),
    needs=("sklearn",),
    is_archive=True,
)
