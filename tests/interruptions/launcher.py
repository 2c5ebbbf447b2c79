"""Runs a command as a process of its own, counts its points, and kills it at one of them.

Starting Python and importing everything takes a second and a half, so one process does that once
and forks for each command; what it forks has opened nothing and started no thread, as a fresh
process. `python -m tests.interruptions.launcher` is that process; `Launcher` is how tests use it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, Self, cast

from tests.desk.days import CLOCKS
from tests.interruptions.points import Points, When, watch

How = Literal["kill", "stop", "pause"]
"""kill: SIGKILL, as by power or by the system; stop: SIGINT, as by Ctrl-C; pause: SIGSTOP."""
SIGNALS: Mapping[How, signal.Signals] = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGINT,
    "pause": signal.SIGSTOP,
}
PATIENCE = 60.0
"""Seconds that a command may take."""


@dataclass(frozen=True)
class Cut:
    """Where a command is cut: at its `point`-th point, from 1."""

    point: int
    when: When
    how: How = "kill"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; minus a signal's number, where one ended it.
        points: what it did at each point, if it came to its end.
        out: what it printed.
        err: likewise, on standard error.
        seconds: how long it took.
        paused: whether it was paused and let go on.
    """

    code: int
    points: tuple[str, ...]
    out: str
    err: str
    seconds: float
    paused: bool = False

    @property
    def cut(self) -> bool:
        """Whether a signal ended it."""
        return self.code < 0


class Launcher:
    """The process that forks commands; `folder` is where their points lie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.interruptions.launcher"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: Sequence[str], cut: Cut | None = None, hours: int = 0) -> Ended:
        """Run `command`, one of `PROGRAMS`, and its arguments, with the clock `hours` ahead."""
        (ended,) = self._ask([command], cut, hours)
        return ended

    def run_during(
        self, command: Sequence[str], cut: Cut, other: Sequence[str]
    ) -> tuple[Ended, Ended]:
        """Run `command`, pause it at a point, run `other` meanwhile, and let it go on.

        Where `other` waits for something that the paused one holds, it ends after it.
        """
        first, second = self._ask([command, other], cut)
        return first, second

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[str]", pipe).close()
        self._process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self, commands: Sequence[Sequence[str]], cut: Cut | None, hours: int = 0
    ) -> list[Ended]:
        asked = {
            "commands": [list(map(str, one)) for one in commands],
            "folder": str(self.folder),
            "cut": vars(cut) if cut else None,
            "hours": hours,
        }
        stdin, stdout = (cast("IO[str]", p) for p in (self._process.stdin, self._process.stdout))
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, "the launcher ended"
        return [Ended(**one | {"points": tuple(one["points"])}) for one in json.loads(line)]


# -------------------------------------------------------------------- the process that forks


class _Child:
    """One command, forked.

    Attributes:
        hours: how far the clock is ahead in those that are forked from now on.
    """

    hours = 0

    def __init__(self, command: list[str], folder: Path, cut: Cut | None, scratch: Path) -> None:
        self._scratch = scratch
        self._began = time.monotonic()
        self.paused = False
        scratch.mkdir()
        self.pid = os.fork()
        if self.pid == 0:
            _become(command, folder, cut, scratch)

    def poll(self) -> int | None:
        """Its status once it has ended; None while it runs. A pause is noted."""
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if os.WIFSTOPPED(status):
            self.paused = True
            return None
        return os.waitstatus_to_exitcode(status)

    def wait(self, seconds: float) -> int | None:
        """Its status once it has ended or paused; None then, or when the time is over."""
        end, pause = time.monotonic() + seconds, 0.0005
        while time.monotonic() < end:
            status = self.poll()
            if status is not None or self.paused:
                return status
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        return None

    def end(self, status: int | None) -> dict[str, Any]:
        """What became of it, waiting for it where that is not known yet."""
        if self.paused and status is None:
            os.kill(self.pid, signal.SIGCONT)
            was, self.paused = True, False
        else:
            was = self.paused
        if status is None:
            status = self.wait(PATIENCE)
        if status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            status = -signal.SIGXCPU
        points = self._scratch / "points"
        return {
            "code": status,
            "points": json.loads(points.read_text()) if points.exists() else [],
            "out": (self._scratch / "out").read_text(),
            "err": (self._scratch / "err").read_text(),
            "seconds": time.monotonic() - self._began,
            "paused": was,
        }


def _become(command: list[str], folder: Path, cut: Cut | None, scratch: Path) -> NoReturn:
    """Be the process of `command`, from here to its end."""
    code = 70
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(scratch / name, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ["TMPDIR"] = str(folder / "tmp")
        os.environ["SEALIFT_TRUST"] = str(folder / "trust")
        tempfile.tempdir = None
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def act() -> None:
            assert cut is not None
            os.kill(os.getpid(), SIGNALS[cut.how])

        points = Points(folder, cut.point if cut else 0, cut.when if cut else "before", act)
        run = PROGRAMS[command[0]]
        if _Child.hours:
            _go_ahead(timedelta(hours=_Child.hours))
        watch(points)
        code = run(command[1:])
        _end()
        passed = points.passed
        points.chosen = 0
        with (scratch / "points").open("w") as file:
            json.dump(passed, file)
    except BaseException:  # noqa: BLE001 - it would otherwise go on as the launcher
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _go_ahead(span: timedelta) -> None:
    """Have every clock of this process be so far ahead."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + span

    for name in CLOCKS:
        module, _, attribute = name.rpartition(".")
        setattr(sys.modules[module], attribute, Ahead)


