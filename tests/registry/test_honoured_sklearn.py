"""scikit-learn: what the table honours answers as the original does, and all else is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, IncrementalPCA, KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier
from sklearn.utils import all_estimators

from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.scikit_learn_table import TABLE
from sealift_registry.frameworks.scikit_learn_training import TRAINING
from sealift_signing.errors import RefusedError
from tests.registry.converting import (
    TRAINED,
    Array,
    Converted,
    answered,
    awkward,
    beside,
    float32s,
    fresh,
    targets,
    wrong,
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What is trained here for a moment need not be trained well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def trained(estimator: Any, kind: str, *, missing: float = 0.0) -> SklearnModel:  # noqa: ANN401 - scikit-learn is Any to us
    rows = awkward(TRAINED, 1, missing=missing)
    return SklearnModel(estimator.fit(rows, targets(rows, kind)))


def scaled(estimator: BaseEstimator) -> BaseEstimator:
    return make_pipeline(StandardScaler(), estimator)


def logistic() -> LogisticRegression:
    return LogisticRegression(max_iter=200)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(4, max_depth=4, random_state=0)


# -------------------------------------------------------------------- what is refused

REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    # Options that are dropped in silence.
    "clip": (lambda: scaled(MaxAbsScaler(clip=True)), "two", "MaxAbsScaler clip True"),
    "zero is missing": (
        lambda: SimpleImputer(missing_values=0),
        "two",
        "SimpleImputer missing_values 0",
    ),
    "a function": (lambda: FunctionTransformer(np.log1p), "two", "FunctionTransformer func"),
    "break_ties": (lambda: scaled(SVC(break_ties=True)), "three", "SVC break_ties True"),
    "distance": (
        lambda: KNeighborsClassifier(weights="distance"),
        "three",
        "KNeighborsClassifier weights distance",
    ),
    "chebyshev": (
        lambda: KNeighborsRegressor(metric="chebyshev"),
        "numbers",
        "KNeighborsRegressor fitted_metric chebyshev",
    ),
    "norm": (
        lambda: make_pipeline(MinMaxScaler(clip=True), ComplementNB(norm=True)),
        "two",
        "ComplementNB norm True",
    ),
    "modified_huber": (
        lambda: scaled(SGDClassifier(loss="modified_huber", random_state=0)),
        "three",
        "SGDClassifier loss modified_huber",
    ),
    "normal": (
        lambda: QuantileTransformer(n_quantiles=20, output_distribution="normal"),
        "two",
        "QuantileTransformer output_distribution normal",
    ),
    "initial model": (
        lambda: GradientBoostingClassifier(init=logistic(), n_estimators=2),
        "two",
        "GradientBoostingClassifier init LogisticRegression",
    ),
    "weighed vote": (
        lambda: VotingRegressor([("a", Ridge()), ("b", LinearRegression())], weights=[1, 2]),
        "numbers",
        "VotingRegressor weights",
    ),
    # Answers that would be other ones.
    "pairs of classes, by scores": (
        lambda: scaled(SVC(decision_function_shape="ovo")),
        "three",
        "SVC decision_function_shape ovo",
    ),
    "one against the rest, by scores": (
        lambda: OneVsRestClassifier(SGDClassifier()),
        "three",
        "OneVsRestClassifier of SGDClassifier",
    ),
    "boosted support vectors": (
        lambda: BaggingClassifier(scaled(LinearSVC()), 2),
        "three",
        "BaggingClassifier of LinearSVC",
    ),
    "stacked labels": (
        lambda: StackingClassifier(
            [("a", logistic()), ("b", GaussianNB())], cv=2, stack_method="predict"
        ),
        "three",
        "StackingClassifier stack_methods predict",
    ),
    "several labels": (
        lambda: DecisionTreeClassifier(max_depth=3),
        "sets",
        'DecisionTreeClassifier classes "several labels a row"',
    ),
    "several labels of a network": (
        lambda: scaled(MLPClassifier((3,), max_iter=5)),
        "sets",
        'MLPClassifier classes "several labels a row"',
    ),
    "several targets": (
        lambda: BaggingRegressor(LinearRegression(), n_estimators=2),
        "pairs",
        "BaggingRegressor targets several",
    ),
    # Classes that have no converter, a wrong one, or were not tried.
    "neighbours fill in": (KNNImputer, "two", "class KNNImputer"),
    "outliers": (lambda: IsolationForest(n_estimators=2), "two", "class IsolationForest"),
    "pairs of classes": (
        lambda: OneVsOneClassifier(logistic()),
        "three",
        "class OneVsOneClassifier",
    ),
    "vote": (
        lambda: VotingClassifier([("a", logistic()), ("b", forest())], voting="soft"),
        "two",
        "class VotingClassifier",
    ),
    "histograms": (
        lambda: HistGradientBoostingClassifier(max_iter=2),
        "two",
        "class HistGradientBoostingClassifier",
    ),
    "deep in a stack": (
        lambda: StackingClassifier(
            [("a", make_pipeline(MaxAbsScaler(clip=True), logistic())), ("b", forest())], cv=2
        ),
        "two",
        "MaxAbsScaler clip True",
    ),
    "beside others": (
        lambda: ColumnTransformer(
            [("a", MaxAbsScaler(clip=True), [0, 1])], remainder="passthrough"
        ),
        "two",
        "MaxAbsScaler clip True",
    ),
    "columns by a mask": (
        lambda: ColumnTransformer([("a", StandardScaler(), [True, False, True, False, False])]),
        "two",
        'ColumnTransformer columns "by a mask"',
    ),
    "columns from the end": (
        lambda: ColumnTransformer([("a", StandardScaler(), [-1])]),
        "two",
        'ColumnTransformer columns "by a mask"',
    ),
    "a part left out": (
        lambda: FeatureUnion([("a", StandardScaler()), ("b", "drop")]),
        "two",
        "FeatureUnion left_out",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_p0_01_what_is_not_honoured_is_refused_by_its_name(case: str) -> None:
    make, kind, named = REFUSED[case]
    model = trained(make(), kind)
    with pytest.raises(RefusedError) as caught:
        Converted(model)
    assert caught.value.code == "converter-unknown"
    assert f"scikit-learn's {named}" in caught.value.what
    assert caught.value.next_step


def rows_of_ids(rows: int, seed: int) -> Array:
    draw = np.random.default_rng(seed)
    return np.stack([draw.integers(-2, 4, rows), draw.choice([0, 3, 7], rows)], axis=1) * 1.0


@pytest.mark.parametrize(
    "encoder, factor, named",
    [
        (OneHotEncoder(handle_unknown="ignore"), 0.1, 'OneHotEncoder categories "finer than'),
        (OneHotEncoder(handle_unknown="warn"), 1, "OneHotEncoder handle_unknown warn"),
        (OrdinalEncoder(), 0.1, 'OrdinalEncoder categories "finer than float32"'),
        (OrdinalEncoder(max_categories=3), 1, "OrdinalEncoder max_categories 3"),
        (OrdinalEncoder(), np.array([1, np.nan]), "OrdinalEncoder categories missing"),
    ],
)
def test_p0_02_categories_that_would_be_taken_for_others_are_refused(
    encoder: Any,  # noqa: ANN401 - scikit-learn is Any to us
    factor: Any,  # noqa: ANN401 - a number or a row of them
    named: str,
) -> None:
    model = SklearnModel(encoder.fit(rows_of_ids(TRAINED, 1) * factor))
    with pytest.raises(RefusedError, match=named):
        Converted(model)


@pytest.mark.parametrize("added", ["winsorise", "shrinkage"])
def test_p0_03_a_parameter_that_a_newer_scikit_learn_adds_is_refused(
    monkeypatch: pytest.MonkeyPatch, added: str
) -> None:
    """Also one that trains other classes, and changes nothing there."""
    said = StandardScaler.get_params

    def newer(self: StandardScaler, deep: Literal[True, False] = True) -> dict[str, Any]:
        return {**said(self, deep=deep), added: True}

    monkeypatch.setattr(StandardScaler, "get_params", newer)
    with pytest.raises(RefusedError, match=f"StandardScaler {added} True"):
        Converted(trained(StandardScaler(), "two"))


def test_p0_04_the_table_names_every_parameter_of_its_classes() -> None:
    """One that it forgot would refuse the class, whatever its value."""
    classes = dict(all_estimators())
    for name, known in TABLE.items():
        said = {*classes[name]._get_param_names()}
        training = TRAINING.get(name, frozenset())
        assert said <= training | known.free | set(known.values), name
        assert training | known.free <= said, name
        assert not training & (known.free | set(known.values)), name
    assert set(TRAINING) <= set(TABLE)


def test_p0_71_the_page_lists_the_classes_of_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "converters.md"
    listed = page.read_text().partition("holds a tree:\n")[2].partition(".\n")[0]
    assert listed.replace("\n", " ").split(", ") == sorted(TABLE, key=str.lower)


# -------------------------------------------------------------------- what is right

SCORED: dict[str, Callable[[], Any]] = {
    "discriminant": LinearDiscriminantAnalysis,
    "lines": lambda: scaled(LinearSVC()),
    "quadratic": lambda: QuadraticDiscriminantAnalysis(reg_param=0.1),
    "ridge": lambda: scaled(RidgeClassifier()),
    "vectors": lambda: scaled(SVC()),
    "few vectors": lambda: scaled(NuSVC(nu=0.2)),
}
RIGHT: dict[str, tuple[Callable[[], Any], str]] = {
    "norm l1": (lambda: Normalizer(norm="l1"), "two"),
    # ONNX divides by the largest number, scikit-learn by the largest without its sign.
    "norm max": (lambda: Normalizer(norm="max"), "two"),
    "norm max of words": (lambda: make_pipeline(Normalizer(norm="max"), logistic()), "words"),
    "norm l2": (lambda: make_pipeline(Normalizer(), logistic()), "three"),
    "clip": (lambda: MinMaxScaler((-2, 3), clip=True), "two"),
    "robust": (lambda: RobustScaler(unit_variance=True, quantile_range=(10, 80)), "two"),
    "powers": (lambda: PolynomialFeatures((2, 3), interaction_only=True), "two"),
    "power": (lambda: make_pipeline(PowerTransformer(), logistic()), "two"),
    "quantiles": (lambda: make_pipeline(QuantileTransformer(n_quantiles=20), logistic()), "two"),
    "a power that leaves out what is missing": (
        lambda: make_pipeline(PowerTransformer(standardize=False), forest()),
        "two",
    ),
    "a power of positive numbers": (
        lambda: make_pipeline(MinMaxScaler((1, 2), clip=True), PowerTransformer("box-cox")),
        "two",
    ),
    "quantiles of what is missing": (lambda: QuantileTransformer(n_quantiles=20), "two"),
    "binarized": (lambda: Binarizer(threshold=0.3), "two"),
    "bins": (lambda: KBinsDiscretizer(4, encode="ordinal", subsample=None), "two"),
    "bins apart": (
        lambda: KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform", subsample=None),
        "two",
    ),
    "bins in a sparse table": (
        lambda: make_pipeline(KBinsDiscretizer(4, subsample=None), logistic()),
        "three",
    ),
    "components": (lambda: PCA(2, whiten=True), "two"),
    "components in parts": (lambda: IncrementalPCA(2), "two"),
    "kernel components": (lambda: scaled(KernelPCA(2, kernel="rbf", gamma=0.1)), "two"),
    "truncated": (lambda: TruncatedSVD(2), "two"),
    "best": (lambda: make_pipeline(SelectKBest(k=2), logistic()), "three"),
    "best, one alone": (lambda: make_pipeline(SelectKBest(k=1), logistic()), "three"),
    "of a model": (lambda: SelectFromModel(logistic(), max_features=2), "three"),
    "varied": (lambda: VarianceThreshold(0.5), "two"),
    "logistic": (logistic, "words"),
    "logistic, weighed": (lambda: LogisticRegression(class_weight="balanced", max_iter=200), "ids"),
    "logistic, true": (logistic, "truth"),
    "logistic, floats": (logistic, "floats"),
    "perceptron": (lambda: scaled(Perceptron()), "two"),
    "gradient": (lambda: scaled(SGDClassifier(random_state=0)), "two"),
    "gradient, three": (lambda: scaled(SGDClassifier(loss="log_loss", random_state=0)), "three"),
    **{
        f"{name}, {kind}": (make, kind)
        for kind in ("two", "words", "truth", "ids")
        for name, make in SCORED.items()
    },
    "lines of one loss": (lambda: scaled(LinearSVC(multi_class="crammer_singer")), "two"),
    "discriminant": (LinearDiscriminantAnalysis, "three"),
    "ridge labels": (lambda: scaled(RidgeClassifier()), "words"),
    "vectors": (lambda: scaled(SVC(kernel="poly", degree=2, coef0=1.5)), "three"),
    "vectors, probable": (lambda: scaled(SVC(probability=True, random_state=0)), "two"),
    "ridge": (lambda: scaled(Ridge()), "tiny"),
    "elastic, pairs": (lambda: scaled(ElasticNet(0.01)), "pairs"),
    "counts": (lambda: scaled(PoissonRegressor()), "positive"),
    "tweedie": (lambda: scaled(TweedieRegressor(power=1.5, link="log")), "positive"),
    "tree": (lambda: DecisionTreeClassifier(max_depth=6), "ids"),
    "random tree": (lambda: ExtraTreeClassifier(max_depth=6), "words"),
    "tree of pairs": (lambda: DecisionTreeRegressor(max_depth=6), "pairs"),
    "forest": (lambda: RandomForestClassifier(6, class_weight="balanced", random_state=0), "two"),
    "forest of words": (forest, "words"),
    # Drawn by a seed: of one in hundreds two shares are as good but for the last of 64 bits.
    "extra forest": (lambda: ExtraTreesClassifier(5, max_depth=5, random_state=0), "three"),
    "forest of numbers": (lambda: RandomForestRegressor(5, max_depth=6), "tiny"),
    "boosting": (lambda: GradientBoostingClassifier(n_estimators=4), "two"),
    "boosting, exponential": (
        lambda: GradientBoostingClassifier(loss="exponential", n_estimators=4),
        "two",
    ),
    "boosting, one leaf": (
        lambda: GradientBoostingClassifier(n_estimators=1, min_samples_leaf=200),
        "rare",
    ),
    "boosting of words": (lambda: GradientBoostingClassifier(n_estimators=3), "words"),
    "boosting from zero": (
        lambda: GradientBoostingRegressor(init="zero", loss="huber", n_estimators=4),
        "numbers",
    ),
    "adaptive": (lambda: AdaBoostClassifier(n_estimators=4), "two"),
    "adaptive lines": (lambda: AdaBoostRegressor(LinearRegression(), n_estimators=3), "numbers"),
    "bagging": (lambda: BaggingClassifier(n_estimators=4, max_features=0.6), "words"),
    "bagging numbers": (lambda: BaggingRegressor(n_estimators=4, max_features=0.6), "numbers"),
    "Gauss": (GaussianNB, "words"),
    "Bernoulli": (lambda: BernoulliNB(binarize=0.3), "three"),
    "neighbours": (lambda: scaled(KNeighborsClassifier(4)), "words"),
    "neighbours' numbers": (lambda: scaled(KNeighborsRegressor(p=1)), "pairs"),
    "layers": (lambda: scaled(MLPClassifier((5, 3), max_iter=20)), "three"),
    "layers' numbers": (
        lambda: scaled(MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=20)),
        "pairs",
    ),
    "one against the rest": (lambda: OneVsRestClassifier(GaussianNB()), "words"),
    "stacked": (
        lambda: StackingClassifier([("a", logistic()), ("b", forest())], cv=2, passthrough=True),
        "words",
    ),
    "stacked numbers": (
        lambda: StackingRegressor(
            [("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=4))], cv=2
        ),
        "tiny",
    ),
    "vote of numbers": (
        lambda: VotingRegressor([("a", Ridge()), ("b", LinearRegression())]),
        "numbers",
    ),
    "each target": (lambda: MultiOutputRegressor(RandomForestRegressor(3, max_depth=4)), "pairs"),
    "searched": (
        lambda: GridSearchCV(scaled(Ridge()), {"ridge__alpha": [0.1, 1]}, cv=2),
        "numbers",
    ),
    "side by side": (
        lambda: ColumnTransformer(
            [("a", StandardScaler(), [3, 0]), ("b", MinMaxScaler(), slice(1, 3))],
            remainder="passthrough",
            transformer_weights={"a": 2.0},
        ),
        "two",
    ),
    "together": (
        lambda: FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]),
        "two",
    ),
    "columns after what was filled in": (
        lambda: make_pipeline(
            SimpleImputer(),
            ColumnTransformer([("a", StandardScaler(), [0, 2])], remainder="passthrough"),
            Ridge(),
        ),
        "numbers",
    ),
    "filled in, and told": (lambda: SimpleImputer(add_indicator=True), "two"),
    "filled in, and told to trees": (
        lambda: make_pipeline(SimpleImputer(add_indicator=True), forest()),
        "two",
    ),
    "filled in": (lambda: make_pipeline(SimpleImputer(strategy="median"), logistic()), "three"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_p0_05_what_is_honoured_answers_as_the_original(case: str) -> None:
    """On 1,000 fresh rows, on rows that a value is missing in, and beside every threshold."""
    make, kind = RIGHT[case]
    model = trained(make(), kind)
    variant = Converted(model)
    assert wrong(model, variant, fresh()) == {}
    assert wrong(model, variant, answered(model, fresh(98, missing=0.1)[:150])) == {}
    assert wrong(model, variant, answered(model, beside(model, fresh()))) == {}
    answers = variant.answer(fresh()[:3])
    assert {name: len(shape) for name, shape in variant.shapes.items()} == {
        name: found.ndim for name, found in answers.items()
    }
    widths = {name: shape[1] for name, shape in variant.shapes.items() if len(shape) > 1}
    assert all(width in {None, answers[name].shape[1]} for name, width in widths.items())


@pytest.mark.parametrize(
    "make, kind",
    [
        (forest, "two"),
        (lambda: DecisionTreeClassifier(max_depth=5), "words"),
        (lambda: RandomForestRegressor(4, max_depth=5, random_state=0), "numbers"),
        (lambda: ExtraTreesClassifier(4, max_depth=5, random_state=0), "three"),
        (lambda: BaggingClassifier(n_estimators=4, max_features=0.6, random_state=0), "three"),
        (lambda: make_pipeline(StandardScaler(), forest()), "three"),
        (lambda: make_pipeline(SimpleImputer(), forest()), "three"),
        (lambda: OneVsRestClassifier(forest()), "three"),
    ],
)
def test_p0_06_a_missing_value_takes_the_way_that_it_takes_in_the_source(
    make: Callable[[], Any], kind: str
) -> None:
    for missing in (0.0, 0.15):
        model = trained(make(), kind, missing=missing)
        assert wrong(model, Converted(model), fresh(missing=0.1)) == {}


@pytest.mark.parametrize("seldom", [None, 60])
@pytest.mark.parametrize("unknown", ["error", "ignore", "infrequent_if_exist"])
@pytest.mark.parametrize("drop", [None, "first", "if_binary"])
def test_p0_07_a_fraction_is_no_category(
    unknown: Literal["error", "ignore", "infrequent_if_exist"],
    drop: Literal["first", "if_binary"] | None,
    seldom: int | None,
) -> None:
    """1.5 was cast to 1, and taken for it; so is what no category can be."""
    known = rows_of_ids(TRAINED, 1)
    encoder = OneHotEncoder(handle_unknown=unknown, drop=drop, min_frequency=seldom)
    labels = (known[:, 0] > 0) ^ (known[:, 1] > 2)
    parts = [
        make_pipeline(encoder, logistic()),
        make_pipeline(ColumnTransformer([("a", encoder, [0])], remainder="passthrough"), forest()),
    ]
    few = 30 if unknown == "error" else 200  # it is asked row by row which it refuses
    rows = float32s(
        np.concatenate(
            [rows_of_ids(3 * few, 2), rows_of_ids(few, 3) + 0.37, rows_of_ids(few, 4) * [1e18, 1]]
        )
    )
    for part in parts:
        model = SklearnModel(part.fit(known, labels))
        assert wrong(model, Converted(model), answered(model, rows)) == {}


@pytest.mark.parametrize("unknown", [-1, np.nan])
def test_p0_08_categories_in_their_order(unknown: float) -> None:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown)
    model = SklearnModel(encoder.fit(rows_of_ids(TRAINED, 1) * 0.5))
    rows = np.concatenate([rows_of_ids(500, 2) * 0.5, rows_of_ids(500, 3) + 0.37])
    assert wrong(model, Converted(model), float32s(rows)) == {}


# -------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    "estimator, said",
    [
        (LogisticRegression(), "LogisticRegression (it was never trained)"),
        (make_pipeline(StandardScaler(), Ridge()), "Ridge (it was never trained)"),
        (FunctionTransformer(), "FunctionTransformer (it does not say how many features it takes)"),
    ],
)
def test_p0_09_a_model_that_cannot_be_asked_is_told_in_a_sentence(
    estimator: Any,  # noqa: ANN401 - scikit-learn is Any to us
    said: str,
) -> None:
    with pytest.raises(RefusedError) as caught:
        Converted(SklearnModel(estimator))
    assert caught.value.what == f"There is no converter for {said}."
    assert caught.value.code == "converter-unknown"


@pytest.mark.parametrize("error", [AssertionError, AttributeError, NameError, KeyError, IndexError])
def test_p0_10_a_converter_that_breaks_down_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    import skl2onnx

    def broken(*_: object, **__: object) -> None:
        raise error("This converter no longer works for opset 15 < 18.")

    monkeypatch.setattr(skl2onnx, "convert_sklearn", broken)
    with pytest.raises(RefusedError) as caught:
        Converted(trained(logistic(), "two"))
    assert "opset 15 < 18" in caught.value.what
    assert caught.value.code == "converter-unknown"
