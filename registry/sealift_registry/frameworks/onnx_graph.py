"""ONNX, into which all others are converted: how it is told, and what the scanner looks at.

These are its external data, the operators it may use, and what the ONNX project's checker says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from sealift_registry.frameworks import pickles
from sealift_registry.frameworks.framework import (
    AS_IT_IS,
    Converter,
    Format,
    Framework,
    Model,
    ModelFolder,
)
from sealift_registry.workers.quoting import first_line
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import counted

OPERATOR_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""The operators that every ONNX runtime has. Another domain means code that is not in the model."""

EXTERNAL = 1
"""onnx.TensorProto.EXTERNAL."""
BITS = {
    kind: bits
    for bits, kinds in {
        2: (25, 26),
        4: (21, 22, 23),
        8: (2, 3, 9, 17, 18, 19, 20, 24),
        16: (4, 5, 10, 16),
        32: (1, 6, 12),
        64: (7, 11, 13, 14),
        128: (15,),
    }.items()
    for kind in kinds
}
"""Bits of an element, by onnx.TensorProto.DataType; text and what is newer have none here."""
TREES = frozenset({"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"})
LEAF = b"LEAF"
MOST_DIMENSIONS = 64
MOST_DIGITS = 19
MOST_NAMED = 3
"""Files that a check names; of a thousand, nobody who approves reads the names."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_IR_VERSION, _GRAPH, _OPSET_IMPORT = 1, 7, 8
_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""The fields of onnx.proto's ModelProto, and how each is written."""

_MOST_FIELDS = 100_000
"""More are no model, only a way to keep us busy."""


# -------------------------------------------------------------------- telling it


def is_onnx(_head: bytes, data: BinaryIO) -> bool:
    """A protobuf message, to its last byte, with the fields of a ModelProto and no others."""
    seen = set()
    end = data.seek(0, os.SEEK_END)
    data.seek(0)
    try:
        for _ in range(_MOST_FIELDS):
            if data.tell() >= end:
                break
            key = varint(data)
            number, wire = key >> 3, key & 7
            if _MODEL_FIELDS.get(number) != wire:
                return False
            seen.add(number)
            length = varint(data)
            if wire == _BYTES:
                data.seek(min(length, end + 1), os.SEEK_CUR)  # any length may stand in weights
        return data.tell() == end and {_IR_VERSION, _GRAPH, _OPSET_IMPORT} <= seen
    except ValueError:
        return False


def written_in(path: Path) -> tuple[int, dict[str, int]]:
    """The version of the file format, and of each operator domain; nothing else is read."""
    ir, opsets = 0, {}
    with path.open("rb") as data:
        end = data.seek(0, os.SEEK_END)
        data.seek(0)
        while data.tell() < end:
            number, length = varint(data) >> 3, varint(data)
            if number == _OPSET_IMPORT:
                domain, version = _opset(data, data.tell() + length)
                opsets[domain] = version
            elif _MODEL_FIELDS.get(number) == _BYTES:
                data.seek(length, os.SEEK_CUR)
            elif number == _IR_VERSION:
                ir = length
    return ir, opsets


def _opset(data: BinaryIO, end: int) -> tuple[str, int]:
    domain, version = "", 0
    while data.tell() < end:
        number, value = varint(data) >> 3, varint(data)
        if number == 1:
            domain = data.read(value).decode("utf-8", "replace")
        else:
            version = value
    return domain or "ai.onnx", version


