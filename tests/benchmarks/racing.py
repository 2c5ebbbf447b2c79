"""Commands run in turns: every round runs each of them once, on cold sources, in an empty folder.

Whoever comes first in one round comes last in the next, so that nobody always follows the same one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from tests.benchmarks.figures import Measured, Timing

LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
PATIENCE = 3_600.0
"""Seconds that one command may take."""
SAID = 2_000
"""How much of what a failed command said is repeated."""


@dataclass(frozen=True)
class Step:
    """A command that is timed.

    Attributes:
        command: the program and its arguments.
        cold: files, and folders of files, that are not in the page cache when it begins.
        cwd: where it is run.
        environment: what is set beside what we have ourselves, which has nothing of Sealift's.
        part: the name it is counted under, where it is a measurement of its own.
    """

    command: Sequence[str | Path]
    cold: Sequence[Path] = ()
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    part: str = ""


@dataclass(frozen=True)
class Act:
    """Something in this process that is timed: a measurement of the machine."""

    call: Callable[[], object]
    cold: Sequence[Path] = ()
    part: str = ""


@dataclass(frozen=True)
class Place:
    """Where one contestant works in one round: a folder of its own, empty before.

    `first` is set in the first round, in which results are compared with what they must be.
    """

    folder: Path
    first: bool

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


Steps = Callable[[Place], Iterator[Step | Act]]
"""What a contestant does. What it does between two steps, and before and after, is not timed."""


@dataclass(frozen=True)
class Contestant:
    """One of those that are compared.

    Attributes:
        name: what the report calls it.
        size: the payload in bytes.
        steps: what it does.
        leaves: what it leaves in its place, by name; its size is reported.
        control: whether it measures the machine and no competitor.
        note: what a reader must know of it.
    """

    name: str
    size: int
    steps: Steps
    leaves: str = ""
    control: bool = False
    note: str = ""


class FailedError(Exception):
    """A command did not do what it was run for: there is nothing to compare."""


def race(
    contestants: Sequence[Contestant], rounds: int, folder: Path, *, keep: bool = False
) -> dict[str, Measured]:
    """Run every contestant once in each of `rounds`, in folders below `folder`.

    What one leaves is taken away after it, unless it is to be kept: an ext4 without a journal
    passes over what was deleted in the last minutes (`recently_deleted` in its ialloc.c), and a new
    file takes ten times as long there after a thousand others were taken away.

    Raises:
        FailedError: a command failed, or its result is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ran: dict[str, list[Timing]] = {}
    stored: dict[str, int] = {}
    of: dict[str, Contestant] = {}
    for number in range(rounds):
        turn = number % len(contestants)
        for one in (*contestants[turn:], *contestants[:turn]):
            tell(f"round {number + 1} of {rounds}: {one.name}")
            place = _place(folder, first=number == 0)
            for name, timing in _run(one, place).items():
                ran.setdefault(name, []).append(timing)
                of[name] = one
            if one.leaves:
                stored[one.name] = size_of(place / one.leaves)
            if not keep:
                shutil.rmtree(place.folder)
    in_order = sorted(ran, key=lambda name: [c.name for c in contestants].index(of[name].name))
    return {
        name: Measured(
            name,
            of[name].size,
            tuple(ran[name]),
            stored=stored.get(name, 0),
            control=of[name].control,
            note=of[name].note if name == of[name].name else "",
        )
        for name in in_order
    }


def _place(folder: Path, *, first: bool) -> Place:
    return Place(Path(tempfile.mkdtemp(prefix="place-", dir=folder)), first)


def _run(one: Contestant, place: Place) -> dict[str, Timing]:
    took: dict[str, Timing] = {}
    for step in one.steps(place):
        os.sync()  # what was prepared, and what others left, is not written at its cost
        drop(step.cold)
        timing = run(step) if isinstance(step, Step) else _act(step)
        name = step.part or one.name
        took[name] = took[name] + timing if name in took else timing
    return took


def run(step: Step) -> Timing:
    """Run a command to its end.

    Raises:
        FailedError: it ended otherwise than with 0.
    """
    command = [str(part) for part in step.command]
    ours = {k: v for k, v in os.environ.items() if not k.startswith("SEALIFT_")}
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as said, os.fdopen(reading, "rb") as answer:
        process = subprocess.Popen(
            [*LAUNCHER, str(writing), *command],
            cwd=step.cwd,
            env={**ours, **step.environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            process_group=0,
        )
        os.close(writing)
        try:
            process.wait(PATIENCE)
        except BaseException:
            os.killpg(process.pid, 9)
            process.wait()
            raise
        told = answer.read().split()
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    if not told or int(told[0]) != 0:
        shown = " ".join(command)
        msg = f"{shown}\nended with {told[0].decode() if told else 'nothing'}:\n{words[-SAID:]}"
        raise FailedError(msg)
    return Timing(float(told[1]), float(told[2]), *map(int, told[3:]))


def _act(act: Act) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    act.call()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def drop(paths: Sequence[Path]) -> None:
    """Have the files at and below `paths` leave the page cache; they must have been flushed."""
    for file in files_of(paths):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The regular files at and below `paths`."""
    for path in paths:
        if path.is_dir():
            yield from (one for one in sorted(path.rglob("*")) if _is_file(one))
        else:
            yield path


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def size_of(path: Path) -> int:
    """The bytes in the files at and below `path`; a file with two names counts once."""
    found = {(s.st_dev, s.st_ino): s.st_size for s in map(os.stat, files_of([path]))}
    return sum(found.values())


_CONSOLE = Console(stderr=True)


def tell(words: str) -> None:
    """Say what is being done, for whoever waits."""
    if _CONSOLE.is_terminal:
        _CONSOLE.print(f"  {words}", style="dim", highlight=False)
