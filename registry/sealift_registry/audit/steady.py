"""What a process that runs for long knows of its clock: whether somebody set it meanwhile (ADR 30).

The log shows a clock that fell back, and one that is far ahead. A process that has run for a month
also knows how long it has run, by a clock that nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta


def since_boot() -> float:
    """Seconds by the clock that nobody sets, those included for which the machine slept."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Steady:
    """What the time is by when this began, and by how long ago that was.

    Args:
        now: the time when it begins, by the clock that people set.
        elapsed: seconds by one that nobody sets.
    """

    def __init__(self, now: datetime, elapsed: Callable[[], float] = since_boot) -> None:
        self._began = now
        self._elapsed = elapsed
        self._at = elapsed()

    def expected(self) -> datetime:
        """What the clock says, unless somebody set it."""
        return self._began + timedelta(seconds=self._elapsed() - self._at)
