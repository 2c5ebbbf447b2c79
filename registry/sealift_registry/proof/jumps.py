"""Rows beside the places at which a model's answer changes, found by halving on the source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.columns import Columns, cast
from sealift_registry.proof.comparing import Answers, is_labels, scale
from sealift_signing.errors import RefusedError

Ask = Callable[[Array], Answers]

PAIRS = 96
STEPS = 22
BESIDE = 1e-4
"""How far from the place, as a part of the column's spread."""
DIFFERENT = 0.05
"""Numbers differ where they are so much of their spread apart."""


def jumps(ask: Ask, goldens: Array, known: Columns, draw: np.random.Generator) -> Array:
    """Rows to both sides of each place that was found.

    None where the source refuses.

    Raises:
        TimeoutError: `ask` says that there is no more time.
    """
    starts, ends = _pairs(goldens, known, draw)
    try:
        with np.errstate(all="ignore"):
            return _beside(ask, starts, ends, known)
    except RefusedError:
        return goldens[:0]


def _pairs(goldens: Array, known: Columns, draw: np.random.Generator) -> tuple[Array, Array]:
    """Two golden rows each: half of the pairs differ in one column, half in all but categories."""
    free = np.array([at for at in known.fractions if at not in known.categories], dtype=int)
    finite = np.flatnonzero(np.isfinite(goldens).all(axis=1))
    if not len(free) or len(finite) < 2:  # noqa: PLR2004 - a pair is two
        return goldens[:0], goldens[:0]
    starts = goldens[draw.choice(finite, PAIRS)]
    others = goldens[draw.choice(finite, PAIRS)]
    ends = starts.copy()
    ends[:, free] = others[:, free]
    columns = draw.choice(free, PAIRS // 2)
    alone = np.arange(PAIRS // 2)
    ends[alone] = starts[alone]
    ends[alone, columns] = others[alone, columns]
    return starts, ends


def _beside(ask: Ask, starts: Array, ends: Array, known: Columns) -> Array:
    if not len(starts):
        return starts
    first, last = ask(starts), ask(ends)
    name = _deciding(first)
    differ = _differ(first[name], last[name])
    starts, ends = starts[differ], ends[differ]
    if not len(starts):
        return starts
    first, last = {name: first[name][differ]}, {name: last[name][differ]}
    low, high = np.zeros(len(starts)), np.ones(len(starts))
    for _ in range(STEPS):
        middle = (low + high) / 2
        rows = cast(starts + middle[:, None] * (ends - starts), known.dtypes)
        near = _like_first(ask(rows)[name], first[name], last[name])
        low, high = np.where(near, middle, low), np.where(near, high, middle)
    step = BESIDE * known.spread * np.sign(ends - starts)
    return np.concatenate(
        [
            starts + low[:, None] * (ends - starts) - step,
            starts + high[:, None] * (ends - starts) + step,
        ]
    )


def _deciding(answers: Answers) -> str:
    """The output whose jumps are looked for: labels before numbers."""
    names = sorted(answers)
    return next((name for name in names if is_labels(answers[name])), names[0])


def _differ(first: Array, last: Array) -> Array:
    if is_labels(first):
        return np.asarray((_flat(first) != _flat(last)).any(axis=1))
    one, other = _flat(first), _flat(last)
    spread = scale(np.concatenate([one, other])).spread
    return np.asarray((np.abs(one - other) > DIFFERENT * spread).any(axis=1))


def _like_first(found: Array, first: Array, last: Array) -> Array:
    """By row, whether the answer is nearer to the first of a pair than to the last."""
    if is_labels(found):
        return np.asarray((_flat(found) == _flat(first)).all(axis=1))
    here = _flat(found)
    to_first = np.abs(here - _flat(first)).sum(axis=1)
    return np.asarray(to_first <= np.abs(here - _flat(last)).sum(axis=1))


def _flat(array: Array) -> Array:
    return array.reshape(len(array), -1)