def varint(data: BinaryIO) -> int:
    """A number in protobuf's variable-length spelling (at most ten bytes)."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:  # noqa: PLR2004 - the high bit says that more follows
            return value
    msg = "not a varint"
    raise ValueError(msg)


# -------------------------------------------------------------------- scanning it


def external_data(folder: Path, survey: ModelFolder) -> str:
    """Every tensor kept outside lies in a file of this folder; no other file is there.

    Raises:
        RefusedError: a path that leads elsewhere, a missing or too short file, a file too many.
    """
    model = _load(folder / survey.model)
    base = PurePosixPath(survey.model).parent
    found = set()
    for tensor in messages(model, "TensorProto"):
        if tensor.data_location == EXTERNAL:
            place = {entry.key: entry.value for entry in tensor.external_data}
            location = base / _contained(tensor.name, place.get("location", ""))
            _check_ending(location)
            _check_span(folder / location, tensor, place)
            found.add(location.as_posix())
    for path in survey.data_files:
        if path not in found:
            raise _unreferenced(folder, path)
    if not found:
        return "All tensors are in the model itself."
    named = ", ".join(sorted(found)[:MOST_NAMED])
    if len(found) > MOST_NAMED:
        named += f" and {counted(len(found) - MOST_NAMED, 'more file')}"
    return f"All external tensors lie in the model's folder: {named}."


def operators(folder: Path, survey: ModelFolder) -> str:
    """Every operator is of a domain that every runtime has, or a function of the model itself.

    Raises:
        RefusedError: an operator of another domain, by its name.
    """
    model = _load(folder / survey.model)
    own = {(function.domain, function.name) for function in model.functions}
    used = set()
    for node in messages(model, "NodeProto"):
        if node.domain not in OPERATOR_DOMAINS and (node.domain, node.op_type) not in own:
            raise RefusedError(
                "operator-domains",
                f"The model uses the operator {node.op_type} of the domain {node.domain!r}, which "
                "is not part of ONNX: its code would have to come from somewhere else.",
                subject=f"{node.domain}.{node.op_type}",
                next_step="Export the model with standard operators only (domains ai.onnx and "
                "ai.onnx.ml).",
            )
        used.add(node.domain or "ai.onnx")
    domains = ", ".join(sorted(used))
    return f"Its operators are of the domain{'' if len(used) == 1 else 's'} {domains}."


def checker(folder: Path, survey: ModelFolder) -> str:
    """The ONNX checker, by path, so that more than 2 GB and external data are understood.

    Raises:
        RefusedError: the checker found a fault.
    """
    import onnx

    path = folder / survey.model
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as bad:
        raise RefusedError(
            "onnx-checker",
            f"{survey.model} is not valid ONNX: {first_line(bad)}.",
            subject=survey.model,
            next_step="Export the model again; onnx.checker.check_model shows all that is wrong.",
        ) from bad
    _check_trees(_load(path), survey.model)
    return "The ONNX checker found no fault."


def _check_trees(model: Any, name: str) -> None:  # noqa: ANN401 - onnx is Any to us
    """Trees ask for columns that their input has: a runtime reads what lies behind the row."""
    widths = {}
    for one in model.graph.input:
        dims = one.type.tensor_type.shape.dim
        if len(dims) == 2 and dims[1].dim_value:  # noqa: PLR2004 - rows and columns
            widths[one.name] = dims[1].dim_value
    for node in messages(model.graph, "NodeProto"):
        asked = _columns(node) if node.op_type in TREES else ()
        width = widths.get(node.input[0]) if asked else None
        if asked and (min(asked) < 0 or (width is not None and max(asked) >= width)):
            wrong = min(asked) if min(asked) < 0 else max(asked)
            last = "" if width is None else f", whose last is {width - 1:,}"
            raise RefusedError(
                "onnx-checker",
                f"{name} is not valid ONNX: a tree asks for column {wrong:,} of "
                f"{word(node.input[0])}{last}.",
                subject=name,
                next_step="Export the model again; columns count from 0.",
            )


def _columns(node: Any) -> list[int]:  # noqa: ANN401 - onnx is Any to us
    """The columns that the trees of an operator ask for; leaves ask for none."""
    found = {one.name: one for one in node.attribute}
    features = found.get("nodes_featureids")
    modes = found.get("nodes_modes")
    if features is None:
        return []
    if modes is None or len(modes.strings) != len(features.ints):
        return list(features.ints)
    pairs = zip(features.ints, modes.strings, strict=True)
    return [column for column, mode in pairs if mode != LEAF]


@cache
def _load(path: Path) -> Any:  # noqa: ANN401 - onnx is Any to us
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as bad:
        raise RefusedError(
            "onnx-checker",
            f"{path.name} cannot be read as ONNX: {first_line(bad)}.",
            subject=path.name,
            next_step="Export the model again.",
        ) from bad


def messages(message: Any, kind: str) -> Iterator[Any]:  # noqa: ANN401 - protobuf is Any to us
    """Every message of the type called `kind` in `message`, however deep.

    It follows every field there is, not a list of the places where tensors and nodes are known to
    stand: such a list forgets one (a subgraph, a function, a sparse tensor, training).
    """
    waiting = [message]
    while waiting:
        one = waiting.pop()
        if one.DESCRIPTOR.name == kind:
            yield one
        for field, value in one.ListFields():
            if field.message_type is not None:
                waiting.extend(value if field.is_repeated else (value,))


def _contained(tensor: str, location: str) -> PurePosixPath:
    path = PurePosixPath(location)
    if not location or path.is_absolute() or ".." in path.parts or "\\" in location:
        raise RefusedError(
            "external-data",
            f"The tensor {tensor!r} takes its data from {location!r}, outside the model's folder.",
            subject=location,
            next_step="Save the model with its external data beside it "
            "(onnx.save_model(..., save_as_external_data=True)).",
        )
    return path


def _check_ending(location: PurePosixPath) -> None:
    """Which file of a variant is the model is told by its ending: data may not bear it.

    Raises:
        RefusedError: this is data, and called as a model is.
    """
    if location.suffix.lower() == ".onnx":
        raise RefusedError(
            "external-data",
            f"The model's external data lies in {word(location.name)}, whose name is like a "
            "model's: either file could be taken for the model.",
            subject=location.name,
            next_step="Save the model with its external data in a file with another ending "
            "(onnx.save_model(..., save_as_external_data=True, location='weights.data')).",
        )


def _check_span(file: Path, tensor: Any, place: dict[str, str]) -> None:  # noqa: ANN401 - protobuf's
    """The file is there and holds all that the tensor wants of it, which need not say how much."""
    size = file.stat().st_size if file.is_file() and not file.is_symlink() else -1
    spelled = (place.get("offset", "0"), place.get("length", "0"))
    if not all(one.isascii() and one.isdigit() and len(one) <= MOST_DIGITS for one in spelled):
        size = -1
    offset, length = map(int, spelled) if size >= 0 else (0, 0)
    if size < 0 or offset + max(length, _size(tensor)) > size:
        raise RefusedError(
            "external-data",
            f"The tensor {tensor.name!r} takes data from {file.name}, which is missing or too "
            "short.",
            subject=file.name,
            next_step="Ingest the folder that holds the model and all of its data.",
        )


def _size(tensor: Any) -> int:  # noqa: ANN401 - protobuf's
    """The bytes that a tensor of this type and shape has; 0 where that is not known.

    Of a shape that is none, they are more than any file has.
    """
    if len(tensor.dims) > MOST_DIMENSIONS or any(one < 0 for one in tensor.dims):
        return sys.maxsize
    count: int = prod(tensor.dims)
    return (count * BITS.get(tensor.data_type, 0) + 7) // 8


def _unreferenced(folder: Path, path: str) -> RefusedError:
    pickle = pickles.is_pickle(folder / path)
    what = "is a pickle" if pickle else "is not known to lie beside a model"
    return RefusedError(
        "side-files",
        f"{path} {what}, and the ONNX model does not use it.",
        subject=path,
        next_step="Remove it from the model's folder, and ingest again.",
    )


# -------------------------------------------------------------------- the record


def load(path: Path) -> Model:
    """The model at `path` for the reference evaluator; see `framework.Load`."""
    from sealift_registry.frameworks.onnx_runs import ReferenceModel

    return ReferenceModel(path)


FRAMEWORK = Framework(
    name="ONNX",
    files="ONNX",
    instead="",
    formats=(Format("onnx", is_onnx, marked=False),),
    checks={
        "external-data": external_data,
        "operator-domains": operators,
        "onnx-checker": checker,
    },
    packages=("onnx",),
    policies=frozenset({"portable"}),
    converter=Converter(AS_IT_IS, load, packages=("onnx",)),
    reference="onnx's reference evaluator",
    goldens={},
    has_data=True,
)
