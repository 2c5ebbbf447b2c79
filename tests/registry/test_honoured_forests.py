"""Trees of a forest that vote as often for one label as for another: the variant says the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sealift_registry.frameworks.scikit_learn import SklearnModel
from tests.registry.converting import TRAINED, Array, Converted, awkward, fresh


def _noisy(kind: str) -> Array:
    """Labels that nothing tells well: votes are close, and often even."""
    draw = np.random.default_rng(11)
    if kind == "words":
        return np.array(["red", "green", "blue"])[draw.integers(0, 3, TRAINED)]
    if kind == "truth":
        return draw.random(TRAINED) < 0.5
    return draw.integers(0, {"two": 2, "three": 3}[kind], TRAINED)


def _forest(kind: str, trees: int) -> Any:  # noqa: ANN401 - scikit-learn is Any to us
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    grown = ExtraTreesClassifier if kind == "truth" else RandomForestClassifier
    model = grown(trees, random_state=0)
    whole = make_pipeline(StandardScaler(), model) if kind == "words" else model
    return whole.fit(awkward(TRAINED, 1), _noisy(kind))


@pytest.mark.parametrize("kind", ["two", "three", "words", "truth"])
@pytest.mark.parametrize("trees", [20, 100])
def test_p0_245_even_votes_are_told_as_the_forest_tells_them(kind: str, trees: int) -> None:
    model = SklearnModel(_forest(kind, trees))
    variant, rows = Converted(model), fresh()
    theirs = model.answer({"inputs": rows})
    best = np.sort(theirs["probabilities"], axis=1)
    assert (best[:, -1] - best[:, -2] < 1e-9).sum() >= 5, "or nothing was tried"
    at_once = variant.answer(rows)
    singly = [variant.answer(rows[at : at + 1]) for at in range(len(rows))]
    for name in ("label", "probabilities"):
        one_by_one = np.concatenate([found[name] for found in singly])
        wanted = theirs[name].astype(at_once[name].dtype)
        assert (at_once[name] == wanted).all()
        assert (one_by_one == wanted).all()
