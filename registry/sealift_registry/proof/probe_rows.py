"""Rows made to find out: the kinds of them, each for what no other sees.

They come from the goldens and from what the model says of itself, and are drawn by a seed: the same
goldens and the same model make the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sealift_registry.frameworks.framework import Array, ModelFacts
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.columns import Columns, around, cast
from sealift_registry.proof.jumps import Ask, jumps
from sealift_registry.proof.tree_rows import SIDES, WITHOUT, Where, directed
from sealift_signing.errors import RefusedError

MOST_ROWS = 4096
LEAST_ROWS = 151
FIRST = 10
"""Rows of every kind that are run before more of any."""
MOST_BYTES = 96 * 1024**2
"""Of all probe rows in memory; images have few."""
FOREVER = float("inf")
BASES = 512
"""Golden rows, at most, that others are made of."""
AWAY = 0.37
"""No half and no quarter: those lie in the middle between training values, where trees split."""

MEASURED = ("permuted", "noise")
"""Kinds by which outputs are measured, as by the goldens."""
MILD = (*MEASURED, "corners")
"""Rows as ordinary as the goldens: by the answers to them an output's scale is measured."""

ORDINARY = (*MILD, "mixed")
"""All of them."""

BY_CHANCE = (*MILD, "missing-some")
"""Kinds that find by chance what trees that are fed what was computed say nothing of."""
MORE = 8
"""So many times more of them where two answers may be equally right: a fault hides among ties."""
OF_STORED = 0.6
"""Of the rows that are left then, for those that the model remembers; the rest are `mixed`."""
FOR_MISSING = 3
"""One in so many of the rows for trees has nothing in what a node asks, where a source takes it."""
PARTS = (0.1, 0.3, 0.6)
"""Of a row's columns, that are missing."""
MOST_ASKED = 64
"""Columns of which the source is asked one by one whether it takes a row with nothing there."""
BESIDE = 1e-4
"""A hair, as a part of a column's spread."""

KINDS: Mapping[str, str] = {
    "permuted": "columns exchanged between golden rows",
    "noise": "golden rows with noise of one spread",
    "corners": "every column at its least or largest",
    "far-noise": "golden rows with noise of three spreads",
    "uniform": "anywhere in the columns' ranges and half as much beyond",
    "sweep": "one column across its range",
    "scaled": "golden rows times 1.5",
    "scaled-back": "golden rows times -10",
    "negated": "golden rows with the other sign",
    "zeros": "one column, or all, at zero",
    "shifted": "one column, or all, moved by .37 of its spread",
    "fractions": "whole numbers and categories moved by .37",
    "unknown": "categories that nobody knows",
    "missing": "one column, or all, missing",
    "edges": "at the edges of fitted parameters, to either side",
    "thresholds": "at the thresholds of trees, to either side",
    "jumps": "beside the places at which the answer changes",
    "missing-some": "columns exchanged between golden rows, and a part of each row missing",
    "missing-at-nodes": "led to the nodes of trees, with nothing in what those ask",
    "mixed": "columns exchanged between golden rows, with noise of .37 of a spread",
    "stored": "at the rows that the model remembers, and a hair beside",
}


