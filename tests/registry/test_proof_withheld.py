"""No value of a row in what is signed or logged: an answer may be one, where a model transforms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from sealift_registry.frameworks.framework import LABEL, PROBABILITIES, VARIABLE, Array, ModelFacts
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import proved
from sealift_signing import shape
from tests.registry.proof_models import Answer, Made, classifier, failing, linear, proof, rows

INCOMES = np.round(np.random.default_rng(4).normal(52_000, 9_000, size=(30, 4)), 2)


def _written(found: Findings) -> str:
    return json.dumps(shape.to_json(found))


def _is_told(value: float, text: str) -> bool:
    return any(f"{value:.{digits}g}" in text for digits in (5, 6, 7))


def test_p0_152_a_transformer_s_answers_are_values_of_the_row_and_not_shown() -> None:
    def off(x: Array) -> dict[str, Array]:
        found = x.copy()
        found[:, 2] += 700
        return {VARIABLE: found}

    found = proof(lambda x: {VARIABLE: x}, off, INCOMES)
    assert "goldens" in failing(found)
    text = _written(found)
    for value in (*INCOMES.ravel(), *(INCOMES + 700).ravel()):
        assert not _is_told(value, text)
    words = next(one.words for one in found.checks if one.name == "goldens")
    assert "column 2, differs by 700; they may be" in words
    assert found.worst is not None
    assert (found.worst.source, found.worst.variant) == ("withheld", "700 away")


def test_p0_152_a_scaler_of_scikit_learn_is_one_and_a_regressor_is_none() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import MinMaxScaler

    scaler = SklearnModel(MinMaxScaler((0, 1)).fit(INCOMES))
    regressor = SklearnModel(LinearRegression().fit(INCOMES, INCOMES[:, 0] * 0.3))
    assert not scaler.facts().predicts
    assert regressor.facts().predicts

    def wrong(model: SklearnModel) -> Findings:
        variant = Made(lambda x: {VARIABLE: model.answer({"x": x})[VARIABLE] * 1.5})
        return proved(model, variant, {"inputs": INCOMES})

    assert " differs by " in next(o.words for o in wrong(scaler).checks if o.name == "goldens")
    said = next(o.words for o in wrong(regressor).checks if o.name == "goldens")
    assert " in the source and " in said


@pytest.mark.parametrize("how", ["numbers", "texts"])
def test_p0_152_whole_numbers_and_texts_that_go_through_are_not_shown(how: str) -> None:
    kind = np.int64 if how == "numbers" else np.str_

    def through(by: float) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            named = np.round(x[:, 0] + by).astype(np.int64)
            return classifier((x - 52_000) / 9_000) | {"customer": named.astype(kind)}

        return answer

    found = proof(through(0), through(3), INCOMES)
    assert "goldens" in failing(found)
    words = next(one.words for one in found.checks if one.name == "goldens")
    assert "customer is different in the variant" in words
    text = _written(found)
    for value in np.round(INCOMES[:, 0]).astype(int).tolist():
        assert str(value) not in text
        assert str(value + 3) not in text


def test_p0_277_the_only_whole_numbers_are_no_labels_where_there_are_more_than_classes() -> None:
    def through(by: float) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            named = np.round(x[:, 0] + by).astype(np.int64)
            return {"customer": named, PROBABILITIES: classifier(x / 9_000)[PROBABILITIES]}

        return answer

    found = proof(through(0), through(3), INCOMES)
    assert "customer is different in the variant" in _goldens(found)


def test_p0_152_labels_and_probabilities_of_classes_are_shown() -> None:
    def swapped(x: Array) -> dict[str, Array]:
        told = classifier(x)
        return {LABEL: 1 - told[LABEL], PROBABILITIES: told[PROBABILITIES]}

    found = proof(classifier, swapped)
    assert "is 0 in the source and 1 in the variant" in _goldens(found) or (
        "is 1 in the source and 0 in the variant" in _goldens(found)
    )

    def lower(x: Array) -> dict[str, Array]:
        told = classifier(x)
        return {LABEL: told[LABEL], PROBABILITIES: told[PROBABILITIES] * 0.99}

    assert "probabilities, column " in _goldens(proof(classifier, lower))
    assert " in the source and 0." in _goldens(proof(classifier, lower))
    assert " differs by " in _goldens(proof(linear(), linear(2.0)))
    told = proof(linear(), linear(2.0), facts=ModelFacts(predicts=True))
    assert " in the source and " in _goldens(told)


def _goldens(found: Findings) -> str:
    return next(one.words for one in found.checks if one.name == "goldens")


def test_p0_152_nor_is_the_answer_to_a_row_that_the_variant_refuses() -> None:
    @dataclass(frozen=True)
    class Refusing:
        def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            (given,) = inputs.values()
            if (given < 0).any():
                raise ValueError
            return {VARIABLE: given}

        def facts(self) -> ModelFacts:
            return ModelFacts()

    found = proved(Made(lambda x: {VARIABLE: x}), Refusing(), {"inputs": np.abs(rows())})
    assert failing(found)
    assert "is withheld in the source and refused in the variant" in _written(found)
