"""How much anybody may ask: so many requests a minute, by account; by address while unknown.

Each may come at once, and then as fast as they are allowed again. A process counts its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Literal

from sealift_registry.web import refusals

MINUTE = 60.0
MOST_KEPT = 20_000
"""Callers who are counted at once; who has asked nothing for a minute is forgotten."""

Kind = Literal["account", "address"]


@dataclass
class _Left:
    """How many requests somebody has left, at a time."""

    requests: float
    at: float


class Limits:
    """What those who ask one server have left. Without a bound nothing is counted."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = a_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._callers: dict[tuple[Kind, str], _Left] = {}

    def check(self, kind: Kind, who: str) -> None:
        """Check that somebody may ask, and count nothing.

        Raises:
            TooManyError: they asked too much.
        """
        self._count(kind, who, 0)

    def take(self, kind: Kind, who: str) -> None:
        """Count a request.

        Raises:
            TooManyError: they asked too much.
        """
        self._count(kind, who, 1)

    def _count(self, kind: Kind, who: str, number: int) -> None:
        if not self._most:
            return
        now = self._clock()
        with self._lock:
            left = self._left(kind, who, now)
            if left.requests < 1:
                raise refusals.too_many(ceil((1 - left.requests) * MINUTE / self._most))
            left.requests -= number
            if number:
                self._callers[kind, who] = left

    def _left(self, kind: Kind, who: str, now: float) -> _Left:
        found = self._callers.get((kind, who))
        if found is None:
            if len(self._callers) >= MOST_KEPT:
                self._forget(now)
            return _Left(self._most, now)
        again = (now - found.at) * self._most / MINUTE
        return _Left(min(self._most, found.requests + again), now)

    def _forget(self, now: float) -> None:
        """Forget who has everything left again; all, where a crowd is too large for that."""
        known = {who: one for who, one in self._callers.items() if now - one.at < MINUTE}
        self._callers = known if len(known) < MOST_KEPT else {}
