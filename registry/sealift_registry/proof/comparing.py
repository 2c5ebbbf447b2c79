"""Two models' answers side by side: arrays in, a verdict out.

What is allowed is bound to the scale of each column of an output, so that an answer of 1e-7 is
looked at as closely as one of 1e7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sealift_registry.frameworks.framework import PROBABILITIES, TIE, Array

Answers = Mapping[str, Array]

OF_SPREAD, OF_ANSWER, OF_LARGEST = 1e-4, 1e-5, 2e-7
"""Parts of the output's spread, of the answer itself, and of the largest answer: their sum is
allowed. The last is what 32 bits lose in a sum of terms that cancel."""
MOST_OF_SPREAD = 0.01
"""No more of the spread is ever allowed, wherever there is one: of a price of a million and a
little, the little is what was learnt."""
PROBABILITY = 1e-3
"""What a probability may be off, where that is not more than `MOST_OF_SPREAD`."""
STEP = float(np.finfo(np.float32).eps)
"""Of 32 bits, as a part of a number, where it is widest."""
STEPS = 2
"""So many of them may an answer be off that never changes: beside it, what a variant adds to it is
all that there is."""
NOISE = 4
"""So many times what one step of 32 bits in the inputs changes."""
MOVES = 1e-12
"""A spread below such a part of the largest answer is what 64 bits lose, and no spread."""
TAILS = (0.1, 0.9)
"""Between these parts of its values an output is measured: what few rows have lends no width."""
NORMAL = 2.563
"""Standard deviations between those parts of a normal distribution."""
WIDER = 3
"""So much wider than by its middle an output may be taken to be, for there are heavy tails."""
SUM = 1e-3
"""How far probabilities may sum to something else than 1."""


@dataclass(frozen=True)
class Scale:
    """By what one output is measured; arrays have one number a column.

    Attributes:
        spread: standard deviation of the source's answers, over goldens and mild rows.
        largest: of these answers, without their signs.
        middle: of these answers; where there is no spread, what is answered always.
        noise: what a step of 32 bits in the inputs changes, in the median.
        probabilities: whether each row is a distribution.
    """

    spread: Array
    largest: Array
    middle: Array
    noise: Array
    probabilities: bool


@dataclass(frozen=True)
class Compared:
    """One output of some rows, compared.

    Attributes:
        kind: labels are equal or not; numbers are near or not.
        wrong: by row.
        ratio: by row, the largest difference as a part of what is allowed there.
        away: by row, that difference; infinite where one is no finite number.
        allowed: by row, what is allowed where the ratio is largest; 0 of labels.
        column: by row, where that is; 0 of labels.
        tied: by row, whether labels differ that are as good; such a row is not `wrong`.
    """

    kind: Literal["labels", "numbers"]
    wrong: Array
    ratio: Array
    away: Array
    allowed: Array
    column: Array
    tied: Array


# -------------------------------------------------------------------- what is compared with what


def fault(source: Answers, variant: Answers) -> str:
    """Why these outputs cannot be compared at all; empty where they can."""
    if set(source) != set(variant):
        ours, theirs = ", ".join(sorted(source)), ", ".join(sorted(variant))
        return f"the source gives {ours}, the variant {theirs}"
    for name in sorted(source):
        one, other = source[name], variant[name]
        if flat(one).shape != flat(other).shape:
            return f"{name} has the shape {shown(one)} in the source, {shown(other)} in the variant"
        if is_labels(one) != is_labels(other) and not _same_numbers(one, other):
            return f"{name} is of the type {one.dtype} in the source, {other.dtype} in the variant"
    return ""


def shown(array: Array) -> str:
    """The shape of an output, its rows left out."""
    return " by ".join(["rows", *map(str, array.shape[1:])])


def _same_numbers(one: Array, other: Array) -> bool:
    """Whole numbers are labels in one of them: they may be so in the other, as 1.0 and 2.0."""
    return one.dtype.kind in "fiub" and other.dtype.kind in "fiub"


def is_labels(array: Array) -> bool:
    """Whether an output is of labels: what is no fraction is equal or not."""
    return bool(array.dtype.kind != "f")


def flat(array: Array) -> Array:
    """Rows and columns; (rows,) and (rows, 1) say the same."""
    return array.reshape(len(array), math.prod(array.shape[1:]))  # by -1, of no rows it is unknown


# -------------------------------------------------------------------- numbers


def scale(mild: Array, noise: Array | None = None) -> Scale:
    """The scale of an output by the source's answers on goldens and mild rows."""
    values = flat(mild).astype(np.float64)
    finite = np.isfinite(values)
    kept = np.where(finite, values, 0.0)
    count = np.maximum(finite.sum(axis=0), 1)
    middle = kept.sum(axis=0) / count
    away = np.where(finite, values - middle, 0.0)
    spread = np.sqrt((away**2).sum(axis=0) / count)
    largest = np.abs(kept).max(axis=0, initial=0.0)
    spread = np.where(spread > least_move(mild.dtype) * largest, spread, 0.0)
    if noise is None:
        noise = np.zeros_like(spread)
    if probabilities(values):  # none is larger than 1, and a rare class moves in few rows
        return Scale(spread, largest, middle, noise, probabilities=True)
    spread, largest = _without_outliers(kept, spread, largest)
    return Scale(spread, largest, middle, noise, probabilities=False)


