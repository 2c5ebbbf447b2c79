"""A model in the ONNX Runtime of whatever Python runs this file: rows in, answers out.

It is run by its path in an environment that holds nothing but NumPy and a release of ONNX Runtime,
so it imports nothing of Sealift's. Each message, in and out, is a line of JSON, and `size` bytes
after it: an `.npz` file of arrays. It ends when standard input does.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO


def main() -> None:
    """Say which release this is, load the model if there is one, and answer rows."""
    asker, out = sys.stdin.buffer, _claim_stdout()
    asked = json.loads(asker.readline())
    try:
        said, session = _begin(asked["model"])
    except Exception as bad:  # noqa: BLE001 - NumPy and ONNX Runtime raise what they like
        _say(out, {"error": _words(bad)})
        return
    _say(out, said)
    while line := asker.readline():
        data = asker.read(json.loads(line)["size"])
        try:
            answer = _answered(session, data)
        except Exception as bad:  # noqa: BLE001 - likewise
            _say(out, {"error": type(bad).__name__})  # its words may quote values of the rows
        else:
            _say(out, {"size": len(answer)}, answer)


def _claim_stdout() -> BinaryIO:
    """The real standard output for us alone; what libraries print goes to standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "wb")


def _begin(model: str | None) -> tuple[dict[str, Any], Any]:
    import numpy as np
    import onnxruntime

    said: dict[str, Any] = {
        "software": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "onnxruntime": onnxruntime.__version__,
        }
    }
    if model is None:
        return said, None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    said["inputs"] = [[one.name, one.type, list(one.shape)] for one in session.get_inputs()]
    return said, session


def _answered(session: Any, data: bytes) -> bytes:  # noqa: ANN401 - onnxruntime may be absent here
    found = session.run(None, unpacked(data))
    names = [one.name for one in session.get_outputs()]
    return packed(dict(zip(names, map(_plain, found), strict=True)))


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Arrays by name as an `.npz` file: names may be anything, and those of its members may not."""
    import numpy as np

    out = io.BytesIO()
    numbered = {f"a{number}": one for number, one in enumerate(arrays.values())}
    np.savez(out, names=np.array(list(arrays), dtype=str), **numbered)
    return out.getvalue()


def unpacked(data: bytes) -> dict[str, Any]:
    """What `packed` packed."""
    import numpy as np

    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return {str(name): found[f"a{number}"] for number, name in enumerate(found["names"])}


def _plain(output: Any) -> Any:  # noqa: ANN401 - an array, or what ZipMap makes of one
    """`output` as one array without objects: text of a fixed width."""
    import numpy as np

    if isinstance(output, Sequence) and output and isinstance(output[0], Mapping):
        output = [[row[name] for name in sorted(row)] for row in output]
    found = np.asarray(output)
    return found.astype(str) if found.dtype == object else found


def _words(bad: BaseException) -> str:
    lines = str(bad).strip().splitlines() or [type(bad).__name__]
    return lines[0][:2000]


def _say(out: BinaryIO, said: Mapping[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(said).encode() + b"\n" + data)
    out.flush()


if __name__ == "__main__":
    main()
