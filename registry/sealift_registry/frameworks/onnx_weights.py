"""An ONNX file read in two parts: what it says, and its large weights, each straight into an array.

Read as one message, a weight lies in the file's bytes, in the message and in an array at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_graph import EXTERNAL, varint

LARGE = 65_536
"""Bytes; smaller weights stay in what the file says."""
PLAIN = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13})
"""Types of elements (onnx.TensorProto.DataType) that lie in a file as in an array."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_OF_A_PLAIN_TENSOR = frozenset({1, 2, 8, _RAW_DATA, 12})
"""Its dimensions, type, name, raw data and description."""


@dataclass(frozen=True)
class Weight:
    """A large weight: what the file says of it, and where its bytes are."""

    said: Any
    start: int
    size: int


@dataclass(frozen=True)
class OnnxFile:
    """What an ONNX file says.

    Attributes:
        path: of the file.
        model: an onnx.ModelProto, from which the `weights` have been left out.
        weights: those, by name.
    """

    path: Path
    model: Any
    weights: Mapping[str, Weight] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Any]:
        """The graph's inputs that are no weights."""
        graph = self.model.graph
        known = {one.name for one in graph.initializer} | set(self.weights)
        return [one for one in graph.input if one.name not in known]

    def arrays(self) -> dict[str, Array]:
        """Every weight that lies apart, by name; those in other files are taken out of `model`."""
        import onnx

        graph, base = self.model.graph, str(self.path.parent)
        with self.path.open("rb") as data:
            found = {name: _array(data, one) for name, one in self.weights.items()}
        outside = [one for one in graph.initializer if one.data_location == EXTERNAL]
        for tensor in outside:
            found[tensor.name] = onnx.numpy_helper.to_array(tensor, base)
            graph.initializer.remove(tensor)
        onnx.external_data_helper.load_external_data_for_model(self.model, base)
        return found


def opened(path: Path) -> OnnxFile:
    """What the file at `path` says.

    What is not written as everybody writes it is left to protobuf, and read as one message.
    """
    import onnx

    try:
        said, weights = _apart(path)
    except ValueError:
        said, weights = [], {}
    if not weights:
        return OnnxFile(path, onnx.load(str(path), load_external_data=False))
    return OnnxFile(path, onnx.ModelProto.FromString(b"".join(said)), weights)


def _apart(path: Path) -> tuple[list[bytes], dict[str, Weight]]:
    """The file's bytes without its large weights, and those.

    Raises:
        ValueError: it is spelled otherwise than this reader knows.
    """
    said: list[bytes] = []
    weights: list[Weight] = []
    with path.open("rb") as data:
        for one in _fields(data, 0, data.seek(0, os.SEEK_END)):
            if one.number != _GRAPH or one.wire != _BYTES:
                said.append(_read(data, one.start, one.end))
                continue
            parts = list(_without_weights(data, one, weights))
            size = sum(map(len, parts))
            said += [bytes([_GRAPH << 3 | _BYTES]), _spelled(size), *parts]
    by_name = {str(one.said.name): one for one in weights}
    if len(by_name) < len(weights):
        msg = "two weights of one name"
        raise ValueError(msg)
    return said, by_name


def _without_weights(data: BinaryIO, graph: _Field, weights: list[Weight]) -> Iterator[bytes]:
    start = graph.body
    for one in _fields(data, graph.body, graph.end):
        if one.number == _INITIALIZER and one.wire == _BYTES and one.end - one.body >= LARGE:
            weight = _weight(data, one)
            if weight is not None:
                weights.append(weight)
                yield _read(data, start, one.start)
                start = one.end
    yield _read(data, start, graph.end)


def _weight(data: BinaryIO, tensor: _Field) -> Weight | None:
    """`tensor`, if its bytes can be read into an array as they are."""
    import onnx

    fields = list(_fields(data, tensor.body, tensor.end))
    raw = [one for one in fields if one.number == _RAW_DATA and one.wire == _BYTES]
    if len(raw) != 1 or not {one.number for one in fields} <= _OF_A_PLAIN_TENSOR:
        return None
    others = [_read(data, one.start, one.end) for one in fields if one is not raw[0]]
    said = onnx.TensorProto.FromString(b"".join(others))
    size = raw[0].end - raw[0].body
    if said.data_type not in PLAIN or size != prod(said.dims) * _dtype(said).itemsize:
        return None
    return Weight(said, raw[0].body, size)


def _dtype(said: Any) -> Any:  # noqa: ANN401 - onnx is Any to us
    import onnx

    return onnx.helper.tensor_dtype_to_np_dtype(said.data_type).newbyteorder("<")


def _array(data: BinaryIO, weight: Weight) -> Array:
    import numpy as np

    found = np.empty(tuple(weight.said.dims), _dtype(weight.said))
    data.seek(weight.start)
    if data.readinto(found.reshape(-1).view(np.uint8)) != weight.size:  # type: ignore[attr-defined]  # an io.BufferedReader
        msg = "the file became shorter"
        raise ValueError(msg)
    return found


# -------------------------------------------------------------------- protobuf's fields


@dataclass(frozen=True)
class _Field:
    """A field: its number, how it is written, where it begins, its content begins, and ends."""

    number: int
    wire: int
    start: int
    body: int
    end: int


def _fields(data: BinaryIO, start: int, end: int) -> Iterator[_Field]:
    """The fields of the message between `start` and `end`.

    Raises:
        ValueError: they do not end there, or are of a kind that nobody writes any more.
    """
    while start < end:
        data.seek(start)
        key = varint(data)
        number, wire = key >> 3, key & 7
        if wire == _BYTES:
            size = varint(data)
            body = data.tell()
        elif wire == _VARINT:
            body, size = data.tell(), 0
            varint(data)
            size = data.tell() - body
        else:
            body, size = data.tell(), _FIXED.get(wire, end)
        if body + size > end:
            msg = "a field that is longer than the message"
            raise ValueError(msg)
        yield _Field(number, wire, start, body, body + size)
        start = body + size


def _read(data: BinaryIO, start: int, end: int) -> bytes:
    data.seek(start)
    return data.read(end - start)


def _spelled(number: int) -> bytes:
    """A number in protobuf's variable-length spelling."""
    found = bytearray()
    while number >= 0x80:  # noqa: PLR2004 - seven bits a byte
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def types(inputs: Sequence[Any]) -> dict[str, str]:
    """Input name → type, in ONNX Runtime's words."""
    import onnx

    kinds = onnx.TensorProto.DataType
    return {
        one.name: f"tensor({kinds.Name(one.type.tensor_type.elem_type).lower()})"
        if one.type.HasField("tensor_type")
        else str(one.type.WhichOneof("value"))
        for one in inputs
    }


def batch(inputs: Sequence[Any]) -> int | None:
    """How many rows are taken at once, where no other number is."""
    dims = [one.type.tensor_type.shape.dim[:1] for one in inputs]
    fixed = {first.dim_value for (first,) in filter(None, dims) if first.HasField("dim_value")}
    return fixed.pop() if len(fixed) == 1 else None
