"""A site's schema is brought forward, and killed: it is there with its number, or not begun.

`make test` kills one command before or after every statement of the step and its commit;
`make test-long` three, before and after these and every file that they open, flush or name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.interruptions.launcher import Cut, Launcher
from tests.interruptions.points import When
from tests.offline_sync.databases import Held, held
from tests.offline_sync.test_schema import SHAPES
from tests.older.test_older import unpacked

__all__ = ["unpacked"]

WHENS: tuple[When, ...] = ("before", "after")
STATUS = ("status",)
ASK = ("init", "--id", "plant-9", "--group", "line-1=cpu-x86_64", "--request", "asked")
HOMES = {"plant-7": STATUS, "plant-9": ASK, "": ASK}
"""Older homes, and what brings them forward; last one that is not there yet."""


class Plant:
    """A home that is laid out anew for each run, in a place that stays the same."""

    def __init__(self, kept: Path, case: Path, launcher: Launcher, words: Sequence[str]) -> None:
        self.home = case / "site"
        self._kept = kept
        self._launcher = launcher
        file = str(case / words[-1]) if words[-1] == "asked" else words[-1]
        self._words = ["sealift-site", "--home", str(self.home), *words[:-1], file]

    def lay_out(self) -> None:
        shutil.rmtree(self.home.parent, ignore_errors=True)
        (self.home.parent / "tmp").mkdir(parents=True)
        if self._kept.name != "older":
            shutil.copytree(self._kept, self.home, symlinks=True)

    def run(self, cut: Cut | None = None) -> tuple[str, ...]:
        """Run the command; its points, if it came to its end."""
        ended = self._launcher.run(self._words, cut)
        assert ended.cut if cut else ended.code == 0, (cut, ended.code, ended.err)
        return ended.points

    def known(self) -> Held | None:
        """What the database holds; None where there is none yet, which is an empty one."""
        return held(self.home) if (self.home / "sealift.db").exists() else None


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    with Launcher(tmp_path / "case") as made:
        yield made


def step(points: Sequence[str]) -> Iterator[Cut]:
    """In turns before and after each statement of the step; before and after its commit."""
    for number, point in enumerate(points, start=1):
        if point.startswith("commit"):
            yield from (Cut(number, when) for when in WHENS)
        elif point.startswith(("CREATE", "DROP", "PRAGMA")):
            yield Cut(number, WHENS[number % 2])


def every(points: Sequence[str]) -> Iterator[Cut]:
    """Before and after every point."""
    for number in range(1, len(points) + 1):
        yield from (Cut(number, when) for when in WHENS)


@pytest.mark.parametrize(
    "name, cuts",
    [
        pytest.param("plant-7", step, id="sample"),
        *(pytest.param(name, every, marks=pytest.mark.long, id=name or "new") for name in HOMES),
    ],
)
def test_f1_68_a_step_that_is_killed_is_done_or_not_begun(
    unpacked: Path,
    tmp_path: Path,
    launcher: Launcher,
    name: str,
    cuts: Callable[[Sequence[str]], Iterator[Cut]],
) -> None:
    plant = Plant(unpacked / name, tmp_path / "case", launcher, HOMES[name])
    plant.lay_out()
    before = plant.known()
    points = plant.run()
    done = plant.known()
    assert done is not None
    assert sum("CREATE " in one for one in points) > 30, "the step's statements are points"
    found = {False: 0, True: 0}
    for cut in cuts(points):
        plant.lay_out()
        plant.run(cut)
        left = plant.known()
        where = f"{cut} ({points[cut.point - 1]})"
        taken = left is not None and left.number == done.number
        found[taken] += 1
        if left is not None and taken:
            assert left.made == done.made, where
        elif left is not None and left.number:
            assert left.shape == SHAPES[left.number], where  # between two steps
        elif left is not None:
            assert left == (before or Held(0, frozenset(), {})), where
        plant.run()
        again = plant.known()
        assert again is not None
        assert (again.number, again.made) == (done.number, done.made), where
        assert again == done or HOMES[name] == ASK, where  # what is asked is new each time
    assert all(found.values()), found
