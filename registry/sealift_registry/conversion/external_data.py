"""An ONNX model's external data in a variant: behind a page with which no other kind begins.

Numbers may look like anything, so a stranger's data file could be a pickle, compressed or not, or
an archive for whoever opens it as that. Each of these is known by its first bytes. 0xFF is no
opcode of a pickle, and begins no stream that gzip, zlib, bzip2, xz or lzma reads; as long as a tar
header, and a whole page, so that runtimes can still map what follows into memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = b"\xff" * 4096
"""What stands before the tensors in every data file of a variant."""

_EXTERNAL = 1
"""onnx.TensorProto.EXTERNAL."""
_KEPT = ("location", "length")


def copy(source: Path, target: Path) -> None:
    """Write the data file `source` into the new file `target`, behind the page.

    Raises:
        OSError: it could not be read or written.
    """
    with source.open("rb") as numbers, target.open("xb") as written:
        written.write(PAGE)
        shutil.copyfileobj(numbers, written, 1024**2)


def move_behind_page(model: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    """Have every external tensor of `model` be read from where `copy` puts it.

    What else stands beside its place, such as a checksum of the whole file, is left out.
    """
    for tensor in _tensors(model):
        if tensor.data_location != _EXTERNAL:
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        place = {name: said[name] for name in _KEPT if name in said}
        place["offset"] = str(int(said.get("offset", "0")) + len(PAGE))
        del tensor.external_data[:]
        for key in sorted(place):
            tensor.external_data.add(key=key, value=place[key])


def _tensors(message: Any) -> Iterator[Any]:  # noqa: ANN401 - protobuf is Any to us
    """Every TensorProto in `message`, in whatever field, however deep."""
    waiting = [message]
    while waiting:
        one = waiting.pop()
        if one.DESCRIPTOR.name == "TensorProto":
            yield one
        for field, value in one.ListFields():
            if field.message_type is not None:
                waiting.extend(value if field.is_repeated else (value,))
