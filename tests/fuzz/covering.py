"""Which lines and turns of our code an input reaches, and the few inputs that reach them all."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.target import Target

MOST_KEPT = 26
"""Inputs that a target's corpus keeps: twelve corpora then stay below 320 files."""
MOST_BYTES = 80_000
"""And all their bytes."""

Arc = tuple[CodeType, int, int]
"""From one line of a function to another."""


def reached(target: Target, data: bytes) -> set[Arc]:
    """The arcs in our packages that `data` takes."""
    found: set[Arc] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401 - sys.settrace's
        if "/sealift_" not in frame.f_code.co_filename:
            return None
        if event in {"line", "return"}:
            found.add((frame.f_code, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        if event == "return":
            last.pop(frame, None)
        return trace

    sys.settrace(trace)
    try:
        with suppress(Exception):
            target.run(data)
    finally:
        sys.settrace(None)
    return found


def smallest(target: Target, inputs: Iterable[bytes]) -> tuple[list[bytes], set[Arc]]:
    """A few of `inputs` that reach most of what all of them reach, and what all of them reach.

    Each is the one that adds most for its size; the last ones, which add least, are dropped.
    """
    found = sorted(set(inputs), key=len)
    reached(target, found[0])  # what is set up once is nobody's doing
    arcs = {data: reached(target, data) for data in found}
    everything: set[Arc] = set().union(*arcs.values())
    covered: set[Arc] = set()
    kept: list[bytes] = []
    while arcs and len(kept) < MOST_KEPT and covered != everything:
        best = max(arcs, key=lambda one: len(arcs[one] - covered) / (len(one) + 200))
        covered |= arcs.pop(best)
        if sum(map(len, kept)) + len(best) <= MOST_BYTES:
            kept.append(best)
        arcs = {data: found for data, found in arcs.items() if found - covered}
    return kept, everything


def lines(arcs: Iterable[Arc]) -> dict[str, tuple[int, int]]:
    """Of each module: the lines reached in the functions that `arcs` enter, and all theirs."""
    hit: dict[CodeType, set[int]] = {}
    for code, _, line in arcs:
        hit.setdefault(code, set()).add(line)
    told: dict[str, tuple[int, int]] = {}
    for code, found in hit.items():
        module = code.co_filename.rpartition("/sealift_")[2]
        every = {line for _, _, line in code.co_lines() if line} - {code.co_firstlineno}
        before = told.get(module, (0, 0))
        told[module] = (before[0] + len(found & every), before[1] + len(every))
    return told
