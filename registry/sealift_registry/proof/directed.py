"""Rows for trees: at each threshold, to either side, with the other columns set to reach it.

A row goes on below the node that it was made for, and stands at a threshold in every column that is
not taken yet: so few rows stand at many thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sealift_registry.frameworks.framework import Array, Tree
from sealift_registry.proof.columns import Columns, around

MOST_NODES = 2000
BELOW, AT, ABOVE = 0, 1, 2
SIDES = (BELOW, ABOVE, AT)

Side = tuple[int, int, int]
"""Tree, node, and on which side of its threshold."""


def directed(
    trees: Sequence[Tree], goldens: Array, known: Columns, draw: np.random.Generator, most: int
) -> Array:
    """At most `most` rows, for at most `MOST_NODES` nodes drawn from all of them."""
    nodes = [
        (number, int(node))
        for number, tree in enumerate(trees)
        for node in np.flatnonzero(tree.feature >= 0)
    ]
    chosen = draw.permutation(len(nodes))[:MOST_NODES]
    maker = _Maker(trees, known)
    rows: list[Array] = []
    for side in SIDES:
        for at in chosen:
            if len(rows) >= most:
                return np.array(rows)
            tree, node = nodes[at]
            base = goldens[len(rows) % len(goldens)]
            row = maker.row(base, (tree, node, side))
            if row is not None:
                rows.append(row)
    return np.array(rows).reshape(-1, goldens.shape[1])


@dataclass
class _Maker:
    """What has been covered, and the way to every node."""

    trees: Sequence[Tree]
    known: Columns
    covered: set[Side] = field(default_factory=set)
    _parents: dict[int, dict[int, tuple[int, bool]]] = field(default_factory=dict)

    def row(self, base: Array, wanted: Side) -> Array | None:
        """`base` changed to stand where it is wanted; None if it stands there, or none can."""
        tree, node, side = wanted
        if wanted in self.covered:
            return None
        self.covered.add(wanted)
        value = self._around(tree, node)[side]
        pins = self._path(base, tree, node, value)
        if pins is None:
            return None
        found = self.trees[tree]
        if side != AT:
            self._go_on(tree, int((found.left if side == BELOW else found.right)[node]), pins)
        row = base.copy()
        row[list(pins)] = list(pins.values())
        return row

    def _path(self, base: Array, tree: int, node: int, value: float) -> dict[int, float] | None:
        """Column → value, so that the row reaches `node` and has `value` there."""
        low: dict[int, float] = {}
        high: dict[int, float] = {}
        found, parents = self.trees[tree], self._parents_of(tree)
        own, at = int(found.feature[node]), node
        while at in parents:
            at, is_left = parents[at]
            column, (below, _, above) = int(found.feature[at]), self._around(tree, at)
            if is_left:
                high[column] = min(high.get(column, np.inf), below)
            else:
                low[column] = max(low.get(column, -np.inf), above)
        pins = {own: value}
        for column in {*low, *high} - {own}:
            pins[column] = _inside(base[column], low.get(column), high.get(column))
        fits = all(
            np.isfinite(one) and low.get(at, -np.inf) <= one <= high.get(at, np.inf)
            for at, one in pins.items()
        )
        return pins if fits and max(pins) < self.known.width else None

    def _go_on(self, tree: int, node: int, pins: dict[int, float]) -> None:
        """From `node` to a leaf, at a threshold wherever the column is free."""
        found = self.trees[tree]
        while (column := int(found.feature[node])) >= 0:
            below, at, above = self._around(tree, node)
            if column not in pins:
                first = BELOW if (tree, node, BELOW) not in self.covered else ABOVE
                value = below if first == BELOW else above
                if not np.isfinite(value) or column >= self.known.width:
                    return
                self.covered.add((tree, node, first))
                pins[column] = value
            if pins[column] == at:
                return
            node = int((found.left if pins[column] < at else found.right)[node])

    def _around(self, tree: int, node: int) -> tuple[float, float, float]:
        found = self.trees[tree]
        column = int(found.feature[node])
        dtype = self.known.dtypes[min(column, self.known.width - 1)]
        return around(float(found.threshold[node]), dtype)

    def _parents_of(self, tree: int) -> dict[int, tuple[int, bool]]:
        if tree not in self._parents:
            found, parents = self.trees[tree], {}
            for node in np.flatnonzero(found.feature >= 0).tolist():
                parents[int(found.left[node])] = (node, True)
                parents[int(found.right[node])] = (node, False)
            self._parents[tree] = parents
        return self._parents[tree]


def _inside(value: float, low: float | None, high: float | None) -> float:
    """`value` where it lies between, else the bound that there is."""
    if (low is None or value >= low) and (high is None or value <= high):
        return float(value)
    return float(high if high is not None else low if low is not None else value)
