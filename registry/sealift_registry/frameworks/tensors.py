"""safetensors: a JSON header that accounts for every byte after it, once."""

from __future__ import annotations

import json
import os
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.frameworks.framework import Format, Framework, ModelFolder
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import counted

LONGEST_HEADER = 100_000_000
"""The format's own limit."""

BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
    "F4": 4,
}


def is_safetensors(head: bytes, data: BinaryIO) -> bool:
    """A length in eight bytes, and so many bytes of JSON at once after it."""
    if head[8:9] != b"{":
        return False
    length = int.from_bytes(head[:8], "little")
    return len("{}") <= length <= data.seek(0, os.SEEK_END) - 8


def layout(folder: Path, survey: ModelFolder) -> str:
    """In every part the tensors lie end to end, of the size their shapes say, and fill the file.

    Raises:
        RefusedError: a header that does not say so.
    """
    tensors = 0
    for path in survey.model_files:
        try:
            tensors += _check(folder / path)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as bad:
            raise RefusedError(
                "safetensors-header",
                f"The header of {path} does not fit its content: {bad}.",
                subject=path,
                next_step="Save the tensors again with safetensors, and ingest that.",
            ) from bad
    held = f"{counted(tensors, 'tensor')} in {counted(len(survey.model_files), 'file')}"
    return f"The headers account for every byte: {held}."


def _check(path: Path) -> int:
    with path.open("rb") as data:
        length = int.from_bytes(data.read(8), "little")
        if length > LONGEST_HEADER:
            _fault(f"{length:,} bytes long")
        header = json.loads(data.read(length).decode("utf-8"))
    size = path.stat().st_size - 8 - length
    header.pop("__metadata__", None)
    spans = sorted(_span(name, tensor) for name, tensor in header.items())
    end = 0
    for begins, ends, name in spans:
        if begins != end:
            _fault(f"a gap or an overlap before the tensor {name!r}")
        end = ends
    if end != size:
        _fault(f"{size:,} bytes of tensors where it says {end:,}")
    return len(spans)


def _span(name: str, tensor: dict[str, Any]) -> tuple[int, int, str]:
    begins, ends = (int(offset) for offset in tensor["data_offsets"])
    shape = [int(length) for length in tensor["shape"]]
    bits = BITS[tensor["dtype"]] * prod(shape)
    if min([begins, *shape], default=0) < 0 or bits != 8 * (ends - begins):
        _fault(f"the tensor {name!r} has not the size of its shape")
    return begins, ends, name


def _fault(words: str) -> None:
    raise ValueError(words)


FRAMEWORK = Framework(
    name="safetensors",
    files="safetensors",
    instead="",
    formats=(Format("safetensors", is_safetensors),),
    checks={"safetensors-header": layout},
    packages=(),
    policies=frozenset({"as is"}),
    goldens={},
    in_parts=True,
)
