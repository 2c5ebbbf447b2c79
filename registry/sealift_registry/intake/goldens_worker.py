"""Reads goldens in a process of its own: an array file can unpack to any size."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sealift_registry.intake.goldens import ANSWERS, EXPECTED, INPUTS, LABELS, LEAST_ROWS
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.vocabulary import counted

Array = np.ndarray[Any, Any]

MOST_ROWS = 100_000
MOST_BYTES = 1024**3
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Zip's first day: the time of writing must not change the bytes."""

AGAIN = "and ingest the model again with --goldens FILE.npz."


def from_file(request: Document, _progress: Progress) -> Document:
    """Read the `.npz` file that the request names, and keep it in our layout."""
    path = Path(request["file"])
    arrays = _unpacked(path)
    rows = _rows(arrays, path.name)
    return _kept(arrays, rows, "file", Path(request["target"]))


def from_input_example(request: Document, _progress: Progress) -> Document:
    """Read MLflow's input example beside the model, and keep it in our layout."""
    path = Path(request["folder"]) / "input_example.json"
    try:
        arrays = _arrays(_example(path))
        rows = _rows(arrays, "the input example")
    except RefusedError as bad:  # that it does not serve as goldens is no fault of the model
        raise NotFoundError(bad.code, bad.what, next_step=bad.next_step) from bad
    return _kept(arrays, rows, "input example", Path(request["target"]))


def _example(path: Path) -> Any:  # noqa: ANN401 - a stranger's JSON
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as bad:
        raise _fault(
            "goldens-missing",
            "The model has no input example.",
            f"Write at least {LEAST_ROWS} rows with numpy.savez('FILE.npz', inputs=…), {AGAIN}",
        ) from bad
    except (ValueError, RecursionError) as bad:
        raise _fault(
            "goldens-unreadable",
            "The input example is not JSON.",
            f"Log the model again with input_example=…, or write rows to a file, {AGAIN}",
        ) from bad


def _unpacked(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_BYTES:
            raise _fault(
                "goldens-too-big",
                f"{path.name} unpacks to {size:,} bytes.",
                f"Give fewer rows, of {MOST_BYTES:,} bytes at most, {AGAIN}",
            )
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except FileNotFoundError as bad:
        raise NotFoundError(
            "goldens-not-found",
            f"There is no file {path}.",
            subject=str(path),
            next_step="Look where numpy.savez wrote it, and give that path to --goldens.",
        ) from bad
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as bad:
        raise _fault(
            "goldens-unreadable",
            f"{path.name} is not an .npz file of plain numbers.",
            "Write it with numpy.savez('FILE.npz', inputs=…), of numbers and no objects (table."
            f"to_numpy('float32')), {AGAIN}",
        ) from bad


def _arrays(said: Any) -> dict[str, Array]:  # noqa: ANN401 - a stranger's JSON
    """The input example's arrays: MLflow writes tensors under `inputs`, tables under `data`."""
    if isinstance(said, Mapping):
        said = said.get("inputs", said.get("data", said.get("dataframe_split", {}).get("data")))
    try:
        if isinstance(said, Mapping):
            return {str(name): _numbers(column) for name, column in said.items()}
        return {INPUTS: _numbers(said)}
    except (ValueError, TypeError) as bad:
        raise _fault(
            "goldens-not-numbers",
            "The input example holds more than numbers.",
            f"Write rows of numbers, as the model is given them, to a file, {AGAIN}",
        ) from bad


def _numbers(column: Any) -> Array:  # noqa: ANN401 - a stranger's JSON
    """JSON's numbers as float64, or int64 where all are whole; null is a missing value."""
    found = np.array(column)
    if found.dtype.kind not in "iub":
        found = np.array(column, dtype=np.float64)
    return found


def _rows(arrays: Mapping[str, Array], name: str) -> int:
    """How many rows all `arrays` have.

    Raises:
        RefusedError: they are no goldens.
    """
    inputs = [array for at, array in arrays.items() if at not in ANSWERS]
    if not inputs:
        raise _fault(
            "goldens-no-inputs",
            f"There is no array `{INPUTS}` in {name}.",
            f"Call the rows `{INPUTS}` (or each array as the input of an ONNX model), {AGAIN}",
        )
    for at, array in arrays.items():
        if array.dtype.kind not in ("fiubU" if at in ANSWERS else "fiub"):
            raise _fault(
                "goldens-not-numbers",
                f"The array `{at}` in {name} holds no numbers.",
                "Give each category and date as the number that the model is given for it, and "
                f"write the file anew, {AGAIN}",
            )
    lengths = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
    if len(lengths) > 1:
        raise _fault(
            "goldens-uneven",
            f"The arrays in {name} have different numbers of rows.",
            f"Give as many rows in each array: its first axis counts them; {AGAIN}",
        )
    rows = lengths.pop()
    if not LEAST_ROWS <= rows <= MOST_ROWS:
        raise _fault(
            "goldens-rows",
            f"{name} has {counted(rows, 'row')}; it must have {LEAST_ROWS} to {MOST_ROWS:,}.",
            f"Give {LEAST_ROWS} rows or more (some hundreds, as varied as in use), {AGAIN}",
        )
    _check_answers({at: arrays[at] for at in ANSWERS if at in arrays}, name)
    return rows


def _check_answers(answers: Mapping[str, Array], name: str) -> None:
    """At most one array of answers; labels are one a row, expected numbers may be more."""
    if len(answers) > 1:
        raise _fault(
            "goldens-labels",
            f"Both `{EXPECTED}` and `{LABELS}` are in {name}.",
            f"Leave `{LABELS}` out, which is an older name of `{EXPECTED}`, {AGAIN}",
        )
    for at, array in answers.items():
        if array.ndim != 1 and (at == LABELS or array.dtype.kind == "U"):
            raise _fault(
                "goldens-labels",
                f"The labels in {name} are not one for each row.",
                f"Give one label a row, as an array of one axis, {AGAIN}",
            )


def _kept(arrays: Mapping[str, Array], rows: int, origin: str, target: Path) -> Document:
    """Write `arrays` to `target` in our layout, and say what they are."""
    names = sorted(arrays)
    with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
        for name in names:
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            with archive.open(member, "w", force_zip64=True) as data:
                np.lib.format.write_array(
                    data, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False
                )
    return {
        "format": 1,
        "requires": [],
        "origin": origin,
        "rows": rows,
        "arrays": [
            {"name": name, "dtype": str(arrays[name].dtype), "shape": list(arrays[name].shape)}
            for name in names
        ],
    }


def _fault(code: str, words: str, advice: str) -> RefusedError:
    return RefusedError(code, words, next_step=advice)


if __name__ == "__main__":
    serve({"from_file": from_file, "from_input_example": from_input_example})
