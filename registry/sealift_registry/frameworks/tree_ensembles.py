"""Trees in ONNX: each is laid beside the source's, and asks what that asks of every float32.

A source compares with a double, and a converter writes the float32 next to it, which may lie on the
other side. It says nothing, either, of where a missing value goes. Both are written here, for all
frameworks, from the trees as the source has them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from sealift_registry.frameworks.framework import Array, Tree, no_converter
from sealift_signing.errors import RefusedError

if TYPE_CHECKING:
    import numpy as np

ENSEMBLES = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
LEAF, AT_MOST, LESS = "LEAF", "BRANCH_LEQ", "BRANCH_LT"
MISSING = "nodes_missing_value_tracks_true"
OPSET = 15
"""Of the operators that are added here, where a recipe names none of their domain."""
NEAR = 2
"""Steps of a float32 that a converter's rounding may be away from the source's threshold."""


@dataclass(frozen=True)
class Grown:
    """A tree as the source has it.

    Attributes:
        tree: its nodes.
        missing: whether a missing value goes left, at each node.
        mode: what each node asks: `AT_MOST` its threshold, or `LESS`.
        leaves: the number of each node that is a leaf, in doubles; None where the source adds
            float32.
    """

    tree: Tree
    missing: Array
    mode: str = AT_MOST
    leaves: Array | None = None


def grown(
    feature: Array | Sequence[int],
    threshold: Array | Sequence[float],
    left: Array | Sequence[int],
    right: Array | Sequence[int],
    missing: Array | Sequence[bool],
    mode: str = AT_MOST,
    leaves: Sequence[float] | None = None,
) -> Grown:
    """A tree from the lists of its nodes, without those that no way leads to."""
    import numpy as np

    whole = Tree(
        np.asarray(feature, np.int64),
        np.asarray(threshold, np.float64),
        np.asarray(left, np.int64),
        np.asarray(right, np.int64),
    )
    order = order_of(whole)
    ways = np.asarray(missing, bool)[order]
    renumbered = np.zeros(len(whole.feature), np.int64)
    renumbered[order] = np.arange(len(order))
    tree = Tree(
        whole.feature[order],
        whole.threshold[order],
        renumbered[whole.left[order]],
        renumbered[whole.right[order]],
        ways,
    )
    numbers = None if leaves is None else np.asarray(leaves, np.float64)[order]
    return Grown(tree, ways, mode, numbers)


@dataclass(frozen=True)
class Written:
    """A tree in ONNX.

    Attributes:
        tree: its nodes.
        places: of each node in the lists of the operator's attributes.
        modes: that its nodes have, without leaves.
    """

    tree: Tree
    places: Array
    modes: frozenset[str]


Beside: TypeAlias = tuple[Any, list[tuple[Written, Grown]]]
"""An operator (ONNX), and its trees beside the source's."""


def below(thresholds: Array) -> Array:
    """The largest float32 that is not above each of `thresholds`, as doubles.

    For every float32 x, `x <= threshold` and `x <= below(threshold)` then say the same.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
    above = near.astype(np.float64) > thresholds
    lower = np.where(above, np.nextafter(near, np.float32(-np.inf)), near)
    return lower.astype(np.float64)


def exact(model: Any, grown: Sequence[Grown]) -> list[Beside]:  # noqa: ANN401 - onnx is Any to us
    """Write the thresholds of `grown`, and where missing values go, into `model` (ONNX).

    Returns:
        each operator, and its trees beside the source's.

    Raises:
        RefusedError: the model has a tree that is none of `grown`.
    """
    waiting: dict[bytes, deque[Grown]] = defaultdict(deque)
    for one in grown:
        waiting[_kind(one.tree)].append(one)
    nodes = [node for node in model.graph.node if node.op_type in ENSEMBLES]
    return [(node, _exact(node, waiting)) for node in nodes]


def _exact(node: Any, waiting: dict[bytes, deque[Grown]]) -> list[tuple[Written, Grown]]:  # noqa: ANN401 - onnx is Any to us
    import numpy as np

    values = attribute(node, "nodes_values")
    thresholds = np.array(values.floats, np.float64)
    missing = np.zeros(len(thresholds), np.int64)
    pairs = []
    for written in _trees(node):
        source = _taken(waiting[_kind(written.tree)], written)
        pairs.append((written, source))
        ours, theirs = order_of(written.tree), order_of(source.tree)
        inner = source.tree.feature[theirs] >= 0
        places = written.places[ours[inner]]
        wanted = source.tree.threshold[theirs[inner]]
        thresholds[places] = below(wanted) if source.mode == AT_MOST else wanted
        missing[places] = source.missing[theirs[inner]]
    values.floats[:] = thresholds.tolist()
    _set(node, MISSING, missing.tolist())
    return pairs


def _taken(waiting: deque[Grown], written: Written) -> Grown:
    """The first of `waiting` that asks what `written` asks; converters keep the trees' order."""
    for place, one in enumerate(waiting):
        if _alike(one, written):
            # Twice the same tree is written twice; a model that lies in two parts is found again.
            waiting.rotate(-place - 1)
            return one
    raise no_converter("these trees", "they were written otherwise than they stand in the model")


