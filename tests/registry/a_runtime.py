"""A release of ONNX Runtime that is none: the one that is here, under another number.

It is told that number and what is wrong with it, and takes the place of an environment's Python.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from sealift_registry.runtimes import answer_process


def off(output: Any) -> Any:  # noqa: ANN401 - as the product has it
    """Labels are others, and numbers a little off."""
    return np.roll(output, 1) if output.dtype.kind in "iuU" else output


def crashes(session: Any, data: bytes) -> bytes:  # noqa: ANN401 - as the product has it
    os._exit(3)


def refuses(model: str | None) -> tuple[dict[str, Any], Any]:
    msg = "Unsupported model IR version: 10, max supported IR version: 9"
    raise RuntimeError(msg)


def main(release: str, how: str) -> None:
    onnxruntime.__version__ = release
    plain = answer_process._plain
    if how == "wrong":
        answer_process._plain = lambda output: off(plain(output))
    elif how == "crashes":
        answer_process._answered = crashes
    elif how == "refuses":
        answer_process._begin = refuses
    answer_process.main()


def python_of(folder: Path, release: str, how: str = "right") -> Path:
    """A Python that is such a release, to be found in `folder`."""
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    words = f"{sys.executable} -P -s {__file__} {release} {how}"
    path.write_text(f"#!/bin/sh\nexec {words}\n")
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    main(*sys.argv[1:3])
