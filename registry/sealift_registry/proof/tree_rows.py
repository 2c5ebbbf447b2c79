"""Rows for trees: at each threshold, to either side, with the other columns set to reach it.

A row goes on below the node that it was made for, and stands at a threshold in every column that is
not taken yet: so few rows stand at many thresholds. Other rows get to each node with nothing in the
column that it asks: in a tree of many columns, no row drawn by chance does.
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
BELOW, AT, ABOVE, MISSING, ALONE = range(5)
SIDES = (BELOW, ABOVE, AT)
WITHOUT = (MISSING, ALONE)
"""Nothing in what a node asks: the row goes on with nothing below it, or as it was."""
NONE = -1


@dataclass(frozen=True)
class Where:
    """Where rows are to stand at a node.

    Attributes:
        sides: all that are wanted (`SIDES`, `WITHOUT`).
        empty: the columns in which the source takes a row with nothing.
    """

    sides: Sequence[int] = SIDES
    empty: Sequence[int] = ()


def directed(
    trees: Sequence[Tree],
    goldens: Array,
    known: Columns,
    draw: np.random.Generator,
    most: int,
    budget: Budget,
    where: Where = Where(),
) -> tuple[Array, int]:
    """At most `most` rows, for at most `MOST_NODES` nodes drawn from all of them.

    Returns them, and how many more there were no time for, and room.
    """
    ends = np.cumsum([int((tree.feature >= 0).sum()) for tree in trees])
    chosen = draw.permutation(int(ends[-1]))[:MOST_NODES]
    waiting = [(side, int(at)) for side in where.sides for at in chosen]
    maker = _Maker(trees, known, frozenset(where.empty))
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
        self.covered = np.zeros((len(SIDES) + len(WITHOUT), len(tree.feature)), dtype=bool)
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

    def below(self, node: int, value: float) -> int:
        """The node to which `node` sends a value that is not at its threshold, or none."""
        tree = self.tree
        if np.isnan(value):
            left = tree.missing is not None and bool(tree.missing[node])
        else:
            left = value < self.around[AT, node]
        return int((tree.left if left else tree.right)[node])


@dataclass
class _Maker:
    """What has been covered, and how many nodes were passed."""

    trees: Sequence[Tree]
    known: Columns
    empty: frozenset[int] = frozenset()
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
        value = None if side in WITHOUT else float(way.around[side, node])
        pins = self._pins(way, base, node, value)
        if pins is None:
            return None
        if side == MISSING:
            self._go_on_without(way, base, way.below(node, np.nan), pins)
        elif side in {BELOW, ABOVE}:
            below = way.tree.left if side == BELOW else way.tree.right
            self._go_on(way, int(below[node]), pins)
        row = base.copy()
        row[list(pins)] = list(pins.values())
        return row

    def _pins(
        self, way: _Way, base: Array, node: int, value: float | None
    ) -> dict[int, float] | None:
        """Column → value, so that the row reaches `node` and has `value` there, or nothing.

        What no number reaches is reached with nothing in the column, where that leads there.
        """
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
        pins = {own: np.nan if value is None else value}
        if value is not None and not (np.isfinite(value) and low[own] <= value <= high[own]):
            return None
        for column in np.unique(columns[columns != own]).tolist():
            least, most = float(low[column]), float(high[column])
            found = _inside(float(base[column]), least, most)
            pins[column] = found if np.isfinite(found) and least <= found <= most else np.nan
        without = [column for column, one in pins.items() if np.isnan(one)]
        led = (self._is_led(way, column, above, is_left) for column in without)
        return pins if all(led) else None

    def _is_led(self, way: _Way, column: int, above: Array, is_left: Array) -> bool:
        """Whether a row with nothing in `column` goes the way of those nodes that ask for it."""
        if column not in self.empty or way.tree.missing is None:
            return False
        asks = way.tree.feature[above] == column
        return bool((way.tree.missing[above[asks]] == is_left[asks]).all())

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
            if pins[column] == way.around[AT, node]:
                return
            node = way.below(node, pins[column])

    def _go_on_without(self, way: _Way, base: Array, node: int, pins: dict[int, float]) -> None:
        """From `node` to a leaf, with nothing wherever the column is free."""
        for _ in range(len(way.inner)):
            column = int(way.tree.feature[node])
            if not 0 <= column < self.known.width:
                return
            self.steps += 1
            free = np.nan if column in self.empty else float(base[column])
            value = pins.setdefault(column, free)
            if value == way.around[AT, node]:
                return
            way.covered[MISSING, node] |= np.isnan(value)
            node = way.below(node, value)


def _inside(value: float, low: float, high: float) -> float:
    """`value` where it lies between, else the bound that there is."""
    if low <= value <= high:
        return value
    return high if np.isfinite(high) else low if np.isfinite(low) else value
