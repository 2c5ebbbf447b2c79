"""Run by tests as a process of its own: proves the network in a folder, and tells what it took.

python -m tests.registry.proof_peak FOLDER

It writes the most memory, in bytes, that the proof's process had. The network is written by whoever
asks: a process that is started begins with the size of the one that starts it.
"""

from __future__ import annotations

import platform
import resource
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.models import SourceModel, VariantModel, model_file
from sealift_registry.proof.prove import How, prove

MODEL = "model.onnx"
STEPS = 5
"""That are told of: loading source and variant, goldens, making rows, and how many were run."""
WIDTH, LAYERS, KIB = 16, 4, 1024


@dataclass(frozen=True)
class Here:
    """This machine, as a target."""

    id: str = "here"
    arch: str = platform.machine()


def network(folder: Path, megabytes: float) -> Path:
    """Write a network of four layers, whose weights have so many megabytes, and goldens."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / "goldens.npz", of_0=rows())
    inner = max(int((megabytes * 1e6 / 4 / LAYERS) ** 0.5), 1)
    widths = [WIDTH, *[inner] * (LAYERS + 1), 3]
    draw = np.random.default_rng(0)
    weights, nodes = [], []
    for number, (before, after) in enumerate(pairwise(widths)):
        drawn = draw.standard_normal((before, after), dtype=np.float32) / np.float32(before**0.5)
        weights.append(numpy_helper.from_array(drawn, f"weight_{number}"))
        nodes += _layer(number, last=number == LAYERS + 1)
    given = helper.make_tensor_value_info("of_0", TensorProto.FLOAT, [None, WIDTH])
    told = helper.make_tensor_value_info("told", TensorProto.FLOAT, [None, 3])
    graph = helper.make_graph(nodes, "network", [given], [told], weights)
    opsets = [helper.make_opsetid("", 17)]
    path = folder / MODEL
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def _layer(number: int, *, last: bool) -> list[NodeProto]:
    of, weight = f"of_{number}", f"weight_{number}"
    if last:
        return [helper.make_node("MatMul", [of, weight], ["told"])]
    return [
        helper.make_node("MatMul", [of, weight], [f"in_{number}"]),
        helper.make_node("Relu", [f"in_{number}"], [f"of_{number + 1}"]),
    ]


def rows() -> Array:
    """Goldens."""
    return np.random.default_rng(1).standard_normal((20, WIDTH), dtype=np.float32)


def peak(folder: Path) -> int:
    """Bytes."""
    variant = VariantModel(folder, MODEL, (model_file(folder, MODEL),))
    told: list[tuple[str, int]] = []
    prove(
        SourceModel(folder, "onnx", (MODEL,)),
        variant,
        Here(),
        folder / "goldens.npz",
        lambda subject, done, _total: told.append((subject, done)),
        how=How(seconds=0),
    )
    if len({subject for subject, _ in told}) < STEPS or max(told, key=lambda one: one[1])[1] <= len(
        rows()
    ):
        msg = f"the proof told of {told} only"
        raise AssertionError(msg)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KIB


if __name__ == "__main__":
    sys.stdout.write(f"{peak(Path(sys.argv[1]))}\n")
