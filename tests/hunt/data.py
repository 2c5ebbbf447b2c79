"""Tables as they come: rows of a process, of which fresh ones can be had at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tests.hunt.draws import Array, Draws

Task = Literal["classes", "numbers", "positive", "counts"]

FAR = 0.15
"""How often a target of numbers lies far from zero."""
PLACES_AFAR = (1e3, -1e3, 1e6, -1e6, 1e9)
"""Where it lies then, in parts of what it moves by: a temperature, a price, a time."""

SELDOM = 0.15
"""How often a table may have columns of the rare kinds, most of which 32 bits do not hold."""

TRAINED = 300
"""Rows that a model is trained on."""

NUMBERS = ("even", "normal", "heavy", "skewed", "tiny", "huge", "cents", "sparse", "grid")
CODED = ("codes", "flag")
WHOLE = ("ids", "years")
WHOLE_NUMBERS = ("ids", "great ids", "years", "epochs", "grid")
RARE = ("constant", "great ids", "epochs", "percent of nothing")


@dataclass(frozen=True)
class Column:
    """One column's process.

    Attributes:
        kind: which process it is.
        at: its middle.
        spread: its width.
        codes: that it takes, where it is one of codes.
        missing: the part of its rows that has no value.
    """

    kind: str
    at: float = 0.0
    spread: float = 1.0
    codes: tuple[float, ...] = ()
    missing: float = 0.0

    @property
    def is_coded(self) -> bool:
        return self.kind in CODED

    def draw(self, draws: Draws, rows: int) -> Array:
        found = self._whole(draws, rows)
        if self.missing:
            found[draws.by.random(rows) < self.missing] = np.nan
        return found

    def _whole(self, draws: Draws, rows: int) -> Array:
        by = draws.by
        if self.codes:
            return by.choice(self.codes, rows).astype(float)
        if self.kind in WHOLE_NUMBERS:
            return np.floor(self.at + self.spread * by.random(rows))
        shape = SHAPES.get(self.kind, SHAPES["normal"])
        found = self.at + self.spread * shape(draws, rows)
        return np.asarray(np.round(found, 2) if self.kind == "cents" else found)


SHAPES: Mapping[str, Callable[[Draws, int], Array]] = {
    "normal": lambda draws, rows: draws.by.normal(size=rows),
    "even": lambda draws, rows: draws.by.uniform(-1, 1, rows),
    "heavy": lambda draws, rows: draws.by.standard_t(1.5, rows),
    "skewed": lambda draws, rows: draws.by.lognormal(0, 1.5, rows),
    "sparse": lambda draws, rows: draws.by.normal(size=rows) * (draws.by.random(rows) < 0.4),
    "constant": lambda draws, rows: np.zeros(rows),
    "percent of nothing": lambda draws, rows: np.zeros(rows),
}
"""What a column of numbers looks like, around 0 and as wide as 1."""


@dataclass(frozen=True)
class Table:
    """Columns, and what is to be learned of them.

    Attributes:
        columns: each has a process of its own.
        task: what is learned.
        labels: of the classes.
        weights: how each column bears on the target.
        scale: of a target of numbers.
        shift: likewise.
    """

    columns: tuple[Column, ...]
    task: Task
    labels: tuple[int | str | bool, ...]
    weights: tuple[float, ...]
    scale: float = 1.0
    shift: float = 0.0

    @property
    def has_missing(self) -> bool:
        return any(one.missing for one in self.columns)

    def where(self, kinds: Sequence[str]) -> list[int]:
        return [at for at, one in enumerate(self.columns) if one.kind in kinds]

    def rows(self, draws: Draws, rows: int) -> Array:
        """Fresh rows of the process."""
        return np.stack([one.draw(draws, rows) for one in self.columns], axis=1)

    def target(self, draws: Draws, inputs: Array) -> Array:
        """What the rows `inputs` were seen to lead to."""
        standard = np.nan_to_num(_standard(inputs), nan=0.5)
        hidden = np.tanh(standard) @ np.array(self.weights)
        hidden += 0.5 * np.tanh(standard[:, 0]) * np.tanh(standard[:, -1])
        hidden += 0.2 * draws.by.normal(size=len(inputs))
        if self.task == "classes":
            edges = np.quantile(hidden, np.arange(1, len(self.labels)) / len(self.labels))
            return np.asarray(np.array(self.labels)[np.searchsorted(edges, hidden)])
        if self.task == "positive":
            return np.asarray(self.scale * np.exp(0.5 * hidden))
        if self.task == "counts":
            return np.asarray(draws.by.poisson(np.exp(np.clip(0.5 * hidden, -2, 3))), dtype=float)
        return np.asarray(self.shift + self.scale * hidden)


def _standard(inputs: Array) -> Array:
    """Each column by its own quartiles, so that each bears on the target, whatever its scale."""
    low, middle, high = (
        np.array([_quantile(column, part) for column in inputs.T]) for part in (0.25, 0.5, 0.75)
    )
    return np.asarray((inputs - middle) / np.where(high > low, high - low, 1.0))


def _quantile(column: Array, part: float) -> float:
    there = column[~np.isnan(column)]
    return float(np.quantile(there, part)) if len(there) else 0.0


LABELS: Sequence[tuple[int | str | bool, ...]] = (
    (0, 1),
    (0, 1),
    (0, 1, 2),
    (0, 1, 2),
    (-1, 1),
    (1, 2, 5),
    (3, 1000, 70000),
    ("no", "yes"),
    ("low", "middle", "high", "top"),
    (False, True),
)


def table(
    draws: Draws, task: Task, *, missing: bool, kinds: Sequence[str] = (), coded: bool = True
) -> Table:
    """A table for `task`.

    Args:
        draws: what decides.
        task: what is to be learned.
        missing: whether values may be missing.
        kinds: of the columns; empty for all.
        coded: whether there are codes among them.
    """
    usual = [*NUMBERS, *WHOLE, *(CODED if coded else ())]
    rare = RARE if draws.chance(SELDOM) else ()
    wild = [one for one in (*usual, *rare) if not kinds or one in kinds]
    calm = [one for one in ("normal", "even", "cents", "codes") if one in wild] or wild
    among = calm if draws.chance(0.35) else wild
    columns = [_column(draws, draws.pick(among)) for _ in range(draws.whole(2, 8))]
    if missing and draws.chance(0.6):
        part = draws.pick((0.02, 0.1, 0.3))
        columns = [replace(one, missing=part * draws.chance(0.7)) for one in columns]
    labels = draws.pick(LABELS)
    scale = draws.pick((1.0, 1.0, 10.0, 250.0, 1e-3, 1e-7, 1e6))
    return Table(
        columns=tuple(columns),
        task=task,
        labels=labels,
        weights=tuple(draws.between(-2, 2) for _ in columns),
        scale=scale,
        shift=scale * _place(draws),
    )


def _place(draws: Draws) -> float:
    """Where a target lies, in parts of what it moves by."""
    near = draws.pick((0.0, 0.0, 3.0, -40.0))
    by = draws.aside(0)
    return by.pick(PLACES_AFAR) if by.chance(FAR) else near


CODES: Sequence[tuple[float, ...]] = (
    (0, 1, 2),
    (0, 1, 2, 3, 4, 5, 6),
    (1, 2, 5),
    (-1, 0, 1),
    (10, 20, 700, 9000),
)

PLACES: Mapping[str, Callable[[Draws], tuple[float, float]]] = {
    "ids": lambda draws: (draws.pick((0, 1000, 1e6)), draws.pick((1e3, 1e5, 1e7))),
    "great ids": lambda draws: (draws.pick((0, 1e8, 5e9)), draws.pick((5e7, 1e9))),
    "years": lambda draws: (1950, 80),
    "epochs": lambda draws: (1.6e9, 1e8),
    "grid": lambda draws: (-draws.whole(0, 10), draws.whole(5, 40)),
    "tiny": lambda draws: (0.0, draws.size(1e-12, 1e-4)),
    "huge": lambda draws: (draws.pick((0.0, 1e9)), draws.size(1e5, 1e10)),
    "sparse": lambda draws: (0.0, draws.pick((0.1, 1.0, 300.0))),
    "percent of nothing": lambda draws: (0.0, 1.0),
}
"""The middle and the width of a column of a kind, where they are its own."""


def _column(draws: Draws, kind: str) -> Column:
    at = draws.pick((0.0, 0.0, 1.0, -5.0, 100.0))
    spread = draws.pick((0.1, 1.0, 1.0, 7.0, 300.0))
    if kind in CODED:
        return Column(kind, codes=(0, 1) if kind == "flag" else draws.pick(CODES))
    if kind in PLACES:
        at, spread = PLACES[kind](draws)
    return Column(kind, at, spread)
