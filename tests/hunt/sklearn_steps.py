"""What people put before an estimator: pipelines, unions, a transformer for each kind of column."""

from __future__ import annotations

from typing import Any, TypeAlias

from tests.hunt.data import Table
from tests.hunt.draws import Draws

Step: TypeAlias = Any
WIDEST = 30
"""Columns that polynomial features may have."""


def scaler(draws: Draws) -> Step:
    from sklearn import preprocessing as p

    return draws.made(
        (
            p.StandardScaler,
            p.StandardScaler,
            lambda: p.StandardScaler(with_mean=False),
            p.MinMaxScaler,
            lambda: p.MinMaxScaler((-1, 1), clip=draws.chance(0.5)),
            p.RobustScaler,
            lambda: p.RobustScaler(quantile_range=(10, 90), unit_variance=draws.chance(0.3)),
            p.MaxAbsScaler,
            lambda: p.Normalizer(draws.pick(("l1", "l2", "max"))),
            lambda: p.PowerTransformer(standardize=draws.chance(0.7)),
            lambda: p.QuantileTransformer(n_quantiles=20),
            lambda: p.QuantileTransformer(n_quantiles=20, output_distribution="normal"),
        )
    )


def imputer(draws: Draws) -> Step:
    from sklearn import impute

    return draws.made(
        (
            lambda: impute.SimpleImputer(
                strategy=draws.pick(("mean", "median", "most_frequent")),
                add_indicator=draws.chance(0.2),
            ),
            lambda: impute.SimpleImputer(strategy="constant", fill_value=draws.pick((0, -1, 99))),
            lambda: impute.KNNImputer(n_neighbors=3),
        )
    )


def binner(draws: Draws) -> Step:
    from sklearn import preprocessing as p

    return draws.made(
        (
            lambda: p.KBinsDiscretizer(
                draws.whole(2, 8),
                encode=draws.pick(("ordinal", "onehot-dense", "onehot")),
                strategy=draws.pick(("uniform", "quantile", "kmeans")),
                quantile_method="averaged_inverted_cdf",
                subsample=None,
            ),
            lambda: p.Binarizer(threshold=draws.pick((0.0, 0.5, 1.0))),
        )
    )


def encoder(draws: Draws) -> Step:
    from sklearn import preprocessing as p

    unknown = draws.pick(("ignore", "ignore", "infrequent_if_exist"))
    return draws.made(
        (
            lambda: p.OneHotEncoder(handle_unknown=unknown, sparse_output=draws.chance(0.5)),
            lambda: p.OneHotEncoder(handle_unknown="ignore", drop=draws.pick(("first", None))),
            lambda: p.OneHotEncoder(handle_unknown="ignore", min_frequency=0.2),
            lambda: p.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            lambda: p.OrdinalEncoder(
                handle_unknown="use_encoded_value", unknown_value=-2, encoded_missing_value=-5
            ),
            lambda: p.TargetEncoder(cv=2, random_state=1),
        )
    )


def maker(draws: Draws, width: int) -> Step:
    """New features of old ones."""
    from sklearn import decomposition, feature_selection
    from sklearn import preprocessing as p

    few = draws.whole(1, max(1, min(width, 4)))
    return draws.made(
        (
            lambda: p.PolynomialFeatures(
                2, interaction_only=draws.chance(0.4), include_bias=draws.chance(0.6)
            ),
            lambda: decomposition.PCA(few, whiten=draws.chance(0.4)),
            lambda: decomposition.TruncatedSVD(few, random_state=1),
            lambda: feature_selection.VarianceThreshold(1e-12),
            lambda: feature_selection.SelectKBest(k=few),
            lambda: p.SplineTransformer(n_knots=4),
        )
    )


def steps(draws: Draws, table: Table, *, takes_missing: bool, least: str) -> list[Step]:
    """The steps before the estimator."""
    found: list[Step] = []
    width = len(table.columns)
    if table.has_missing and not (takes_missing and draws.chance(0.6)):
        found.append(imputer(draws))
    if least == "codes":
        return found
    coded = table.where(("codes", "flag"))
    if coded and draws.chance(0.5):
        found.append(_by_column(draws, table, coded))
    if draws.chance(0.5):
        found.append(scaler(draws))
    if draws.chance(0.15):
        found.append(binner(draws))
    if draws.chance(0.25) and width < WIDEST:
        found.append(maker(draws, width))
    if draws.chance(0.12):
        found.append(_union(draws, width))
    if least == "zero":
        from sklearn.preprocessing import MinMaxScaler

        found.append(MinMaxScaler(clip=True))
    return found


def _by_column(draws: Draws, table: Table, coded: list[int]) -> Step:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    plain = [at for at in range(len(table.columns)) if at not in coded]
    parts: list[tuple[str, Step, list[int]]] = [("codes", encoder(draws), coded)]
    if plain and draws.chance(0.8):
        step = scaler(draws)
        if table.has_missing and draws.chance(0.5):
            step = make_pipeline(imputer(draws), step)
        parts.append(("plain", step, plain))
    if draws.chance(0.3):
        parts.reverse()
    rest = draws.pick(("drop", "passthrough", "passthrough"))
    return ColumnTransformer(
        parts,
        remainder=rest,
        sparse_threshold=draws.pick((0.0, 0.3)),
        verbose_feature_names_out=True,
    )


def _union(draws: Draws, width: int) -> Step:
    from sklearn.pipeline import FeatureUnion

    return FeatureUnion([("one", scaler(draws)), ("two", maker(draws, width))])
