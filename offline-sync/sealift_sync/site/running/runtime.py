"""Asking the runtime of a host group: its interpreter, an installed model, check rows, an answer.

What answers is no part of Sealift, and may be anything: it has its time, no more bytes are read
than an answer can have, and all that it says is looked at before it is believed to be an answer.
Once the answer is here, or there will be none, it is ended with all that it started in its group.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sealift_signing import file_access
from sealift_signing.drawing import drawn, word
from sealift_signing.errors import SealiftError
from sealift_sync import answering
from sealift_sync.check_rows import (
    DTYPES,
    LARGEST,
    MOST_VALUES,
    CheckRowsContent,
    Tensor,
    check_tensor,
)
from sealift_sync.site.running import programs
from sealift_sync.site.running.programs import CommandFailedError

LARGEST_LINE = 1024 * 1024
"""Bytes of the line before the answers."""
MOST_AXES = 16
LONGEST_RELEASE = 40
"""Characters of a release that a runtime gives itself."""
GRACE = 0.1
"""Seconds in which a program that closed its output may end, so that its own code is told."""
CHUNK = 1024 * 1024
LACKS = "lacks NumPy or ONNX Runtime, or cannot load them"


@dataclass(frozen=True)
class Answer:
    """What a runtime answered.

    Attributes:
        runtime: what it calls itself: `onnxruntime 1.23.2`.
    """

    runtime: str
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True)
class Runtime:
    """How a host group's runtime is asked.

    Attributes:
        command: its interpreter and arguments.
        seconds: how long it may take.
        environment: what it finds there.
        folder: where it works.
    """

    command: tuple[str, ...]
    seconds: float
    environment: Mapping[str, str]
    folder: Path

    @property
    def words(self) -> str:
        """Which program is meant, in sentences."""
        return f"The runtime {word(self.command[0])}"

    def check_time(self, end: float) -> None:
        """Check that its time is not over, by the monotonic clock.

        Raises:
            CommandFailedError: it is.
        """
        if time.monotonic() >= end:
            raise self._late()

    def _late(self) -> CommandFailedError:
        return CommandFailedError(f"{self.words} took longer than {self.seconds} seconds.")

    def ask(self, model: Path, content: CheckRowsContent, end: float) -> Answer:
        """What it answers to check rows, with the model in the file `model`.

        Args:
            model: what it loads.
            content: the rows.
            end: when its time is over, by the monotonic clock.

        Raises:
            CommandFailedError: it gives no answer, or what it gives is none.
        """
        self.check_time(end)
        with programs.output_file() as errors, self._asked(model, content) as rows:
            process = self._start(rows, errors)
            heard = _Heard(process, errors, end)
            try:
                return self._understood(heard)
            except _LateError:
                raise self._late() from None
            except EOFError:
                time.sleep(GRACE)
                how = _how(_end(process))
                # Once it has the rows, what it says may hold their values, and this is logged.
                said = "" if heard.has_rows else programs.quote(errors)
                raise CommandFailedError(
                    f"{self.words} {how} before it had answered{said}."
                ) from None
            finally:
                _end(process)

    def _asked(self, model: Path, content: CheckRowsContent) -> IO[bytes]:
        """A file without a name that holds what is asked."""
        try:
            rows = programs.unnamed_file()
            _write(rows, model, content)
        except OSError as bad:
            raise CommandFailedError(
                f"{self.words} could not be asked: {bad.strerror or bad}."
            ) from bad
        return rows

    def _start(self, rows: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self.command, str(Path(answering.__file__).absolute())],
                stdin=rows,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
                umask=file_access.callers_umask(),
            )
        except OSError as bad:
            raise CommandFailedError(
                f"{self.words} could not be started: {bad.strerror or bad}."
            ) from bad

    def _understood(self, heard: _Heard) -> Answer:
        try:
            begun = json.loads(heard.line())
            runtime = _release(begun.get("software", {}))
            if "lacks" in begun:
                why = drawn(str(begun["lacks"]), programs.LONGEST_QUOTE)
                raise CommandFailedError(f"{self.words} {LACKS}: {why}.")
            if "error" in begun:
                why = drawn(str(begun["error"]), programs.LONGEST_QUOTE)
                raise CommandFailedError(f"{runtime or self.words} cannot load the model: {why}.")
            heard.has_rows = True
            said = json.loads(heard.line())
            if "error" in said:
                why = _class_of(said["error"])
                raise CommandFailedError(
                    f"{runtime or self.words} cannot answer: it broke off with {why}."
                )
            outputs: dict[str, Tensor] = {}
            left = LARGEST
            for name, dtype, shape, size in map(_described, said["outputs"]):
                left -= size
                many = dtype == "text" and math.prod(shape) > MOST_VALUES
                if left < 0 or name in outputs or many:
                    raise _nonsense(self.words)
                outputs[name] = Tensor(dtype, shape, heard.exactly(size))
                check_tensor(outputs[name])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as bad:
            raise _nonsense(self.words) from bad
        except SealiftError as bad:
            raise _nonsense(self.words) from bad
        return Answer(runtime, outputs)


class _LateError(Exception):
    """The time is over."""


class _Heard:
    """Reads what a program prints, until its time is over. What it says besides is kept short.

    Attributes:
        has_rows: it has loaded the model, and looks at the rows.
    """

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], end: float) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._descriptor = process.stdout.fileno()
        self._errors = errors
        self._end = end
        self._kept = b""
        self.has_rows = False

    def line(self) -> bytes:
        """Up to the next line feed.

        Raises:
            ValueError: the line is longer than any answer's.
        """
        found = bytearray(self._kept)
        while (at := found.find(b"\n")) < 0:
            if len(found) > LARGEST_LINE:
                msg = "no line ends"
                raise ValueError(msg)
            found += self._more()
        self._kept = bytes(found[at + 1 :])
        return bytes(found[:at])

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        found = bytearray(self._kept[:size])
        self._kept = self._kept[size:]
        while len(found) < size:
            found += self._more(size - len(found))
        return bytes(found)

    def _more(self, most: int = CHUNK) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while not selector.select(min(programs.LOOK, max(self._end - time.monotonic(), 0))):
                programs.drop(self._errors.fileno())
                if time.monotonic() >= self._end:
                    raise _LateError
        if time.monotonic() >= self._end:  # a program that always has one byte more to say
            raise _LateError
        programs.drop(self._errors.fileno())
        data = os.read(self._descriptor, min(most, CHUNK))
        if not data:
            raise EOFError
        return data


def _write(rows: IO[bytes], model: Path, content: CheckRowsContent) -> None:
    """What is asked; no rows of answers are in it: who is asked is not told what is expected."""
    asked = {"model": str(model.absolute()), **content.question}
    rows.write(json.dumps(asked).encode() + b"\n")
    for one in content.inputs:
        rows.write(one.tensor.data)
    rows.flush()
    rows.seek(0)


def _described(one: Any) -> tuple[str, Any, tuple[int, ...], int]:  # noqa: ANN401 - a stranger's JSON
    name, dtype, shape, size = (one[member] for member in ("name", "dtype", "shape", "size"))
    numbers = [size, *shape]
    if (
        not isinstance(name, str)
        or dtype not in DTYPES
        or len(numbers) > MOST_AXES
        or not all(type(number) is int and 0 <= number <= LARGEST for number in numbers)
    ):
        msg = "no output is described so"
        raise ValueError(msg)
    return name, dtype, tuple(shape), size


def _release(software: Mapping[str, object]) -> str:
    found = software.get("onnxruntime")
    if not isinstance(found, str):
        return ""
    return f"onnxruntime {word(found[:LONGEST_RELEASE])}"


def _class_of(said: object) -> str:
    """The class of an error, and nothing more: a runtime's words quote values of the rows."""
    found = str(said)[: programs.LONGEST_QUOTE]
    return found if found.isidentifier() and found.isascii() else "an error"


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"


def _nonsense(words: str) -> CommandFailedError:
    return CommandFailedError(f"{words} gave something that is not an answer to check rows.")


def _end(process: subprocess.Popen[bytes]) -> int:
    """End it, with all that it started in its group, also where it has ended by itself.

    It is not waited for before: until then nobody else's group can have its number.
    """
    if process.returncode is None:
        with contextlib.suppress(PermissionError):  # macOS, of a group of which all have ended
            programs.end(process)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return process.returncode
