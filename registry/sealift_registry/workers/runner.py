"""The one way to start a worker: a subprocess that gets one JSON request and gives one answer.

It has a time limit, memory, processor and file-size limits, an environment without our secrets, a
folder of its own and a process group of its own; the group is killed when time is up and when we
are interrupted. What it prints beyond an answer is an error: a worker that crashes, hangs or talks
rubbish has never said yes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from sealift_registry.workers.channel import KINDS, OUT_OF_MEMORY, Document, Progress
from sealift_registry.workers.environment import scrubbed, secrets
from sealift_registry.workers.quoting import LONGEST, redacted
from sealift_signing import events
from sealift_signing.drawing import drawn
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.vocabulary import sentence

GIB = 1024**3
_CHUNK = 65_536
_STDERR_KEPT = 16_384
_MISSING = re.compile(rb"^ModuleNotFoundError: No module named '([\w.]+)'\s*\Z", re.MULTILINE)


@dataclass(frozen=True)
class WorkerLimits:
    """What a worker may use.

    Attributes:
        seconds: by the clock on the wall.
        cpu_seconds: of all its threads together.
        memory_bytes: that it allocates (what it only maps does not count).
        file_bytes: the longest file it may write.
        answer_bytes: everything it may say, progress included.
    """

    seconds: float = 600
    cpu_seconds: int = 3600
    memory_bytes: int = 8 * GIB
    file_bytes: int = 64 * GIB
    answer_bytes: int = 16 * 1024**2


@dataclass(frozen=True)
class Worker:
    """How to start one kind of worker.

    Attributes:
        module: the module whose `__main__` calls `channel.serve`.
        name: what errors call it: "the scanner".
        limits: what it may use.
        interpreter: the Python of its toolchain.
        carry: variables that it may see of our environment.
        given: variables that it needs, with their values.
        absent: packages that its libraries load where they find them, and that it has no use of:
            pandas takes half as long to load as scikit-learn. They are not found.
    """

    module: str
    name: str
    limits: WorkerLimits = field(default_factory=WorkerLimits)
    interpreter: str = sys.executable
    carry: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def _silent(_subject: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def ask(
    worker: Worker, verb: str, request: Document, progress: Progress = _silent, *, work: Path
) -> Document:
    """The answer of a fresh `worker` to `request`.

    Args:
        worker: how to start it.
        verb: which of its functions is asked.
        request: what it is asked.
        progress: told of what it is doing.
        work: where it gets a folder of its own, for as long as it runs. What lies there is swept
            when this process is killed, unlike what lies in the system's temporary folder.

    Raises:
        SealiftError: what the worker itself refused, as it said it.
        FailedError: it could not be started, took too long, crashed or answered rubbish.
    """
    with tempfile.TemporaryDirectory(prefix="worker-", dir=work.absolute()) as folder:
        environment = scrubbed(Path(folder), worker.carry, worker.given)
        began, answered = time.monotonic(), False
        process = _start(worker, Path(folder), environment)
        told = {"worker": worker.name, "verb": verb, "worker_pid": process.pid}
        events.tell("worker", "worker-started", **told)
        envelope = {"verb": verb, "request": request, "limits": asdict(worker.limits)}
        try:
            answer = _Conversation(worker, process, progress, secrets(environment)).hold(
                envelope | {"absent": worker.absent}
            )
            answered = True
        finally:
            # Also when we are interrupted, and also what the worker itself has started.
            _kill_group(process)
            seconds = round(time.monotonic() - began, 3)
            events.tell("worker", "worker-ended", **told, answered=answered, seconds=seconds)
        return answer


def nonsense(worker: Worker) -> FailedError:
    """The error for an answer of `worker` that is an object, and not one that it may give."""
    return FailedError(
        "worker-rubbish",
        f"{_begin(worker.name)} gave an answer that makes no sense.",
        subject=worker.module,
        next_step="Nothing was accepted. Try again.",
    )


def _start(worker: Worker, work: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # -P and -s: neither the current folder nor the user's own packages can slip a module in.
    command = [worker.interpreter, "-P", "-s", "-m", worker.module]
    try:
        return subprocess.Popen(
            command,
            cwd=work,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as bad:
        raise FailedError(
            "worker-not-started",
            f"{_begin(worker.name)} could not be started: {bad.strerror}.",
            subject=worker.interpreter,
            next_step="Check that the toolchain's Python is still installed.",
        ) from bad


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in _pipes(process):
        pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """Standard input, output and error; `_start` asked for all three, unbuffered."""
    pipes = (process.stdin, process.stdout, process.stderr)
    return cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", pipes)


class _Conversation:
    """Everything said between us and one worker, with a deadline."""

    def __init__(
        self,
        worker: Worker,
        process: subprocess.Popen[bytes],
        progress: Progress,
        hidden: tuple[str, ...],
    ) -> None:
        self._worker = worker
        self._process = process
        self._progress = progress
        self._hidden = hidden
        self._deadline = time.monotonic() + worker.limits.seconds
        self._said = 0
        self._line = bytearray()
        self._last_words = bytearray()
        self._answer: Document | None = None

    def hold(self, envelope: Document) -> Document:
        """Send `envelope`, listen to the end, and return the answer."""
        self._listen(json.dumps(envelope).encode() + b"\n")
        if self._answer is None:
            self._no_answer()
        return self._answer

    def _listen(self, unsent: bytes) -> None:
        """Write, and read both pipes, none waiting for another: a full pipe must not hang us.

        The answer ends it, since what the worker started may keep the pipes open for ever.
        """
        stdin, stdout, stderr = _pipes(self._process)
        with selectors.DefaultSelector() as ready:
            ready.register(stdin, selectors.EVENT_WRITE)
            ready.register(stdout, selectors.EVENT_READ)
            ready.register(stderr, selectors.EVENT_READ)
            while ready.get_map() and self._answer is None:
                for key, _ in ready.select(self._time_left()):
                    if key.fileobj is stdin:
                        unsent = self._send(key.fd, unsent)
                        if not unsent:  # not closed: by that the worker knows that we have ended
                            ready.unregister(stdin)
                    elif not self._receive(key.fd, is_answer=key.fileobj is stdout):
                        ready.unregister(key.fileobj)
                        cast("IO[bytes]", key.fileobj).close()

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._too_late()
        return left

    def _too_late(self) -> NoReturn:
        seconds = f"{self._worker.limits.seconds:g}"
        self._fail("worker-timeout", f"did not finish within {seconds} seconds")

    @staticmethod
    def _send(descriptor: int, unsent: bytes) -> bytes:
        """What is still to be sent after sending as much as never blocks."""
        try:
            return unsent[os.write(descriptor, unsent[: select.PIPE_BUF]) :]
        except BrokenPipeError:
            return b""  # it died without listening; its exit status tells

    def _receive(self, descriptor: int, *, is_answer: bool) -> bool:
        data = os.read(descriptor, _CHUNK)
        if is_answer:
            self._said += len(data)
            if self._said > self._worker.limits.answer_bytes:
                self._fail("worker-rubbish", "said more than it is allowed to")
            seen = len(self._line)  # a long line is looked through once
            self._line += data
            while (end := self._line.find(b"\n", seen)) >= 0:
                line, seen = bytes(self._line[:end]), 0
                del self._line[: end + 1]
                self._understand(line)
        else:
            self._last_words += data
            del self._last_words[:-_STDERR_KEPT]
        return bool(data)

    def _understand(self, line: bytes) -> None:
        match self._parsed(line):
            case "progress", [str(subject), int(done), int(total)]:
                self._progress(subject, done, total)
            case "error", {"kind": str(kind), "code": str(code), **told} if kind in KINDS:
                self._pass_on(KINDS[kind], code, told)
            case "answer", dict(answer):
                self._answer = answer
            case _:
                self._rubbish(line)

    def _parsed(self, line: bytes) -> tuple[str, Any]:
        """The one member of the object on `line`, and its value."""
        try:
            ((member, value),) = json.loads(line).items()
        except (ValueError, AttributeError, RecursionError) as bad:
            self._rubbish(line, bad)
        return member, value

    def _pass_on(self, kind: type[SealiftError], code: str, told: Mapping[Any, Any]) -> NoReturn:
        """Raise here what the worker raised there."""
        if code == OUT_OF_MEMORY:
            self._fail(code, "needed more memory than it is allowed")
        names = ("what", "subject", "next_step")
        what, subject, next_step = (self._without_secrets(told.get(name)) for name in names)
        raise kind(self._shown(code), what, subject=subject, next_step=next_step)

    def _rubbish(self, line: bytes, cause: Exception | None = None) -> NoReturn:
        shown = self._shown(line[:4096].decode("utf-8", "replace"))[:60]
        self._fail("worker-rubbish", f"did not answer in our words ({shown!r})", cause)

    def _no_answer(self) -> NoReturn:
        if self._line:
            self._rubbish(bytes(self._line))
        try:
            status = self._process.wait(max(self._time_left(), 0.1))
        except subprocess.TimeoutExpired:
            self._too_late()
        missing = _MISSING.search(self._last_words)
        if missing is not None:
            self._incomplete(missing.group(1).decode())
        how = f"ended with status {status}" if status >= 0 else _signal_words(-status)
        self._fail("worker-crashed", f"{how} and gave no answer")

    def _incomplete(self, package: str) -> NoReturn:
        raise FailedError(
            "worker-missing-package",
            f"{_begin(self._worker.name)} needs the Python package {package}, which is not "
            "installed in its environment.",
            subject=package,
            next_step="Install what it belongs to: pip install "
            "'sealift-registry[convert,dvc,mlflow]', or the one of the three that you use.",
        )

    def _fail(self, code: str, how: str, cause: Exception | None = None) -> NoReturn:
        words = self._last_words.decode("utf-8", "replace").strip().splitlines()
        said = drawn(self._shown(words[-1].strip()), LONGEST) if words else ""
        last = f" Its last words were: {said}" if said else ""
        raise FailedError(
            code,
            f"{_begin(self._worker.name)} {how}.{last}",
            subject=self._worker.module,
            next_step="Nothing was accepted. Try again; if it fails again, the input is at fault "
            "or the limits are too low.",
        ) from cause

    def _shown(self, said: object) -> str:
        """What a worker said, which quotes strangers, fit for a terminal, the log and a ticket."""
        return sentence(self._without_secrets(said)) if said else ""

    def _without_secrets(self, said: object) -> str:
        """For an error, which cuts what is too long by itself, and closes the marks around it."""
        return redacted(str(said), self._hidden).strip() if said else ""


def _signal_words(number: int) -> str:
    if number == signal.SIGXCPU:
        return "used up its processor time"
    if number == signal.SIGXFSZ:
        return "wrote a longer file than it is allowed to"
    return f"was killed by signal {number}"


def _begin(name: str) -> str:
    return name[:1].upper() + name[1:]
