"""What a variant bears beside its numbers, and what a model says of itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import pytest
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from sealift_registry.conversion.recipe import OPSETS
from sealift_registry.frameworks import variant_names
from sealift_registry.frameworks.framework import Tree
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.onnx_runs import ReferenceModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_signing.errors import RefusedError
from tests.registry.converting import Array, Converted, awkward, targets

ROWS = awkward(200, 1)
NAMES = ["age", "área <m²>", "floor's", "x\ny", "\u202eevil"]


def light(given: dict[str, Any], labels: Array, **said: Any) -> LightgbmModel:  # noqa: ANN401 - LightGBM's own
    quiet = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    data = lightgbm.Dataset(ROWS, labels, params={"verbose": -1}, **said)
    return LightgbmModel(lightgbm.train({**quiet, **given}, data, 3))


def extreme(given: dict[str, Any], labels: Array, **said: Any) -> XgboostModel:  # noqa: ANN401 - XGBoost's own
    return XgboostModel(
        xgboost.train({"nthread": 1, **given}, xgboost.DMatrix(ROWS, labels, **said), 3)
    )


# -------------------------------------------------------------------- names


def test_p0_19_a_variant_bears_the_features_and_classes_of_its_source() -> None:
    estimator = LogisticRegression(max_iter=200).fit(ROWS, targets(ROWS, "words"))
    estimator.feature_names_in_ = np.array(NAMES, object)
    variant = Converted(SklearnModel(estimator))
    assert json.loads(variant.names["sealift.features"]) == NAMES
    assert json.loads(variant.names["sealift.classes"]) == ["blue", "green", "red"]
    assert set(variant.answer(ROWS)["label"]) == {"blue", "green", "red"}
    assert variant.shapes == {"label": ["rows"], "probabilities": ["rows", 3]}


def test_p0_60_names_of_lightgbm_and_xgboost() -> None:
    plain = ["age", "area", "floor", "rooms", "year"]
    two, three = targets(ROWS, "two"), targets(ROWS, "three")
    variant = Converted(light({"objective": "binary"}, two, feature_name=plain))
    assert json.loads(variant.names["sealift.features"]) == plain
    assert json.loads(variant.names["sealift.classes"]) == ["0", "1"]
    given = {"objective": "multi:softprob", "num_class": 3}
    variant = Converted(extreme(given, three, feature_names=plain))
    assert json.loads(variant.names["sealift.features"]) == plain
    assert json.loads(variant.names["sealift.classes"]) == ["0", "1", "2"]


def test_p0_61_names_that_a_library_made_up_are_not_borne() -> None:
    numbers = targets(ROWS, "numbers")
    assert Converted(light({"objective": "regression"}, numbers)).names == {}
    assert Converted(extreme({"objective": "reg:squarederror"}, numbers)).names == {}


def test_p0_62_the_codes_of_categories_are_borne() -> None:
    known = np.stack([np.arange(40) % 4 - 1, np.arange(40) % 3 * 0.5], axis=1)
    variant = Converted(SklearnModel(OrdinalEncoder().fit(known)))
    assert json.loads(variant.names["sealift.categories"]) == {
        "0": [-1.0, 0.0, 1.0, 2.0],
        "1": [0.0, 0.5, 1.0],
    }


def test_p0_175_categories_are_borne_by_the_columns_of_the_input() -> None:
    """Also behind what fills in, and where columns were chosen in another order."""
    rows = np.stack([ROWS[:, 0], np.arange(200) % 3 * 10.0, np.arange(200) % 2 + 5.0], axis=1)
    parts = ColumnTransformer(
        [("b", OneHotEncoder(handle_unknown="ignore"), [2]), ("a", OrdinalEncoder(), [1])],
        remainder="passthrough",
    )
    model = make_pipeline(SimpleImputer(), parts, LogisticRegression(max_iter=200))
    variant = Converted(SklearnModel(model.fit(rows, targets(ROWS, "two"))))
    assert json.loads(variant.names["sealift.categories"]) == {
        "1": [0.0, 10.0, 20.0],
        "2": [5.0, 6.0],
    }


def test_p0_63_a_stranger_s_words_are_printable_ascii_without_what_html_reads() -> None:
    model = onnx.ModelProto()
    variant_names.bear(model, variant_names.Names(features=[*NAMES, '"', "</script>", "\x00\x7f"]))
    (said,) = model.metadata_props
    assert said.value.isascii()
    assert said.value.isprintable()
    assert not set(said.value) & set("<>&'")
    assert json.loads(said.value)[-3:] == ['"', "</script>", "\x00\x7f"]


@pytest.mark.parametrize("features", [["a" * 201], ["name"] * 20_000])
def test_p0_64_names_that_are_too_long_are_left_out_whole(features: list[str]) -> None:
    model = onnx.ModelProto()
    variant_names.bear(model, variant_names.Names(features=features, classes=["no", "yes"]))
    assert [one.key for one in model.metadata_props] == ["sealift.classes"]


def test_p0_72_what_breaks_down_beside_the_converter_is_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        msg = "a name"
        raise KeyError(msg)

    monkeypatch.setattr(variant_names, "bear", broken)
    two = targets(ROWS, "two")
    for model in (
        SklearnModel(LogisticRegression(max_iter=200).fit(ROWS, two)),
        light({"objective": "binary"}, two),
        extreme({"objective": "binary:logistic"}, two),
    ):
        with pytest.raises(RefusedError) as caught:
            Converted(model)
        assert caught.value.code == "converter-unknown"


# -------------------------------------------------------------------- for the oldest runtime


def test_p0_65_what_is_written_is_read_by_the_oldest_runtime_that_is_promised() -> None:
    """1.17 reads IR 9 and opset 20; a converter writes what its own ONNX knows."""
    variants = [
        Converted(SklearnModel(LogisticRegression(max_iter=200).fit(ROWS, targets(ROWS, "two")))),
        Converted(light({"objective": "binary"}, targets(ROWS, "two"))),
        Converted(extreme({"objective": "binary:logistic"}, targets(ROWS, "two"))),
    ]
    for variant in variants:
        model = onnx.load_from_string(variant.content)
        assert model.ir_version == 8
        domains = {one.domain or "ai.onnx": one.version for one in model.opset_import}
        assert all(version <= OPSETS[domain] for domain, version in domains.items())


# -------------------------------------------------------------------- facts


def test_p0_66_trees_that_are_fed_the_raw_input_are_told() -> None:
    """Also behind steps that only choose columns, by the numbers that the input has."""
    rows, labels = ROWS, targets(ROWS, "three")
    steps = make_pipeline(
        SimpleImputer(),
        ColumnTransformer([("a", "passthrough", [4, 2]), ("b", StandardScaler(), [0])]),
        DecisionTreeClassifier(max_depth=1),
    ).fit(rows, rows[:, 2] > 0)
    (tree,) = SklearnModel(steps).facts().trees
    assert tree.feature.tolist() == [2, -1, -1]
    forest = RandomForestClassifier(4, random_state=0).fit(rows, labels)
    facts = SklearnModel(forest).facts()
    assert len(facts.trees) == 4
    assert facts.classes == ["0", "1", "2"]
    assert not facts.may_tie


def test_p0_67_trees_that_are_fed_what_was_computed_may_tie() -> None:
    labels = targets(ROWS, "two")
    derived = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3))
    facts = SklearnModel(derived.fit(ROWS, labels)).facts()
    assert facts.trees == []
    assert facts.may_tie
    assert SklearnModel(KNeighborsClassifier().fit(ROWS, labels)).facts().may_tie


def test_p0_68_edges_and_categories_are_told_by_the_input_s_columns() -> None:
    whole = np.round(ROWS)
    bins = KBinsDiscretizer(3, encode="ordinal", strategy="uniform", subsample=None)
    parts = ColumnTransformer(
        [("a", bins, [0]), ("b", Binarizer(threshold=0.25), [1]), ("c", OneHotEncoder(), [2])],
        remainder="passthrough",
    )
    model = make_pipeline(parts, LogisticRegression(max_iter=200)).fit(whole, targets(ROWS, "two"))
    facts = SklearnModel(model).facts()
    assert set(facts.edges) == {0, 1}
    assert facts.edges[1] == [0.25]
    assert len(facts.edges[0]) == 2
    assert facts.categories == {2: sorted(set(whole[:, 2]))}


def test_p0_69_a_thousand_trees_are_told_quickly() -> None:
    rows = awkward(400, 1)
    forest = RandomForestRegressor(1000, max_depth=8, random_state=0, n_jobs=1)
    model = SklearnModel(forest.fit(rows, targets(rows, "numbers")))
    begun = time.process_time()
    facts = model.facts()
    assert len(facts.trees) == 1000
    assert time.process_time() - begun < 5


def test_p0_70_onnx_tells_the_trees_that_are_fed_its_input(tmp_path: Path) -> None:
    two = targets(ROWS, "two")
    source = light({"objective": "binary"}, two)
    raw = Converted(source)
    (tmp_path / "model.onnx").write_bytes(raw.content)
    told, meant = ReferenceModel(tmp_path / "model.onnx").facts().trees, source.facts().trees
    assert len(told) == len(meant) == 3
    assert sorted(_asked(told[0])) == sorted(_asked(meant[0]))
    derived = make_pipeline(PCA(2), DecisionTreeClassifier(max_depth=3)).fit(ROWS, two)
    (tmp_path / "model.onnx").write_bytes(Converted(SklearnModel(derived)).content)
    assert ReferenceModel(tmp_path / "model.onnx").facts().trees == ()


def _asked(tree: Tree) -> list[tuple[int, float]]:
    """What a tree asks, its thresholds as the float32 that are not above."""
    return [
        (int(column), float(np.float32(threshold)) if threshold == np.float32(threshold) else float(
            np.nextafter(np.float32(threshold), np.float32(-np.inf))
            if np.float32(threshold) > threshold else np.float32(threshold)))
        for column, threshold in zip(tree.feature, tree.threshold, strict=True)
        if column >= 0
    ]  # fmt: skip
