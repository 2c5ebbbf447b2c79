"""LightGBM models in its own text format, which holds no code.

Its own reader, which is native code, must take the file; it runs in the scanner, within limits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from sealift_registry.frameworks import tree_ensembles, tree_sums, variant_names
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
    no_converter,
    only_input,
    unfit,
)
from sealift_registry.frameworks.tree_ensembles import Grown
from sealift_registry.frameworks.variant_names import Names
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import counted

Node: TypeAlias = dict[str, Any]
"""A node of a tree, as LightGBM dumps it."""

BINARY, MULTICLASS = "binary", "multiclass"
ZERO = 1.0000000180025095e-35
"""LightGBM's kZeroThreshold, a float32: what is no further from zero is zero to it."""
INFINITE = 1e300
"""How LightGBM spells a threshold that nothing is above."""
NUMBERS = frozenset(
    {"gamma", "huber", "poisson", "quantile", "regression", "regression_l1", "tweedie"}
)
"""Objectives whose answer is one number a row."""

HONOURS: Mapping[str, frozenset[str]] = {
    "objective": NUMBERS | {BINARY, MULTICLASS},
    # What follows the objective: `sqrt`, or another `sigmoid`, is dropped in silence; and of two
    # classes, a runtime takes two trees a round for one answer.
    "objective's option": frozenset({"sigmoid:1", "num_class"}),
    # A forest's answer (boosting=rf) is a mean, and would be divided by 100 or not at all.
    "average_output": frozenset({"False"}),
    # The lines in the leaves of linear_tree would be dropped.
    "linear_tree": frozenset({"False"}),
    # `==` asks for a category, and 1.5 is one of them to LightGBM.
    "decision_type": frozenset({"<="}),
    # `Zero` (zero_as_missing): ONNX has no word for it.
    "missing_type": frozenset({"None", "NaN"}),
    "trees a round": frozenset({"as the objective has"}),
}


def is_lightgbm(head: bytes, _data: BinaryIO) -> bool:
    """Text that begins with `tree` and the number of its format."""
    return re.match(rb"tree\r?\nversion=v\d+\r?\n", head) is not None


# -------------------------------------------------------------------- scanning it


def readable(folder: Path, survey: ModelFolder) -> str:
    """LightGBM reads the file, and finds trees in it.

    Raises:
        RefusedError: it does not.
    """
    import lightgbm

    path = folder / survey.model
    try:
        text = path.read_text(encoding="utf-8")
        if "\nend of trees\n" not in text.replace("\r\n", "\n"):
            msg = "it is cut off before 'end of trees'"
            raise ValueError(msg)  # noqa: TRY301 - told with the reader's own errors
        booster = lightgbm.Booster(model_str=text)
        trees, features = booster.num_trees(), booster.num_feature()
    except (lightgbm.basic.LightGBMError, ValueError) as bad:
        raise _refused(survey.model, bad) from bad
    if trees < 1 or features < 1:
        raise _refused(survey.model, ValueError("no trees"))
    said = f"{counted(trees, 'tree')} over {counted(features, 'feature')}"
    return f"LightGBM reads it: {said}."


def _refused(path: str, bad: Exception) -> RefusedError:
    return RefusedError(
        "lightgbm-model",
        f"LightGBM cannot read {path}: {first_line(bad)}.",
        subject=path,
        next_step="Save the model again, and ingest that.",
    )


# -------------------------------------------------------------------- running and converting it


def load(path: Path) -> LightgbmModel:
    """The booster in the text file at `path`; see `framework.Load`."""
    import lightgbm

    try:
        return LightgbmModel(lightgbm.Booster(model_file=str(path)))
    except lightgbm.basic.LightGBMError as bad:
        raise RefusedError(
            "model-unreadable",
            f"LightGBM cannot read {path.name}: {first_line(bad)}.",
            subject=path.name,
            next_step="Save the model again, and ingest that.",
        ) from bad


