"""Operators that onnx's reference evaluator computes otherwise than ONNX says, or not at all.

Of old opsets, mostly, which exporters still write. The evaluator of onnx 1.23 takes a
BatchNormalization before opset 14 for one that trains, a Softmax before 13 for one over a single
axis, and has no DequantizeLinear before 19. A right file would be stopped for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sealift_registry.frameworks.framework import Array
from sealift_signing.drawing import word

OPSETS: Mapping[str, range] = {
    "BatchNormalization": range(7, 14),
    "Softmax": range(1, 13),
    "LogSoftmax": range(1, 13),
    "Hardmax": range(1, 13),
    "DequantizeLinear": range(10, 19),
    "QuantizeLinear": range(10, 19),
    "LRN": range(1, 1000),
}
"""Operator of ai.onnx → the opsets in which the evaluator has it wrong, or not."""

RECURRENT: Mapping[str, tuple[bytes, ...]] = {
    "LSTM": (b"Sigmoid", b"Tanh", b"Tanh"),
    "GRU": (b"Sigmoid", b"Tanh"),
}
"""Operator → the functions that the evaluator computes it with, whatever the file says."""
LEFT_OUT = ("clip", "input_forget")
"""Attributes of them that it leaves out."""


def own(opset: int) -> list[Any]:
    """Classes for the evaluator, `new_ops`, of those that a file of this opset needs."""
    return [_runs(name, how) for name, how in _HOW.items() if opset in OPSETS[name]]


def left_out(graph: Any) -> str:  # noqa: ANN401 - onnx is Any to us
    """What of `graph` the evaluator would leave out, in words; empty where there is nothing."""
    for node in graph.node:
        for said in node.attribute if node.op_type in RECURRENT else ():
            usual = RECURRENT[node.op_type]
            if said.name == "activations" and set(_chunks(said.strings, len(usual))) != {usual}:
                named = ", ".join(word(one.decode(errors="replace")) for one in said.strings)
                return f"{node.op_type} with the functions {named}"
            if said.name in LEFT_OUT and (said.i or said.f):
                return f"{node.op_type} with {said.name}"
    return ""


def _chunks(names: Sequence[bytes], size: int) -> Iterator[tuple[bytes, ...]]:
    """The functions of each direction."""
    return (tuple(names[at : at + size]) for at in range(0, len(names), size))


def _runs(name: str, how: Callable[..., Array]) -> Any:  # noqa: ANN401 - onnx is Any to us
    """A class of the operator's name, so that the evaluator takes it for the operator."""
    from onnx.reference.op_run import OpRun

    def run(self: Any, *given: Array | None, **said: Any) -> tuple[Array]:  # noqa: ANN401 - likewise
        if sum(map(bool, self.onnx_node.output)) > 1:
            raise NotImplementedError  # such a BatchNormalization trains
        # What the file does not say the evaluator fills in as the newest opset has it.
        names = {one.name for one in self.onnx_node.attribute}
        return (how(*given, **{name: one for name, one in said.items() if name in names}),)

    return type(name, (OpRun,), {"op_domain": "", "_run": run})


def _normalized(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    var: Array,
    epsilon: float = 1e-5,
    spatial: int = 1,
    **_said: object,
) -> Array:
    """BatchNormalization with one output: what training measured, and not this batch."""
    import numpy as np

    if not spatial:
        raise NotImplementedError  # one for each place and not for each channel

    def beside(one: Array) -> Array:
        return one.reshape(-1, *[1] * (x.ndim - 2))

    wide = np.sqrt(beside(var) + epsilon)
    return np.asarray(beside(scale) * (x - beside(mean)) / wide + beside(bias)).astype(x.dtype)


def _flat(x: Array, axis: int) -> Array:
    """As two axes: those before `axis`, and the others. So it was before opset 13."""
    at = axis + x.ndim if axis < 0 else axis
    rows = 1
    for length in x.shape[:at]:
        rows *= length
    return x.reshape(rows, -1)


def _softmax(x: Array, axis: int = 1, **_said: object) -> Array:
    import numpy as np

    flat = _flat(x, axis)
    raised = np.exp(flat - flat.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True)).reshape(x.shape).astype(x.dtype)


def _log_softmax(x: Array, axis: int = 1, **_said: object) -> Array:
    import numpy as np

    flat = _flat(x, axis)
    less = flat - flat.max(axis=1, keepdims=True)
    found = less - np.log(np.exp(less).sum(axis=1, keepdims=True))
    return np.asarray(found).reshape(x.shape).astype(x.dtype)


def _hardmax(x: Array, axis: int = 1, **_said: object) -> Array:
    import numpy as np

    flat = _flat(x, axis)
    found = np.zeros_like(flat)
    found[np.arange(len(flat)), flat.argmax(axis=1)] = 1
    return found.reshape(x.shape)


def _local(
    x: Array,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
    size: int = 1,
    **_said: object,
) -> Array:
    """LRN: each channel by the squares of its neighbours."""
    import numpy as np

    squares = np.zeros_like(x)
    for at in range(x.shape[1]):
        near = x[:, max(0, at - (size - 1) // 2) : at + size // 2 + 1]
        squares[:, at] = (near**2).sum(axis=1)
    return np.asarray(x / (bias + alpha / size * squares) ** beta).astype(x.dtype)


def _along(one: Array, x: Array, axis: int) -> Array:
    """A scale or a zero: one number for all, or one for each place along `axis`."""
    if one.ndim == 0 or one.size == 1:
        return one.reshape(())
    shape = [1] * x.ndim
    shape[axis] = one.size
    return one.reshape(shape)


def _dequantized(
    x: Array, scale: Array, zero: Array | None = None, axis: int = 1, **_said: object
) -> Array:
    import numpy as np

    whole = x.astype(np.int32)
    if zero is not None:
        whole = whole - _along(zero, x, axis).astype(np.int32)
    return np.asarray(whole.astype(scale.dtype) * _along(scale, x, axis))


def _quantized(
    x: Array, scale: Array, zero: Array | None = None, axis: int = 1, **_said: object
) -> Array:
    """To the nearest, halves to the even one; what is beyond the type stays at its end."""
    import numpy as np

    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    by = np.rint(x / _along(scale, x, axis))
    if zero is not None:
        by = by + _along(zero, x, axis).astype(by.dtype)
    ends = np.iinfo(kind)
    return np.clip(by, ends.min, ends.max).astype(kind)


_HOW: Mapping[str, Callable[..., Array]] = {
    "BatchNormalization": _normalized,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "Hardmax": _hardmax,
    "DequantizeLinear": _dequantized,
    "QuantizeLinear": _quantized,
    "LRN": _local,
}