def least_move(dtype: np.dtype[Any]) -> float:
    """The part of the largest answer below which a spread of answers of this type is none.

    Of a source that itself answers in 32 bits, one step of them is.
    """
    wide = dtype.kind != "f" or dtype.itemsize > np.float32().itemsize
    return MOVES if wide else float(np.finfo(dtype).eps)


def _without_outliers(values: Array, spread: Array, largest: Array) -> tuple[Array, Array]:
    """Spread and largest that a few rows far away cannot stretch.

    A single -99999 among the goldens would else allow every other row as much as it needs itself.
    """
    if not values.size:
        return spread, largest
    low, high = np.quantile(values, TAILS, axis=0)
    middle = WIDER * (high - low) / NORMAL
    spread = np.where(middle > 0, np.minimum(spread, middle), spread)
    usual = np.maximum(np.abs(low), np.abs(high))
    most = usual + WIDER * WIDER * (high - low)
    return spread, np.where(middle > 0, np.minimum(largest, most), largest)


def probabilities(values: Array) -> bool:
    """Whether every finite row is a distribution over two classes or more."""
    rows = values[np.isfinite(values).all(axis=1)]
    if values.shape[1] < 2 or not len(rows):  # noqa: PLR2004 - one class is no distribution
        return False
    inside = (rows >= -SUM).all() and (rows <= 1 + SUM).all()
    return bool(inside and (np.abs(rows.sum(axis=1) - 1) <= SUM).all())


def allowed(by: Scale, source: Array) -> Array:
    """How far each number may lie from the source's."""
    size = np.abs(np.where(np.isfinite(source), source, 0.0))
    most = MOST_OF_SPREAD * by.spread
    beyond = OF_ANSWER * np.maximum(size - by.largest, 0.0)  # of rows far from the goldens
    if by.probabilities:
        # They sum to 1, and 32 bits lose a part of that in each, also of a class that is not met.
        least = OF_LARGEST * by.largest.max(initial=0.0)
        return np.asarray(np.maximum(np.minimum(PROBABILITY, most), least) + beyond)
    sum_of = OF_SPREAD * by.spread + OF_ANSWER * size + OF_LARGEST * by.largest
    noise = np.minimum(NOISE * by.noise, OF_LARGEST * by.largest.max(initial=0.0))
    with np.errstate(all="ignore"):
        from_there = np.abs(np.where(np.isfinite(source), source - by.middle, 0.0))
    least = STEPS * STEP * by.largest + OF_ANSWER * from_there + noise
    moves = by.spread > 0
    return np.asarray(np.where(moves, np.minimum(sum_of + noise, most + beyond), least))


def numbers(source: Array, variant: Array, by: Scale) -> Compared:
    """Rows of numbers: each near, and what is no finite number the same on both sides."""
    theirs, ours = flat(source).astype(np.float64), flat(variant).astype(np.float64)
    with np.errstate(all="ignore"):
        held = flat(source).astype(variant.dtype).astype(np.float64)  # 1e39 is infinite in 32 bits
        both = np.isfinite(theirs) & np.isfinite(ours)
        same = ~both & ((held == ours) | (np.isnan(held) & np.isnan(ours)))
        away = np.where(both, np.abs(ours - theirs), np.where(same, 0.0, np.inf))
        may = allowed(by, theirs)
        ratio = np.where(away > 0, away / np.where(may > 0, may, np.finfo(float).tiny), 0.0)
    if not ratio.shape[1]:
        none = np.zeros(len(ratio))
        return Compared("numbers", none > 0, none, none, none, none.astype(int), none > 0)
    at = np.arange(len(ratio)), ratio.argmax(axis=1)
    never = np.zeros(len(ratio), dtype=bool)
    return Compared("numbers", ratio[at] > 1, ratio[at], away[at], may[at], at[1], never)