class LightgbmModel:
    """A booster, whichever of LightGBM's classes saved it."""

    def __init__(self, booster: Any) -> None:  # noqa: ANN401 - LightGBM is Any to us
        self._booster = booster
        said = str(_dumped(booster, 1).get("objective", "none")).split()
        self._objective, *self._options = said or ["none"]

    @cached_property
    def _dump(self) -> dict[str, Any]:
        """What the booster says of itself, in LightGBM's own words."""
        return _dumped(self._booster)

    @cached_property
    def _trees(self) -> list[list[Node]]:
        """The nodes of each tree; the first is its root."""
        return [_nodes(one["tree_structure"]) for one in self._dump["tree_info"]]

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `frameworks.framework.Model`."""
        import numpy as np

        features = only_input(inputs)
        try:
            found = np.asarray(self._booster.predict(features))
        except MemoryError:
            raise
        except Exception as bad:
            # Odd rows are met with any class of error.
            raise unfit(bad, self._objective, features, self._booster.num_feature()) from bad
        two, several = self._objective == BINARY, self._objective == MULTICLASS
        return decided(found, two=two, several=several)

    def facts(self) -> ModelFacts:
        """See `frameworks.framework.Model`."""
        numeric = all(node["decision_type"] == "<=" for node in self._inner())
        trees = [one.tree for one in self._grown()] if numeric else ()
        return ModelFacts(trees=trees, classes=self._classes, predicts=True)

    @property
    def _classes(self) -> tuple[str, ...]:
        counts = {BINARY: 2, MULTICLASS: self._dump["num_class"]}
        return tuple(map(str, range(counts.get(self._objective, 0))))

    def parameters(self) -> list[tuple[str, str]]:
        """See `framework.Convertible`."""
        found = {("objective", self._objective)}
        found |= {("objective's option", _option(one)) for one in self._options}
        found.add(("average_output", str(bool(self._dump["average_output"]))))
        leaves = (node for nodes in self._trees for node in nodes if "left_child" not in node)
        linear = any("leaf_coeff" in leaf or "leaf_const" in leaf for leaf in leaves)
        found.add(("linear_tree", str(linear)))
        for node in self._inner():
            found.add(("decision_type", str(node["decision_type"])))
            found.add(("missing_type", str(node["missing_type"])))
        wanted = self._dump["num_class"] if self._objective == MULTICLASS else 1
        a_round = self._dump["num_tree_per_iteration"]
        found.add(("trees a round", "as the objective has" if a_round == wanted else str(a_round)))
        return sorted(found)

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnx is Any to us
        """See `framework.Convertible`."""
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        with converting(f"this LightGBM model ({self._objective})"):
            made = convert_lightgbm(
                self._booster,
                name="model",
                initial_types=[(INPUT, FloatTensorType([None, self._booster.num_feature()]))],
                target_opset=opsets["ai.onnx"],
                zipmap=bool(options["zipmap"]),
            )
            tree_sums.in_doubles(made, tree_ensembles.exact(made, self._grown()))
            tree_ensembles.label_by_half(made, opsets["ai.onnx"], at_least=False)
            variant_names.bear(made, self._names())
        return made

    def _grown(self) -> list[Grown]:
        return [_grown(nodes) for nodes in self._trees]

    def _inner(self) -> Iterator[Node]:
        return (node for nodes in self._trees for node in nodes if "left_child" in node)

    def _names(self) -> Names:
        """The columns' names, unless LightGBM made them up, and what pandas had as categories.

        The text does not say which columns had them: they are those that it calls categorical, in
        their order.
        """
        names = self._booster.feature_name()
        own = names != [f"Column_{number}" for number in range(len(names))]
        return Names(features=names if own else (), classes=self._classes)


def _dumped(booster: Any, rounds: int | None = None) -> dict[str, Any]:  # noqa: ANN401 - LightGBM is Any to us
    """What `booster` says of itself; each node lies in the one above it, and JSON is not endless.

    Raises:
        RefusedError: its trees are too deep to be told.
    """
    try:
        found: dict[str, Any] = booster.dump_model(num_iteration=rounds)
    except RecursionError as bad:
        why = "LightGBM cannot tell of them"
        raise no_converter("LightGBM's trees of a thousand levels or more", why) from bad
    return found


def _nodes(root: Node) -> list[Node]:
    """All nodes below `root`, which is the first; without recursion, for trees may be deep."""
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node[one] for one in ("right_child", "left_child") if one in node)
    return found


def _grown(nodes: Sequence[Node]) -> Grown:
    """A tree whose nodes ask `<=`: a missing value is 0 to LightGBM, or goes where it is said."""
    place = {id(node): number for number, node in enumerate(nodes)}
    return tree_ensembles.grown(
        feature=[node.get("split_feature", -1) for node in nodes],
        threshold=[_threshold(node) for node in nodes],
        left=[place.get(id(node.get("left_child")), 0) for node in nodes],
        right=[place.get(id(node.get("right_child")), 0) for node in nodes],
        missing=["left_child" in node and _missing_left(node) for node in nodes],
        leaves=[float(node.get("leaf_value", 0.0)) for node in nodes],
    )


def _threshold(node: Node) -> float:
    """What a node asks of a number: LightGBM spells infinity otherwise, and zero is wide to it."""
    threshold = float(node.get("threshold", 0.0))
    if abs(threshold) >= INFINITE:
        return math.copysign(math.inf, threshold)
    if abs(threshold) > ZERO:
        return threshold
    return ZERO if threshold >= 0 else math.nextafter(-ZERO, -1)


def _missing_left(node: Node) -> bool:
    left = node["threshold"] >= 0 if node["missing_type"] == "None" else node["default_left"]
    return bool(left)


def _option(text: str) -> str:
    """What follows the objective; of how many classes they are, only two are an option."""
    name, _, value = text.partition(":")
    return "num_class" if name == "num_class" and value != "2" else text


FRAMEWORK = Framework(
    name="LightGBM",
    files="LightGBM's text file",
    instead="the text file for LightGBM",
    formats=(Format("lightgbm", is_lightgbm),),
    checks={"lightgbm-model": readable},
    packages=("lightgbm",),
    policies=frozenset({"portable"}),
    converter=Converter(
        "lightgbm",
        load,
        packages=("onnxmltools", "onnx", "lightgbm", "numpy"),
        # zipmap would answer with one dictionary a row, which few runtimes can hand out.
        options={"zipmap": False},
        honours=HONOURS,
    ),
)
