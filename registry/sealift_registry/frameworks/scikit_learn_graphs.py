"""What is put right in the graphs that skl2onnx makes; a graph is Any to us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from sealift_registry.frameworks.framework import Array

Graph: TypeAlias = Any


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


def drop_unused(graph: Graph) -> None:
    """Leave out the nodes and tensors that no answer comes from."""
    wanted, kept = {one.name for one in graph.output}, []
    for node in reversed(list(graph.node)):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    tensors = [one for one in graph.initializer if one.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
