"""What a benchmark finds, as values: a benchmark yields these, and the report shows them.

Three kinds of measurement. A `Figure` is an operation that was done many times in this process; a
`Measured` is a command that was run a few times, each round beside its competitors; a `Claim` is
one value beside the limit that was promised for it. `Absent` names what could not be measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

MS = 1_000.0
"""Milliseconds in a second."""
MB = 1_000_000
"""Bytes in a megabyte."""
MOST = 0.5
"""The part of a command's time from which on something is said to limit it."""


@dataclass(frozen=True)
class Figure:
    """One line: how often a thing happened a second, and how long one took, in milliseconds."""

    name: str
    count: int
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True)
class Timing:
    """What one run of a command took.

    Attributes:
        wall: seconds by the clock on the wall.
        cpu: seconds of processor, user and system, of it and of all that it waited for.
        peak: resident bytes of its largest process.
        read: bytes that the kernel had to fetch from a disk for it.
        written: bytes that it gave the kernel to be written to one.
    """

    wall: float
    cpu: float
    peak: int = 0
    read: int = 0
    written: int = 0

    def __add__(self, other: Timing) -> Timing:
        """Both, one after the other."""
        return Timing(
            self.wall + other.wall,
            self.cpu + other.cpu,
            max(self.peak, other.peak),
            self.read + other.read,
            self.written + other.written,
        )


@dataclass(frozen=True)
class Measured:
    """A command, run once in each round.

    Attributes:
        name: what was run.
        size: the payload in bytes, the same for all that are compared; 0 where there is none.
        rounds: in order, so that those of competitors can be compared one by one.
        stored: bytes that it left on the disk.
        shares: what part of its wall time each of the machine's limits would take by itself (1.0
            is all of it), as `shares` makes them. Only of our own commands.
        control: whether it measures the machine and no competitor.
        note: what a reader must know of it.
    """

    name: str
    size: int
    rounds: tuple[Timing, ...]
    stored: int = 0
    shares: Mapping[str, float] = field(default_factory=dict)
    control: bool = False
    note: str = ""

    @property
    def wall(self) -> float:
        """Seconds, the median."""
        return median(one.wall for one in self.rounds)

    @property
    def cpu(self) -> float:
        """Seconds of processor, the median."""
        return median(one.cpu for one in self.rounds)

    @property
    def peak(self) -> int:
        """Bytes, of the round that took most."""
        return max(one.peak for one in self.rounds)

    @property
    def read(self) -> int:
        """Bytes from the disk, of the round that took least: whether the source was cold."""
        return min(one.read for one in self.rounds)

    @property
    def limited_by(self) -> str:
        """What takes the largest part of its time, if that is most of it; else nothing does."""
        if not self.shares:
            return ""
        name, share = max(self.shares.items(), key=lambda one: one[1])
        return name if share >= MOST else ""

    @property
    def per_second(self) -> float:
        """Bytes of the payload a second."""
        return self.size / self.wall if self.wall else 0.0


@dataclass(frozen=True)
class Claim:
    """A value beside what was promised for it.

    Attributes:
        line: the acceptance line's number; empty for a comparison that nothing was promised of.
        what: in words.
        value: the median where it was measured in rounds.
        unit: of the value: `x`, `s`, `MB`, `/s`, `ms`.
        least: it holds if the value is not below.
        most: it holds if the value is not above.
        aim: what would be better still.
        low: the lowest of the rounds.
        high: the highest.
    """

    line: str
    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    aim: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether it does; None where nothing was promised."""
        if self.least is None and self.most is None:
            return None
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)


@dataclass(frozen=True)
class Absent:
    """Something that could not be measured here, and why."""

    name: str
    why: str


Line = Figure | Measured | Claim | Absent
"""What a benchmark yields."""


def figure(name: str, seconds: Sequence[float], elapsed: float | None = None) -> Figure:
    """The figure of single durations; `elapsed` is the wall time when they overlapped."""
    ordered = sorted(seconds)
    count = len(ordered)
    return Figure(
        name,
        count,
        round(count / (elapsed or sum(ordered)), 1),
        round(median(ordered) * MS, 3),
        round(ordered[min(count - 1, int(count * 0.99))] * MS, 3),
        round(ordered[-1] * MS, 3),
    )


def repeated(name: str, times: int, action: Callable[[int], object]) -> Figure:
    """How long each of `times` calls takes; the call is given its number."""
    took: list[float] = []
    for number in range(times):
        with clocked(took):
            action(number)
    return figure(name, took)


@contextmanager
def clocked(took: list[float]) -> Iterator[None]:
    """Append to `took` the seconds that the block needed."""
    started = time.perf_counter()
    yield
    took.append(time.perf_counter() - started)


def over_rounds(
    line: str,
    what: str,
    unit: str,
    each: Sequence[float],
    *,
    least: float | None = None,
    most: float | None = None,
    aim: float | None = None,
) -> Claim:
    """The claim of one value a round: their median, with the lowest and the highest beside it."""
    return Claim(line, what, median(each), unit, least, most, aim, min(each), max(each))


def ratio(
    line: str,
    ours: Measured,
    theirs: Measured,
    *,
    least: float | None = None,
    aim: float | None = None,
) -> Claim:
    """How many times as fast as `theirs` ours is: of each round, and of those the median.

    Rounds are compared one by one, since what else the machine does changes from one to the next.
    """
    pairs = zip(ours.rounds, theirs.rounds, strict=True)
    each = [other.wall / own.wall for own, other in pairs]
    return over_rounds(line, f"{ours.name}, against {theirs.name}", "x", each, least=least, aim=aim)


def shares(
    one: Measured,
    passes: Mapping[str, float],
    controls: Mapping[str, Measured],
    whole: Mapping[str, Measured] | None = None,
) -> dict[str, float]:
    """What part of the wall time each of the machine's limits would take by itself.

    `disk` and `sha256` are what its bytes need, `processor` is what it used of one core, which it
    may do while it waits for neither.

    Args:
        one: what was measured.
        passes: how often it cannot but have the payload `read`, `written` and `hashed`.
        controls: how fast this machine does each, measured in the same rounds.
        whole: controls that do all of something that it cannot do without, by the share's name.
    """
    seconds = {name: times * one.size / controls[name].per_second for name, times in passes.items()}
    found = {"processor": one.cpu}
    if "read" in seconds or "written" in seconds:
        found["disk"] = seconds.get("read", 0.0) + seconds.get("written", 0.0)
    if "hashed" in seconds:
        found["sha256"] = seconds["hashed"]
    found |= {name: control.wall for name, control in (whole or {}).items()}
    return {name: taken / one.wall for name, taken in found.items()}
