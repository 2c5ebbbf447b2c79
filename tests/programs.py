"""The programs of the system that a test may call: those of requirements/programs.list.

A test's PATH is one folder of links to them. Whoever calls another finds out at once, and not only
on the first machine that does not happen to have it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).parents[1] / "requirements/programs.list"
FOUND_ON = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)
"""Where programs are looked for: where whoever tests does, and where Debian keeps root's."""
EVERYWHERE = frozenset({"test", "linux"} if sys.platform == "linux" else {"test"})
"""What every test may call."""
SYSTEM = EVERYWHERE | {"system"}
"""What a test may call that is marked `system` or `long`."""


@dataclass(frozen=True)
class Program:
    """A line of the list.

    Attributes:
        package: Debian's.
        needed_for: `test`, `linux`, `system`, `bench`, `conformance`.
    """

    name: str
    package: str
    needed_for: frozenset[str]
    why: str


def listed(text: str) -> list[Program]:
    """The programs of a list."""
    lines = [line.split(maxsplit=3) for line in text.splitlines() if not line.startswith("#")]
    return [
        Program(name, package, frozenset(needed.split(",")), why)
        for name, package, needed, why in lines
    ]


def needed(uses: Collection[str], text: str | None = None) -> list[Program]:
    """What is needed for any of these."""
    every = listed(LIST.read_text("utf-8") if text is None else text)
    return [one for one in every if not one.needed_for.isdisjoint(uses)]


def linked(programs: Sequence[Program], folder: Path) -> list[Program]:
    """Put a link to each program into `folder`; those that are not on this machine."""
    missing = []
    for one in programs:
        found = shutil.which(one.name, path=FOUND_ON)
        if found:
            (folder / one.name).symlink_to(found)
        else:
            missing.append(one)
    return missing


def said_of(missing: Sequence[Program]) -> str:
    """The sentence about programs that are missing; empty if none is."""
    if not missing:
        return ""
    names = ", ".join(one.name for one in missing)
    packages = " ".join(sorted({one.package for one in missing}))
    return f"The tests need {names}: install with apt-get install {packages}"


class Paths:
    """The PATH of each kind of test, made when the first of them runs.

    Args:
        folder: where the links lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.chmod(0o755)  # a test's other users call programs, too
        self._made: dict[frozenset[str], tuple[str, str]] = {}

    def path_for(self, uses: frozenset[str]) -> tuple[str, str]:
        """The PATH of a test that these are for, and what is said of those that are missing."""
        if uses not in self._made:
            place = self._folder / "-".join(sorted(uses))
            place.mkdir(mode=0o755)
            self._made[uses] = str(place), said_of(linked(needed(uses), place))
        return self._made[uses]
