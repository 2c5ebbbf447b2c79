"""How fast bytes are handled: how many are done, at what rate, and how long the rest will take.

One arithmetic for both command lines. The rate is that of lately: of the last three quarters of
the time, and of no more than a minute. So it forgets in time that a disk slept at first or began
with what its cache took, and does not jump about with every file. 1 MB is 10^6 bytes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

MB = 1_000_000
BIG = 1_000 * MB
"""Bytes that take longer than a second on any disk."""

FORGOTTEN = 0.25
"""The part of the time, from the beginning, that the rate forgets."""
LATELY = 60.0
"""Seconds, at most, that the rate is of."""
LEAST = 0.5
"""Seconds after which a rate can be told."""
SPACING = 0.25
"""Seconds between two marks."""

SOON = 1.0
"""Seconds: work that is over by then is not told of."""
OFTEN = 10.0
"""Seconds after which a log gets another line, however little was done."""
PART = 0.1
"""The part of all after which a log gets another line, if a second has passed."""

Clock = Callable[[], float]
"""Seconds, from anywhere; they never go back."""


@dataclass(frozen=True)
class Figures:
    """How a phase stands, or how it ended.

    Attributes:
        done: bytes.
        total: bytes; 0 where nobody knows. Never less than what is done.
        seconds: since it began.
        rate: bytes a second, lately; once it has ended, of all of it. None where it cannot be told
            yet, or nothing was handled.
        left: seconds until all is done, if it goes on so; None where that cannot be told.
    """

    done: int
    total: int
    seconds: float
    rate: float | None
    left: float | None

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1; 0 where the total is not known."""
        return self.done / self.total if self.total else 0.0


class _Mark(NamedTuple):
    """How many bytes were done at one moment."""

    at: float
    done: int


class Pace:
    """One phase of some work, told of its bytes by any number of threads."""

    def __init__(self, total: int, clock: Clock = time.monotonic) -> None:
        """`total` in bytes; 0 where nobody knows."""
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._done = 0
        self._began = self._told = clock()
        self._marks = deque([_Mark(self._began, 0)])

    def add(self, count: int) -> None:
        """`count` further bytes are done; never fewer than none, so that nothing goes back."""
        with self._lock:
            now = self._clock()
            self._done += max(count, 0)
            if now - self._marks[-1].at >= SPACING:
                self._marks.append(_Mark(now, self._done))
            self._told = now

    def figures(self) -> Figures:
        """How it stands now."""
        with self._lock:
            now = self._clock()
            rate = self._lately(now)
            total = self._known_total()
            left = (total - self._done) / rate if rate and total else None
            return Figures(self._done, total, now - self._began, rate, left)

    def result(self, *, with_pause: bool) -> Figures:
        """How it ended: at its last bytes or, `with_pause`, now.

        What came after the last bytes belongs to it where they were flushed then.
        """
        with self._lock:
            seconds = (self._clock() if with_pause else self._told) - self._began
            rate = self._done / seconds if self._done and seconds > 0 else None
            return Figures(self._done, self._known_total(), seconds, rate, None)

    def _known_total(self) -> int:
        return max(self._total, self._done) if self._total else 0

    def _lately(self, now: float) -> float | None:
        if now - self._began < LEAST:
            return None
        since = max(self._began + (now - self._began) * FORGOTTEN, now - LATELY)
        if self._told <= since:
            return 0.0
        while len(self._marks) > 1 and self._marks[1].at <= since:
            self._marks.popleft()
        first = self._marks[0]
        return (self._done - first.done) / (now - first.at)


class Cadence:
    """When a log gets another line.

    None before a second has passed, unless there is much to do, and none about what is done. Then
    one every ten seconds, or every ten per cent, but not more than one a second.
    """

    def __init__(self) -> None:
        self._last: Figures | None = None

    def due(self, now: Figures) -> bool:
        """Whether a line is due; if so it counts as written."""
        if self._is_due(now):
            self._last = now
            return True
        return False

    def _is_due(self, now: Figures) -> bool:
        if now.total and now.done >= now.total:
            return False  # how it ended is told when it has
        if self._last is None:
            return worth_telling(now)
        passed = now.seconds - self._last.seconds
        return passed >= OFTEN or (passed >= SOON and now.share - self._last.share >= PART)


def worth_telling(now: Figures) -> bool:
    """Whether a phase is long enough to be told of; without any bytes, one of ten seconds is."""
    if now.total or now.done:
        return now.total >= BIG or now.seconds >= SOON
    return now.seconds >= OFTEN


# ---------------------------------------------------------------- words


def so_far(now: Figures) -> str:
    """How it stands: `412 of 2,000 MB, 20 %, 488 MB/s, 3 s left`."""
    if not (now.total or now.done):
        return span(now.seconds)
    said = [_so_far(now)]
    if now.total:
        said.append(f"{int(100 * now.share)} %")
    if now.rate is not None:
        said.append(speed(now.rate))
    if now.left is not None and now.done < now.total:
        said.append(f"{span(max(1, round(now.left)))} left")
    return ", ".join(said)


def ending(end: Figures) -> str:
    """How it ended: `2,000 MB in 4.1 s, 488 MB/s`."""
    if not end.done:
        return span(end.seconds)
    said = f"{megabytes(end.done)} in {span(end.seconds)}"
    if end.rate is not None:
        said += f", {speed(end.rate)}"
    return said


def stopping(end: Figures) -> str:
    """How far it came: `stopped at 412 of 2,000 MB after 4.1 s`."""
    return f"stopped at {_so_far(end)} after {span(end.seconds)}"


def megabytes(size: int) -> str:
    """`191,394 bytes`, `12.3 MB`, `2,000 MB`."""
    return f"{size:,} bytes" if size < MB else f"{_number(size, size)} MB"


def speed(rate: float) -> str:
    """`4.3 MB/s`, `488 MB/s`; `rate` in bytes a second."""
    return f"{_number(rate, rate)} MB/s"


def span(seconds: float) -> str:
    """`4.1 s`, `42 s`, `3 min 20 s`, `1 h 05 min`."""
    if seconds < 9.95:  # noqa: PLR2004 - what is not 10.0 when it is rounded
        return f"{seconds:.0f} s" if seconds == int(seconds) else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02} min" if hours else f"{minutes} min {rest} s"


def _so_far(now: Figures) -> str:
    if not now.total:
        return megabytes(now.done)
    if now.total < MB:
        return f"{now.done:,} of {now.total:,} bytes"
    return f"{_number(now.done, now.total)} of {_number(now.total, now.total)} MB"


def _number(size: float, like: float) -> str:
    """Megabytes; with a decimal where `like`, of the same size or larger, is below a hundred."""
    return f"{size / MB:,.1f}" if like < 99.95 * MB else f"{size / MB:,.0f}"