def _alike(one: Grown, written: Written) -> bool:
    import numpy as np

    ours, theirs = order_of(written.tree), order_of(one.tree)
    inner = one.tree.feature[theirs] >= 0
    with np.errstate(over="ignore"):
        wanted = one.tree.threshold[theirs[inner]].astype(np.float32)
        found = written.tree.threshold[ours[inner]].astype(np.float32)
    away = np.abs(_steps(wanted) - _steps(found))
    return written.modes <= {one.mode} and bool((away <= NEAR).all())


def _steps(numbers: Array) -> Array:
    """How many float32 lie between zero and each of `numbers`."""
    import numpy as np

    bits = numbers.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def label_by_half(model: Any, opset: int, *, at_least: bool) -> None:  # noqa: ANN401 - onnx is Any to us
    """Have the label of two classes follow from their probabilities, as the sources have it.

    A runtime decides by the sum before it becomes a probability, and by whether any leaf is
    negative, which not every one of them gets right.

    Args:
        model: ONNX, whose classifiers of two classes are changed in place.
        opset: of the operators that are added, where the model has none of their domain yet.
        at_least: whether a half is the second class.
    """
    for number, node in enumerate(list(model.graph.node)):
        if node.op_type == "TreeEnsembleClassifier" and _of_two(node):
            _label_by_half(model.graph, node, f"half_{number}", at_least=at_least)
            if all(one.domain for one in model.opset_import):
                model.opset_import.add(domain="", version=opset)


def _of_two(node: Any) -> bool:  # noqa: ANN401 - onnx is Any to us
    """Whether its two classes are decided by a sum that is no probability yet."""
    return any(
        one.name == "post_transform" and one.s == b"LOGISTIC" for one in node.attribute
    ) and any(
        one.name.startswith("classlabels_") and len(one.ints) + len(one.strings) == 2  # noqa: PLR2004 - two classes
        for one in node.attribute
    )


def _label_by_half(graph: Any, node: Any, name: str, *, at_least: bool) -> None:  # noqa: ANN401 - onnx is Any to us
    from onnx import TensorProto, helper

    label, scores = node.output
    node.output[0] = f"{name}_unused"
    known = next(one for one in node.attribute if one.name.startswith("classlabels_"))
    kind, classes = (
        (TensorProto.INT64, list(known.ints))
        if known.ints
        else (TensorProto.STRING, list(known.strings))
    )
    graph.initializer.extend(
        [
            helper.make_tensor(f"{name}_classes", kind, [2], classes),
            helper.make_tensor(f"{name}_second", TensorProto.INT64, [], [1]),
            helper.make_tensor(f"{name}_half", TensorProto.FLOAT, [], [0.5]),
        ]
    )
    compared = "GreaterOrEqual" if at_least else "Greater"
    added = [
        helper.make_node("Gather", [scores, f"{name}_second"], [f"{name}_score"], axis=1),
        helper.make_node(compared, [f"{name}_score", f"{name}_half"], [f"{name}_more"]),
        helper.make_node("Cast", [f"{name}_more"], [f"{name}_which"], to=TensorProto.INT64),
        helper.make_node("Gather", [f"{name}_classes", f"{name}_which"], [label], axis=0),
    ]
    place = list(graph.node).index(node) + 1
    for offset, one in enumerate(added):
        graph.node.insert(place + offset, one)


# -------------------------------------------------------------------- trees, whoever numbered them


