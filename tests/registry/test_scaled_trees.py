"""Trees behind scalers: whole numbers lie on the very middle where they part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from sealift_registry.frameworks import scikit_learn_scaled
from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.supported import CONVERTERS

Estimator: TypeAlias = Any

OPSETS = {"ai.onnx": 15, "ai.onnx.ml": 3}
YEARS = np.arange(1950.0, 2031.0)


def table(rows: int, seed: int = 3) -> Array:
    """A year, of which only the even ones were trained on; a code; and two numbers."""
    draw = np.random.default_rng(seed)
    return np.stack(
        [
            draw.integers(975, 1015, rows) * 2.0,
            draw.choice([1.0, 2.0, 5.0], rows),
            draw.normal(0, 1e-6, rows),
            draw.standard_t(2, rows).round(2),
        ],
        axis=1,
    )


def models() -> Mapping[str, Estimator]:
    from sklearn import ensemble, preprocessing, tree
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import FeatureUnion, make_pipeline

    p = preprocessing
    codes = p.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    by_column = ColumnTransformer([("codes", codes, [1]), ("rest", p.RobustScaler(), [0, 2, 3])])
    both = FeatureUnion([("one", p.MinMaxScaler()), ("two", VarianceThreshold())])
    wide = ensemble.RandomForestRegressor(20, random_state=1)
    return {
        "standard": make_pipeline(p.StandardScaler(), tree.DecisionTreeClassifier()),
        "least and most": make_pipeline(p.MinMaxScaler((-3, 7), clip=True), wide),
        "largest": make_pipeline(p.MaxAbsScaler(), ensemble.GradientBoostingRegressor()),
        "robust": make_pipeline(p.RobustScaler(), ensemble.ExtraTreesClassifier(10)),
        "one after the other": make_pipeline(p.MaxAbsScaler(), p.StandardScaler(), wide),
        "filled": make_pipeline(SimpleImputer(), p.StandardScaler(), wide),
        "chosen": make_pipeline(p.MaxAbsScaler(), VarianceThreshold(1e-2), wide),
        "by column": make_pipeline(by_column, wide),
        "beside each other": make_pipeline(both, tree.DecisionTreeRegressor()),
    }


NAMES = (
    *("standard", "least and most", "largest", "robust", "one after the other"),
    *("filled", "chosen", "by column", "beside each other"),
)


@pytest.mark.parametrize("name", NAMES)
def test_p0_90_a_tree_behind_scalers_turns_where_the_source_does(name: str, tmp_path: Path) -> None:
    from sklearn.base import is_classifier

    estimator, rows = models()[name], table(400)
    target = np.sin(rows[:, 0]) + rows[:, 3] * 0.1 + (rows[:, 1] == 2)
    estimator.fit(rows, (target > 0.5) * 1 if is_classifier(estimator) else target)
    source = SklearnModel(estimator)
    path = tmp_path / "variant.onnx"
    made = source.to_onnx(OPSETS, CONVERTERS["skops"].options)
    path.write_bytes(made.SerializeToString())
    fresh = np.repeat(table(25, seed=4), len(YEARS), axis=0)
    fresh[:, 0] = np.tile(YEARS, 25)
    fresh = np.concatenate([fresh, beside(made, fresh)])
    inputs = {"inputs": fresh.astype(np.float32)}
    ours = RuntimeModel(path).answer(inputs)
    theirs = source.answer({"inputs": inputs["inputs"].astype(np.float64)})
    for output, answers in theirs.items():
        found = ours[output].reshape(answers.shape)
        np.testing.assert_allclose(found, answers, rtol=1e-5, atol=1e-5)


def beside(made: Any, rows: Array) -> Array:  # noqa: ANN401 - onnx is Any to us
    """Rows on each threshold of the variant that asks the row itself, and one step beyond."""
    found: list[Array] = []
    for node in made.graph.node:
        said = {one.name: one for one in node.attribute}
        if "nodes_values" in said:
            values = np.array(said["nodes_values"].floats, np.float32)
            features = np.array(said["nodes_featureids"].ints)
            inner = [one != b"LEAF" for one in said["nodes_modes"].strings]
            for value, feature in list(zip(values[inner], features[inner], strict=True))[:300]:
                for number in (value, np.nextafter(value, np.float32(np.inf))):
                    row = rows[len(found) % len(rows)].copy()
                    if feature < len(row) and np.isfinite(number):
                        row[feature] = number
                    found.append(row)
    return np.array(found)


def test_p0_90_such_a_tree_is_fed_the_row_and_nothing_else(tmp_path: Path) -> None:
    estimator, rows = models()["least and most"], table(400)
    estimator.fit(rows, rows[:, 3])
    made = SklearnModel(estimator).to_onnx(OPSETS, CONVERTERS["skops"].options)
    found = [node.op_type for node in made.graph.node]
    assert found == ["TreeEnsembleRegressor", "Cast", "Identity"]
    assert not made.graph.initializer


@pytest.mark.parametrize(
    "name, columns",
    [
        ("standard", [0, 1, 2, 3]),
        ("filled", [0, 1, 2, 3]),
        ("by column", [-1, -1, -1, 0, 2, 3]),
        ("beside each other", [0, 1, 2, 3, 0, 1, 2, 3]),
    ],
)
def test_p0_90_a_column_is_known_by_the_one_that_it_grows_with(
    name: str, columns: list[int]
) -> None:
    estimator, rows = models()[name], table(400)
    estimator.fit(rows, (rows[:, 3] > 0) * 1)
    assert scikit_learn_scaled.columns_of(estimator[:-1], 4).tolist() == columns


def test_p0_90_what_is_mixed_of_several_columns_grows_with_none() -> None:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import Normalizer, StandardScaler

    rows = table(50)
    for mixing in (PCA(2), Normalizer()):
        before = make_pipeline(StandardScaler(), mixing).fit(rows)
        assert (scikit_learn_scaled.columns_of(before, 4) == -1).all()
    weighed = FeatureUnion([("one", StandardScaler())], transformer_weights={"one": -2.0}).fit(rows)
    assert (scikit_learn_scaled.columns_of(weighed, 4) == -1).all()
