"""In which order probe rows are run, and how many at a time: time may end before the rows do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.probe_rows import FIRST, LEAST_ROWS, MILD

LEAST, MOST = 64, 1024
"""Rows of one slice."""
MOST_BYTES = 16 * 1024**2
"""Of the source's answers in one slice."""
SHARE = 0.25
"""Of the time that is left, for one slice."""


Named = list[tuple[str, int]]


def ordered(probes: Mapping[str, Array]) -> Named:
    """Kind and number of every row: ten of each kind first, mild ones before others; then the rest.

    The rest are mixed, so that no kind is left out for another.
    """
    kinds = sorted(probes, key=lambda kind: kind not in MILD)
    first = [(kind, n) for kind in kinds for n in range(min(FIRST, len(probes[kind])))]
    rest = [
        ((n + 0.5) / len(probes[kind]), kind, n)
        for kind in kinds
        for n in range(FIRST, len(probes[kind]))
    ]
    # As many of each as there are, evenly over the whole; but all mild ones at once.
    rest.sort(key=lambda one: (one[1] not in MILD, one[0], one[1]))
    return first + [(kind, n) for _, kind, n in rest]


def at_once(answers: Mapping[str, Array], rows: int) -> int:
    """How many rows are compared at once, by the answers to some: they lie in memory several times.

    A picture for each row, or twenty thousand classes, are larger than what is asked.
    """
    size = sum(one.nbytes for one in answers.values()) // max(rows, 1)
    return max(MOST_BYTES // max(size, 1), 1)


def slices(rows: Named, mild: int, budget: Budget, most: int) -> Iterator[Named]:
    """Slices of `rows`; at least `LEAST_ROWS` of them, and then as long as there is time.

    Args:
        rows: in their order.
        mild: how many of them the scale of the outputs needs: they come at once, if time allows.
        budget: the time.
        most: rows of one slice, of the first one too.
    """
    at, size = 0, min(max(LEAST_ROWS, mild), most)
    while at < len(rows) and (at < LEAST_ROWS or budget.left > 0):
        began = time.monotonic()
        yield rows[at : at + size]
        at += size
        each = max((time.monotonic() - began) / size, 1e-9)
        size = min(int(np.clip(SHARE * max(budget.left, 0) / each, LEAST, MOST)), most)
