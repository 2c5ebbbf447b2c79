"""What is known of a table's columns, from the goldens and from the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sealift_registry.frameworks.framework import Array, ModelFacts
from sealift_registry.proof.comparing import NORMAL, TAILS, WIDER
from sealift_registry.proof.table import Type

FEW = 12
"""A column of so many whole numbers at most is taken for one of categories."""
ALONE = 0.1
"""The spread of a column that never changes, as a part of its value."""
TINY = 1e-30
"""Nearer to zero there are thresholds that mean zero."""


@dataclass(frozen=True)
class Columns:
    """Of each column: where its values lie, how far apart, and of which kind they are.

    Attributes:
        dtypes: the types that the variant takes.
        low: the least that goldens or model know.
        high: the largest.
        spread: standard deviation of the goldens, their outliers aside; never 0.
        whole: whether all values are whole numbers.
        categories: the values of those that are taken for categories.
        beyond: the columns in which the model knows more than the goldens show.
    """

    dtypes: Sequence[Type]
    low: Array
    high: Array
    spread: Array
    whole: Array
    categories: Mapping[int, Array]
    beyond: Sequence[int]

    @property
    def width(self) -> int:
        """How many there are."""
        return len(self.low)

    @property
    def fractions(self) -> list[int]:
        """Those whose type has fractions, and a value that says that there is none."""
        return [at for at, dtype in enumerate(self.dtypes) if dtype.kind == "f"]


def columns(goldens: Array, dtypes: Sequence[Type], facts: ModelFacts) -> Columns:
    """What `goldens` (rows of doubles) and `facts` know of the columns."""
    finite = np.isfinite(goldens)
    low = np.where(finite, goldens, np.inf).min(axis=0)
    high = np.where(finite, goldens, -np.inf).max(axis=0)
    low, high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
    seen_low, seen_high = low, high
    least, most = _turns(facts, len(low))
    low, high = np.minimum(low, least), np.maximum(high, most)
    with np.errstate(all="ignore"):
        count = np.maximum(finite.sum(axis=0), 1)
        middle = np.where(finite, goldens, 0.0).sum(axis=0) / count
        away = np.where(finite, goldens - middle, 0.0)
        spread = np.sqrt((away**2).sum(axis=0) / count)
        low_part, high_part = np.nanquantile(
            np.where(finite.any(axis=0), np.where(finite, goldens, np.nan), 0.0), TAILS, axis=0
        )
    usual = WIDER * (high_part - low_part) / NORMAL
    spread = np.where(usual > 0, np.minimum(spread, usual), spread)
    lone = ALONE * np.maximum(np.abs(low), np.abs(high))
    spread = np.where(spread > 0, spread, np.where(high > low, (high - low) / 4, lone))
    spread = np.where((spread > 0) & np.isfinite(spread), spread, 1.0)
    whole: Array = np.all(~finite | (goldens == np.round(goldens)), axis=0)
    beyond = np.flatnonzero((low < seen_low) | (high > seen_high))
    known = _categories(goldens, whole, facts)
    return Columns(dtypes, low, high, spread, whole, known, [int(at) for at in beyond])


def _turns(facts: ModelFacts, width: int) -> tuple[Array, Array]:
    """The least and the largest value at which the model takes another turn, by column."""
    low, high = np.full(width, np.inf), np.full(width, -np.inf)

    def widen(columns: Array, values: Array) -> None:
        asked = (columns >= 0) & (columns < width) & np.isfinite(values)
        np.minimum.at(low, columns[asked], values[asked])
        np.maximum.at(high, columns[asked], values[asked])

    for tree in facts.trees:
        with np.errstate(invalid="ignore"):
            held = np.abs(tree.threshold) < np.finfo(np.float32).max
        widen(np.where(held, tree.feature, -1), tree.threshold)
    for known in (facts.edges, facts.categories):
        for at, values in known.items():
            widen(np.full(len(values), at), np.array(values, np.float64))
    return low, high


def _categories(goldens: Array, whole: Array, facts: ModelFacts) -> dict[int, Array]:
    found = {
        at: np.array(values, dtype=np.float64)
        for at, values in facts.categories.items()
        if 0 <= at < goldens.shape[1] and len(values)
    }
    for at in np.flatnonzero(whole):
        if int(at) not in found:
            values = np.unique(goldens[np.isfinite(goldens[:, at]), at])
            if 0 < len(values) <= min(FEW, max(len(goldens) // 2, 2)):
                found[int(at)] = values
    return found


def cast(rows: Array, dtypes: Sequence[Type]) -> Array:
    """`rows` with each value as the type of its column holds it; too large is the largest."""
    found: Array = rows.astype(np.float64)
    for dtype in dict.fromkeys(dtypes):
        at = [n for n, one in enumerate(dtypes) if one == dtype]
        part: Array = found[:, at]
        with np.errstate(all="ignore"):
            if dtype.kind == "f":
                most = float(np.finfo(dtype).max)
                found[:, at] = np.clip(part, -most, most).astype(dtype)
            else:
                part = np.round(np.nan_to_num(part, nan=0.0))
                found[:, at] = np.clip(part, *_bounds(dtype))
    return found


def _bounds(dtype: Type) -> tuple[float, float]:
    """Of whole numbers, as far as doubles can tell them apart."""
    if dtype.kind == "b":
        return 0.0, 1.0
    known = np.iinfo(dtype)
    return float(max(known.min, -(2**53))), float(min(known.max, 2**53))


def around(value: float, dtype: Type) -> tuple[float, float, float]:
    """The values of a type just below, at and just above `value`.

    `at` is the largest that is not above it: whether that goes left or right is the framework's to
    say; the two others are on one side for certain.
    """
    below, at, above = arounds(np.array([value]), dtype)
    return float(below[0]), float(at[0]), float(above[0])


def arounds(values: Array, dtype: Type) -> tuple[Array, Array, Array]:
    """`around` each of `values`."""
    if dtype.kind != "f":
        floor = np.floor(values)
        return floor - 1, floor, floor + 1
    with np.errstate(all="ignore"):
        near = values.astype(dtype)
        least, most = np.array(-np.inf, dtype), np.array(np.inf, dtype)
        near = np.where(near.astype(np.float64) > values, np.nextafter(near, least), near)
        below, above = np.nextafter(near, least), np.nextafter(near, most)
    tiny = np.abs(values) < TINY
    return (
        np.where(tiny, -TINY, below.astype(np.float64)),
        np.where(tiny, 0.0, near.astype(np.float64)),
        np.where(tiny, TINY, above.astype(np.float64)),
    )
