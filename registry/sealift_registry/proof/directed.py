"""Rows for trees: at each threshold, to either side, with the other columns set to reach it.

A row goes on below the node that it was made for, and stands at a threshold in every column that is
not taken yet: so few rows stand at many thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sealift_registry.frameworks.framework import Array, Tree
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.columns import Columns, arounds

MOST_NODES = 2000
MOST_STEPS = 8_000_000
"""Nodes that are passed on the way to those. A chain of a thousand is passed a thousand times."""
FIRST = 10
"""Rows that are made however little time there is."""
BELOW, AT, ABOVE = 0, 1, 2
SIDES = (BELOW, ABOVE, AT)
NONE = -1


def directed(
    trees: Sequence[Tree],
    goldens: Array,
    known: Columns,
    draw: np.random.Generator,
    most: int,
    budget: Budget,
) -> tuple[Array, int]:
    """At most `most` rows, for at most `MOST_NODES` nodes drawn from all of them.

    Returns them, and how many more there were no time for, and room.
    """
    ends = np.cumsum([int((tree.feature >= 0).sum()) for tree in trees])
    chosen = draw.permutation(int(ends[-1]))[:MOST_NODES]
    waiting = [(side, int(at)) for side in SIDES for at in chosen]
    maker = _Maker(trees, known)
    rows: list[Array] = []
    for number, (side, at) in enumerate(waiting):
        if len(rows) >= most:
            break
        if len(rows) >= FIRST and (budget.left < 0 or maker.steps > MOST_STEPS):
            return np.array(rows), min(len(waiting) - number, most - len(rows))
        tree = int(np.searchsorted(ends, at, side="right"))
        row = maker.row(goldens[len(rows) % len(goldens)], tree, int(ends[tree]) - at, side)
        if row is not None:
            rows.append(row)
    return np.array(rows).reshape(-1, goldens.shape[1]), 0


class _Way:
    """A tree, and the way to each of its nodes.

    Attributes:
        inner: its nodes that ask.
        around: the values below, at and above the threshold of each node.
        covered: on which side of each node a row stands already.
    """

    def __init__(self, tree: Tree, known: Columns) -> None:
        self.tree = tree
        self.inner = np.flatnonzero(tree.feature >= 0)
        self.around = np.zeros((3, len(tree.feature)))
        self.covered = np.zeros((3, len(tree.feature)), dtype=bool)
        of_node = np.minimum(tree.feature, known.width - 1)
        for dtype in dict.fromkeys(known.dtypes):
            here = np.array([one == dtype for one in known.dtypes])[of_node]
            self.around[:, here] = arounds(tree.threshold[here].astype(np.float64), dtype)

    @cached_property
    def _parents(self) -> list[int]:
        found = np.full(len(self.tree.feature), NONE)
        for children in (self.tree.left, self.tree.right):
            found[children[self.inner]] = self.inner
        found[0] = NONE
        return [int(one) for one in found]

    def to(self, node: int) -> Array | None:
        """The nodes from the one above `node` up to the root; None where there is no such way.

        A file may say that a node lies below itself.
        """
        way, at = [], node
        while (at := self._parents[at]) != NONE:
            way.append(at)
            if len(way) > len(self.inner):
                return None
        return np.array(way, dtype=int) if 0 in (*way[-1:], node) else None


@dataclass
class _Maker:
    """What has been covered, and how many nodes were passed."""

    trees: Sequence[Tree]
    known: Columns
    steps: int = 0

    def __post_init__(self) -> None:
        self._ways: dict[int, _Way] = {}

    def row(self, base: Array, tree: int, from_end: int, side: int) -> Array | None:
        """`base` changed to stand on a side of a node; None if one stands there, or none can."""
        if tree not in self._ways:
            self._ways[tree] = _Way(self.trees[tree], self.known)
        way = self._ways[tree]
        node = int(way.inner[-from_end])
        if way.covered[side, node]:
            return None
        way.covered[side, node] = True
        pins = self._pins(way, base, node, float(way.around[side, node]))
        if pins is None:
            return None
        if side != AT:
            below = way.tree.left if side == BELOW else way.tree.right
            self._go_on(way, int(below[node]), pins)
        row = base.copy()
        row[list(pins)] = list(pins.values())
        return row

    def _pins(self, way: _Way, base: Array, node: int, value: float) -> dict[int, float] | None:
        """Column → value, so that the row reaches `node` and has `value` there."""
        above = way.to(node)
        self.steps += len(way.inner) if above is None else len(above)
        if above is None or int(way.tree.feature[[node, *above]].max()) >= self.known.width:
            return None
        low, high = np.full(len(base), -np.inf), np.full(len(base), np.inf)
        columns = way.tree.feature[above]
        is_left = way.tree.left[above] == np.concatenate([[node], above[:-1]])[: len(above)]
        np.minimum.at(high, columns[is_left], way.around[BELOW, above[is_left]])
        np.maximum.at(low, columns[~is_left], way.around[ABOVE, above[~is_left]])
        own = int(way.tree.feature[node])
        pins = {own: value}
        for column in np.unique(columns[columns != own]).tolist():
            pins[column] = _inside(float(base[column]), float(low[column]), float(high[column]))
        fits = all(np.isfinite(one) and low[at] <= one <= high[at] for at, one in pins.items())
        return pins if fits else None

    def _go_on(self, way: _Way, node: int, pins: dict[int, float]) -> None:
        """From `node` to a leaf, at a threshold wherever the column is free."""
        tree = way.tree
        for _ in range(len(way.inner)):
            column = int(tree.feature[node])
            if not 0 <= column < self.known.width:
                return
            self.steps += 1
            if column not in pins:
                side = ABOVE if way.covered[BELOW, node] else BELOW
                value = float(way.around[side, node])
                if not np.isfinite(value):
                    return
                way.covered[side, node] = True
                pins[column] = value
            at = way.around[AT, node]
            if pins[column] == at:
                return
            node = int((tree.left if pins[column] < at else tree.right)[node])


def _inside(value: float, low: float, high: float) -> float:
    """`value` where it lies between, else the bound that there is."""
    if low <= value <= high:
        return value
    return high if np.isfinite(high) else low if np.isfinite(low) else value
