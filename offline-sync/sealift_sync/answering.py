"""Check rows in the ONNX Runtime of whatever Python runs this file: rows in, answers out, once.

A site runs it by its path with the interpreter that a host group serves its models with. So it
imports nothing but NumPy and ONNX Runtime, and nothing of Sealift's. On standard input stands a
line of JSON (the model's file, whether it takes one row at a time, each input's name, dtype and
shape) and then the inputs as they lie in a file of check rows (`check_rows`). On standard output
stand a line of JSON once the model is loaded (the software), another one (each output's name,
dtype, shape and bytes), and the outputs.
"""

from __future__ import annotations

import json
import os
import platform
import struct
import sys
from typing import Any, BinaryIO

KINDS = ("f8", "f4", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
"""NumPy's letters for what travels, text aside; `check_rows` calls them by NumPy's long names."""


def main() -> None:
    """Load the model, answer all rows, and end."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - any Python runs this
    sys.path[:] = [one for one in sys.path if os.path.abspath(one) != here]  # noqa: PTH100 - likewise
    source, out = sys.stdin.buffer, _claim_stdout()
    asked = json.loads(source.readline())
    said: dict[str, Any] = {}
    try:
        session = _session(asked["model"], said)
    except Exception as bad:  # noqa: BLE001 - NumPy and ONNX Runtime raise what they like
        what = "error" if said else "lacks"  # until both are imported, nothing is said of software
        _say(out, {**said, what: _words(bad)})
        return
    _say(out, said)
    try:
        told = answers(session, asked, source)
    except Exception as bad:  # noqa: BLE001 - likewise
        _say(out, {"error": type(bad).__name__})  # its words may quote values of the rows
        return
    outputs = [{**about, "size": len(data)} for about, data in told]
    _say(out, {"outputs": outputs}, b"".join(data for _, data in told))


def _claim_stdout() -> BinaryIO:
    """The real standard output for us alone; what libraries print goes to standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "wb")


def _session(model: str, said: dict[str, Any]) -> Any:  # noqa: ANN401 - onnxruntime may be absent here
    import numpy as np
    import onnxruntime

    said["software"] = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def answers(
    session: Any,  # noqa: ANN401 - onnxruntime may be absent here
    asked: dict[str, Any],
    source: BinaryIO,
) -> list[tuple[dict[str, Any], bytes]]:
    """Each output as it is told, and its bytes, to the rows that are read from `source`."""
    import numpy as np

    rows = {one["name"]: _read(source, one["dtype"], one["shape"]) for one in asked["inputs"]}
    names = [one.name for one in session.get_outputs()]
    if not asked["alone"]:
        found = [_plain(one) for one in session.run(None, rows)]
    else:
        count = len(next(iter(rows.values())))
        each = [_row(session, rows, number) for number in range(count)]
        found = [np.concatenate([row[at] for row in each]) for at in range(len(names))]
    return [_told(name, found[at]) for at, name in enumerate(names)]


def _row(session: Any, rows: dict[str, Any], number: int) -> list[Any]:  # noqa: ANN401 - as above
    """The answers to one row; one without an axis that counts rows gets it, as in the proof."""
    alone = {name: array[number : number + 1] for name, array in rows.items()}
    found = [_plain(one) for one in session.run(None, alone)]
    return [one if one.ndim and len(one) == 1 else one[None] for one in found]


def _read(source: BinaryIO, dtype: str, shape: list[int]) -> Any:  # noqa: ANN401 - NumPy may be absent here
    import numpy as np

    count = 1
    for size in shape:
        count *= size
    if dtype == "text":
        texts = [source.read(struct.unpack("<I", source.read(4))[0]).decode() for _ in range(count)]
        return np.array(texts, dtype=object).reshape(shape)
    kind = np.dtype(dtype).newbyteorder("<")
    data = np.frombuffer(source.read(count * kind.itemsize), dtype=kind).reshape(shape)
    return data.astype(np.dtype(dtype))


def _plain(output: Any) -> Any:  # noqa: ANN401 - an array, or what ZipMap makes of one
    """`output` as one array without objects: text of a fixed width."""
    import numpy as np

    if isinstance(output, list) and output and isinstance(output[0], dict):
        output = [[row[name] for name in sorted(row)] for row in output]
    found = np.asarray(output)
    return found.astype(str) if found.dtype == object else found


def _told(name: str, array: Any) -> tuple[dict[str, Any], bytes]:  # noqa: ANN401 - NumPy may be absent here
    """An output as it is told, and its bytes."""
    import numpy as np

    about = {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}
    if array.dtype.kind == "U":
        texts = [str(one).encode() for one in array.ravel()]
        data = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        return {**about, "dtype": "text"}, data
    if array.dtype.str[1:] not in KINDS:
        msg = "an output of a type that no check row has"
        raise TypeError(msg)
    plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
    return about, plain.tobytes()


def _words(bad: BaseException) -> str:
    lines = str(bad).strip().splitlines() or [type(bad).__name__]
    return lines[0][:500]


def _say(out: BinaryIO, said: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(said).encode() + b"\n" + data)
    out.flush()


if __name__ == "__main__":
    main()
