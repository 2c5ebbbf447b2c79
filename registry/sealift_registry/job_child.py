"""The process of one attempt at a job, as its worker sees it: begun, listened to, and killed.

What it says is in `job_process`. It has a session and a process group of its own, and is killed
with all that it started, wherever that went: nothing of an attempt outlives it.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Literal, cast

from sealift_registry.jobs.engine import Recorder, StepsDifferError, StoppedError
from sealift_registry.jobs.job import Problem, job_id
from sealift_registry.jobs.problems import problem_of
from sealift_registry.jobs.steps import Made
from sealift_registry.trust.online_keys import VARIABLE
from sealift_registry.workers import environment, quoting
from sealift_registry.workers.descendants import kill_all
from sealift_signing.drawing import drawn
from sealift_signing.errors import FailedError
from sealift_signing.vocabulary import sentence

MODULE = "sealift_registry.job_process"
Told = Callable[[str, str, int, int], None]
"""Told of the step, what is being worked on, how much of it is done, and of how much."""
How = Literal["done", "failed", "unready", "unknown", "died", "late", "killed"]

_CHUNK = 65_536
_LONGEST = 4 * 1024 * 1024
"""Bytes of one line: an answer is smaller by far."""
_LAST_WORDS = 16_384
_PASSPHRASE = "SEALIFT_PASSPHRASE_"  # noqa: S105 - how variables begin


@dataclass(frozen=True)
class Answer:
    """How a process ended.

    Attributes:
        how: with a result; with a problem; the hub cannot be opened, or takes no entry now; it does
            not know this kind of job; without a word; after its time was up; or we killed it.
        result: where it is done.
        problem: where it failed, was not ready, died or was late.
    """

    how: How
    result: Made | None = None
    problem: Problem | None = None


class Child:
    """One process.

    Args:
        module: whose `__main__` it is.
        order: what it is told to do.
        seconds: that it may take.
        told: of what it is doing.

    Raises:
        FailedError: it could not be started.
    """

    def __init__(
        self, module: str, order: Mapping[str, Any], seconds: float, told: Told = lambda *_: None
    ) -> None:
        self._told = told
        self._id = job_id(order["attempt"]["job"])
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._lines: list[bytes] = []
        self._line = bytearray()
        self._words = bytearray()
        self._step = ""
        self._answer: Answer | None = None
        self._ending = threading.Lock()
        self._killed = self._ended = False
        # -P and -s: neither the current folder nor the user's own packages can slip a module in.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-m", module],
                env=given(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as bad:
            raise FailedError(
                "job-not-started",
                f"No process could be started for {self._id}: {bad.strerror}.",
                subject=self._id,
                next_step="It is tried again later. See how many processes may run, and whether "
                "there is memory.",
            ) from bad
        self.pid = self._process.pid
        self._say(order)

    def kill(self) -> None:
        """Kill it, with all that it started; whoever converses with it is told."""
        with self._ending:
            if not self._ended:
                self._killed = True
                kill_all(self.pid)

    def converse(self, recorder: Recorder) -> Answer:
        """Have it do its steps, each recorded, to the end.

        Raises:
            StoppedError: the engine does not let a step be recorded.
            StepsDifferError: what is recorded is of other steps.
        """
        try:
            while self._answer is None:
                match self._hear():
                    case "step", [str(name), str(of)]:
                        self._say({"said": self._one(recorder, name, of)})
                    case "done", dict(result):
                        self._answer = Answer("done", result=result)
                    case member, value:
                        self._end(member, value)
        except StoppedError:
            if self._answer is None:
                raise
        finally:
            self._close()
        return self._answer

    def _one(self, recorder: Recorder, name: str, of: str) -> Made:
        self._step = name
        self._told(name, "", 0, 0)
        recorded = recorder.step(name, lambda: {"of": of, "said": self._made()})
        if recorded.get("of") != of:  # it was begun from something else, which has changed since
            raise StepsDifferError
        return cast("Made", recorded["said"])

    def _made(self) -> Made:
        """What the process answers to a step; where it has no answer, the step is not finished."""
        self._say({"make": True})
        match self._hear():
            case "made", dict(made):
                return cast("Made", made)
            case member, value:
                self._end(member, value)
        raise StoppedError

    def _end(self, member: str, value: Any) -> None:  # noqa: ANN401 - JSON
        match member, value:
            case "problem", dict(problem):
                self._answer = Answer("failed", problem=Problem(**problem))
            case "unready", dict(problem):
                self._answer = Answer("unready", problem=Problem(**problem))
            case "unknown", _:
                self._answer = Answer("unknown")
            case "killed", _:
                self._answer = Answer("killed")
            case "late", _:
                self._answer = Answer("late", problem=self._too_late())
            case _:
                self._answer = Answer("died", problem=self._died())

    # -------------------------------------------------------------- the pipes

    def _say(self, what: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # it has ended: its silence tells
            unsent = memoryview(json.dumps(what).encode() + b"\n")
            while unsent:
                unsent = unsent[self._pipe(0).write(unsent) :]

    def _hear(self) -> tuple[str, Any]:
        """What it says next; or what became of it."""
        while True:
            while self._lines:
                member, value = _parsed(self._lines.pop(0))
                if member == "progress":
                    self._told(self._step, *value)
                else:
                    return member, value
            left = self._until - time.monotonic()
            if left <= 0:
                return "late", None
            if not self._read(left):
                return ("killed" if self._killed else "died"), None

    def _read(self, seconds: float) -> bool:
        """Read what there is within so many seconds; whether there may be more."""
        out, err = self._pipe(1), self._pipe(2)
        with selectors.DefaultSelector() as ready:
            for pipe in (out, err):
                if not pipe.closed:
                    ready.register(pipe, selectors.EVENT_READ)
            for key, _ in ready.select(seconds):
                data = os.read(key.fd, _CHUNK)
                if key.fileobj is err:
                    self._words += data
                    del self._words[:-_LAST_WORDS]
                    if not data:
                        err.close()
                elif not data or len(self._line) > _LONGEST:
                    return False
                else:
                    self._line += data
                    *lines, rest = self._line.split(b"\n")
                    self._lines += [bytes(one) for one in lines]
                    self._line = bytearray(rest)
        return True

    def _pipe(self, number: int) -> IO[bytes]:
        process = self._process
        return cast("IO[bytes]", (process.stdin, process.stdout, process.stderr)[number])

    def _close(self) -> None:
        """Leave nothing of it, whether it has ended or not."""
        with self._ending:
            kill_all(self.pid)
            self._process.wait()
            self._ended = True
        for number in range(3):
            self._pipe(number).close()

    # -------------------------------------------------------------- in words

    def _died(self) -> Problem:
        self._hear_the_last()
        said = self._words.decode("utf-8", "replace").strip().splitlines()
        hidden = environment.secrets(os.environ)
        last = drawn(sentence(quoting.redacted(said[-1], hidden)), quoting.LONGEST) if said else ""
        bad = FailedError(
            "job-died",
            f"Its process {self._how()}{_in(self._step)}, and gave no answer."
            + (f" Its last words were: {last}" if last else ""),
            subject=self._id,
            next_step="Memory that ran out is the usual reason: look into the machine's log.",
        )
        return problem_of(bad, final=False)

    def _hear_the_last(self) -> None:
        """Read what it said before it ended; whoever could still say more is not waited for."""
        err = self._pipe(2)
        if not err.closed:
            os.set_blocking(err.fileno(), False)
            with suppress(BlockingIOError):
                while data := os.read(err.fileno(), _CHUNK):
                    self._words += data
        del self._words[:-_LAST_WORDS]

    def _how(self) -> str:
        """How it ended; it is not waited for yet, so that its number is nobody else's."""
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            if found is not None:
                by_itself = found.si_code == os.CLD_EXITED
                how = "ended with status" if by_itself else "was killed by signal"
                return f"{how} {found.si_status}"
            time.sleep(0.02)
        return "fell silent"

    def _too_late(self) -> Problem:
        bad = FailedError(
            "job-too-long",
            f"It was not done within {self._seconds:g} seconds, and was stopped{_in(self._step)}.",
            subject=self._id,
            next_step="See what it waited for; then ask for it again where it is done faster: "
            f"sealift job retry {self._id}",
        )
        return problem_of(bad, final=True)


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """A job's environment: its worker's, without passphrases of people, and without a home.

    A source's tokens (MLflow, Git, S3) are in it: a job fetches with what its worker has.
    """
    return {
        name: value
        for name, value in environment.items()
        if name == VARIABLE or not name.startswith((_PASSPHRASE, "SEALIFT_HOME"))
    }


def _in(step: str) -> str:
    return f" in its step {step}" if step else ""


def _parsed(line: bytes) -> tuple[str, Any]:
    """The one member of an object on a line; what is none is no answer."""
    try:
        ((member, value),) = json.loads(line).items()
    except (ValueError, AttributeError):
        return "rubbish", None
    return str(member), value
