"""Whether outputs move, told from answers as they come: none of them is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.comparing import (
    MOST_OF_SPREAD,
    MOVES,
    Answers,
    flat,
    is_labels,
    least_move,
    probabilities,
)

INSIDE = 1e-6
"""So far from 0 and 1 a share is neither."""
A_STEP = 1.5
"""Steps of 32 bits; what lies further apart than that are two."""
MANY = 10_000
"""Steps that nobody counts."""


class _Values:
    """The answers of one model on one output."""

    def __init__(self, first: Array) -> None:
        self._first = flat(first)[:1].copy()
        self.rows = 0
        self.is_still = self.is_nan = self.is_saturated = True
        width = self._first.shape[1]
        self._count, self._mean, self._away = np.zeros(width), np.zeros(width), np.zeros(width)
        self._largest = np.zeros(width)
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)
        self._is_finite = self._is_shares = True

    def add(self, answers: Array) -> None:
        """Answers to more rows."""
        values = flat(answers)
        self.rows += len(values)
        if values.dtype.kind in "fiub":
            self._measure(values.astype(np.float64))
        if is_labels(values):
            same = values.astype(str) == self._first.astype(str)
            self.is_still &= bool(same.all())
            self.is_nan = False
            return
        none = np.isnan(values)
        self.is_still &= bool(((values == self._first) | (none & np.isnan(self._first))).all())
        self.is_nan &= bool(none.all())
        self.is_saturated &= bool(np.isin(values, (0.0, 1.0)).all())

    def _measure(self, values: Array) -> None:
        """Mean and squares by Chan's sums, which cancel nothing."""
        finite = np.isfinite(values)
        kept = np.where(finite, values, 0.0)
        self._largest = np.maximum(self._largest, np.abs(kept).max(axis=0, initial=0.0))
        self._low = np.minimum(
            self._low, np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
        )
        self._high = np.maximum(
            self._high, np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
        )
        self._is_finite &= bool(finite.all())
        self._is_shares &= probabilities(values)
        count = finite.sum(axis=0)
        mean = kept.sum(axis=0) / np.maximum(count, 1)
        away = (np.where(finite, values - mean, 0.0) ** 2).sum(axis=0)
        both = np.maximum(self._count + count, 1)
        apart = mean - self._mean
        self._away += away + apart**2 * self._count * count / both
        self._mean += apart * count / both
        self._count += count

    @property
    def moves(self) -> bool:
        """Whether a column of numbers has a spread."""
        return bool((self._spread > MOVES * self.size).any())

    @property
    def says(self) -> str:
        """What is to be said of answers that say nothing."""
        if self.is_nan:
            return "is not a number on any row"
        if self.rows > 1 and (self.is_still or self._is_noise):
            return "is the same on every row"
        return "is the same but for a step of 32 bits on every row" if self._is_coarse else ""

    @property
    def _is_noise(self) -> bool:
        return self._first.dtype.kind == "f" and self._is_finite and not self.moves

    @property
    def _is_coarse(self) -> bool:
        """Whether a column moves, but by so little that its own type cannot tell it from noise."""
        return bool(((self._spread > MOVES * self.size) & self.hardly_moves).any())

    @property
    def hardly_moves(self) -> Array:
        """By column; what is the same on every row is among them."""
        return np.asarray(self._spread <= least_move(self._first.dtype) * self.size)

    @property
    def size(self) -> Array:
        """By column, the largest answer; of shares the largest of all, for they sum to 1."""
        most = self._largest.max(initial=0.0)
        return np.full_like(self._largest, most) if self._is_shares else self._largest

    @property
    def _spread(self) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(np.sqrt(self._away / np.maximum(self._count, 1)))

    @property
    def width(self) -> Array:
        """By column, how far the answers lie apart."""
        return np.where(self._count > 0, self._high - self._low, 0.0)

    def more_steps_than(self, source: _Values) -> int:
        """So many steps of 32 bits these answers lie apart, where `source` hardly moves; else 0.

        One step more than the source's is what a runtime may lose in its last sum.
        """
        with np.errstate(all="ignore"):
            step = np.spacing(source.size.astype(np.float32)).astype(np.float64)
            more = self.width - source.width > A_STEP * step
            found = np.where(more & source.hardly_moves, self.width / step, 0.0)
        return round(min(float(found.max(initial=0.0)), MANY))


class _Output:
    """Of one output, both models' answers."""

    def __init__(self, theirs: Array, ours: Array) -> None:
        self._theirs, self._ours = _Values(theirs), _Values(ours)
        self._labels = is_labels(ours)
        self._inside = 0

    def add(self, theirs: Array, ours: Array) -> None:
        """Answers to more rows."""
        self._theirs.add(theirs)
        self._ours.add(ours)
        if not self._labels:
            doubles = flat(theirs).astype(np.float64)
            self._inside += int(((doubles > INSIDE) & (doubles < 1 - INSIDE)).any(axis=1).sum())

    @property
    def still(self) -> str:
        """What moves on one side only, with what the other's does; empty where they move alike."""
        theirs, ours = self._theirs, self._ours
        if ours.rows < 2:  # noqa: PLR2004 - one row moves nowhere
            return ""
        if self._labels:
            lost = ours.is_still and not theirs.is_still
            return "is the same on every row, and the source's is not" if lost else ""
        if ours.is_nan and not theirs.is_nan:
            return "is not a number on any row, and the source's is one"
        if ours.is_still and theirs.moves:
            return "is the same on every row, and the source's is not"
        if ours.is_saturated and self._inside > MOST_OF_SPREAD * ours.rows:
            return "is 0 or 1 on every row, and the source's is not"
        return self._beside_nothing

    @property
    def _beside_nothing(self) -> str:
        """What the variant moves by where the source hardly does: the source never answered it."""
        steps = self._ours.more_steps_than(self._theirs)
        if not steps:
            return ""
        source = self._theirs.says or "is the same on every row in a column"
        least = f"{steps:,} steps of 32 bits" if steps < MANY else "far"
        return f"takes values that lie {least} apart, and the source's {source}"

    @property
    def constant(self) -> str:
        """What the source's answers say where they say nothing, and what the variant's say then."""
        theirs, ours = self._theirs.says, self._ours.says
        if not theirs:
            return ""
        both = "of the source as of the variant"
        if ours != theirs:
            both = f"of the source; the variant's {ours or 'moves'}"
        verb, _, rest = theirs.partition(" on ")
        return f"{verb.upper()} on {rest} of the golden and ordinary ones, {both}"


@dataclass
class Moving:
    """All outputs, on goldens and ordinary rows."""

    _outputs: dict[str, _Output] = field(default_factory=dict)

    def add(self, theirs: Answers, ours: Answers) -> None:
        """Answers of both models to the same rows."""
        for name, one in theirs.items():
            if one.size:
                output = self._outputs.setdefault(name, _Output(one, ours[name]))
                output.add(one, ours[name])

    @property
    def still(self) -> dict[str, str]:
        """Outputs that do not move as the source's do, each with what they do."""
        return {name: one.still for name, one in self._outputs.items() if one.still}

    @property
    def constant(self) -> dict[str, str]:
        """Outputs of the source that say nothing."""
        return {name: one.constant for name, one in self._outputs.items() if one.constant}
