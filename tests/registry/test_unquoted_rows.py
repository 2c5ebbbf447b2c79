"""What is refused while rows are answered: it holds no value of a row, since it is logged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.frameworks import lightgbm_trees, xgboost_trees
from sealift_registry.frameworks.framework import LABEL, PROBABILITIES, Array, ModelFacts
from sealift_registry.frameworks.onnx_runs import ReferenceModel, RuntimeModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.proof import expected_answers
from sealift_registry.runtimes.piped_model import PipedModel
from sealift_signing.errors import RefusedError
from tests.registry.proof_models import proof, rows

CANARY = 4711.25
Trained = Callable[[str], Path]


def _canaries(width: int) -> dict[str, Array]:
    return {"inputs": np.full((5, width), CANARY)}


def _unquoted(bad: RefusedError) -> None:
    for words in (bad.what, bad.subject, bad.next_step):
        assert "4711" not in str(words), words


def _refused(action: Callable[[], object], code: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        action()
    assert caught.value.code == code
    _unquoted(caught.value)
    assert caught.value.next_step
    return caught.value


def _encoded() -> Any:  # noqa: ANN401 - scikit-learn is Any to us
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    given = np.arange(40.0).reshape(20, 2) % 4
    made = make_pipeline(OneHotEncoder(handle_unknown="error"), LogisticRegression())
    return made.fit(given, np.arange(20) % 2)


def test_p0_130_a_category_that_the_model_does_not_know_is_not_named() -> None:
    bad = _refused(lambda: SklearnModel(_encoded()).answer(_canaries(2)), "goldens-unfit")
    assert "it broke off with ValueError" in bad.what
    assert "no category that it does not know" in str(bad.next_step)


def test_p0_131_nothing_is_said_of_rows_whose_missing_values_are_not_taken() -> None:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(rows(), rows()[:, 0] > 0)
    given = np.full((5, rows().shape[1]), CANARY)
    given[2, 1] = np.nan
    bad = _refused(lambda: SklearnModel(model).answer({"inputs": given}), "goldens-unfit")
    assert "missing values only where it takes them" in str(bad.next_step)


@pytest.mark.parametrize("error", [TypeError, IndexError, KeyError, ValueError])
def test_p0_132_an_estimator_that_raises_anything_is_refused_by_its_class(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Uncaught, its words would be the last ones of the worker, which are shown."""
    estimator = _encoded()

    def predict(given: Array) -> Array:
        raise error(f"no such thing: {given[0, 0]}")

    monkeypatch.setattr(estimator, "predict", predict)
    bad = _refused(lambda: SklearnModel(estimator).answer(_canaries(2)), "goldens-unfit")
    assert error.__name__ in bad.what


def test_p0_133_another_width_is_told_in_numbers_of_features(trained: Trained) -> None:
    models = {
        "lightgbm": lightgbm_trees.load(trained("lightgbm.txt")),
        "xgboost": xgboost_trees.load(trained("xgboost.ubj")),
    }
    for model in models.values():
        bad = _refused(lambda model=model: model.answer(_canaries(70)), "goldens-unfit")  # type: ignore[misc]
        assert "it takes 64 features, and they have 70" in bad.what
    bad = _refused(lambda: SklearnModel(_encoded()).answer(_canaries(3)), "goldens-unfit")
    assert "it takes 2 features, and they have 3" in bad.what


def test_p0_134_onnx_of_another_width_is_told_in_shapes(trained: Trained) -> None:
    path = trained("tiny.onnx")
    bad = _refused(lambda: RuntimeModel(path).answer(_canaries(7)), "goldens-unfit")
    assert "of any by 4; they are of 5 by 7." in bad.what
    bad = _refused(lambda: ReferenceModel(path).answer(_canaries(7)), "reference-evaluator")
    assert "it broke off with " in bad.what


class _Quoting:
    """Stands for ONNX Runtime, the evaluator, or what answers elsewhere, at its most talkative."""

    def __init__(self, behind: Any = None) -> None:  # noqa: ANN401 - onnxruntime is Any to us
        self._behind = behind

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - likewise
        return getattr(self._behind, name)

    def run(self, _names: object, given: dict[str, Array]) -> list[Array]:
        raise LookupError(f"no category {next(iter(given.values()))[0, 0]}")


def test_p0_135_what_an_operator_says_of_a_row_is_not_told(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = trained("tiny.onnx")
    model, judge = RuntimeModel(path), ReferenceModel(path)
    monkeypatch.setattr(model, "_session", _Quoting(model._session))
    monkeypatch.setattr(judge, "_evaluator", _Quoting())
    bad = _refused(lambda: model.answer(_canaries(4)), "goldens-unfit")
    assert "it broke off with LookupError" in bad.what
    bad = _refused(lambda: judge.answer(_canaries(4)), "reference-evaluator")
    assert "it broke off with LookupError" in bad.what


@pytest.mark.parametrize("said, shown", [("Fail", "Fail"), (f"value {CANARY}", "an error")])
def test_p0_136_a_release_elsewhere_tells_the_class_and_no_more(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, said: str, shown: str
) -> None:
    import sys

    made = PipedModel("1.0.0", Path(sys.executable), trained("tiny.onnx"))
    try:
        bad = _refused(lambda: made.answer(_canaries(7)), "goldens-unfit")
        assert "it broke off with InvalidArgument" in bad.what
        monkeypatch.setattr(made, "_asked", lambda _rows: ({"error": said}, b""))
        bad = _refused(lambda: made.answer(_canaries(4)), "goldens-unfit")
        assert f"it broke off with {shown}." in bad.what
    finally:
        made.close()


def _labels(x: Array) -> dict[str, Array]:
    scores = np.stack([x[:, 0] > 0, x[:, 0] <= 0], axis=1).astype(x.dtype)
    return {LABEL: scores.argmax(axis=1), PROBABILITIES: scores}


def test_p0_137_numbers_that_are_expected_of_labels_are_counted_and_not_shown() -> None:
    expected = CANARY + np.arange(len(rows()))
    expected[0] = 4711  # whole, and one of the numbers nevertheless
    bad = _refused(
        lambda: proof(_labels, _labels, expected=expected, facts=ModelFacts(classes=("0", "1"))),
        "labels-unknown",
    )
    assert f"expect {len(rows())} numbers, which the model cannot answer" in bad.what
    assert bad.subject == "expected"


@pytest.mark.parametrize("label", [5, 5.0, "five"])
def test_p0_138_a_label_that_is_one_is_still_named(label: object) -> None:
    expected = np.array([label] * len(rows()))
    with pytest.raises(RefusedError) as caught:
        proof(_labels, _labels, expected=expected, facts=ModelFacts(classes=("0", "1")))
    shown = "five" if label == "five" else "5"
    assert f"the label {shown}, which" in caught.value.what
    assert caught.value.subject == shown


def test_p0_139_numbers_that_were_answered_on_no_row_are_counted_in_the_evidence() -> None:
    """Where a model does not say its labels, what is expected is not refused."""
    answers = {LABEL: np.array([0, 1])}
    expected = np.array([CANARY, CANARY + 1])
    judged = expected_answers.judged(expected, answers, answers, ())
    assert expected_answers.strange(expected, {"0", "1"}, judged) == ["2 numbers"]
    named = np.array(["0", "five"])
    judged = expected_answers.judged(named, answers, answers, ())
    assert expected_answers.strange(named, {"0", "1"}, judged) == ["five"]
