"""XGBoost models in its own two formats, which hold no code.

Its own reader, which is native code, must take the file. That the reader runs in the scanner,
within limits, is the point: a file that would crash it crashes the scanner, and is not let in.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.frameworks import tree_ensembles, variant_names
from sealift_registry.frameworks.framework import (
    INPUT,
    Array,
    Converter,
    Format,
    Framework,
    ModelFacts,
    ModelFolder,
    converting,
    decided,
    only_input,
    unfit,
)
from sealift_registry.frameworks.tree_ensembles import Grown
from sealift_registry.frameworks.variant_names import Names
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import counted

_JSON = rb'\s*\{\s*("version"\s*:\s*\[[\d,\s]*\]\s*,\s*)?"learner"\s*:'

BOOSTERS = frozenset({"dart", "gblinear", "gbtree"})

BINARY, MULTICLASS = "binary:logistic", "multi:softprob"
NUMBERS = frozenset(
    {"count:poisson", "reg:absoluteerror", "reg:gamma", "reg:pseudohubererror"}
    | {"reg:quantileerror", "reg:squarederror", "reg:squaredlogerror", "reg:tweedie"}
)
"""Objectives whose answer is one number a row."""

TREES = "gbtree"
HONOURS: Mapping[str, frozenset[str]] = {
    "objective": NUMBERS | {BINARY, MULTICLASS},
    # The weights of dart's trees would be dropped, and gblinear has no trees.
    "booster": frozenset({TREES}),
    # More are counted as further rounds, and classes are taken for others.
    "num_parallel_tree": frozenset({"1"}),
    # A runtime takes the two trees a round of multi:softprob for one answer.
    "num_class": frozenset({"none", "three or more"}),
    # Several targets, or quantiles, a row.
    "num_target": frozenset({"1"}),
    "numbers a leaf": frozenset({"1"}),
    "base_score": frozenset({"one number", "one number a class"}),
    "split_type": frozenset({"numerical"}),
}


# -------------------------------------------------------------------- telling it


def is_ubj(head: bytes, _data: BinaryIO) -> bool:
    """An object in Universal Binary JSON whose first member is `learner` or `version`."""
    members = (b"learner", b"version")
    return any(head.startswith(b"{L" + struct.pack(">q", len(one)) + one) for one in members)


def is_json(head: bytes, _data: BinaryIO) -> bool:
    """JSON whose first member is `learner`, or `version` and then `learner`."""
    return re.match(_JSON, head) is not None


# -------------------------------------------------------------------- scanning it


def readable(folder: Path, survey: ModelFolder) -> str:
    """XGBoost reads the file, and finds a model of a known booster in it.

    Raises:
        RefusedError: it does not.
    """
    import xgboost

    booster = xgboost.Booster()
    try:
        # Given bytes, XGBoost looks at the content; given a path, at the name's ending.
        booster.load_model(bytearray((folder / survey.model).read_bytes()))
        config = json.loads(booster.save_config())
        kind = config["learner"]["gradient_booster"]["name"]
        features = booster.num_features()
    except (xgboost.core.XGBoostError, ValueError, KeyError) as bad:
        raise _refused(survey.model, bad) from bad
    if kind not in BOOSTERS or features < 1:
        raise _refused(survey.model, ValueError(f"booster {kind}"))
    known = "" if kind == TREES else f", and no converter knows what {kind} makes"
    return f"XGBoost reads it: a {kind} model of {counted(features, 'feature')}{known}."


def _refused(path: str, bad: Exception) -> RefusedError:
    return RefusedError(
        "xgboost-model",
        f"XGBoost cannot read {path}: {first_line(bad)}.",
        subject=path,
        next_step="Save the model again, and ingest that.",
    )


# -------------------------------------------------------------------- running and converting it


def load(path: Path) -> XgboostModel:
    """The booster in the file at `path`; see `framework.Load`."""
    import xgboost

    booster = xgboost.Booster()
    try:
        # Given bytes, XGBoost looks at the content; given a path, at the name's ending.
        booster.load_model(bytearray(path.read_bytes()))
    except xgboost.core.XGBoostError as bad:
        raise RefusedError(
            "model-unreadable",
            f"XGBoost cannot read {path.name}: {first_line(bad)}.",
            subject=path.name,
            next_step="Save the model again, and ingest that.",
        ) from bad
    return XgboostModel(_best(booster))


def _best(booster: Any) -> Any:  # noqa: ANN401 - XGBoost is Any to us
    """The rounds that XGBoost's scikit-learn classes answer by.

    After stopping early they leave out the rounds that came after the best one, which are in the
    file nevertheless; the plain Booster answers by all of them.
    """
    best = booster.attr("best_iteration")
    if best is None or booster.attr("scikit_learn") is None:
        return booster
    return booster[: int(best) + 1]


class XgboostModel:
    """A booster, whichever of XGBoost's classes saved it."""

    def __init__(self, booster: Any) -> None:  # noqa: ANN401 - XGBoost is Any to us
        self._names = tuple(booster.feature_names or ())
        # The converter understands f0, f1 … only; the columns' names are borne by the variant.
        booster.feature_names = None
        booster.feature_types = None
        self._booster = booster
        self._learner = json.loads(bytes(booster.save_raw("json")))["learner"]
        self._objective = str(self._learner["objective"]["name"])

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `frameworks.framework.Model`."""
        import xgboost

        features = only_input(inputs)
        try:
            found = self._booster.predict(xgboost.DMatrix(features), validate_features=False)
        except MemoryError:
            raise
        except Exception as bad:
            # Odd rows are met with any class of error.
            raise unfit(bad, self._objective, features, self._booster.num_features()) from bad
        two, several = self._objective == BINARY, self._objective == MULTICLASS
        return decided(found, two=two, several=several)

    def facts(self) -> ModelFacts:
        """See `frameworks.framework.Model`."""
        numeric = not any(any(tree["split_type"]) for tree in self._trees)
        trees = [one.tree for one in self._grown()] if numeric else ()
        return ModelFacts(trees=trees, classes=self._classes, predicts=True)

    @property
    def _classes(self) -> tuple[str, ...]:
        counts = {BINARY: 2, MULTICLASS: self._said("num_class")}
        return tuple(map(str, range(counts.get(self._objective, 0))))

    def parameters(self) -> list[tuple[str, str]]:
        """See `framework.Convertible`."""
        found = [("objective", self._objective), ("booster", self._kind)]
        if self._kind != TREES:
            return found
        parallel = self._learner["gradient_booster"]["model"]["gbtree_model_param"]
        found.append(("num_parallel_tree", str(parallel["num_parallel_tree"])))
        found.append(("num_class", self._num_class()))
        found.append(("num_target", str(self._said("num_target", 1))))
        for tree in self._trees:
            found.append(
                ("numbers a leaf", str(max(1, int(tree["tree_param"]["size_leaf_vector"]))))
            )
            found.append(("split_type", "categorical" if any(tree["split_type"]) else "numerical"))
        found.append(("base_score", self._base_score()))
        return list(dict.fromkeys(found))

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401, ARG002 - onnx is Any to us; this converter has no options
        """See `framework.Convertible`."""
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        shape = [None, self._booster.num_features()]
        with converting(f"this XGBoost model ({self._objective})"):
            made = convert_xgboost(
                self._booster,
                name="model",
                initial_types=[(INPUT, FloatTensorType(shape))],
                target_opset=opsets["ai.onnx"],
            )
            tree_ensembles.exact(made, self._grown())
            tree_ensembles.label_by_half(made, opsets["ai.onnx"], at_least=False)
            variant_names.bear(made, Names(features=self._names, classes=self._classes))
        return made

    @property
    def _kind(self) -> str:
        return str(self._learner["gradient_booster"]["name"])

    @property
    def _trees(self) -> list[dict[str, Any]]:
        """The trees as XGBoost saves them; none where they are weighed, or are no trees."""
        if self._kind != TREES:
            return []
        found: list[dict[str, Any]] = self._learner["gradient_booster"]["model"]["trees"]
        return found

    def _grown(self) -> list[Grown]:
        return [_grown(tree) for tree in self._trees]

    def _said(self, name: str, otherwise: int = 0) -> int:
        return int(self._learner["learner_model_param"].get(name, otherwise))

    def _num_class(self) -> str:
        count = self._said("num_class")
        return {0: "none", 1: "1", 2: "2"}.get(count, "three or more")

    def _base_score(self) -> str:
        """How many numbers it is made of; XGBoost before 3.0 wrote it without brackets."""
        text = str(self._learner["learner_model_param"]["base_score"])
        count = len(json.loads(text)) if text.startswith("[") else 1
        if count == 1:
            return "one number"
        a_class = self._objective == MULTICLASS and count == self._said("num_class")
        return "one number a class" if a_class else f"{count} numbers"


def _grown(tree: Mapping[str, Any]) -> Grown:
    """A tree whose nodes ask `<`; XGBoost's thresholds are float32 as they stand."""
    import numpy as np

    left = np.asarray(tree["left_children"], np.int64)
    inner = left >= 0
    return tree_ensembles.grown(
        feature=np.where(inner, np.asarray(tree["split_indices"], np.int64), -1),
        threshold=np.asarray(tree["split_conditions"], np.float32),
        left=left,
        right=np.asarray(tree["right_children"], np.int64),
        missing=np.asarray(tree["default_left"], bool),
        mode=tree_ensembles.LESS,
    )


FRAMEWORK = Framework(
    name="XGBoost",
    files="XGBoost (.ubj, .json)",
    instead=".ubj for XGBoost",
    formats=(Format("xgboost-ubj", is_ubj), Format("xgboost-json", is_json)),
    checks={"xgboost-model": readable},
    packages=("xgboost-cpu", "xgboost"),
    policies=frozenset({"portable"}),
    converter=Converter(
        "xgboost",
        load,
        packages=("onnxmltools", "onnx", "xgboost|xgboost-cpu", "numpy"),
        honours=HONOURS,
    ),
)
