"""What readers found to fool the proof, or to break it down; each the smallest of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from sealift_registry.frameworks.framework import LABEL, VARIABLE, Array, ModelFacts
from sealift_registry.proof.proving import proved
from sealift_signing.errors import RefusedError
from tests.registry.proof_models import Made, classifier, failing, linear, proof, refusing, rows


@pytest.mark.parametrize("outlier", [-9999.0, -99999.0, -999999.0, 1e9])
@pytest.mark.parametrize("everywhere", [False, True])
def test_p0_140_an_outlier_among_the_goldens_lends_no_other_row_its_width(
    outlier: float, *, everywhere: bool
) -> None:
    goldens = rows(50)
    goldens[7, slice(None) if everywhere else 0] = outlier
    assert failing(proof(linear(), linear(), goldens)) == set()
    assert "ordinary" in failing(proof(linear(), linear(offset=5.0), goldens))
    assert "ordinary" in failing(proof(linear(), linear(scale=1.02), goldens))


def test_p0_141_where_the_source_refuses_what_was_to_be_merged_the_others_are_asked() -> None:
    """As a one-hot encoder does with a category beside those that it knows."""

    def cut(x: Array) -> dict[str, Array]:
        return {LABEL: (np.mod(x[:, 0].astype(np.float64), 1000) < 500).astype(np.int64)}

    draw = np.random.default_rng(3)
    goldens = np.stack([1.7e9 + draw.uniform(0, 5e4, 50), draw.integers(0, 3, 50)], axis=1)
    known = refusing(cut, lambda x: ~np.isin(x[:, 1], (0, 1, 2)))
    never = refusing(cut, lambda x: x[:, 0] != x[:, 0].astype(np.float32))
    assert "merging" in failing(proof(known, cut, goldens))
    found = proof(never, cut, goldens)
    assert "merging" in failing(found)
    (said,) = (one.words for one in found.checks if one.name == "merging")
    assert "could not be seen: the source refused 199 of the 200 rows" in said


def test_p0_142_where_the_goldens_alone_were_taken_nothing_is_proved() -> None:
    goldens = rows()
    seen = {tuple(row) for row in goldens.astype(np.float32).astype(np.float64).tolist()}

    def strange(x: Array) -> Array:
        told = [tuple(row) not in seen for row in x.astype(np.float64).tolist()]
        return np.array(told)

    found = proof(refusing(linear(), strange), linear(), goldens)
    assert "ordinary" in failing(found)


@dataclass(frozen=True)
class Alone:
    """A model that takes one row, and answers without an axis for it."""

    weights: Array

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (given,) = inputs.values()
        if len(given) != 1:
            raise RefusedError("goldens-unfit", "One row at a time.")
        return {VARIABLE: (given @ self.weights.astype(given.dtype))[0]}

    def facts(self) -> ModelFacts:
        return ModelFacts()


def test_p0_143_an_answer_without_an_axis_of_rows_is_compared_whole() -> None:
    weights = np.random.default_rng(2).normal(size=(4, 3))
    other = weights.copy()
    other[:, 1:] = 0
    inputs = {"inputs": rows()}
    assert failing(proved(Alone(weights), Alone(weights), inputs)) == set()
    assert "goldens" in failing(proved(Alone(weights), Alone(other), inputs))


def test_p0_143_answers_of_another_length_for_each_row_are_refused_by_name() -> None:
    def found(x: Array) -> dict[str, Array]:
        return {"boxes": np.stack([x[0, x[0] > 0]] * 2, axis=1)[np.newaxis]}

    with pytest.raises(RefusedError) as caught:
        proof(found, found)
    assert caught.value.code == "parity-outputs"
    assert "boxes" in caught.value.what


@pytest.mark.parametrize("kind", [IndexError, AttributeError, ZeroDivisionError])
def test_p0_144_whatever_a_model_breaks_down_with_is_a_refusal(kind: type[Exception]) -> None:
    def broken(_x: Array) -> dict[str, Array]:
        raise kind("4711.25")

    with pytest.raises(RefusedError) as caught:
        proof(broken, linear())
    assert caught.value.code == "goldens-unfit"
    assert kind.__name__ in caught.value.what
    assert "4711" not in str(caught.value)


def test_p0_144_names_of_things_are_not_counted_on() -> None:
    """Of ten that a table has, an eleventh breaks it down: beside 9 there is nothing to merge."""

    @dataclass(frozen=True)
    class Embedding:
        inputs: Mapping[str, str]

        def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            names = np.arange(30.0).reshape(10, 3).astype(inputs["x"].dtype)
            return {VARIABLE: (names[inputs["ids"]] * inputs["x"]).sum(axis=1)}

        def facts(self) -> ModelFacts:
            return ModelFacts()

    types = {"ids": "tensor(int64)", "x": "tensor(float)"}
    goldens = {"ids": np.arange(30) % 10, "x": rows(30, 3)}
    found = proved(Embedding(types), Embedding(types), goldens)
    assert failing(found) == set()
    assert found.merging.rows == 120


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_p0_145_what_nobody_knows_of_a_row_is_left_out(value: float) -> None:
    goldens = rows()
    expected = linear()(goldens)[VARIABLE]
    expected[3] = value
    found = proof(linear(), linear(), goldens, expected)
    assert failing(found) == set()
    assert found.expected is not None
    assert found.expected.rows == 19
    expected[:] = value
    assert proof(linear(), linear(), goldens, expected).expected is None


@pytest.mark.parametrize("kind", [bool, int, str])
def test_p0_146_true_and_false_are_1_and_0_however_they_are_spelled(kind: type) -> None:
    def truths(x: Array) -> dict[str, Array]:
        found = classifier(x)
        return found | {LABEL: found[LABEL].astype(bool)}

    goldens = rows()
    expected: Array = truths(goldens)[LABEL].astype(kind)
    facts = ModelFacts(classes=("False", "True"))
    found = proof(Made(truths, facts), Made(classifier), goldens, expected)
    assert failing(found) == set()
    assert found.expected is not None
    assert (found.expected.source, found.expected.variant) == ("1", "1")


def test_p0_146_a_label_that_only_looks_like_a_number_is_a_text() -> None:
    def texts(x: Array) -> dict[str, Array]:
        found = classifier(x)
        return found | {LABEL: np.array(["01", "1"])[found[LABEL]]}

    goldens = rows()
    expected = np.array(["1", "01"])[classifier(goldens)[LABEL]]
    found = proof(Made(texts, ModelFacts(classes=("01", "1"))), Made(texts), goldens, expected)
    assert found.expected is not None
    assert found.expected.source == "0"


def test_p0_147_a_model_of_labels_alone_is_proved() -> None:
    def labels(x: Array) -> dict[str, Array]:
        return {LABEL: classifier(x)[LABEL]}

    def swapped(x: Array) -> dict[str, Array]:
        return {LABEL: 1 - classifier(x)[LABEL]}

    facts = ModelFacts(trees=(), classes=("0", "1"), may_tie=False)
    found = proof(Made(labels, facts), Made(labels))
    assert [one.name for one in found.outputs] == [LABEL]
    assert "goldens" in failing(proof(Made(labels, facts), Made(swapped)))
