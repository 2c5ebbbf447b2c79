"""What is put right in the graphs that skl2onnx makes; a graph is Any to us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.tree_ensembles import below

Graph: TypeAlias = Any

OUTSIDE = 2.0**62
"""A whole number that no float32 column holds as a category."""


def whole_categories(graph: Graph) -> None:
    """Let fractions be no category: 1.5 was cast to 1, and taken for it."""
    makers = {output: node for node in graph.node for output in node.output}
    for number, node in enumerate(list(graph.node)):
        if node.op_type == "OneHotEncoder" and any(
            one.name == "cats_int64s" for one in node.attribute
        ):
            _only_whole(graph, makers[node.input[0]], f"whole_{number}")


def _only_whole(graph: Graph, cast: Any, name: str) -> None:  # noqa: ANN401 - onnx is Any to us
    from onnx import TensorProto, helper

    given = cast.input[0]
    outside = helper.make_tensor(f"{name}_outside", TensorProto.FLOAT, [], [OUTSIDE])
    graph.initializer.append(outside)
    added = [
        helper.make_node("Floor", [given], [f"{name}_floor"]),
        helper.make_node("Equal", [given, f"{name}_floor"], [f"{name}_equal"]),
        helper.make_node("Where", [f"{name}_equal", given, outside.name], [f"{name}_given"]),
    ]
    cast.input[0] = f"{name}_given"
    place = list(graph.node).index(cast)
    for offset, one in enumerate(added):
        graph.node.insert(place + offset, one)


def exact_edges(graph: Graph, edges: Sequence[Array]) -> None:
    """Have every float32 fall on the side of `edges`, which are doubles, that it falls on there."""
    import numpy as np
    from onnx import numpy_helper

    known = {tensor.name: tensor for tensor in graph.initializer}
    sides = {"Less": above, "Greater": below}
    for node in graph.node:
        if node.op_type in sides and node.input[1] in known:
            tensor = known[node.input[1]]
            wanted = _found(numpy_helper.to_array(tensor).ravel(), edges)
            if wanted is not None:
                side = sides[node.op_type](wanted).astype(np.float32)
                written = numpy_helper.from_array(side.reshape(tuple(tensor.dims)), tensor.name)
                tensor.CopyFrom(written)
        elif node.op_type == "Binarizer":
            for one in node.attribute:
                wanted = _found(np.array([one.f], np.float32), edges)
                if one.name == "threshold" and wanted is not None:
                    one.f = float(below(wanted)[0])


def _found(written: Array, edges: Iterable[Array]) -> Array | None:
    """Those of `edges` that were written as the float32 next to them."""
    import numpy as np

    for one in edges:
        if one.shape == written.shape and (one.astype(np.float32) == written).all():
            return one
    return None


def above(edges: Array) -> Array:
    """The smallest float32 that is not below each of `edges`: `x < edge` stays what it is."""
    return -below(-edges)


def rename_only(graph: Graph, beside: str, name: str) -> None:
    """Call the output `name` where it is the only one: skl2onnx calls it `variable1`, or `union`.

    Args:
        graph: with its outputs.
        beside: the output beside which there are others, by other names.
        name: how it is called then.
    """
    from onnx import helper

    outputs = [one.name for one in graph.output]
    if outputs == [name] or beside in outputs or len(outputs) != 1:
        return
    for node in graph.node:
        node.input[:] = [f"{name}_inner" if one == name else one for one in node.input]
        node.output[:] = [f"{name}_inner" if one == name else one for one in node.output]
    graph.node.append(helper.make_node("Identity", outputs, [name]))
    graph.output[0].name = name


def widths(graph: Graph, answers: Mapping[str, Array]) -> None:
    """Say of each output how wide it is: some converters say that two columns are one."""
    for output in graph.output:
        found = answers.get(output.name)
        dims = output.type.tensor_type.shape.dim
        if found is not None and found.ndim == len(dims) == 2:  # noqa: PLR2004 - rows and columns
            dims[1].Clear()
            dims[1].dim_value = found.shape[1]
