"""Mutants: a right variant, wrong in one place, as a faulty converter would make it.

Each is drawn by a number, and made by editing the ONNX graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tests.hunt.draws import Array, Draws

Model: TypeAlias = Any
"""An onnx.ModelProto."""

Node: TypeAlias = Any
"""An onnx.NodeProto, an attribute of one, or what is in either."""


THRESHOLDS = ("nodes_values", "nodes_values_as_tensor")
WEIGHTS = (
    *("coefficients", "intercepts", "base_values", "base_values_as_tensor"),
    *("target_weights", "target_weights_as_tensor", "class_weights", "class_weights_as_tensor"),
    *("support_vectors", "rho", "offset", "scale"),
)
FLOATS, TENSOR, FLOAT, DOUBLE = 6, 4, 1, 11
"""onnx.AttributeProto's FLOATS and TENSOR; onnx.TensorProto's FLOAT and DOUBLE."""

OPSET = 15
"""Of what is put into a graph that is all of another domain."""

WHERE = 9
"""The first that has Where; what converters use of older ones is the same there."""

OFF = 1.01
"""By which a number is off, where it is off by 1 %."""


@dataclass(frozen=True)
class Told:
    """What a mutant may know, so that it is wrong where rows are.

    Attributes:
        rows: of the process.
        numbers: what the right variant answers to them.
    """

    rows: Array
    numbers: Array | None


Mutate: TypeAlias = Callable[[Model, Draws, Told], bool]
"""Edits the model; whether it has what is to be edited."""


def mutated(variant: bytes, kind: str, number: int, told: Told) -> bytes | None:
    """The mutant of one kind that `number` makes; None where the variant has nothing to mutate."""
    import onnx

    model = onnx.load_from_string(variant)
    if not MUTANTS[kind](model, Draws(number), told):
        return None
    if all(one.domain for one in model.opset_import):
        model.opset_import.add(domain="", version=OPSET)
    for one in model.opset_import:
        if not one.domain:
            one.version = max(one.version, WHERE)
    content = bytes(model.SerializeToString(deterministic=True))
    return None if content == variant else content


# -------------------------------------------------------------------- numbers in a graph


@dataclass(frozen=True)
class Numbers:
    """Numbers that can be read and written, wherever in the graph they stand."""

    name: str
    holder: Any

    def read(self) -> Array:
        from onnx import numpy_helper

        if self._is_tensor:
            return np.array(numpy_helper.to_array(self._tensor))
        return np.array(self.holder.floats, dtype=np.float32)

    def write(self, numbers: Array) -> None:
        from onnx import numpy_helper

        if self._is_tensor:
            name = self._tensor.name
            self._tensor.CopyFrom(numpy_helper.from_array(numbers, name))
        else:
            self.holder.floats[:] = [float(one) for one in numbers]

    @property
    def _is_tensor(self) -> bool:
        return not hasattr(self.holder, "floats") or self.holder.type == TENSOR

    @property
    def _tensor(self) -> Node:
        return self.holder.t if hasattr(self.holder, "floats") else self.holder


def _attributes(model: Model, names: tuple[str, ...]) -> Iterator[tuple[Any, Numbers]]:
    for node in model.graph.node:
        for one in node.attribute:
            if one.name in names and (one.floats or one.HasField("t")):
                yield node, Numbers(one.name, one)


def _weights(model: Model) -> list[Numbers]:
    found = [one for _, one in _attributes(model, WEIGHTS)]
    found += [
        Numbers(one.name, one)
        for one in model.graph.initializer
        if one.data_type in {FLOAT, DOUBLE}
    ]
    return [one for one in found if one.read().size]


def _attribute(node: Node, name: str) -> Node:
    return next((one for one in node.attribute if one.name == name), None)


# -------------------------------------------------------------------- weights


def weight(model: Model, draws: Draws, told: Told) -> bool:
    """One weight of some size is another."""
    among = _weights(model)
    if not among:
        return False
    held = draws.pick(among)
    numbers = held.read()
    flat = numbers.reshape(-1)
    at = max((draws.whole(0, flat.size - 1) for _ in range(4)), key=lambda one: abs(flat[one]))
    flat[at] = flat[at] * draws.pick((0.0, 0.5, -1.0, 1.1, 2.0)) if flat[at] else 0.5
    held.write(numbers)
    return True


def halves(model: Model, draws: Draws, told: Told) -> bool:
    """All weights and thresholds went through float16."""
    among = _weights(model) + [one for _, one in _attributes(model, THRESHOLDS)]
    for one in among:
        numbers = one.read()
        with np.errstate(all="ignore"):
            one.write(np.clip(numbers, -65504, 65504).astype(np.float16).astype(numbers.dtype))
    return bool(among)


# -------------------------------------------------------------------- trees


def _moved(model: Model, draws: Draws, move: Callable[[Array], Array], *, every: bool) -> bool:
    among = list(_attributes(model, THRESHOLDS))
    if not among:
        return False
    node, held = draws.pick(among)
    numbers = held.read()
    modes = [one.decode() for one in _attribute(node, "nodes_modes").strings]
    inner = [at for at, mode in enumerate(modes) if mode != "LEAF"]
    if not inner:
        return False
    chosen = inner if every else [draws.pick(inner)]
    numbers[chosen] = move(numbers[chosen]).astype(numbers.dtype)
    held.write(numbers)
    return True


def _step(draws: Draws) -> Callable[[Array], Array]:
    towards = np.float32(draws.pick((-np.inf, np.inf)))
    return lambda numbers: np.nextafter(numbers.astype(np.float32), towards)


def threshold_step(model: Model, draws: Draws, told: Told) -> bool:
    return _moved(model, draws, _step(draws), every=False)


def thresholds_step(model: Model, draws: Draws, told: Told) -> bool:
    return _moved(model, draws, _step(draws), every=True)


def threshold_off(model: Model, draws: Draws, told: Told) -> bool:
    return _moved(model, draws, lambda numbers: numbers * OFF, every=False)


def thresholds_off(model: Model, draws: Draws, told: Told) -> bool:
    return _moved(model, draws, lambda numbers: numbers * OFF, every=True)


def missing_flipped(model: Model, draws: Draws, told: Told) -> bool:
    """What is missing goes the other way."""
    return _sent_astray(model, draws, every=True)


def missing_flipped_once(model: Model, draws: Draws, told: Told) -> bool:
    """What is missing goes the other way at one node, mostly a deep one."""
    return _sent_astray(model, draws, every=False)


def _sent_astray(model: Model, draws: Draws, *, every: bool) -> bool:
    from onnx import helper

    among = [node for node in model.graph.node if _attribute(node, "nodes_modes")]
    if not among:
        return False
    node = draws.pick(among)
    modes = _attribute(node, "nodes_modes").strings
    inner = [at for at, mode in enumerate(modes) if mode != b"LEAF"]
    if not inner:
        return False
    name = "nodes_missing_value_tracks_true"
    if _attribute(node, name) is None or not _attribute(node, name).ints:
        node.attribute.append(helper.make_attribute(name, [0] * len(modes)))
    held = _attribute(node, name)
    for at in inner if every else [max(draws.pick(inner), draws.pick(inner))]:
        held.ints[at] = 1 - held.ints[at]
    return True


def tree_dropped(model: Model, draws: Draws, told: Told) -> bool:
    """The last tree is not there."""
    among = [node for node in model.graph.node if _attribute(node, "nodes_treeids")]
    if not among:
        return False
    node = draws.pick(among)
    last = max(_attribute(node, "nodes_treeids").ints)
    if last == min(_attribute(node, "nodes_treeids").ints):
        return False
    for part in ("nodes", "target", "class"):
        held = _attribute(node, f"{part}_treeids")
        if held is not None:
            kept = [at for at, one in enumerate(held.ints) if one != last]
            _keep(node, part, kept, len(held.ints))
    return True


def _keep(node: Node, part: str, kept: list[int], length: int) -> None:
    from onnx import numpy_helper

    for one in node.attribute:
        if not one.name.startswith(f"{part}_"):
            continue
        for values in (one.ints, one.floats, one.strings):
            if len(values) == length:
                left = [values[at] for at in kept]
                values[:] = left
        if one.HasField("t"):
            one.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one.t)[kept], one.t.name))


# -------------------------------------------------------------------- classes


def classes_swapped(model: Model, draws: Draws, told: Told) -> bool:
    """Two labels have changed places; the scores have not."""
    for node in model.graph.node:
        for one in node.attribute:
            values = one.ints if one.name == "classlabels_int64s" else one.strings
            if one.name.startswith("classlabels_") and len(values) > 1:
                some, other = _two(draws, len(values))
                shown = list(values)
                shown[some], shown[other] = shown[other], shown[some]
                values[:] = shown
                return True
    return False


def scores_swapped(model: Model, draws: Draws, told: Told) -> bool:
    """Two columns of the answer have changed places; the labels have not."""
    if told.numbers is None or told.numbers.ndim < 2 or told.numbers.shape[1] < 2:
        return False
    order = list(range(told.numbers.shape[1]))
    some, other = _two(draws, len(order))
    order[some], order[other] = order[other], order[some]
    return _after(model, "Gather", np.array(order), axis=1)


def answer_clipped(model: Model, draws: Draws, told: Told) -> bool:
    """What is rare is not answered."""
    if told.numbers is None or not np.isfinite(told.numbers).all():
        return False
    least, most = (np.array(one, "f4") for one in np.quantile(told.numbers, (0.05, 0.95)))
    return _after(model, "Max", least) and _after(model, "Min", most)  # Clip is newer than some


def _two(draws: Draws, among: int) -> tuple[int, int]:
    some, other = draws.by.choice(among, 2, replace=False)
    return int(some), int(other)


def _after(model: Model, kind: str, *tensors: Array, **options: Node) -> bool:
    """Put a node between the numbers that are answered and whoever asks for them."""
    from onnx import helper, numpy_helper

    number = len(model.graph.node)
    for output in model.graph.output:
        if output.type.tensor_type.elem_type == FLOAT:
            name, right = output.name, f"right_{number}"
            for node in model.graph.node:
                node.output[:] = [right if one == name else one for one in node.output]
                node.input[:] = [right if one == name else one for one in node.input]
            fed = [right]
            for at, tensor in enumerate(tensors):
                fed.append(f"mutant_{number}_{at}")
                model.graph.initializer.append(numpy_helper.from_array(np.asarray(tensor), fed[-1]))
            model.graph.node.append(helper.make_node(kind, fed, [name], **options))
            return True
    return False


# -------------------------------------------------------------------- the input


def _before(model: Model, kind: str, tensors: list[Array | None], **options: Node) -> bool:
    """Put a node between the input and whoever reads it: None among the tensors is the input."""
    from onnx import helper, numpy_helper

    only = model.graph.input[0]
    if only.type.tensor_type.elem_type != FLOAT:
        return False
    # Mutated twice, the input is read by the first mutant's node.
    place = sum(node.output[0].startswith("mutant_input") for node in model.graph.node)
    gives = f"mutant_input_{place}"
    for node in model.graph.node:
        node.input[:] = [gives if one == only.name else one for one in node.input]
    fed = []
    for at, tensor in enumerate(tensors):
        fed.append(only.name if tensor is None else f"mutant_{place}_{at}")
        if tensor is not None:
            model.graph.initializer.append(numpy_helper.from_array(tensor, fed[-1]))
    model.graph.node.insert(0, helper.make_node(kind, fed, [gives], **options))
    return True


def _one(draws: Draws, told: Told) -> int:
    return draws.whole(0, told.rows.shape[1] - 1)


def _middle(told: Told) -> Array:
    with np.errstate(all="ignore"):
        there = np.where(np.isnan(told.rows).all(axis=0), 0.0, told.rows)
        return np.asarray(np.nanmedian(there, axis=0), dtype=np.float32)[None, :]


def ignored(model: Model, draws: Draws, told: Told) -> bool:
    """One feature is not looked at."""
    mask = np.zeros((1, told.rows.shape[1]), bool)
    mask[0, _one(draws, told)] = True
    return _before(model, "Where", [mask, _middle(told), None])


def exchanged(model: Model, draws: Draws, told: Told) -> bool:
    """Two features have changed places."""
    order = np.arange(told.rows.shape[1])
    some, other = _two(draws, len(order))
    order[[some, other]] = order[[other, some]]
    return _before(model, "Gather", [None, order], axis=1)


def _times(model: Model, draws: Draws, told: Told, factor: float) -> bool:
    factors = np.ones((1, told.rows.shape[1]), np.float32)
    factors[0, _one(draws, told)] = factor
    return _before(model, "Mul", [None, factors])


def scaled(model: Model, draws: Draws, told: Told) -> bool:
    return _times(model, draws, told, OFF)


def negated(model: Model, draws: Draws, told: Told) -> bool:
    return _times(model, draws, told, -1.0)


def clipped(model: Model, draws: Draws, told: Told) -> bool:
    """Rows beyond what is usual are taken for usual ones."""
    low, high = (
        np.array([np.quantile(one[~np.isnan(one)], part) for one in told.rows.T], np.float32)
        for part in (0.03, 0.97)
    )
    return _before(model, "Min", [None, high[None, :]]) and _before(
        model, "Max", [None, low[None, :]]
    )


def floored(model: Model, draws: Draws, told: Told) -> bool:
    """Numbers were taken for whole ones."""
    return _before(model, "Floor", [None])


def missing_as_zero(model: Model, draws: Draws, told: Told) -> bool:
    return _before(
        model,
        "Imputer",
        [None],
        domain="ai.onnx.ml",
        imputed_value_floats=[0.0] * told.rows.shape[1],
        replaced_value_float=float("nan"),
    )


MUTANTS: Mapping[str, Mutate] = {
    "a weight": weight,
    "float16": halves,
    "a threshold, one step": threshold_step,
    "all thresholds, one step": thresholds_step,
    "a threshold, 1 %": threshold_off,
    "all thresholds, 1 %": thresholds_off,
    "missing goes the other way": missing_flipped,
    "the last tree": tree_dropped,
    "two labels swapped": classes_swapped,
    "two scores swapped": scores_swapped,
    "answers clipped": answer_clipped,
    "a feature ignored": ignored,
    "two features swapped": exchanged,
    "a feature, 1 %": scaled,
    "a feature negated": negated,
    "inputs clipped": clipped,
    "inputs made whole": floored,
    "missing as zero": missing_as_zero,
    "missing goes the other way at one node": missing_flipped_once,
}

ANSWERS = frozenset({"goldens", "ordinary", "range"})
SEEN_BY: Mapping[str, frozenset[str]] = {
    "a threshold, one step": frozenset({"thresholds"}),
    "all thresholds, one step": frozenset({"thresholds"}),
    "a threshold, 1 %": ANSWERS | {"thresholds"},
    "all thresholds, 1 %": ANSWERS | {"thresholds"},
    "missing goes the other way": frozenset({"missing"}),
    "missing as zero": frozenset({"missing"}),
    "missing goes the other way at one node": frozenset({"missing"}),
    "inputs made whole": ANSWERS | {"categories"},
}
"""The checks of which one should see a mutant of a kind; where none is named, `ANSWERS`."""
