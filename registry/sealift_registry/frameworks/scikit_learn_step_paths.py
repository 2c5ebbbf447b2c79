"""Which steps lie before the trees of a graph: what feeds them must be what those steps make.

Pipelines lie in pipelines, and in what votes, stacks or searches. Trees that are fed with something
else than somebody thought would be asked the wrong column, and answer all the same. So the steps
are converted alone too, and what comes out is laid beside what the trees are fed: the same
operators, with the same numbers, from the row on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from sealift_registry.frameworks import scikit_learn_parts as parts
from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.scikit_learn_parts import Estimator
from sealift_signing.errors import RefusedError

Graph: TypeAlias = Any
Node: TypeAlias = Any
Steps: TypeAlias = Sequence[Estimator]

ROW = b"the row"


def ways(estimator: Estimator) -> list[Steps]:
    """The rows of steps behind which parts of `estimator` lie."""
    found: dict[tuple[int, ...], Steps] = {}
    for before in _before(estimator, ()):
        if before:
            found.setdefault(tuple(map(id, before)), before)
    return list(found.values())


def _before(part: Estimator, before: Steps) -> Iterator[Steps]:
    if parts.name_of(part) == "Pipeline":
        *steps, last = [one for _, one in part.steps]
        yield from _before(last, (*before, *_flat(steps)))
        return
    yield before
    for inner in parts.inner(part):
        yield from _before(inner, before)


def _flat(steps: Steps) -> Iterator[Estimator]:
    """Each in its turn, also of pipelines, but for what does nothing."""
    for one in steps:
        if parts.name_of(one) == "Pipeline":
            yield from _flat([step for _, step in one.steps])
        elif one != "passthrough":
            yield one


# -------------------------------------------------------------------- what a graph makes


@dataclass(frozen=True)
class Fed:
    """What feeds an operator.

    Attributes:
        meaning: of a tensor before it.
        picked: the columns of that which it is given; None for all.
    """

    meaning: bytes
    picked: Array | None = None


def end(graph: Graph) -> bytes:
    """What the only answer of `graph` means, whatever kind of float it is."""
    (answer,) = graph.output
    fed = Meanings(graph).fed(answer.name)
    return [one.meaning for one in fed if one.picked is None][-1]


class Meanings:
    """What the tensors of a graph are made of: of two with one meaning, each is the other."""

    def __init__(self, graph: Graph) -> None:
        self._made_by = {name: node for node in graph.node for name in node.output}
        self._tensors = {one.name: one for one in graph.initializer}
        self._found: dict[str, bytes] = {"": b"", graph.input[0].name: ROW}
        for number, node in enumerate(graph.node):
            meaning = self._of(node, number)
            for place, name in enumerate(node.output):
                self._found[name] = meaning + bytes([place])
            if node.op_type == "Identity":
                self._found[node.output[0]] = self._read(node.input[0])

    def fed(self, name: str) -> list[Fed]:
        """What the tensor `name` is, and what it is of, as far as nothing but its kind changes."""
        found, picked = [Fed(self._read(name))], None
        while (node := self._made_by.get(name)) is not None and _hands_on(node):
            if node.op_type == "ArrayFeatureExtractor":
                chosen = self._whole(node.input[1])
                if chosen is None:
                    break
                picked = chosen if picked is None else chosen[picked]
            name = node.input[0]
            found.append(Fed(self._read(name), picked))
        return found

    def _of(self, node: Node, number: int) -> bytes:
        said = sha256(f"{node.domain} {node.op_type}\n".encode())
        for one in sorted(node.attribute, key=lambda one: str(one.name)):
            said.update(sha256(one.SerializeToString(deterministic=True)).digest())
            if one.HasField("g") or one.graphs:
                # A graph within may name what lies outside of it.
                said.update(f"the only one of its kind: {number} {id(self)}".encode())
        for name in node.input:
            said.update(sha256(self._read(name)).digest())
        return said.digest()

    def _read(self, name: str) -> bytes:
        if name not in self._found:
            unnamed = type(self._tensors[name])()
            unnamed.CopyFrom(self._tensors[name])
            unnamed.name = ""
            self._found[name] = sha256(unnamed.SerializeToString(deterministic=True)).digest()
        return self._found[name]

    def _whole(self, name: str) -> Array | None:
        from onnx import TensorProto, numpy_helper

        tensor = self._tensors.get(name)
        if tensor is None or tensor.data_type != TensorProto.INT64:
            return None
        numbers: Array = numpy_helper.to_array(tensor).ravel()
        return numbers


def _hands_on(node: Node) -> bool:
    """Whether what comes out of `node` are columns that it was given, in floats of some kind."""
    from onnx import TensorProto

    if node.op_type == "Cast":
        return node.attribute[0].i in {TensorProto.FLOAT, TensorProto.DOUBLE}
    return node.op_type in {"Identity", "ArrayFeatureExtractor"}


def behind(fed: Sequence[Fed], known: Mapping[bytes, Steps]) -> tuple[Steps, Array | None] | None:
    """The steps of `known` that make what is `fed`, and which of their columns those are."""
    return next(((known[one.meaning], one.picked) for one in fed if one.meaning in known), None)


def meant(ways: Sequence[Steps], alone: Callable[[Steps], Graph]) -> Mapping[bytes, Steps]:
    """What comes out of each of `ways` → those steps.

    Args:
        ways: of one model.
        alone: the graph of such steps and nothing else.
    """
    found: dict[bytes, Steps] = {}
    for steps in ways:
        with suppress(RefusedError):
            found.setdefault(end(alone(steps)), steps)
    # What nothing is done to needs no other questions.
    found.pop(ROW, None)
    return found
