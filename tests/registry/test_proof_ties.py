"""A difference is a tie only where the source itself shows that two answers are equally good."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sealift_registry.frameworks.framework import VARIABLE, Array, ModelFacts
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.proof import ties
from sealift_registry.proof.proving import ProofScope, proved
from sealift_registry.proof.tally import ComparedRow
from tests.registry.proof_models import failing, linear, proof, rows
from tests.sampling import some

DRAW = np.random.default_rng(5)
KNOWN = DRAW.normal(size=(400, 4)) * [1.0, 30.0, 0.2, 5.0]
LABELS = (KNOWN[:, 0] + 0.02 * KNOWN[:, 1] > 0).astype(int)


def _neighbours(kind: str, count: int) -> Any:  # noqa: ANN401 - scikit-learn is Any to us
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = KNeighborsClassifier(count)
    whole = make_pipeline(StandardScaler(), model) if kind == "scaled" else model
    return whole.fit(KNOWN, LABELS)


def _flipped(estimator: Any, at: int) -> SklearnModel:  # noqa: ANN401 - scikit-learn is Any to us
    """The same neighbours, one of which has another label."""
    found = copy.deepcopy(estimator)
    last = found.steps[-1][1] if hasattr(found, "steps") else found
    last._y[at] = 1 - last._y[at]
    return SklearnModel(found)


@pytest.mark.parametrize("kind", ["raw", "scaled"])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("at", some(range(3, 400, 33), 2, "stored labels"))
def test_p0_151_a_stored_label_that_was_flipped_is_no_tie(kind: str, count: int, at: int) -> None:
    estimator = _neighbours(kind, count)
    goldens = {"inputs": KNOWN[::20] + 0.01}
    honest = proved(SklearnModel(estimator), SklearnModel(estimator), goldens)
    assert failing(honest) == set()
    assert next(one.ran for one in honest.probes if one.kind == "stored") > 500
    plan = ProofScope(seed=bytes([at % 251]))
    assert failing(proved(SklearnModel(estimator), _flipped(estimator, at), goldens, plan=plan))


def test_p0_151_neighbours_that_are_as_near_are_a_tie_and_others_are_not() -> None:
    """At the middle between two, either is right: the model itself says that they are as near."""
    from sklearn.neighbors import KNeighborsRegressor

    known = np.array([[-1.0, 0.3], [1.0, 0.3], [40.0, 7.0], [-44.0, 9.0]])
    source = SklearnModel(KNeighborsRegressor(1).fit(known, [0.0, 1.0, 2.0, 3.0]))
    inputs = {"inputs": np.array([[0.0, 0.3], [0.0, 9.0], [0.9, 0.3], [39.0, 9.0], [-40.0, 1.0]])}
    assert source.ties(inputs).tolist() == [True, True, False, False, False]


def test_p0_151_a_tie_is_shown_by_what_the_source_answers_a_few_steps_further() -> None:
    """Of trees that are fed what was computed: the source changes beside the row, or it is none."""

    def on_the_edge(x: Array) -> Array:
        return np.isclose(x[:, 0] * 1.1, 0.3, rtol=0, atol=1e-7)

    def stepped(x: Array) -> dict[str, Array]:
        wide = x.astype(np.float64)
        return {VARIABLE: np.where(wide[:, 0] * 1.1 < 0.3, 0.0, 1.0) + wide[:, 1]}

    def told(odd: Any) -> Any:  # noqa: ANN401 - two functions of arrays
        def answer(x: Array) -> dict[str, Array]:
            found = stepped(x)[VARIABLE]
            first = np.flatnonzero(odd(x))[:1]
            found[first] += 0.5
            return {VARIABLE: found}

        return answer

    goldens = rows(40)
    goldens[:36, 0] = 0.3 / 1.1
    facts = ModelFacts(may_tie=True)
    edge = proof(stepped, told(lambda x: on_the_edge(x) & (x[:, 1] == 0)), goldens, facts=facts)
    assert failing(edge) == set()
    assert "two answers are equally good" in next(
        o.words for o in edge.checks if o.name == "rounding"
    )
    elsewhere = proof(stepped, told(lambda x: x[:, 0] == 0), goldens, facts=facts)
    assert failing(elsewhere)


def test_p0_151_a_row_of_zeros_that_is_answered_otherwise_is_no_tie() -> None:
    def variant(x: Array) -> dict[str, Array]:
        found = linear()(x)[VARIABLE]
        found[np.flatnonzero((x == 0).all(axis=1))[:1]] += 1
        return {VARIABLE: found}

    assert failing(proof(linear(), variant, facts=ModelFacts(may_tie=True))) == {"range"}


class _ByShares(SklearnModel):
    """What skl2onnx made of it: the label follows from the shares, not from what decides."""

    def answer(self, inputs: Any) -> dict[str, Array]:  # noqa: ANN401 - as SklearnModel
        found = super().answer(inputs)
        return found | {"label": np.argmax(found["probabilities"], axis=1)}


def test_p0_159_shares_that_are_all_but_1_are_no_tie_where_something_else_decides() -> None:
    from sklearn.linear_model import SGDClassifier

    labels = np.digitize(KNOWN[:, 1], [-10.0, 10.0])
    model = SGDClassifier(loss="log_loss", random_state=3).fit(KNOWN * 1000, labels)
    goldens = {"inputs": KNOWN[:40] * 1000}
    by_shares = np.argmax(model.predict_proba(goldens["inputs"]), axis=1)
    assert (by_shares != model.predict(goldens["inputs"])).mean() > 0.1
    assert failing(proved(SklearnModel(model), SklearnModel(model), goldens)) == set()
    assert "goldens" in failing(proved(SklearnModel(model), _ByShares(model), goldens))


class _TyingOtherwise(SklearnModel):
    """Where two classes have as large a share, the last of them, in a part of the rows."""

    def __init__(self, estimator: Any, part: float) -> None:  # noqa: ANN401 - as SklearnModel
        super().__init__(estimator)
        self._part = part

    def answer(self, inputs: Any) -> dict[str, Array]:  # noqa: ANN401 - as SklearnModel
        found = super().answer(inputs)
        shares = found["probabilities"]
        last = shares.shape[1] - 1 - np.argmax(shares[:, ::-1], axis=1)
        some = np.abs(inputs["inputs"][:, 1].astype(np.float64)) * 1e4 % 1 < self._part
        return found | {"label": np.where(some, last, found["label"])}


@pytest.mark.parametrize("part", [0.3, 0.01])
def test_p0_246_labels_that_differ_where_two_are_as_good_are_counted_and_few(part: float) -> None:
    from sklearn.tree import DecisionTreeClassifier

    given = np.zeros((400, 3))
    given[200:, 0] = 1.0
    labels = np.where(given[:, 0] > 0, 1, np.arange(400) % 2)
    model = DecisionTreeClassifier(random_state=0).fit(given, labels)
    goldens = {"inputs": np.random.default_rng(9).normal(size=(100, 3)).astype(np.float32)}
    found = proved(SklearnModel(model), _TyingOtherwise(model, part), goldens)
    excused, ran = sum(o.excused for o in found.probes), sum(o.ran for o in found.probes)
    said = {one.name: one.words for one in found.checks}
    assert excused, "or nothing was tried"
    assert (excused > 0.01 * ran) == (part == 0.3)
    assert failing(found) == ({"rounding"} if part == 0.3 else set())
    assert f"two answers are equally good ({excused:,})" in said["rounding"]
    assert "or two answers are equally good" in found.words
    for one in found.probes:
        if one.kind == "goldens" and one.excused:
            assert f"alike, but for {one.excused:,} that rounding" in said["goldens"]


def test_p0_279_a_row_as_ordinary_as_the_goldens_is_no_tie_by_what_lies_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def turns(*given: Any) -> Array:  # noqa: ANN401 - as _turning
        return np.ones(len(given[3]), dtype=bool)

    monkeypatch.setattr(ties, "_turning", turns)
    kinds = ("goldens", "noise", "shifted")
    found = [ComparedRow(one, 0, np.zeros(1), "y", None, 9.0, "", "", None, {}) for one in kinds]
    source: Any = SimpleNamespace(ties=lambda inputs: np.zeros(len(inputs["x"]), dtype=bool))
    layout: Any = SimpleNamespace(inputs=lambda values: {"x": values})
    none: Any = None
    tied = ties.shown(source, layout, none, found, {}, DRAW, may_turn=True)
    assert tied.tolist() == [False, False, True]