def order_of(tree: Tree) -> Array:
    """The nodes of `tree` level by level, whatever numbers they have.

    Raises:
        RefusedError: two ways lead to a node: there may be more ways than anybody can go.
    """
    import numpy as np

    level = np.zeros(1, np.int64)
    levels, left = [], len(tree.feature)
    while len(level):
        levels.append(level)
        left -= len(level)
        if left < 0:
            raise _hanging_otherwise()
        inner = level[tree.feature[level] >= 0]
        level = np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel()
    return np.concatenate(levels)


def _kind(tree: Tree) -> bytes:
    """What two trees share that ask the same columns in the same places."""
    kind: bytes = tree.feature[order_of(tree)].tobytes()
    return kind


def asked(nodes: Sequence[Any]) -> Iterator[Tree]:
    """The trees of the operators `nodes` (ONNX), which only ask whether a value is small enough."""
    import numpy as np

    for node in nodes:
        told = any(one.name == MISSING and one.ints for one in node.attribute)
        for written in _trees(node):
            if written.modes <= {AT_MOST, LESS} and _has_one_way(written.tree):
                places = written.places
                ways = whole(node, MISSING)[places] if told else np.zeros(len(places))
                yield replace(written.tree, missing=ways != 0)


def _has_one_way(tree: Tree) -> bool:
    """Whether only one way leads to each node; a file may say otherwise, and runtimes take it."""
    import numpy as np

    inner = tree.feature >= 0
    below = np.concatenate([tree.left[inner], tree.right[inner]])
    return len(np.unique(below)) == len(below)


def _trees(node: Any) -> Iterator[Written]:  # noqa: ANN401 - onnx is Any to us
    """The trees of one operator, each numbered from its root, 0."""
    import numpy as np

    ids = whole(node, "nodes_treeids")
    numbers, modes = whole(node, "nodes_nodeids"), attribute(node, "nodes_modes").strings
    leaves = np.array([mode == LEAF.encode() for mode in modes], bool)
    features = np.where(leaves, -1, whole(node, "nodes_featureids"))
    thresholds = np.array(attribute(node, "nodes_values").floats, np.float64)
    left, right = whole(node, "nodes_truenodeids"), whole(node, "nodes_falsenodeids")
    order = np.argsort(ids, kind="stable")
    ends = np.flatnonzero(np.diff(ids[order])) + 1
    for places in np.split(order, ends):
        yield _numbered(
            places, numbers[places], features[places], thresholds[places],
            left[places], right[places], modes,
        )  # fmt: skip


def _numbered(
    places: Array,
    numbers: Array,
    features: Array,
    thresholds: Array,
    left: Array,
    right: Array,
    modes: Sequence[bytes],
) -> Written:
    import numpy as np

    inner = features >= 0
    by_number = np.full(int(numbers.max()) + 1, -1)
    by_number[numbers] = np.arange(len(numbers))
    children = np.stack([np.where(inner, one, numbers[0]) for one in (left, right)])
    left, right = by_number[children]
    roots = np.setdiff1d(np.arange(len(numbers)), np.concatenate([left[inner], right[inner]]))
    if len(roots) != 1 or (left < 0).any() or (right < 0).any():
        raise _hanging_otherwise()
    # The root becomes 0, and what stood there takes its place.
    swap = np.arange(len(numbers))
    swap[[0, roots[0]]] = swap[[roots[0], 0]]
    tree = Tree(features[swap], thresholds[swap], swap[left[swap]], swap[right[swap]])
    found = frozenset(modes[place].decode() for place in places[inner])
    return Written(tree, places[swap], found)


def _hanging_otherwise() -> RefusedError:
    return no_converter("these trees", "their nodes do not hang together")


def attribute(node: Any, name: str) -> Any:  # noqa: ANN401 - onnx is Any to us
    """The attribute `name` of `node`, which has it."""
    return next(one for one in node.attribute if one.name == name)


def whole(node: Any, name: str) -> np.ndarray[Any, Any]:  # noqa: ANN401 - onnx is Any to us
    """The whole numbers of the attribute `name` of `node`."""
    import numpy as np

    return np.array(attribute(node, name).ints, np.int64)


def _set(node: Any, name: str, numbers: list[int]) -> None:  # noqa: ANN401 - onnx is Any to us
    """Give `node` the attribute `name`, whether it has one or not."""
    from onnx import helper

    for one in [one for one in node.attribute if one.name == name]:
        node.attribute.remove(one)
    node.attribute.append(helper.make_attribute(name, numbers))
