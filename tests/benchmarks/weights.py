"""Models to be carried: real ONNX models whose weights lie in files beside them.

The weights are normal random numbers in bf16, as a trained model's are: no file system, medium or
backup program can make much less of them (zstd -1 leaves 0.78), where random bytes could not be
compressed at all and zeros to nothing. The same size and number of files make the same bytes.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from hashlib import file_digest, sha256
from itertools import accumulate
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper

WIDTH = 256
"""Numbers in a row."""
ROW = 2 * WIDTH
"""Bytes in a row of bf16."""
GOLDEN_ROWS = 8
OPSET = 21
IR_VERSION = 10


def make(folder: Path, sizes: Sequence[int]) -> Path:
    """Make a model with files of about `sizes` bytes in `folder`, if it is not there yet.

    Beside the folder, with `.npz` after its name, are its goldens. Each file is a table of rows in
    bf16; the model adds up one row of each: ONNX Runtime runs it, and it is converted, compared
    and approved as any other.
    """
    goldens = folder.with_name(f"{folder.name}.npz")
    if goldens.exists():  # made last
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = [max(size // ROW, 1) for size in sizes]
    files = [f"weights-{n:05d}-of-{len(sizes):05d}.bin" for n in range(len(sizes))]
    for seed, (file, count) in enumerate(zip(files, rows, strict=True)):
        _random_rows(seed, count).tofile(folder / file)
    (folder / "model.onnx").write_bytes(_model(files, rows))
    np.savez(goldens, inputs=np.zeros(GOLDEN_ROWS, dtype=np.int64))
    return folder


def hollow(folder: Path, size: int) -> Path:
    """A model in `folder` with one file of about `size` bytes, all of them zero.

    It takes no room on the disk and no time to be made: for what only depends on how much it is.
    """
    folder.mkdir(parents=True)
    file, rows = "weights.bin", max(size // ROW, 1)
    with (folder / file).open("wb") as empty:
        empty.truncate(rows * ROW)
    (folder / "model.onnx").write_bytes(_model([file], [rows]))
    return folder


def spread(total: int, files: int) -> list[int]:
    """Sizes of `files` small files that make about `total` bytes: from few bytes to many."""
    drawn = np.random.default_rng(files).lognormal(0, 0.8, files)
    ends = [round(end * total) for end in accumulate(drawn / drawn.sum())]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file below `folder`, by its path there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = file_digest(file, "sha256").hexdigest()
    return found


def contents(folder: Path) -> list[str]:
    """The sha256 of every file below `folder`, and in place of a tar archive those of its files."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and tarfile.is_tarfile(path):
            with tarfile.open(path, "r:") as archive:
                files = [archive.extractfile(member) for member in archive]
                found += [sha256(file.read()).hexdigest() for file in files if file]
        elif path.is_file():
            with path.open("rb") as file:
                found.append(file_digest(file, "sha256").hexdigest())
    return found


def _random_rows(seed: int, rows: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """Numbers around zero, as bf16: the upper half of a float32."""
    drawn = np.random.default_rng(seed).standard_normal(rows * WIDTH, dtype=np.float32)
    drawn *= np.float32(0.02)
    drawn.view(np.uint32)[:] >>= 16
    return drawn.view(np.uint32).astype(np.uint16)


def _model(files: Sequence[str], rows: Sequence[int]) -> bytes:
    nodes: list[NodeProto] = []
    tables: list[TensorProto] = []
    for n, (file, count) in enumerate(zip(files, rows, strict=True)):
        tables.append(_table(f"table-{n}", file, count))
        nodes.append(helper.make_node("Gather", [f"table-{n}", "token"], [f"row-{n}"], axis=0))
        nodes.append(helper.make_node("Cast", [f"row-{n}"], [f"as-{n}"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Sum", [f"as-{n}" for n in range(len(files))], ["embedding"]))
    token = helper.make_tensor_value_info("token", TensorProto.INT64, ["rows"])
    summed = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", WIDTH])
    graph = helper.make_graph(nodes, "tables", [token], [summed], tables)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=opsets)
    return bytes(model.SerializeToString(deterministic=True))


def _table(name: str, file: str, rows: int) -> TensorProto:
    table = TensorProto(name=name, data_type=TensorProto.BFLOAT16, dims=[rows, WIDTH])
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value=file)
    return table
