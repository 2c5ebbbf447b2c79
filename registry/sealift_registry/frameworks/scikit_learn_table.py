"""What of scikit-learn is known to become ONNX faithfully: classes, and their parameters' values.

Each was trained on awkward data (negative numbers, zeros, fractions, missing values, wide ranges),
converted, and compared with the original on fresh rows; `tests/registry/test_honoured_sklearn.py`
does so again. What is not in the table was not seen to be right, or was seen to be wrong, and is
refused by name: also a parameter that a newer scikit-learn adds to a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class KnownClass:
    """A class that is converted faithfully.

    Attributes:
        values: parameter → the values that were seen to be right.
        free: parameters that have a say in the answers, and convert whatever they are.
        parts: attributes that hold its own estimators, which are looked at in turn.
    """

    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()


Values: TypeAlias = str | tuple[str, ...]
"""Words between spaces; or each as it is, where one holds spaces."""


def _known(
    *shared: Mapping[str, Values], free: str = "", parts: str = "", **values: Values
) -> KnownClass:
    """A class by its free parameters, its parts, and the values of others, some of them shared.

    A parameter that its constructor does not have is what `scikit_learn_parts` reads from the
    fitted model.
    """
    split = {
        name: frozenset(said.split() if isinstance(said, str) else said)
        for some in (*shared, values)
        for name, said in some.items()
    }
    return KnownClass(split, frozenset(free.split()), tuple(parts.split()))


LARGE_LABELS = "whole numbers above 32 bits"
IN_THE_MIDDLE = "before another step"
_NUMBERED: Mapping[str, Values] = {"classes": ("whole numbers", "words", "True and False")}
"""skl2onnx cuts off the labels of these to 32 bits."""
_CLASSIFIER: Mapping[str, Values] = {"classes": (*_NUMBERED["classes"], LARGE_LABELS)}
_LAST: Mapping[str, Values] = {"place": ("as what answers",)}
"""Their columns have no converter: what they answer would be taken for them."""
_KERNELS: Mapping[str, Values] = {"kernel": "linear poly rbf sigmoid"}
_VECTORS: Mapping[str, Values] = {
    "break_ties": "False",
    "decision_function_shape": "ovr",
    **_KERNELS,
    **_CLASSIFIER,
}
_NEIGHBOURS: Mapping[str, Values] = {
    "weights": "uniform",
    "metric_params": "None",
    "fitted_metric": "euclidean manhattan minkowski sqeuclidean",
}
_LAYERS: Mapping[str, Values] = {"activation": "identity logistic tanh relu"}
_SELECTED: Mapping[str, Values] = {"columns": ("several", "one alone")}

TABLE: Mapping[str, KnownClass] = {
    # preprocessing
    "Binarizer": _known(free="threshold"),
    "FunctionTransformer": _known(
        free="accept_sparse feature_names_out inverse_func inv_kw_args validate",
        func="None",
        kw_args="None",
    ),
    "KBinsDiscretizer": _known(free="dtype n_bins strategy", encode="onehot onehot-dense ordinal"),
    "MaxAbsScaler": _known(clip="False"),
    "MinMaxScaler": _known(free="clip feature_range"),
    "Normalizer": _known(norm="l1 l2 max"),
    "OneHotEncoder": _known(
        free="categories dtype feature_name_combiner max_categories min_frequency sparse_output",
        drop="None first if_binary",
        handle_unknown="error ignore infrequent_if_exist",
        categories=("whole numbers", "fractions that float32 has"),
    ),
    "OrdinalEncoder": _known(
        free="categories dtype encoded_missing_value handle_unknown unknown_value",
        min_frequency="None",
        max_categories="None",
        categories=("whole numbers", "fractions that float32 has"),
    ),
    "PolynomialFeatures": _known(free="degree include_bias interaction_only order"),
    "PowerTransformer": _known(free="standardize", method="yeo-johnson box-cox"),
    "QuantileTransformer": _known(free="ignore_implicit_zeros", output_distribution="uniform"),
    "RobustScaler": _known(free="unit_variance with_centering with_scaling"),
    "SimpleImputer": _known(
        free="fill_value keep_empty_features",
        add_indicator="False True",
        missing_values="nan",
        strategy="mean median most_frequent constant",
        columns="all",
    ),
    "StandardScaler": _known(free="with_mean with_std"),
    "TargetEncoder": _known(
        free="categories smooth target_type",
        categories=("whole numbers", "fractions that float32 has"),
    ),
    # decomposition and projection
    "GaussianRandomProjection": _known(free="n_components"),
    "IncrementalPCA": _known(free="n_components whiten"),
    "KernelPCA": _known(
        free="coef0 degree gamma n_components",
        kernel="linear poly rbf sigmoid",  # a row of zeros has a cosine of nan
        kernel_params="None",
    ),
    "NeighborhoodComponentsAnalysis": _known(free="init n_components"),
    "PCA": _known(free="n_components svd_solver whiten"),
    "PLSRegression": _known(_LAST, free="n_components scale"),
    "TruncatedSVD": _known(free="algorithm n_components"),
    # selection of columns
    "GenericUnivariateSelect": _known(_SELECTED, free="mode param score_func"),
    "SelectFdr": _known(_SELECTED, free="score_func"),
    "SelectFpr": _known(_SELECTED, free="score_func"),
    "SelectFromModel": _known(_SELECTED, free="estimator threshold"),
    "SelectFwe": _known(_SELECTED, free="score_func"),
    "SelectKBest": _known(_SELECTED, free="k score_func"),
    "SelectPercentile": _known(_SELECTED, free="percentile score_func"),
    "VarianceThreshold": _known(_SELECTED, free="threshold"),
    # linear models of numbers
    **dict.fromkeys(
        (
            *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "GammaRegressor"),
            *("HuberRegressor", "Lars", "LarsCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsCV"),
            *("LassoLarsIC", "LinearRegression", "MultiTaskElasticNet"),
            *("MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV"),
            *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV"),
            *("PoissonRegressor", "QuantileRegressor", "Ridge", "RidgeCV", "TheilSenRegressor"),
        ),
        _known(),
    ),
    "LinearSVR": _known(free="loss"),
    "PassiveAggressiveRegressor": _known(free="loss"),
    "SGDRegressor": _known(free="learning_rate loss"),
    "RANSACRegressor": _known(free="estimator loss", parts="estimator_"),
    "TweedieRegressor": _known(free="power", link="auto identity log"),
    # linear models of labels
    "LinearDiscriminantAnalysis": _known(_CLASSIFIER, _LAST, free="n_components"),
    "LinearSVC": _known(_CLASSIFIER, free="loss multi_class"),
    "LogisticRegression": _known(_NUMBERED),
    "LogisticRegressionCV": _known(_NUMBERED),
    "PassiveAggressiveClassifier": _known(_NUMBERED, free="loss"),
    "Perceptron": _known(_NUMBERED),
    "QuadraticDiscriminantAnalysis": _known(_CLASSIFIER),
    "RidgeClassifier": _known(_CLASSIFIER),
    "RidgeClassifierCV": _known(_CLASSIFIER),
    "SGDClassifier": _known(
        _CLASSIFIER,
        # Of three classes, modified_huber's labels are wrong.
        free="learning_rate",
        loss="hinge log_loss squared_hinge perceptron squared_error huber",
    ),
    # support vectors
    "NuSVC": _known(_VECTORS, free="coef0 degree gamma probability"),
    "NuSVR": _known(_KERNELS, free="coef0 degree gamma"),
    "SVC": _known(_VECTORS, free="coef0 degree gamma probability"),
    "SVR": _known(_KERNELS, free="coef0 degree gamma"),
    # trees
    "DecisionTreeClassifier": _known(_CLASSIFIER),
    "DecisionTreeRegressor": _known(),
    "ExtraTreeClassifier": _known(_CLASSIFIER),
    "ExtraTreeRegressor": _known(),
    "ExtraTreesClassifier": _known(_CLASSIFIER, parts="estimators_"),
    "ExtraTreesRegressor": _known(parts="estimators_"),
    "GradientBoostingClassifier": _known(
        _CLASSIFIER,
        free="learning_rate",
        parts="estimators_",
        loss="log_loss exponential",
        init="None",
    ),
    "GradientBoostingRegressor": _known(
        free="learning_rate",
        parts="estimators_",
        init="None zero",
        loss="squared_error absolute_error huber quantile",
    ),
    "RandomForestClassifier": _known(_CLASSIFIER, parts="estimators_"),
    "RandomForestRegressor": _known(parts="estimators_"),
    # others
    "BernoulliNB": _known(_NUMBERED, free="binarize"),
    "ComplementNB": _known(_NUMBERED, norm="False"),
    "GaussianNB": _known(_NUMBERED),
    "KNeighborsClassifier": _known(_NEIGHBOURS, _CLASSIFIER, free="algorithm metric n_neighbors p"),
    "KNeighborsRegressor": _known(_NEIGHBOURS, free="algorithm metric n_neighbors p"),
    "MLPClassifier": _known(_LAYERS, _NUMBERED, free="hidden_layer_sizes learning_rate"),
    "MLPRegressor": _known(_LAYERS, free="hidden_layer_sizes learning_rate", loss="squared_error"),
    "MultinomialNB": _known(_NUMBERED),
    # of several parts
    "AdaBoostClassifier": _known(
        classes=("whole numbers", "words"),
        free="estimator learning_rate",
        parts="estimators_",
        of="DecisionTreeClassifier LogisticRegression",
    ),
    "AdaBoostRegressor": _known(
        free="estimator learning_rate loss",
        parts="estimators_",
        of="DecisionTreeRegressor LinearRegression",
    ),
    "BaggingClassifier": _known(
        _NUMBERED,
        free="estimator",
        parts="estimators_",
        of="DecisionTreeClassifier LogisticRegression",
    ),
    "BaggingRegressor": _known(
        targets="one",
        free="estimator",
        parts="estimators_",
        of="DecisionTreeRegressor LinearRegression",
    ),
    "ColumnTransformer": _known(
        free="remainder sparse_threshold transformer_weights transformers",
        parts="transformers_",
        columns=("by their numbers",),
    ),
    "FeatureUnion": _known(
        free="transformer_list transformer_weights",
        parts="transformer_list",
        left_out="nothing",
    ),
    "GridSearchCV": _known(free="estimator", parts="best_estimator_"),
    "MultiOutputRegressor": _known(free="estimator", parts="estimators_"),
    # The scores of those that have no probabilities would be other ones.
    "OneVsRestClassifier": _known(
        _NUMBERED,
        free="estimator",
        parts="estimators_",
        of="DecisionTreeClassifier GaussianNB LogisticRegression RandomForestClassifier",
    ),
    "Pipeline": _known(free="steps", parts="steps"),
    "StackingClassifier": _known(
        _NUMBERED,
        _LAST,
        free="estimators final_estimator passthrough stack_method",
        parts="estimators_ final_estimator_",
        stack_methods="predict_proba",
    ),
    "StackingRegressor": _known(
        _LAST, free="estimators final_estimator passthrough", parts="estimators_ final_estimator_"
    ),
    "VotingRegressor": _known(_LAST, free="estimators", parts="estimators_", weights="None"),
}

HONOURS: Mapping[str, frozenset[str]] = {
    "class": frozenset(TABLE),
    **{
        f"{name} {parameter}": values
        for name, known in TABLE.items()
        for parameter, values in known.values.items()
    },
}
"""The table as a converter's record has it."""
