"""Models drawn from the table of what is honoured: each is right, or refused in its words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import all_estimators

from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.scikit_learn_parts import READ
from sealift_registry.frameworks.scikit_learn_table import TABLE
from sealift_signing.errors import RefusedError
from tests.registry.converting import TRAINED, Converted, answered, awkward, fresh, targets, wrong

SAMPLE = 24
PLACES = ("last", "before a line", "before trees")
CLASSES = dict(all_estimators())
SPOKEN = {"False": False, "True": True, "None": None, "nan": np.nan}
POSITIVE = {"ComplementNB", "MultinomialNB"}
WHOLE = {"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"}
GIVEN: dict[str, dict[str, Any]] = {
    "StackingClassifier": {"estimators": [("a", LogisticRegression()), ("b", GaussianNB())]},
    "StackingRegressor": {"estimators": [("a", LinearRegression())]},
    "VotingRegressor": {"estimators": [("a", LinearRegression())]},
    "OneVsRestClassifier": {"estimator": GaussianNB()},
    "MultiOutputRegressor": {"estimator": LinearRegression()},
    "SelectFromModel": {"estimator": LogisticRegression()},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler()), ("b", MinMaxScaler())]},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 2])]},
    "GridSearchCV": {"estimator": LinearRegression(), "param_grid": {}},
    "Pipeline": {"steps": [("a", StandardScaler()), ("b", MinMaxScaler())]},
    "GaussianRandomProjection": {"n_components": 3},
    "NuSVC": {"nu": 0.2},
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
}


def drawn() -> list[tuple[str, str, str, str]]:
    """A sample of class, parameter, value and place."""
    every = [
        (name, parameter, value, place)
        for name, known in sorted(TABLE.items())
        for parameter, values in [("", frozenset({""})), *sorted(known.values.items())]
        if not parameter or parameter not in READ
        for value in sorted(values)
        for place in (PLACES if hasattr(CLASSES[name], "transform") else PLACES[:1])
    ]
    picked = np.random.default_rng(14).permutation(len(every))[:SAMPLE]
    return [every[at] for at in sorted(picked.tolist())]


@pytest.mark.parametrize("name, parameter, value, place", drawn())
def test_p0_259_what_the_table_names_is_right_or_refused_in_its_words(
    name: str, parameter: str, value: str, place: str
) -> None:
    options = GIVEN.get(name, {}) | ({parameter: SPOKEN.get(value, value)} if parameter else {})
    part: Any = CLASSES[name](**options)
    rows, asked = awkward(TRAINED, 1), fresh()
    if name in WHOLE:
        rows, asked = (np.clip(np.round(one), -3, 3) for one in (rows, asked))
    if name in POSITIVE or value == "box-cox":
        part = make_pipeline(MinMaxScaler((1, 2), clip=True), part)
    kind = "three" if place != "last" or is_classifier(part) else "positive"
    if place == "last" and (name.startswith("MultiTask") or name == "MultiOutputRegressor"):
        kind = "pairs"
    if place != "last":
        line = (
            LogisticRegression()
            if place == PLACES[1]
            else RandomForestClassifier(4, max_depth=4, random_state=0)
        )
        part = make_pipeline(part, line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SklearnModel(part.fit(rows, targets(rows, kind)))
        try:
            variant = Converted(model)
        except RefusedError as refused:
            assert f"scikit-learn's {name} " in refused.what  # noqa: PT017 - or it is right
        else:
            assert wrong(model, variant, answered(model, asked)) == {}
