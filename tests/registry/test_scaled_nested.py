"""Trees behind scalers of which some lie deeper: each asks the row by the steps that feed *it*."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from sealift_registry.frameworks import scikit_learn_step_paths
from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.supported import CONVERTERS
from sealift_registry.frameworks.tree_ensembles import attribute

Estimator: TypeAlias = Any

OPSETS = {"ai.onnx": 15, "ai.onnx.ml": 3}
FRESH = 1000


def table(rows: int, seed: int) -> Array:
    """A year, a code, and two numbers."""
    draw = np.random.default_rng(seed)
    return np.stack(
        [
            draw.integers(1950, 2030, rows) * 1.0,
            draw.choice([1.0, 2.0, 5.0], rows),
            draw.normal(0, 1, rows),
            draw.standard_t(2, rows).round(2),
        ],
        axis=1,
    )


def gaps(rows: Array, seed: int) -> Array:
    return np.where(np.random.default_rng(seed).random(rows.shape) < 0.1, np.nan, rows)


def numbers() -> Mapping[str, Callable[[], Estimator]]:
    """Regressors, by what lies between the first scaler and the trees."""
    from sklearn import ensemble, tree
    from sklearn import linear_model as lm
    from sklearn import preprocessing as p
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA
    from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_regression
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import GridSearchCV
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import make_pipeline as pipe

    def small(**options: Any) -> Estimator:  # noqa: ANN401 - options of scikit-learn
        return tree.DecisionTreeRegressor(**{"max_depth": 5, "random_state": 1} | options)

    def few() -> Estimator:
        return ensemble.RandomForestRegressor(5, max_depth=6, random_state=1)

    def lines() -> list[tuple[str, Estimator]]:
        return [("one", lm.Ridge()), ("other", lm.Lasso(alpha=0.01))]

    def stacked(final: Estimator, **options: Any) -> Estimator:  # noqa: ANN401 - the same
        return ensemble.StackingRegressor(lines(), final, cv=3, **options)

    def members() -> list[tuple[str, Estimator]]:
        scaled = pipe(p.MinMaxScaler(), few())
        return [("one", scaled), ("two", few()), ("three", lm.Ridge())]

    def best(inner: Estimator) -> Estimator:
        return GridSearchCV(inner, {}, cv=2)

    chosen = ColumnTransformer([("a", p.StandardScaler(), [0, 1]), ("b", "passthrough", [2, 3])])
    return {
        "pipeline": lambda: pipe(p.StandardScaler(), pipe(p.MinMaxScaler(), few())),
        "the same again": lambda: pipe(p.StandardScaler(), pipe(p.StandardScaler(), small())),
        "clipped": lambda: pipe(p.MinMaxScaler(), pipe(p.MinMaxScaler(clip=True), small())),
        "mixed": lambda: pipe(p.StandardScaler(), pipe(PCA(), few())),
        "passed on": lambda: pipe(VarianceThreshold(), pipe(p.StandardScaler(), few())),
        "pipelines first": lambda: pipe(pipe(p.StandardScaler(), p.MinMaxScaler()), few()),
        "by column": lambda: pipe(chosen, pipe(p.MinMaxScaler(), few())),
        "three deep": lambda: pipe(p.RobustScaler(), pipe(p.MaxAbsScaler(), pipe(PCA(2), few()))),
        "the best": lambda: pipe(p.StandardScaler(), best(pipe(p.MinMaxScaler(), few()))),
        "the best of all": lambda: best(pipe(p.StandardScaler(), pipe(p.MinMaxScaler(), small()))),
        "the best of the best": lambda: pipe(p.StandardScaler(), best(best(few()))),
        "chosen": lambda: pipe(
            SelectKBest(f_regression, k=3),
            pipe(p.StandardScaler(), ensemble.GradientBoostingRegressor(n_estimators=8)),
        ),
        "chosen later": lambda: pipe(
            p.StandardScaler(), best(pipe(SelectKBest(f_regression, k=2), few()))
        ),
        "voting": lambda: pipe(p.StandardScaler(), ensemble.VotingRegressor(members())),
        "voting on the row": lambda: ensemble.VotingRegressor(members()),
        "stacked": lambda: pipe(
            p.StandardScaler(), ensemble.StackingRegressor(members(), lm.Ridge(), cv=3)
        ),
        "stacked under trees": lambda: pipe(p.StandardScaler(), stacked(few())),
        "stacked under boosted": lambda: pipe(
            p.StandardScaler(), stacked(ensemble.GradientBoostingRegressor(n_estimators=9))
        ),
        "stacked beside the row": lambda: pipe(
            p.StandardScaler(), stacked(few(), passthrough=True)
        ),
        "the best stacked": lambda: pipe(p.StandardScaler(), best(stacked(few()))),
        "filled and stacked": lambda: pipe(SimpleImputer(), stacked(few())),
        "consensus": lambda: pipe(
            p.StandardScaler(),
            lm.RANSACRegressor(pipe(p.MinMaxScaler(), small()), min_samples=80, random_state=1),
        ),
        "one of few columns": lambda: pipe(
            p.StandardScaler(),
            ensemble.BaggingRegressor(n_estimators=1, max_features=2, random_state=3),
        ),
        "one of drawn columns": lambda: pipe(
            p.StandardScaler(),
            ensemble.BaggingRegressor(n_estimators=1, bootstrap_features=True, random_state=2),
        ),
        "several of few columns": lambda: pipe(
            p.StandardScaler(),
            ensemble.BaggingRegressor(n_estimators=4, max_features=0.5, random_state=3),
        ),
        "several of few, scaled again": lambda: pipe(
            p.StandardScaler(),
            ensemble.BaggingRegressor(
                pipe(p.MinMaxScaler(), small()), n_estimators=3, max_features=3, random_state=3
            ),
        ),
        "boosted": lambda: pipe(
            p.StandardScaler(), ensemble.AdaBoostRegressor(n_estimators=4, random_state=1)
        ),
        "several targets": lambda: pipe(
            p.StandardScaler(), MultiOutputRegressor(pipe(p.MinMaxScaler(), few()))
        ),
        "gaps filled": lambda: pipe(
            p.StandardScaler(), pipe(SimpleImputer(), small(min_samples_leaf=5))
        ),
        "gaps filled by the best": lambda: pipe(
            p.StandardScaler(), best(pipe(SimpleImputer(strategy="median"), small()))
        ),
        "gaps filled first": lambda: pipe(SimpleImputer(), pipe(p.StandardScaler(), few())),
        "gaps kept": lambda: pipe(p.StandardScaler(), pipe(p.MinMaxScaler(), small())),
        "gaps told": lambda: pipe(
            p.RobustScaler(), pipe(SimpleImputer(add_indicator=True), small())
        ),
    }


def classes() -> Mapping[str, Callable[[], Estimator]]:
    """Classifiers, in the same way."""
    from sklearn import ensemble, tree
    from sklearn import linear_model as lm
    from sklearn import preprocessing as p
    from sklearn.feature_selection import SelectKBest
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline as pipe

    def few() -> Estimator:
        return ensemble.RandomForestClassifier(5, max_depth=6, random_state=1)

    def boosted() -> Estimator:
        return ensemble.GradientBoostingClassifier(n_estimators=8, random_state=1)

    def stacked(final: Estimator) -> Estimator:
        lines = [("a", lm.LogisticRegression()), ("b", lm.LogisticRegression(C=0.01))]
        return ensemble.StackingClassifier(lines, final, cv=3)

    final = tree.DecisionTreeClassifier(max_depth=4, random_state=1)
    return {
        "the best": lambda: pipe(
            p.StandardScaler(), GridSearchCV(pipe(p.MinMaxScaler(), few()), {}, cv=2)
        ),
        "chosen": lambda: pipe(SelectKBest(k=3), pipe(p.StandardScaler(), boosted())),
        "nothing done first": lambda: pipe(p.FunctionTransformer(), pipe(p.MinMaxScaler(), few())),
        "stacked under a tree": lambda: pipe(p.StandardScaler(), stacked(final)),
        "stacked under trees": lambda: pipe(p.StandardScaler(), stacked(few())),
        "stacked under boosted": lambda: pipe(p.StandardScaler(), stacked(boosted())),
        "one against the rest": lambda: pipe(
            p.StandardScaler(), OneVsRestClassifier(pipe(p.MinMaxScaler(), few()))
        ),
        "one of few columns": lambda: pipe(
            p.StandardScaler(),
            ensemble.BaggingClassifier(n_estimators=1, max_features=0.5, random_state=3),
        ),
    }


def wrong(estimator: Estimator, rows: Array, folder: Path) -> list[str]:
    """How many of `rows` are answered otherwise than by `estimator`, at once and one by one."""
    source = SklearnModel(estimator)
    path = folder / "variant.onnx"
    path.write_bytes(source.to_onnx(OPSETS, CONVERTERS["skops"].options).SerializeToString())
    model, given = RuntimeModel(path), rows.astype(np.float32)
    theirs = source.answer({"inputs": given.astype(np.float64)})
    at_once = model.answer({"inputs": given})
    each = [model.answer({"inputs": row}) for row in np.split(given, len(given))]
    alone = {name: np.concatenate([one[name] for one in each]) for name in at_once}
    found = []
    for how, ours in (("at once", at_once), ("one by one", alone)):
        for name, answers in theirs.items():
            differing = differ(ours[name].reshape(answers.shape), answers)
            found += [f"{name} {how}: {differing} rows"] if differing else []
    return found


def differ(ours: Array, theirs: Array) -> int:
    if theirs.dtype.kind != "f":
        return int((ours != theirs).sum())
    far = ~np.isclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.std())
    return int(far.reshape(len(theirs), -1).any(axis=1).sum())


def target(rows: Array) -> Array:
    known = np.nan_to_num(rows)
    return np.asarray(
        np.sin(known[:, 0] / 9) + known[:, 2] * 0.7 + (known[:, 1] == 2) + known[:, 3] * 0.1
    )


NUMBERS = (
    *("pipeline", "the same again", "clipped", "mixed", "passed on"),
    *("pipelines first", "by column", "three deep", "the best", "the best of all"),
    *("the best of the best", "chosen", "chosen later", "voting", "voting on the row", "stacked"),
    *("stacked under trees", "stacked under boosted", "stacked beside the row"),
    *("the best stacked", "filled and stacked", "consensus", "one of few columns"),
    *("one of drawn columns", "several of few columns", "several of few, scaled again"),
    *("boosted", "several targets", "gaps filled", "gaps filled by the best"),
    *("gaps filled first", "gaps kept", "gaps told"),
)
CLASSES = (
    *("the best", "chosen", "nothing done first", "stacked under a tree", "stacked under trees"),
    *("stacked under boosted", "one against the rest", "one of few columns"),
)


@pytest.mark.parametrize("name", NUMBERS)
def test_p0_340_trees_behind_steps_within_steps_answer_as_the_source(
    name: str, tmp_path: Path
) -> None:
    estimator, rows, fresh = numbers()[name](), table(500, 3), table(FRESH, 4)
    if "gaps" in name or "filled" in name:
        rows, fresh = gaps(rows, 5), gaps(fresh, 6)
    wanted = target(rows)
    several = np.stack([wanted, -2 * wanted], axis=1)
    estimator.fit(rows, several if name == "several targets" else wanted)
    assert wrong(estimator, fresh, tmp_path) == []


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("name", CLASSES)
def test_p0_341_so_do_classifiers(name: str, labels: int, tmp_path: Path) -> None:
    estimator, rows, fresh = classes()[name](), table(500, 3), table(FRESH, 4)
    estimator.fit(rows, np.digitize(target(rows), [0.4] if labels == 2 else [0.0, 1.0]))
    assert wrong(estimator, fresh, tmp_path) == []


def graph(estimator: Estimator, rows: Array) -> Any:  # noqa: ANN401 - onnx is Any to us
    estimator.fit(rows, target(rows))
    return SklearnModel(estimator).to_onnx(OPSETS, CONVERTERS["skops"].options).graph


@pytest.mark.parametrize("name", ["pipeline", "the best", "pipelines first", "the best of all"])
def test_p0_342_a_pipeline_within_another_is_left_out_like_a_flat_one(name: str) -> None:
    found = graph(numbers()[name](), table(500, 3))
    assert found.node[0].op_type == "TreeEnsembleRegressor"
    assert not any(node.op_type in {"Scaler", "Sub", "Mul"} for node in found.node)


def test_p0_343_each_that_votes_asks_the_row_by_its_own_steps() -> None:
    found = graph(numbers()["voting"](), table(500, 3))
    trees = [node for node in found.node if node.op_type == "TreeEnsembleRegressor"]
    assert [list(node.input) for node in trees] == [["inputs"]] * 2
    asked = [set(attribute(node, "nodes_values").floats) - {0.0} for node in trees]
    assert min(map(min, asked)) < 1950
    # Years, of which no scaler makes anything near.
    assert all(max(one) > 1950 for one in asked)


def test_p0_344_trees_that_ask_no_scaled_column_are_left_as_they_are() -> None:
    estimator = numbers()["stacked under trees"]()
    (trees,) = [
        node
        for node in graph(estimator, table(500, 3)).node
        if node.op_type == "TreeEnsembleRegressor"
    ]
    assert trees.input[0] != "inputs"
    final = estimator[-1].final_estimator_.estimators_
    wanted = np.concatenate([one.tree_.threshold[one.tree_.feature >= 0] for one in final])
    inner = np.array(attribute(trees, "nodes_modes").strings) != b"LEAF"
    found = np.array(attribute(trees, "nodes_values").floats)[inner]
    np.testing.assert_allclose(np.sort(found), np.sort(wanted), rtol=1e-6)


def test_p0_345_two_tensors_mean_the_same_only_if_all_before_them_is_the_same() -> None:
    from onnx import TensorProto, helper

    def meaning(kind: str, number: float, wide: int = TensorProto.DOUBLE) -> bytes:
        """Of what is made by `kind` of the row and `number`, by whatever names."""
        name = f"{kind}{number}"
        nodes = [
            helper.make_node("Cast", ["row"], [f"wide{name}"], to=wide),
            helper.make_node(kind, [f"wide{name}", f"number{name}"], [f"made{name}"]),
            helper.make_node("Identity", [f"made{name}"], [f"same{name}"]),
            helper.make_node("Cast", [f"same{name}"], [name], to=TensorProto.FLOAT),
        ]
        row, made = (
            helper.make_tensor_value_info(one, TensorProto.FLOAT, [None, 2])
            for one in ("row", name)
        )
        tensors = [helper.make_tensor(f"number{name}", TensorProto.DOUBLE, [1], [number])]
        return scikit_learn_step_paths.end(helper.make_graph(nodes, "g", [row], [made], tensors))

    assert meaning("Sub", 1.0) == meaning("Sub", 1.0)
    others = [meaning("Add", 1.0), meaning("Sub", 2.0), meaning("Sub", 1.0, TensorProto.INT64)]
    assert meaning("Sub", 1.0) not in others
    assert len(set(others)) == 3


def test_p0_346_what_is_cut_to_whole_numbers_is_not_what_it_was_cut_from() -> None:
    from onnx import TensorProto, helper

    def end(kind: int) -> bytes:
        nodes = [
            helper.make_node("Cast", ["row"], ["cast"], to=kind),
            helper.make_node("Cast", ["cast"], ["made"], to=TensorProto.FLOAT),
        ]
        row, made = (
            helper.make_tensor_value_info(one, TensorProto.FLOAT, [None, 2])
            for one in ("row", "made")
        )
        return scikit_learn_step_paths.end(helper.make_graph(nodes, "g", [row], [made]))

    assert end(TensorProto.DOUBLE) == scikit_learn_step_paths.ROW
    assert end(TensorProto.INT64) != scikit_learn_step_paths.ROW
