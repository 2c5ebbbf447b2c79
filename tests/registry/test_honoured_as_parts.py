"""scikit-learn: what the table once honoured and no converter did is right now, or refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Perceptron, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_signing.errors import RefusedError
from tests.registry.converting import (
    TRAINED,
    Array,
    Converted,
    answered,
    awkward,
    float32s,
    fresh,
    targets,
    wrong,
)
from tests.registry.test_honoured_sklearn import forest, logistic, scaled, trained


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What is trained here for a moment need not be trained well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def positive(rows: Array) -> Array:
    """Whole numbers from 1 on, as a power of box-cox takes them."""
    return float32s(np.abs(np.round(3 * rows * [1, 1, 1, 300, 1])) + 1)


@pytest.mark.parametrize(
    "before",
    [
        lambda: PowerTransformer("box-cox"),
        lambda: PowerTransformer("box-cox", standardize=False),
        lambda: make_pipeline(MinMaxScaler((0.5, 2)), PowerTransformer("box-cox")),
        lambda: make_pipeline(PowerTransformer("box-cox"), MinMaxScaler(clip=True)),
    ],
)
def test_p0_250_what_a_scaler_refuses_does_not_move_the_thresholds_behind_it(
    before: Callable[[], Any],
) -> None:
    """Zero is no number for box-cox; no tree turned anywhere after it was asked of it."""
    rows = positive(awkward(TRAINED, 1))
    for trees in (DecisionTreeClassifier(max_depth=9), forest()):
        estimator = make_pipeline(before(), trees).fit(rows, targets(rows, "three"))
        model = SklearnModel(estimator)
        assert wrong(model, Converted(model), answered(model, positive(fresh()))) == {}


@pytest.mark.parametrize("trees", [lambda: DecisionTreeClassifier(max_depth=7), forest])
def test_p0_251_trees_may_ask_whether_something_was_missing(trees: Callable[[], Any]) -> None:
    rows = awkward(TRAINED, 1, missing=0.15)
    told = np.isnan(rows[:, 0]) * 2 + np.isnan(rows[:, 1]) + 4 * (rows[:, 2] > 1)
    both = ColumnTransformer(
        [("a", SimpleImputer(add_indicator=True), [0, 1]), ("b", StandardScaler(), [2, 3, 4])]
    )
    scaled_too = make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler())
    for before in (SimpleImputer(add_indicator=True), both, scaled_too):
        model = SklearnModel(make_pipeline(before, trees()).fit(rows, told))
        assert wrong(model, Converted(model), fresh(missing=0.15)) == {}


LARGE_LABELED: dict[str, Callable[[], Any]] = {
    "logistic": logistic,
    "Gauss": GaussianNB,
    "Bernoulli": BernoulliNB,
    "perceptron": Perceptron,
    "layers": lambda: MLPClassifier((3,), max_iter=20),
    "bagging": lambda: BaggingClassifier(n_estimators=3),
    "adaptive": lambda: AdaBoostClassifier(n_estimators=3),
    "stacked": lambda: StackingClassifier([("a", logistic()), ("b", GaussianNB())], cv=2),
    "one against the rest": lambda: OneVsRestClassifier(GaussianNB()),
    "tree": lambda: DecisionTreeClassifier(max_depth=4),
    "forest": forest,
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3),
    "neighbours": lambda: KNeighborsClassifier(4),
    "vectors": SVC,
    "lines": LinearSVC,
    "discriminant": LinearDiscriminantAnalysis,
}


@pytest.mark.parametrize("case", LARGE_LABELED)
def test_p0_252_labels_above_32_bits_are_right_or_refused_by_name(case: str) -> None:
    """They were cut off, and the variant answered another label."""
    rows, large = awkward(TRAINED, 1), np.array([-5, 2**31 + 7, 2**40])
    model = SklearnModel(LARGE_LABELED[case]().fit(rows, large[targets(rows, "three")]))
    try:
        variant = Converted(model)
    except RefusedError as refused:
        assert 'classes "whole numbers above 32 bits"' in refused.what  # noqa: PT017 - or it is right
    else:
        assert wrong(model, variant, fresh()) == {}


@pytest.mark.parametrize(
    "before, kind",
    [
        (LinearDiscriminantAnalysis, "three"),
        (
            lambda: StackingClassifier([("a", logistic()), ("b", GaussianNB())], cv=2),
            "three",
        ),
        (lambda: StackingRegressor([("a", Ridge()), ("b", LinearRegression())], cv=2), "numbers"),
        (lambda: VotingRegressor([("a", Ridge()), ("b", LinearRegression())]), "numbers"),
        (lambda: FeatureUnion([("a", LinearDiscriminantAnalysis()), ("b", PCA(2))]), "three"),
        (lambda: make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()), "three"),
    ],
)
def test_p0_253_what_answers_is_refused_where_its_columns_are_wanted(
    before: Callable[[], Any], kind: str
) -> None:
    last = LinearRegression() if kind == "numbers" else logistic()
    with pytest.raises(RefusedError, match='place "before another step"'):
        Converted(trained(make_pipeline(before(), last), kind))


@pytest.mark.parametrize("kind", ["two", "three", "words"])
def test_p0_254_boosted_lines_of_labels_are_converted(kind: str) -> None:
    """The graph joined floats and doubles, which no runtime loads."""
    model = trained(scaled(AdaBoostClassifier(logistic(), n_estimators=4)), kind)
    assert wrong(model, Converted(model), fresh()) == {}


def test_p0_255_boosted_labels_that_are_true_or_false_are_refused_by_name() -> None:
    for inner in (None, logistic()):
        with pytest.raises(RefusedError, match='AdaBoostClassifier classes "True and False"'):
            Converted(trained(AdaBoostClassifier(inner, n_estimators=3), "truth"))


def test_p0_256_a_cosine_of_zeros_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="KernelPCA kernel cosine"):
        Converted(trained(KernelPCA(2, kernel="cosine"), "two"))