@dataclass(frozen=True)
class Making:
    """What probe rows are made from.

    Attributes:
        goldens: as a table of doubles; at most `BASES` rows are used.
        known: of its columns.
        facts: of the source.
        seed: from the digests of goldens and model.
        ask: the source's answers to rows; it may refuse, or say that time is up.
        budget: the time for rows that stand at the thresholds of trees.
    """

    goldens: Array
    known: Columns
    facts: ModelFacts
    seed: bytes
    ask: Ask
    budget: Budget = field(default_factory=lambda: Budget(FOREVER))

    @cached_property
    def empty(self) -> list[int]:
        """The columns in which the source takes a row with nothing."""
        fractions = self.known.fractions
        if self._takes_nothing_in(fractions):
            return fractions
        asked = self.some("missing asked", fractions, MOST_ASKED)
        return [at for at in asked if self._takes_nothing_in([at])]

    def _takes_nothing_in(self, columns: Sequence[int]) -> bool:
        row = self.goldens[:1].copy()
        row[:, columns] = np.nan
        try:
            self.ask(row)
        except RefusedError:
            return False
        except TimeoutError:
            return True  # it is found out with the rows themselves
        return True

    def draw(self, kind: str) -> np.random.Generator:
        """Chance for one kind: how many rows another has does not change it."""
        return np.random.default_rng([*self.seed, *kind.encode()])

    def bases(self, kind: str, count: int) -> Array:
        """So many golden rows, all of them before one comes twice."""
        draw, rows = self.draw(f"{kind} bases"), self.goldens[:BASES]
        turns = [draw.permutation(len(rows)) for _ in range(-(-count // len(rows)))]
        return rows[np.concatenate(turns)[:count]].copy()

    def some(self, kind: str, columns: Sequence[int], most: int) -> list[int]:
        """At most so many of `columns`."""
        if len(columns) <= most:
            return list(columns)
        drawn = self.draw(f"{kind} columns").choice(len(columns), most, replace=False)
        return [columns[at] for at in sorted(drawn)]


def probes(making: Making, most: int = MOST_ROWS) -> tuple[dict[str, Array], dict[str, int]]:
    """Rows of every kind that there are any of, in the columns' types.

    Returns them, and how many of a kind there was no time to make.
    """
    width = making.known.width
    most = max(min(most, MOST_BYTES // (8 * max(width, 1))), LEAST_ROWS)
    found: dict[str, Array] = {}
    left_out: dict[str, int] = {}
    for kind in KINDS:
        if kind not in _MOST:
            continue
        wanted = _MOST[kind] * (MORE if kind in BY_CHANCE and making.facts.may_tie else 1)
        share = max(min(wanted, most * wanted // _ALL), FIRST)
        try:
            rows = _MAKERS[kind](making, share)
        except TimeoutError:
            left_out[kind] = share
            continue
        if len(rows):
            found[kind] = cast(rows[:share], making.known.dtypes)
    left = most - sum(map(len, found.values()))
    if making.facts.trees and left > 0:
        left //= 2 if making.facts.may_tie else 1
        at_nodes = left // FOR_MISSING if making.empty else 0
        for kind, sides, many in (
            ("missing-at-nodes", WITHOUT, at_nodes),
            ("thresholds", SIDES, left - at_nodes),
        ):
            rows, lacking = _led(making, kind, sides, many)
            if len(rows):
                found[kind] = cast(rows, making.known.dtypes)
            if lacking:
                left_out[kind] = lacking
    if making.facts.may_tie:
        found |= _where_ties_are(making, most - sum(map(len, found.values())))
    return {kind: found[kind] for kind in KINDS if kind in found}, left_out


def _led(making: Making, kind: str, sides: Sequence[int], most: int) -> tuple[Array, int]:
    """Rows that stand at the nodes of trees; and how many there was no time for."""
    if most <= 0:
        return making.goldens[:0], 0
    trees, known, draw = making.facts.trees, making.known, making.draw(kind)
    where = Where(sides, making.empty)
    return directed(trees, making.goldens[:BASES], known, draw, most, making.budget, where)


def _where_ties_are(making: Making, left: int) -> dict[str, Array]:
    """All rows that are left: one stored label among a thousand shows on few of them."""
    found: dict[str, Array] = {}
    stored = _stored(making, int(OF_STORED * left)) if left > 0 else making.goldens[:0]
    for kind, rows in (("stored", stored), ("mixed", _mixed(making, left - len(stored)))):
        if len(rows):
            found[kind] = cast(rows, making.known.dtypes)
    return found


# -------------------------------------------------------------------- rows as ordinary as goldens


def _permuted(making: Making, count: int) -> Array:
    rows, draw = making.goldens[:BASES], making.draw("permuted")
    at = draw.integers(len(rows), size=(count, rows.shape[1]))
    return np.asarray(rows[at, np.arange(rows.shape[1])])


def _noise(making: Making, count: int, kind: str = "noise", size: float = 1.0) -> Array:
    """Heavy-tailed, as data is; whole numbers stay whole, and categories what is known."""
    draw, known = making.draw(kind), making.known
    rows = making.bases(kind, count)
    moved = rows + size * known.spread * draw.standard_t(3, size=rows.shape)
    moved = np.where(known.whole, np.round(moved), moved)
    return _with_categories(moved, known, draw)


def _far_noise(making: Making, count: int) -> Array:
    return _noise(making, count, "far-noise", 3.0)


def _mixed(making: Making, count: int) -> Array:
    if count <= 0:
        return making.goldens[:0]
    draw, known, rows = making.draw("mixed"), making.known, making.goldens[:BASES]
    at = draw.integers(len(rows), size=(count, known.width))
    mixed = rows[at, np.arange(known.width)]
    moved = mixed + AWAY * known.spread * draw.standard_normal(size=mixed.shape)
    exact = known.whole | np.isin(np.arange(known.width), list(known.categories))
    return np.asarray(np.where(exact, mixed, moved))


def _stored(making: Making, most: int) -> Array:
    """Each at its place and beside it; what the model does not look at is as in a golden row."""
    known = making.facts.stored
    if known is None or known.shape[1] != making.known.width or most < 2:  # noqa: PLR2004 - a row, and one beside
        return making.goldens[:0]
    draw = making.draw("stored")
    chosen = known[draw.permutation(len(known))[: most // 2]]
    bases = making.bases("stored", len(chosen))
    rows = np.where(np.isnan(chosen), bases, chosen)
    hair = BESIDE * making.known.spread * draw.choice((-1.0, 1.0), rows.shape)
    return np.concatenate([rows, rows + hair])


def _corners(making: Making, count: int) -> Array:
    draw, known = making.draw("corners"), making.known
    high = draw.integers(2, size=(count, known.width)) == 1
    return _with_categories(np.where(high, known.high, known.low), known, draw)


def _uniform(making: Making, count: int) -> Array:
    draw, known = making.draw("uniform"), making.known
    half = np.maximum(known.high - known.low, known.spread) / 2
    rows = draw.uniform(known.low - half, known.high + half, size=(count, known.width))
    return _with_categories(rows, known, draw)


def _with_categories(rows: Array, known: Columns, draw: np.random.Generator) -> Array:
    for at, values in known.categories.items():
        rows[:, at] = draw.choice(values, len(rows))
    return rows


# -------------------------------------------------------------------- one column after the other


def _replaced(
    making: Making, kind: str, values: Sequence[tuple[int, float]], *, add: bool = False
) -> Array:
    """A golden row for each (column, value), with that value there, or added."""
    rows = making.bases(kind, len(values)) if values else making.goldens[:0]
    for row, (at, value) in zip(rows, values, strict=True):
        row[at] = value + (row[at] if add else 0.0)
    return rows


def _sweep(making: Making, count: int) -> Array:
    known, places = making.known, (-0.5, 0.0, 0.23, 0.61, 1.0, 1.5)
    chosen = making.some("sweep", range(known.width), max(count // len(places), 1))
    reach = np.maximum(known.high - known.low, known.spread)
    values = [(at, known.low[at] + place * reach[at]) for place in places for at in chosen]
    return _replaced(making, "sweep", values)


def _zeros(making: Making, count: int) -> Array:
    chosen = making.some("zeros", range(making.known.width), count - 1)
    rows = _replaced(making, "zeros", [(at, 0.0) for at in chosen])
    return np.concatenate([np.zeros((1, making.known.width)), rows])


def _shifted(making: Making, count: int) -> Array:
    few = max(count // 4, 1)
    spread = making.known.spread
    every = making.bases("shifted all", few) + AWAY * spread
    chosen = making.some("shifted", range(making.known.width), count - few)
    values = [(at, AWAY * spread[at]) for at in chosen]
    return np.concatenate([every, _replaced(making, "shifted", values, add=True)])


def _missing(making: Making, count: int) -> Array:
    """Twice in each column: what is right for one row may be so by luck."""
    fractions = making.known.fractions
    if not fractions:
        return making.goldens[:0]
    chosen = making.some("missing", fractions, count - 1)
    turns = max(min((count - 1) // len(chosen), 4), 1)
    rows = _replaced(making, "missing", [(at, np.nan) for at in chosen] * turns)
    every = making.bases("missing all", 1)
    every[:, fractions] = np.nan
    return np.concatenate([rows[:1], every, rows[1:]])


def _missing_some(making: Making, count: int) -> Array:
    """A part of many columns at once: which node of which tree asks them is not always known."""
    if not making.empty:
        return making.goldens[:0]
    rows, draw = making.goldens[:BASES], making.draw("missing-some")
    found = rows[draw.integers(len(rows), size=(count, rows.shape[1])), np.arange(rows.shape[1])]
    parts = np.resize(PARTS, count)
    missing = draw.random((count, len(making.empty))) < parts[:, None]
    missing[np.arange(count), draw.integers(len(making.empty), size=count)] = True
    found[:, making.empty] = np.where(missing, np.nan, found[:, making.empty])
    return found


def _fractions(making: Making, count: int) -> Array:
    known = making.known
    columns = [at for at in known.fractions if known.whole[at] or at in known.categories]
    chosen = making.some("fractions", columns, max(count // 2, 1))
    values = [(at, sign * AWAY) for at in chosen for sign in (1, -1)]
    return _replaced(making, "fractions", values, add=True)


def _unknown(making: Making, count: int) -> Array:
    known = making.known.categories
    chosen = making.some("unknown", sorted(known), max(count // 3, 1))
    values = [
        (at, value)
        for at in chosen
        for value in (known[at].max() + 1, known[at].min() - 1, known[at].max() + 7)
    ]
    return _replaced(making, "unknown", values)


def _edges(making: Making, count: int) -> Array:
    known = making.known
    values = [
        (at, one)
        for at, edges in sorted(making.facts.edges.items())
        for edge in edges
        if at < known.width and np.isfinite(edge)
        for one in around(float(edge), known.dtypes[at])
    ]
    values = [values[n] for n in making.some("edges", range(len(values)), count)]
    return _replaced(making, "edges", values)


# -------------------------------------------------------------------- whole rows


def _times(kind: str, factor: float) -> Callable[[Making, int], Array]:
    def rows(making: Making, count: int) -> Array:
        return making.bases(kind, count) * factor

    return rows


def _jumps(making: Making, _count: int) -> Array:
    return jumps(making.ask, making.goldens[:BASES], making.known, making.draw("jumps"))


_MAKERS: Mapping[str, Callable[[Making, int], Array]] = {
    "permuted": _permuted,
    "noise": _noise,
    "corners": _corners,
    "far-noise": _far_noise,
    "uniform": _uniform,
    "sweep": _sweep,
    "scaled": _times("scaled", 1.5),
    "scaled-back": _times("scaled-back", -10.0),
    "negated": _times("negated", -1.0),
    "zeros": _zeros,
    "shifted": _shifted,
    "fractions": _fractions,
    "unknown": _unknown,
    "missing": _missing,
    "missing-some": _missing_some,
    "edges": _edges,
    "jumps": _jumps,
}

_MOST: Mapping[str, int] = {
    "permuted": 64,
    "noise": 64,
    "corners": 32,
    "far-noise": 48,
    "uniform": 64,
    "sweep": 180,
    "scaled": 16,
    "scaled-back": 16,
    "negated": 16,
    "zeros": 65,
    "shifted": 80,
    "fractions": 64,
    "unknown": 48,
    "missing": 129,
    "missing-some": 63,
    "edges": 256,
    "jumps": 192,
}
"""Rows of each kind; those for thresholds have what is left of `MOST_ROWS`."""

_ALL = sum(_MOST.values())