# -------------------------------------------------------------------- labels


def agreeing(some: Array, others: Array) -> Array:
    """By row, whether all labels are the same; 3 and 3.0 are, and text is compared as text."""
    one, other = flat(some), flat(others)
    if one.dtype.kind in "fiub" and other.dtype.kind in "fiub":
        return np.asarray((one == other).all(axis=1))
    return np.asarray((one.astype(str) == other.astype(str)).all(axis=1))


def labels(source: Array, variant: Array, tied: Array) -> Compared:
    """Rows of labels: each equal, unless the source's two best scores are as good (`tied`)."""
    differing = ~agreeing(source, variant)
    wrong = differing & ~tied
    ratio = np.where(wrong, np.inf, 0.0)
    none = np.zeros(len(wrong))
    return Compared("labels", wrong, ratio, ratio, none, none.astype(int), differing & tied)


def ties(scores: Array, by: Scale) -> Array:
    """By row, whether the two best scores are so near that either label is right."""
    values = flat(scores).astype(np.float64)
    spread = by.spread.max(initial=0.0)
    near = min(TIE, MOST_OF_SPREAD * spread) if by.probabilities else TIE * spread
    near = max(near, OF_LARGEST * by.largest.max(initial=0.0))
    if not values.shape[1]:
        return np.zeros(len(values), dtype=bool)
    if values.shape[1] == 1:  # one score for two classes: its sign decides
        return np.asarray(np.abs(values[:, 0]) <= near)
    best = np.sort(values, axis=1)[:, -2:]
    with np.errstate(all="ignore"):
        return np.asarray(best[:, 1] - best[:, 0] <= near)


def undecided(decisions: Array) -> Array:
    """By row, whether the two numbers that decide between labels are as good."""
    values = flat(decisions).astype(np.float64)
    kept = values[np.isfinite(values)]
    near = max(TIE * float(np.std(kept)), OF_LARGEST * float(np.abs(kept).max(initial=0.0)))
    best = np.sort(values, axis=1)[:, -2:]
    with np.errstate(all="ignore"):
        return np.asarray(best[:, -1] - best[:, 0] <= near)


def scores_of(answers: Answers) -> str | None:
    """The output that the labels were decided by, where there is one."""
    tables = [name for name, one in answers.items() if not is_labels(one)]
    if PROBABILITIES in tables:
        return PROBABILITIES
    return tables[0] if len(tables) == 1 else None


# -------------------------------------------------------------------- all outputs of some rows


def scales(mild: Answers, noise: Answers | None = None) -> dict[str, Scale]:
    """The scale of each output of numbers."""
    found = noise or {}
    return {n: scale(one, found.get(n)) for n, one in mild.items() if not is_labels(one)}


def side_by_side(
    source: Answers,
    variant: Answers,
    by: Mapping[str, Scale],
    decisions: Callable[[], Array | None] = lambda: None,
) -> dict[str, Compared]:
    """Every output of some rows, by its name; `fault` has found none.

    Args:
        source: its answers.
        variant: likewise.
        by: the outputs' scales.
        decisions: asks what the source's labels follow from, where that is not its scores: shares
            of which two are all but 1 look like a tie that is none.
    """
    found: dict[str, Compared] = {}
    scores = scores_of(source)
    for name in sorted(source):
        one, other = source[name], variant[name]
        if is_labels(other) or is_labels(one):
            known = scores is not None and scores != name and scores in by
            tied = ties(source[scores], by[scores]) if known and scores else False
            tied = np.broadcast_to(tied, len(one))
            if (tied & ~agreeing(one, other)).any():
                by_what = decisions()
                tied = tied if by_what is None else tied & undecided(by_what)
            found[name] = labels(one, other, tied)
        else:
            found[name] = numbers(one, other, by[name])
    return found


def wrong_rows(found: Mapping[str, Compared]) -> Array:
    """By row, whether any output is wrong."""
    return np.asarray(np.logical_or.reduce([one.wrong for one in found.values()]))


def tied_rows(found: Mapping[str, Compared]) -> Array:
    """By row, whether no output is wrong, but labels differ that are as good."""
    tied = np.logical_or.reduce([one.tied for one in found.values()])
    return np.asarray(tied & ~wrong_rows(found))
