"""Whether outputs move, told from answers as they come: none of them is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.comparing import (
    MOST_OF_SPREAD,
    MOVES,
    STEPS,
    Answers,
    flat,
    is_labels,
    least_move,
)


class _Values:
    """The answers of one model on one output."""

    def __init__(self, first: Array) -> None:
        self._first = flat(first)[:1].copy()
        self.rows = 0
        self.is_still = self.is_nan = self.is_saturated = True
        width = self._first.shape[1]
        self._count, self._mean, self._away = np.zeros(width), np.zeros(width), np.zeros(width)
        self._largest = np.zeros(width)

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
        return bool((self._spread > MOVES * self._largest).any())

    @property
    def is_coarse(self) -> bool:
        """Whether a column moves, but by so little that its own type cannot tell it from noise."""
        least = least_move(self._first.dtype)
        moved = self._spread > MOVES * self._largest
        return bool((moved & (self._spread <= least * self._largest)).any())

    @property
    def _spread(self) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(np.sqrt(self._away / np.maximum(self._count, 1)))


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
            self._inside += int(((doubles > STEPS) & (doubles < 1 - STEPS)).any(axis=1).sum())

    @property
    def still(self) -> str:
        """What does not move though the source's does; empty where it moves alike."""
        theirs, ours = self._theirs, self._ours
        if ours.rows < 2:  # noqa: PLR2004 - one row moves nowhere
            return ""
        if self._labels:
            return "is the same on every row" if ours.is_still and not theirs.is_still else ""
        if ours.is_nan and not theirs.is_nan:
            return "is no number on any row"
        if ours.is_still and theirs.moves:
            return "is the same on every row"
        if ours.is_saturated and self._inside > MOST_OF_SPREAD * ours.rows:
            return "is 0 or 1 on every row"
        return ""

    @property
    def constant(self) -> str:
        """What the source's answers say where they say nothing."""
        if self._theirs.is_nan:
            return "IS NO NUMBER on any row"
        if self._theirs.rows > 1 and self._theirs.is_still:
            return "IS THE SAME on every row"
        if not self._labels and self._theirs.is_coarse:
            return "IS THE SAME BUT FOR A STEP OF 32 BITS on every row"
        return ""


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
        """Outputs that do not move though the source's do."""
        return {name: one.still for name, one in self._outputs.items() if one.still}

    @property
    def constant(self) -> dict[str, str]:
        """Outputs of the source that say nothing."""
        return {name: one.constant for name, one in self._outputs.items() if one.constant}
