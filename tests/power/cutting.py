"""Many power cuts of one recording, each checked on what was left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.power.disk import Mark, lay_out
from tests.power.recording import Recording

SAMPLE, ALL = 30, 400
SIZES = (
    pytest.param(SAMPLE, marks=pytest.mark.system, id="sample"),
    pytest.param(ALL, marks=pytest.mark.long, id="all"),
)
"""How many cuts: a sample in `make test-system`, all of them in `make test-long`."""
ONLY = frozenset(int(one) for one in os.environ.get("ONLY", "").split(",") if one)


@dataclass(frozen=True)
class Cut:
    """What was left after the power went.

    Attributes:
        name: which cut it was, to be run again.
        folder: the recorded folder as it is found; its files may be changed.
        told: what had been acknowledged.
    """

    name: str
    folder: Path
    told: tuple[str, ...]

    @property
    def committed(self) -> int:
        """The size of the log that was last acknowledged; 0 if none was."""
        sizes = [int(one.split()[1]) for one in self.told if one.startswith("committed ")]
        return max(sizes, default=0)


def cuts(recording: Recording, count: int) -> Iterator[Cut]:
    """`count` cuts spread evenly over the recording, each of its own chance; the same every time.

    Each is laid out where it was recorded, because paths are remembered, when it is asked for.
    ONLY=17,42 in the environment makes these alone.
    """
    disk, told = recording.disk(), []
    number = 0
    for place, operation in enumerate(recording.operations, start=1):
        disk.apply(operation)
        if isinstance(operation, Mark):
            told.append(operation.said)
        while number < count and number * len(recording.operations) < place * count:
            chosen, number = number, number + 1
            if ONLY and chosen not in ONLY:
                continue
            name = f"{chosen} of {count}, after {place}: {operation!r:.120}"
            shutil.rmtree(recording.folder)
            chance = Random(chosen)  # noqa: S311 - chance that repeats is what a test wants
            lay_out(disk.cut(recording.folder, chance), recording.folder)
            yield Cut(name, recording.folder, tuple(told))


def failures(recording: Recording, count: int, check: Callable[[Cut], None]) -> list[str]:
    """Check every cut; what was wrong with each that was not as it should be."""
    found = []
    for cut in cuts(recording, count):
        try:
            check(cut)
        except Exception as bad:  # noqa: BLE001 - whatever a cut does to us is a finding
            found.append(f"cut {cut.name}: {type(bad).__name__}: {bad}")
    return found
