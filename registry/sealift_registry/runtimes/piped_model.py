"""A model in another environment's ONNX Runtime, asked through pipes.

What asks may be a worker that must not write a file, so rows and answers go as bytes. Whoever asks
has limits on itself, and what it starts has the same.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

from sealift_registry.frameworks.framework import Array, ModelFacts
from sealift_registry.frameworks.onnx_runs import fitted
from sealift_registry.runtimes import answer_process
from sealift_registry.runtimes.ranges import ONNX_RUNTIME
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import FailedError, RefusedError

STARTS = 5
"""So many times a runtime that crashes is started again; odd rows may crash it, each once."""


def command(interpreter: Path) -> list[str]:
    """What starts the process that answers."""
    # -P and -s: neither the current folder nor the user's own packages can slip a module in.
    return [str(interpreter), "-P", "-s", str(Path(answer_process.__file__))]


def _started(interpreter: Path, model: Path) -> subprocess.Popen[bytes]:
    """The process that answers, once it has been told which model to load.

    Raises:
        OSError: it cannot be started.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(command(interpreter), stdin=pipe, stdout=pipe)
    with contextlib.suppress(BrokenPipeError):
        _pipes(process)[0].write(json.dumps({"model": str(model.absolute())}).encode() + b"\n")
        _pipes(process)[0].flush()
    return process


def _heard(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytes]:
    """The next message of that process.

    Raises:
        EOFError: it has ended.
    """
    out = _pipes(process)[1]
    line = out.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    said = json.loads(line)
    data = out.read(said.get("size", 0))
    if len(data) < said.get("size", 0):
        raise EOFError
    return said, data


def _ended(process: subprocess.Popen[bytes]) -> str:
    """How it ended, in words; it is made to, if it has not."""
    with contextlib.suppress(BrokenPipeError):
        _pipes(process)[0].close()
    try:
        status = process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    _pipes(process)[1].close()
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    return cast("tuple[IO[bytes], IO[bytes]]", (process.stdin, process.stdout))


class PipedModel:
    """A model in the ONNX Runtime of `interpreter`'s environment.

    Args:
        release: of that runtime: `1.17.3`.
        interpreter: its Python.
        path: of the model.

    Raises:
        RefusedError: that release cannot load the model.
        FailedError: it does not start.
    """

    def __init__(self, release: str, interpreter: Path, path: Path) -> None:
        self._release = release
        self._name = f"{ONNX_RUNTIME} {release}"
        self._interpreter = interpreter
        self._path = path
        self._left = STARTS
        self._process: subprocess.Popen[bytes] | None = None
        self.software: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.batch: int | None = None
        self._start()

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `frameworks.framework.Model`."""
        said, data = self._asked(answer_process.packed(fitted(inputs, self.inputs)))
        if "error" in said:
            raise RefusedError(
                "goldens-unfit",
                f"{self._name} cannot run the model on these rows: it broke off with "
                f"{_class_of(said['error'])}.",
                subject=", ".join(self.inputs),
                next_step="Give goldens of the shape that the model takes, or promise another "
                "release.",
            )
        return answer_process.unpacked(data)

    def facts(self) -> ModelFacts:
        """See `frameworks.framework.Model`."""
        return ModelFacts()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            _ended(self._process)
            self._process = None

    def _asked(self, rows: bytes) -> tuple[dict[str, Any], bytes]:
        if self._process is None:
            self._start()
        process = cast("subprocess.Popen[bytes]", self._process)
        try:
            stdin = _pipes(process)[0]
            stdin.write(json.dumps({"size": len(rows)}).encode() + b"\n")
            stdin.write(rows)
            stdin.flush()
            return _heard(process)
        except (BrokenPipeError, EOFError) as bad:
            raise self._crashed() from bad

    def _start(self) -> None:
        if not self._left:
            raise self._failed("crashed on rows again and again")
        self._left -= 1
        try:
            self._process = _started(self._interpreter, self._path)
        except OSError as bad:
            raise self._failed(f"could not be started: {bad.strerror}") from bad
        try:
            said, _ = _heard(self._process)
        except EOFError as bad:
            raise self._crashed() from bad
        if "error" in said:
            self.close()
            raise RefusedError(
                "runtime-refuses",
                f"{self._name} cannot load {self._path.name}: {_shown(said['error'])}.",
                subject=self._path.name,
                next_step="Promise releases that can, or export the model for an older one.",
            )
        self.software = dict(said["software"])
        self.inputs = {name: kind for name, kind, _ in said["inputs"]}
        fixed = {shape[0] for _, _, shape in said["inputs"] if shape and isinstance(shape[0], int)}
        self.batch = fixed.pop() if len(fixed) == 1 else None

    def _crashed(self) -> FailedError:
        how = _ended(cast("subprocess.Popen[bytes]", self._process))
        self._process = None
        return self._failed(how)

    def _failed(self, how: str) -> FailedError:
        return FailedError(
            "runtime-crashed",
            f"{self._name} {how} and gave no answer.",
            subject=self._release,
            next_step="Promise another release, or see whether its environment is whole with: "
            "sealift runtime check",
        )


def _class_of(said: object) -> str:
    """The class of an error, and nothing more: a runtime's words quote values of the rows."""
    found = str(said)
    return found if found.isidentifier() else "an error"


def _shown(said: object) -> str:
    return first_line(ValueError(str(said)))
