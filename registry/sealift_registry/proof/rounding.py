"""What may be called rounding: where 32 bits give another answer than 64, and nobody is wrong.

A model that computes in 32 bits may take another branch on a row that lies on the very place where
the branches part. It is told from a wrong conversion by the source itself: computing in 32 bits, or
on the row moved by a few steps of them, it gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.columns import Columns, cast
from sealift_registry.proof.comparing import (
    Answers,
    Scale,
    scales,
    side_by_side,
    wrong_rows,
)
from sealift_registry.proof.model_runs import taken
from sealift_registry.proof.table import Layout, Type

STEPS = (1, 4, 16)
MOST_EXCUSED = 0.01
"""More of the rows than that are no accident."""
LEAST = 1 / 3
"""Of the rows that are asked for, as a part of those that were refused."""
FEW = 2
"""Rows that are no share of anything."""
SIGNS = 3
"""Random directions in which a row is moved, beside up and down."""

Ask = Callable[[Mapping[str, Array]], Answers]


# -------------------------------------------------------------------- single rows


def excused(
    ask: Ask,
    layout: Layout,
    known: Columns,
    rows: Array,
    variant: Answers,
    by: Mapping[str, Scale],
    draw: np.random.Generator,
) -> Array:
    """By row, whether the source gives the variant's answer within a few steps of 32 bits.

    Args:
        ask: the source's answers to inputs; it may refuse.
        layout: of the inputs.
        known: of the columns; those of whole numbers are not moved.
        rows: on which the two differ.
        variant: its answers to them.
        by: the outputs' scales.
        draw: chance.
    """
    found = np.zeros(len(rows), dtype=bool)
    for inputs in _nearly(layout, known, rows, draw):
        with np.errstate(all="ignore"):
            near = side_by_side(ask(inputs), variant, by)
        found |= ~wrong_rows(near)
        if found.all():
            break
    return found


def _nearly(
    layout: Layout, known: Columns, rows: Array, draw: np.random.Generator
) -> Iterator[dict[str, Array]]:
    """The rows in 32 bits, and moved by a few steps of them.

    Whole numbers lie in the middle between others as often as not, where trees split: which way the
    source goes there in 32 bits excuses nothing.
    """
    if not known.whole.any() and not known.categories:
        yield layout.inputs(rows)
    for steps in STEPS:
        directions = [np.ones(rows.shape), -np.ones(rows.shape)]
        directions += [draw.choice((-1.0, 1.0), rows.shape) for _ in range(SIGNS)]
        for signs in directions:
            yield _doubles(layout, moved(rows, known, steps * signs))


def moved(rows: Array, known: Columns, steps: Array) -> Array:
    """`rows`, every fraction so many steps of its type further.

    Whole numbers are exact: what happens at 0 or -999 and nowhere beside it is meant.
    """
    found = rows.copy()
    for at in known.fractions:
        if not known.whole[at] and at not in known.categories:
            with np.errstate(all="ignore"):
                step = np.spacing(np.abs(rows[:, at]).astype(known.dtypes[at])).astype(np.float64)
            exact = rows[:, at] == np.round(rows[:, at])
            found[:, at] = rows[:, at] + np.where(exact, 0.0, steps[:, at] * step)
    return cast(found, known.dtypes)


def _doubles(layout: Layout, rows: Array) -> dict[str, Array]:
    return {
        name: one.astype(np.float64) if one.dtype.kind == "f" else one
        for name, one in layout.inputs(rows).items()
    }


def noise(ask: Ask, layout: Layout, known: Columns, rows: Array, answers: Answers) -> Answers:
    """What one step of 32 bits in the inputs changes in each output of numbers, in the median."""
    up = np.where(np.arange(known.width) % 2 == 0, 1.0, -1.0)
    near = ask(_doubles(layout, moved(rows, known, np.broadcast_to(up, rows.shape))))
    found = {}
    for name, one in answers.items():
        if one.dtype.kind == "f" and near[name].shape == one.shape:
            with np.errstate(all="ignore"):
                away = np.abs(near[name].astype(np.float64) - one).reshape(len(one), -1)
            found[name] = np.median(np.where(np.isfinite(away), away, 0.0), axis=0)
    return found


# -------------------------------------------------------------------- what 32 bits merge


@dataclass(frozen=True)
class Merged:
    """Rows that the source answers otherwise once they are in the variant's type.

    Attributes:
        rows: how many were looked at.
        merged: how many have another answer then.
        refused: how many the source did not answer.
    """

    rows: int
    merged: int
    refused: int = 0

    @property
    def is_blind(self) -> bool:
        """Whether so few were answered that they tell nothing."""
        return self.rows < LEAST * self.refused

    @property
    def too_many(self) -> bool:
        """Whether that is more than an accident."""
        return self.merged >= FEW and self.merged > MOST_EXCUSED * self.rows


Tried = Callable[[Array, Sequence[str]], tuple[Array, Answers]]


def merged(
    tried: Tried,
    goldens: Array,
    dtypes: Sequence[Type],
    draw: np.random.Generator,
) -> Merged:
    """Ask the source for rows as they are and as the variant's type holds them.

    Args:
        tried: the source's answers to rows of doubles, and which rows of some kinds it answers.
        goldens: as they were given, in doubles.
        dtypes: of the columns; whole numbers are left as they are, for they may be names of things.
        draw: chance.
    """
    if np.array_equal(cast(goldens, dtypes), goldens, equal_nan=True):
        return Merged(0, 0)
    mixed = goldens[draw.integers(len(goldens), size=goldens.shape), np.arange(goldens.shape[1])]
    fractions = np.array([one.kind == "f" for one in dtypes])
    beside = [np.where(fractions, np.round(goldens) + step, goldens) for step in (1.0, -1.0)]
    parts = {"goldens": goldens, "mixed": mixed, "above": beside[0], "below": beside[1]}
    rows = np.concatenate(list(parts.values()))
    kinds = [kind for kind, one in parts.items() for _ in range(len(one))]
    (took, near), (kept, held) = tried(rows, kinds), tried(cast(rows, dtypes), kinds)
    both, first, second = np.intersect1d(took, kept, return_indices=True)
    if not len(both):
        return Merged(0, 0, len(rows))
    near, held = taken(near, first), taken(held, second)
    ordinary = both < 2 * len(goldens)
    mild = taken(near, ordinary) if ordinary.any() else near
    wrong = wrong_rows(side_by_side(near, held, scales(mild)))
    return Merged(len(both), int(wrong.sum()), len(rows) - len(both))
