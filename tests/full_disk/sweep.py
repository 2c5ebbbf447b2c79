"""Run by tests in a mount namespace of its own: commands on disks that fill up.

python -m tests.full_disk.sweep STOCKED FOLDER POINTS PLACE:COMMAND …

Prints one JSON object: for each of the last, what became of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

import onnx

from tests.full_disk.places import PLACES, Case
from tests.interruptions.launcher import PROGRAMS, Launcher, _end, import_everything
from tests.interruptions.pictures import differences, picture
from tests.interruptions.story import Story

PLENTY = 1024
"""Pages that are enough for every command here."""
ASKING = {"export", "import"}
"""Commands that ask how much is free before they begin."""
WEIGHT = 150_000
"""Bytes that a model has in addition."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it said on standard error."""

    code: int
    said: str


@dataclass
class Swept:
    """What became of a command.

    Attributes:
        needs: the fewest free pages, nearly, with which it is done.
        points: with how many free pages it was run.
        codes: the errors that it was refused with, and how often each.
        problems: what went wrong, in words.
    """

    needs: int
    points: list[int] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class HeavyStory(Story):
    """The story with a model of some weight: there is more to it than one page."""

    def _begin(self, stocked: Path) -> None:
        super()._begin(stocked)
        file = self.case / "tiny-3.onnx"
        model = onnx.load(file)
        model.metadata_props.add(key="about", value="x" * WEIGHT)
        onnx.save(model, file)


class Sweep:
    """Commands of one story in one case."""

    def __init__(self, story: Story, case: Case, kept: Path, folder: Path) -> None:
        self._story = story
        self._case = case
        self._kept = kept
        self._folder = folder

    def of(self, name: str, count: int) -> Swept:
        """A command at `count` points, evenly spread below what it needs."""
        words = [*self._story.told[name].step.words, "--json"]
        needs = self._needs(name, words)
        swept = Swept(needs)
        for free in sorted({number * needs // count for number in range(count)}):
            swept.points.append(free)
            self._at(name, words, free, swept, hidden=False)
            if name in ASKING:
                self._at(name, words, free, swept, hidden=True)
        return swept

    def _needs(self, name: str, words: Sequence[str]) -> int:
        too_few, enough = 0, PLENTY
        while enough - too_few > 1 + enough // 16:
            free = (too_few + enough) // 2
            if self._run(name, words, free, hidden=True).code == 0:
                enough = free
            else:
                too_few = free
        return enough

    def _run(self, name: str, words: Sequence[str], free: int, *, hidden: bool) -> Ended:
        self._case.lay_out(self._kept / name)
        self._case.fill(free)
        return run(words, self._folder, roomy=hidden)

    def _at(
        self, name: str, words: Sequence[str], free: int, swept: Swept, *, hidden: bool
    ) -> None:
        """The command with so many pages free, and again once there is room.

        `hidden`: as if somebody else filled the disk after the command had asked what is free.
        """
        first = self._run(name, words, free, hidden=hidden)
        told = [f"the first time: {one}" for one in refused(first)]
        code = _code(first)
        swept.codes[code] = swept.codes.get(code, 0) + 1
        self._case.make_room()
        again = run(words, self._folder, roomy=False)
        if again.code != 0:
            told.append(f"then: {again}")
        else:
            told += differences(self._story.told[name].after, picture(self._case.folder))
            told += self._unverified(name)
        about = f"{name}, {free} pages free{', unseen' if hidden else ''}"
        swept.problems += [f"{about}: {one}" for one in told]

    def _unverified(self, name: str) -> list[str]:
        checks = [run(words, self._folder, roomy=False) for words in self._story.checks(name)]
        return [f"a check afterwards: {ended}" for ended in checks if ended.code != 0]


def refused(ended: Ended) -> list[str]:
    """What is wrong with how a command on a full disk ended, in words."""
    if ended.code == 0:
        return []  # there was room enough
    if ended.code != 4:
        return [f"exit code {ended.code}: {ended.said}"]
    try:
        error = json.loads(ended.said)["error"]
    except (ValueError, KeyError):
        return [f"no error object: {ended.said}"]
    if error["code"] in {"unexpected", "unusable"} or not error["next"]:
        return [f"no sentence of its own: {ended.said}"]
    return []


def _code(ended: Ended) -> str:
    if ended.code == 0:
        return "done"
    try:
        return str(json.loads(ended.said)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "?"


def run(words: Sequence[str], folder: Path, *, roomy: bool) -> Ended:
    """Run a command in a forked process; `roomy`: it is told that every disk has room."""
    said = folder / "said"
    pid = os.fork()
    if pid == 0:
        _become(words, said, roomy=roomy)
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), said.read_text())


def _become(words: Sequence[str], said: Path, *, roomy: bool) -> NoReturn:
    code = 70
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        if roomy:
            os.statvfs = _roomy(os.statvfs)  # type: ignore[assignment]
        code = PROGRAMS[words[0]](list(words[1:]))
        _end()
    except BaseException as bad:  # noqa: BLE001 - it would otherwise go on as the sweep
        sys.stderr.write(f"{type(bad).__name__}: {bad}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _roomy(
    real: Callable[[os.PathLike[str]], os.statvfs_result],
) -> Callable[[os.PathLike[str]], os.statvfs_result]:
    def statvfs(path: os.PathLike[str]) -> os.statvfs_result:
        found = list(real(path))
        found[2] = found[3] = found[4] = 1 << 24
        return os.statvfs_result(found)

    return statvfs


def main(stocked: Path, folder: Path, count: int, wanted: Sequence[str]) -> None:
    """Sweep each of `wanted`, a command in a place that is full."""
    with Launcher(folder / "case") as launcher:
        story = HeavyStory(folder, launcher)
        story.tell(stocked)
    os.environ["SEALIFT_TRUST"] = str(folder / "case" / "trust")
    import_everything()
    found = {}
    for one in wanted:
        place, _, name = one.partition(":")
        case = Case(story.case, PLACES[place])
        found[one] = asdict(Sweep(story, case, folder / "kept", folder).of(name, count))
        case.clear()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