def _end() -> None:
    """What Python does when a process ends, as far as our code has a part in it."""
    import atexit

    atexit._run_exitfuncs()


def _site(arguments: list[str]) -> int:
    from sealift_sync.cli.run import run

    return run(arguments)


def _hub(arguments: list[str]) -> int:
    from sealift_registry.cli.run import run

    return run(arguments)


def _desk(arguments: list[str]) -> int:
    from sealift_signing.desk.cli.run import run

    return run(arguments)


def _new_desk(arguments: list[str]) -> int:
    """`sealift-sign` at another machine, with a memory of its own."""
    os.environ["SEALIFT_TRUST"] += "-of-a-new-desk"
    return _desk(arguments)


PROGRAMS: Mapping[str, Callable[[list[str]], int]] = {
    "sealift": _hub,
    "sealift-site": _site,
    "sealift-sign": _desk,
    "sealift-sign at a new desk": _new_desk,
}


def import_everything() -> None:
    """Everything that a command would import, heavy libraries of workers aside."""
    import importlib
    import pkgutil

    import sealift_registry
    import sealift_signing
    import sealift_sync

    aside = ("_worker", ".demo", "__main__")
    for package in (sealift_signing, sealift_sync, sealift_registry):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(one in found.name for one in aside):
                importlib.import_module(found.name)
    importlib.import_module("sealift_migrations")


def serve() -> None:
    """Answer one request a line, until there is no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import_everything()
    # Not TemporaryDirectory, which each child would remove when it ends.
    folder = Path(tempfile.mkdtemp(prefix="sealift-launcher-"))
    for number, line in enumerate(sys.stdin):
        asked = json.loads(line)
        cut = Cut(**asked["cut"]) if asked["cut"] else None
        _Child.hours = asked["hours"]
        scratch = folder / str(number)
        scratch.mkdir()
        ended = _run(asked["commands"], Path(asked["folder"]), cut, scratch)
        shutil.rmtree(scratch)
        answers.write(f"{json.dumps(ended)}\n")
        answers.flush()
    folder.rmdir()


MEANWHILE = 1.0
"""Seconds that a second command gets before the paused one may go on: it may be waiting for it."""


def _run(commands: list[list[str]], folder: Path, cut: Cut | None, scratch: Path) -> list[Any]:
    first = _Child(commands[0], folder, cut, scratch / "first")
    status = first.wait(PATIENCE)
    if len(commands) == 1:
        return [first.end(status)]
    second = _Child(commands[1], folder, None, scratch / "second")
    other = second.wait(MEANWHILE)
    return [first.end(status), second.end(other)]


if __name__ == "__main__":
    serve()
