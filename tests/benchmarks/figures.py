"""What a benchmark found, as values, a table and JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

MS = 1_000.0
"""Milliseconds in a second."""


@dataclass(frozen=True)
class Figure:
    """One line: how often a thing happened a second, and how long one took, in milliseconds."""

    name: str
    count: int
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


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


def show(figures: Sequence[Figure]) -> None:
    """Print `figures` as a table."""
    table = Table("what", "count", "per second", "p50 ms", "p99 ms", "worst ms")
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right"
    table.columns[0].justify = "left"
    for line in figures:
        table.add_row(
            line.name,
            f"{line.count:,}",
            f"{line.per_second:,.1f}",
            *(f"{value:,.3f}" for value in (line.p50_ms, line.p99_ms, line.worst_ms)),
        )
    Console(width=max(Console().width, 100)).print(table)


def as_json(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """The figures as JSON has them."""
    return [asdict(line) for line in figures]
