"""Where two answers are as good, and the source itself shows it.

That a model may tie excuses nothing: of nearest neighbours, a stored label that was flipped shows
on few rows. A row is a tie where the source says that what decides is as near to another, or where
its own answer changes within a few steps of 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.columns import Columns
from sealift_registry.proof.comparing import Scale, side_by_side, wrong_rows
from sealift_registry.proof.model_runs import Runner
from sealift_registry.proof.probe_rows import ORDINARY
from sealift_registry.proof.rounding import STEPS, moved
from sealift_registry.proof.table import Layout
from sealift_registry.proof.tally import GOLDENS, ComparedRow

MOST_TURNING = 2
"""Rows that are excused because the source changes beside them; what is near more edges is not."""
DIRECTIONS = 4


def shown(
    source: Runner,
    layout: Layout,
    known: Columns,
    rows: Sequence[ComparedRow],
    by: Mapping[str, Scale],
    draw: np.random.Generator,
    *,
    may_turn: bool,
) -> Array:
    """By row, whether it is a tie; a golden row is none.

    Args:
        source: the model as it came.
        layout: of the inputs.
        known: of the columns; those of whole numbers are not moved.
        rows: on which the two models differ.
        by: the outputs' scales.
        draw: chance.
        may_turn: the source may change beside a row; where trees are fed the row itself, each
            threshold would be such a place.
    """
    values = np.array([one.values for one in rows])
    kinds = np.array([one.kind for one in rows])
    found = source.ties(layout.inputs(values)) & (kinds != GOLDENS)
    odd = ~found & ~np.isin(kinds, (GOLDENS, *ORDINARY))
    if may_turn and 0 < odd.sum() <= MOST_TURNING:
        found[odd] = _turning(source, layout, known, values[odd], by, draw)
    return np.asarray(found)


def _turning(
    source: Runner,
    layout: Layout,
    known: Columns,
    rows: Array,
    by: Mapping[str, Scale],
    draw: np.random.Generator,
) -> Array:
    """By row, whether the source's own answer is another one a few steps of 32 bits further."""
    here = source.answers(layout.inputs(rows))
    found = np.zeros(len(rows), dtype=bool)
    for steps in STEPS:
        for _ in range(DIRECTIONS):
            signs = draw.choice((-1.0, 1.0), rows.shape)
            beside = source.answers(layout.inputs(moved(rows, known, steps * signs)))
            found |= wrong_rows(side_by_side(here, beside, by))
    return found
