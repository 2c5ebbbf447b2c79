"""What is kept of the rows that were compared: counts, the worst row, and those that differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.batches import BATCHES
from sealift_registry.proof.comparing import Answers, Compared, flat, tied_rows, wrong_rows
from sealift_registry.proof.model_runs import taken
from sealift_registry.proof.proof_report import BINS
from sealift_registry.proof.withheld_outputs import ANOTHER, AWAY, WITHHELD

GOLDENS = "goldens"
"""The kind of the rows that were given."""
MOST_KEPT = 400
"""Differing rows that are looked at again; with more of them nothing is to be excused."""
DIGITS, MOST_DIGITS = 7, 17
"""Of a number that is shown, at least and at most: all that 64 bits hold."""
WHOLE = 15
"""Digits before the point up to which a number is shown without its power of ten."""
LONGEST = 60
"""Characters of an answer that is shown."""
BEFORE = 10
"""Of these, before the first that differs, where that comes late."""

_EDGES = np.array([float(one) for one in BINS])


@dataclass
class OutputTally:
    """Of one output."""

    kind: str
    rows: int = 0
    wrong: int = 0
    away: float = 0.0
    ratio: float = -1.0
    allowed: float = 0.0
    near: tuple[float, float] = (-1.0, 0.0)
    """Of rows that are right, the largest part of what is allowed, and what is allowed there."""
    bins: Array = field(default_factory=lambda: np.zeros(len(BINS) + 1, dtype=int))

    def add(self, found: Compared) -> None:
        """Count some rows."""
        self.rows += len(found.wrong)
        self.wrong += int(found.wrong.sum())
        self.away = max(self.away, float(found.away.max(initial=0.0)))
        self.bins += np.bincount(
            np.searchsorted(_EDGES, found.ratio, side="left"), minlength=len(self.bins)
        )
        right = np.where(found.wrong, -1.0, found.ratio)
        if len(right) and float(right.max()) > self.near[0]:
            top = int(right.argmax())
            self.near = float(right[top]), float(found.allowed[top])
        if len(found.ratio) and float(found.ratio.max()) > self.ratio:
            at = int(found.ratio.argmax())
            self.ratio, self.allowed = float(found.ratio[at]), float(found.allowed[at])


@dataclass
class KindTally:
    """Of one kind of rows."""

    ran: int = 0
    dropped: int = 0
    left_out: int = 0
    wrong: int = 0
    excused: int = 0
    apart: int = 0
    """Rows that differ where nobody says what is right; they are not among those that are wrong."""


@dataclass(frozen=True)
class ComparedRow:
    """A row and both answers, and the outputs that are `wrong`.

    It is `refused` where the variant does not answer at all.

    Where they are `withheld`, the variant's says how far it is off. `apart` are two finite numbers.
    """

    kind: str
    number: int
    values: Array
    output: str
    column: int | None
    ratio: float
    source: str
    variant: str
    allowed: float | None
    answers: Answers
    wrong: tuple[str, ...] = ()
    refused: bool = False
    withheld: bool = False
    apart: float | None = None


@dataclass
class RowTally:
    """All that is kept."""

    outputs: dict[str, OutputTally] = field(default_factory=dict)
    kinds: dict[str, KindTally] = field(default_factory=dict)
    differing: list[ComparedRow] = field(default_factory=list)
    agreed: dict[str, list[int]] = field(default_factory=dict)
    """By kind, the numbers of the rows on which both models agree."""
    worst: ComparedRow | None = None
    shown: set[str] = field(default_factory=set)
    """Outputs whose answers may be shown; see `withheld_outputs`."""
    tied: int = 0
    """Of the rows that are excused, those of which the source shows that two answers are right."""

    @property
    def ran(self) -> int:
        """All rows that were compared, each once though some were asked again."""
        return sum(one.ran for kind, one in self.kinds.items() if kind not in BATCHES)

    @property
    def wrong(self) -> int:
        """All rows that differ."""
        return sum(one.wrong for one in self.kinds.values())

    @property
    def apart(self) -> int:
        """All rows that differ where nobody says what is right."""
        return sum(one.apart for one in self.kinds.values())

    def kind(self, name: str) -> KindTally:
        """The tally of a kind."""
        return self.kinds.setdefault(name, KindTally())

    def add(
        self,
        named: Sequence[tuple[str, int]],
        rows: Array,
        source: Answers,
        variant: Answers,
        found: Mapping[str, Compared],
    ) -> None:
        """Count rows by kind and number, with both answers to them and how those compare."""
        for output, one in found.items():
            self.outputs.setdefault(output, OutputTally(one.kind)).add(one)
        wrong, tied = wrong_rows(found), tied_rows(found)
        self.tied += int(tied.sum())
        for (kind, number), differs, is_tied in zip(named, wrong, tied, strict=True):
            self.kind(kind).ran += 1
            self.kind(kind).excused += int(is_tied)
            if not differs and not is_tied:
                self.agreed.setdefault(kind, []).append(number)
        for at in np.flatnonzero(wrong).tolist():
            self.kind(named[at][0]).wrong += 1
            if len(self.differing) < MOST_KEPT:
                self.differing.append(self._row(named[at], rows[at], source, variant, found, at))
        if not len(rows):
            return
        ratios = np.max([one.ratio for one in found.values()], axis=0)
        top = int(ratios.argmax())
        if self.worst is None or float(ratios[top]) > self.worst.ratio:
            self.worst = self._row(named[top], rows[top], source, variant, found, top)

    def excuse(self, row: ComparedRow) -> None:
        """It is wrong no more: rounding, or a tie."""
        kind = self.kind(row.kind)
        kind.wrong, kind.excused = kind.wrong - 1, kind.excused + 1
        for output in row.wrong:
            self.outputs[output].wrong -= 1
        self.differing.remove(row)

    def set_apart(self, named: Sequence[tuple[str, int]], differ: Array) -> None:
        """Count rows of which nobody says what is right: nothing else is taken from them."""
        for (kind, _), differs in zip(named, differ.tolist(), strict=True):
            self.kind(kind).ran += 1
            self.kind(kind).apart += int(differs)

    def refused(self, kind: str, number: int, row: Array, source: Answers, at: int) -> None:
        """The variant does not answer a row that the source answers."""
        one = self.kind(kind)
        one.ran += 1
        one.wrong += 1
        output = min(source)
        said = shown(source[output], at) if output in self.shown else WITHHELD
        lost = ComparedRow(
            kind, number, row, output, None, np.inf, said, "refused", None, {}, refused=True
        )
        if len(self.differing) < MOST_KEPT:
            self.differing.append(lost)
        if self.worst is None or not np.isinf(self.worst.ratio):
            self.worst = lost

    def _row(
        self,
        named: tuple[str, int],
        values: Array,
        source: Answers,
        variant: Answers,
        found: Mapping[str, Compared],
        at: int,
    ) -> ComparedRow:
        output = max(found, key=lambda name: float(found[name].ratio[at]))
        one = found[output]
        is_number = one.kind == "numbers" and bool(flat(source[output]).shape[1])
        column = int(one.column[at]) if is_number else None
        both = flat(source[output])[at], flat(variant[output])[at]
        withheld = output not in self.shown
        if withheld:
            told = WITHHELD, ANOTHER if column is None else _away(*both, column)
        elif column is None:
            told = _apart(*(", ".join(map(str, answer.tolist())) for answer in both))
        else:
            told = _numbers(float(both[0][column]), float(both[1][column]), float(one.allowed[at]))
        away = float(one.away[at])
        return ComparedRow(
            kind=named[0],
            number=named[1],
            values=values,
            output=output,
            column=column if len(both[0]) > 1 else None,
            ratio=float(one.ratio[at]),
            source=told[0],
            variant=told[1],
            allowed=float(one.allowed[at]) if one.kind == "numbers" else None,
            answers=taken(variant, np.array([at])),
            wrong=tuple(name for name, one in found.items() if one.wrong[at]),
            withheld=withheld,
            apart=away if column is not None and math.isfinite(away) else None,
        )


def _away(source: Array, variant: Array, column: int) -> str:
    """How far a number is off; of one that is none on a side, on which."""
    theirs, ours = float(source[column]), float(variant[column])
    if math.isfinite(theirs) and math.isfinite(ours):
        return f"{abs(theirs - ours):.3g}{AWAY}"
    if math.isfinite(theirs) or math.isfinite(ours):
        return f"no number in the {'variant' if math.isfinite(theirs) else 'source'} alone"
    return "another one in the variant that is no number"


def _numbers(source: float, variant: float, allowed: float) -> tuple[str, str]:
    """Two numbers, in as many digits as what is allowed between them needs, and they differ in."""
    size = max((abs(one) for one in (source, variant) if math.isfinite(one)), default=0.0)
    digits = DIGITS
    if size:
        whole = math.floor(math.log10(size)) + 1
        least = min(
            (one for one in (allowed, abs(source - variant)) if 0 < one < size), default=size
        )
        digits = max(DIGITS, whole - math.floor(math.log10(least)) + 1)
        digits = max(digits, whole) if whole <= WHOLE else digits
    digits = min(digits, MOST_DIGITS)
    return f"{source:.{digits}g}", f"{variant:.{digits}g}"


def _apart(source: str, variant: str) -> tuple[str, str]:
    """Two texts that are short, and are others where they differ."""
    if source != variant and _short(source) == _short(variant):
        at = next(n for n in range(len(source)) if source[: n + 1] != variant[: n + 1]) - BEFORE
        source, variant = f"…{source[at:]}", f"…{variant[at:]}"
    return _short(source), _short(variant)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def shown(answers: Array, at: int) -> str:
    """All of one answer, short."""
    return _short(", ".join(str(one) for one in flat(answers)[at].tolist()))
