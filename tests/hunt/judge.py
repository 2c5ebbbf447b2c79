"""The judge: does the variant answer fresh rows as the original does?

It knows the original's own answers and ONNX Runtime, and nothing of Sealift: neither how the proof
makes its rows nor how far numbers may lie apart there. What it calls wrong is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

ROWS = 1000
MOST_WRONG = 0.001
"""The part of the rows that may be wrong."""

MOST_ROUNDED = 0.01
"""The part of the rows that may lie on a threshold; more are no accident."""

SPREAD = 0.01
"""How far numbers may lie apart, as a part of their standard deviation."""

LEAST = 1e-6
"""Shares may lie so far apart in any case."""

STEP, STEPS = 1.2e-7, 4
"""A step of 32 bits, as a part of a number: what moves by more is held to its spread, as far from
zero as it may lie; what does not, to so many steps, for what a variant adds was never learnt."""

TIE = 1e-5

NOT_RUN = "it does not run"


@dataclass(frozen=True)
class Answers:
    """What one model answers to rows.

    Attributes:
        labels: one a row, where it tells labels.
        numbers: one or more a row, where it tells numbers.
        share: the numbers are shares of one, and are not small for being of a small thing.
        tied: of each row, whether two labels are equally right.
        even: of each row, whether two answers are, numbers and all.
    """

    labels: Array | None
    numbers: Array | None
    share: bool = False
    tied: Array | None = None
    even: Array | None = None


Original: TypeAlias = Callable[[Array], Answers]
"""The original's own answers to rows of doubles."""


@dataclass(frozen=True)
class Judgement:
    """What the judge found.

    Attributes:
        rows: that were tried.
        labels: rows with another label, away from ties.
        numbers: rows with a number that is too far off.
        wrong: rows with either, unless it is what the original answers to the row in doubles.
        merged: rows to which the original itself answers otherwise once they are float32.
        rounded: rows that would be wrong, if the original did not give the variant's answer a few
            steps of float32 away.
        spared: rows that would be wrong, were not two answers equally right.
        still: the original's numbers move by less than 32 bits can tell.
        furthest: by which a number is off, in parts of what may be.
        words: what cannot be compared, where something cannot.
    """

    rows: int
    labels: int = 0
    numbers: int = 0
    wrong: int = 0
    merged: int = 0
    rounded: int = 0
    spared: int = 0
    still: bool = False
    furthest: float = 0.0
    words: str = ""

    @property
    def is_wrong(self) -> bool:
        too_many = self.wrong > MOST_WRONG * self.rows or self.rounded > MOST_ROUNDED * self.rows
        return bool(self.words) or too_many

    @property
    def does_not_run(self) -> bool:
        return self.words.startswith(NOT_RUN)

    @property
    def is_open(self) -> bool:
        """Whether nobody can say that the variant is right: on too many rows it is by a tie alone.

        Among neighbours that are all equally near the original takes whichever it finds. And where
        all answers are one in 32 bits, any variant that answers it is as right as another.
        """
        return self.still or self.spared > MOST_ROUNDED * self.rows

    @property
    def merges(self) -> bool:
        return self.merged > MOST_WRONG * self.rows


def judged(original: Original, variant: bytes, rows: Array, *, computes: bool = False) -> Judgement:
    """The variant against the original on `rows`, which are doubles.

    Args:
        original: its own answers.
        variant: an ONNX file.
        rows: fresh ones.
        computes: the original computes before it decides, as a scaler before a tree does: a row may
            lie on the very threshold, as far as 32 bits can tell. What asks the row itself cannot.
    """
    try:
        kind, run = _session(variant)
        given = rows.astype(kind)
        theirs = run(given)
    except Exception as bad:  # noqa: BLE001 - ONNX Runtime's errors have no other class
        return Judgement(len(rows), words=f"{NOT_RUN}: {str(bad).splitlines()[0][:200]}")
    ours, exact = original(given.astype(np.float64)), original(rows)
    words = _unlike(ours, theirs)
    if words:
        return Judgement(len(rows), words=words)
    labels, numbers, furthest = _differing(ours, theirs)
    # Between the row and what 32 bits hold of it the original may turn; either turn is its own.
    merged = np.logical_or(*_differing(exact, ours)[:2])
    differs = labels | numbers
    both = differs & ~(merged & ~np.logical_or(*_differing(exact, theirs)[:2]))
    rounded = np.zeros(len(rows), bool)
    if computes and both.any():
        rounded = both & _rounded(original, theirs, given)
        both &= ~rounded
    return Judgement(
        rows=len(rows),
        labels=int((labels & both).sum()),
        numbers=int((numbers & both).sum()),
        wrong=int(both.sum()),
        merged=int(merged.sum()),
        rounded=int(rounded.sum()),
        still=_still(ours),
        spared=int((np.logical_or(*_differing(_strictly(ours), theirs)[:2]) & ~differs).sum()),
        furthest=furthest,
    )


def _strictly(ours: Answers) -> Answers:
    """As if every row had one right answer."""
    return replace(ours, tied=None, even=None)


def _still(ours: Answers) -> bool:
    """Whether a model that answers numbers alone answers others, and in 32 bits always one."""
    if ours.labels is not None or ours.numbers is None:
        return False
    with np.errstate(over="ignore"):
        wide, narrow = ours.numbers, ours.numbers.astype(np.float32)
    return bool((wide != wide[:1]).any() and (narrow == narrow[:1]).all())


def _rounded(original: Original, theirs: Answers, given: Array) -> Array:
    """The rows to which the original gives the variant's answer, moved by a few steps of 32 bits.

    Whole numbers stay where they are: they are exact.
    """
    by, found = np.random.default_rng(1), np.zeros(len(given), bool)
    exact = given == np.round(given)
    for steps in (1, 4):
        for _ in range(4):
            moved = steps * by.choice((-1.0, 1.0), given.shape) * np.spacing(np.abs(given))
            near = original(given + np.where(exact, 0.0, moved).astype(np.float64))
            found |= ~np.logical_or(*_differing(near, theirs)[:2])
    return found


_TYPES = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2"}


def _session(variant: bytes) -> tuple[str, Callable[[Array], Answers]]:
    """The type of the variant's input, and how it is asked."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it says of a wrong variant is the judge's to say
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(variant, options, providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    kind = _TYPES.get(only.type) or only.type.removeprefix("tensor(").removesuffix(")")

    def run(rows: Array) -> Answers:
        # As a model is used: most rows at once, some a few at a time, some alone.
        parts = [session.run(None, {only.name: some}) for some in _batches(rows)]
        found = [np.concatenate([np.asarray(one) for one in each]) for each in zip(*parts)]  # noqa: B905 - one list an output each
        flat = [one for one in found if one.dtype.kind != "f"]
        numbers = [one for one in found if one.dtype.kind == "f"]
        return Answers(flat[0].ravel() if flat else None, numbers[0] if numbers else None)

    return kind, run


def _batches(rows: Array) -> list[Array]:
    ends = [*range(len(rows) - 200, len(rows) - 100, 5), *range(len(rows) - 100, len(rows))]
    return [one for one in np.split(rows, [at for at in ends if at > 0]) if len(one)]


def _unlike(ours: Answers, theirs: Answers) -> str:
    """Why the two cannot be laid side by side."""
    if ours.labels is not None and theirs.labels is None:
        return "it tells no labels"
    for mine, other in ((ours.labels, theirs.labels), (ours.numbers, theirs.numbers)):
        if mine is None or other is None:
            continue
        if len(mine) != len(other):
            return f"it answers {len(other)} rows of {len(mine)}"
        if mine is ours.numbers and _beside(mine, other) is None:
            return f"its numbers are {other.shape[1:]}, and the original's {mine.shape[1:]}"
    return ""


def _beside(mine: Array, other: Array) -> Array | None:
    """`other` in the shape of `mine`; of two scores for two classes, the second one counts."""
    if other.size == mine.size:
        return other.reshape(mine.shape)
    if mine.ndim == 1 and other.ndim == 2 and other.shape[1] == 2:
        return np.asarray(other[:, 1])
    return None


def _differing(ours: Answers, theirs: Answers) -> tuple[Array, Array, float]:
    """The rows with another label, the rows with a number too far off, and how far at most."""
    rows = len(ours.labels if ours.labels is not None else ours.numbers)  # type: ignore[arg-type]
    labels, numbers = np.zeros(rows, bool), np.zeros(rows, bool)
    furthest = 0.0
    if ours.labels is not None and theirs.labels is not None:
        labels = ~_same(ours.labels, theirs.labels)
        for spared in (ours.tied, ours.even):
            labels &= True if spared is None else ~spared
    if ours.numbers is not None and theirs.numbers is not None:
        other = _beside(ours.numbers, theirs.numbers)
        assert other is not None
        parts = _parts(_table(ours.numbers), _table(other), share=ours.share)
        if ours.even is not None:
            parts[ours.even] = 0
        numbers, furthest = np.asarray((parts > 1).any(axis=1)), float(parts.max(initial=0))
    return labels, numbers, furthest


def _table(numbers: Array) -> Array:
    return numbers.reshape(len(numbers), -1).astype(np.float64)


def _parts(ours: Array, theirs: Array, *, share: bool) -> Array:
    """How far each number is off, in parts of what it may be; not finite equals not finite."""
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(ours), ours, np.nan)
        some = np.isfinite(ours).any(axis=0)
        spread, largest = np.zeros(ours.shape[1]), np.zeros(ours.shape[1])
        spread[some] = np.nanstd(finite[:, some], axis=0)
        largest[some] = np.nanmax(np.abs(finite[:, some]), axis=0)
        still = spread <= STEP * largest
        least = LEAST if share else np.where(still, STEPS * STEP * largest, 0.0)
        allowed = np.maximum(np.maximum(SPREAD * spread, least), 1e-30)
        away = np.abs(ours - theirs) / allowed
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return np.where(same, 0.0, np.where(np.isfinite(away), away, np.inf))


def _same(some: Array, others: Array) -> Array:
    """Row by row; text is compared as text, and yes is 1."""
    if "U" in (some.dtype.kind, others.dtype.kind) or "O" in (some.dtype.kind, others.dtype.kind):
        return np.asarray(some.astype(str) == others.astype(str))
    return np.asarray(some.astype(np.float64) == others.astype(np.float64))


def tied(scores: Array) -> Array:
    """The rows of which the two best scores, or the one score and nothing, are all but equal."""
    table = _table(scores)
    least = TIE * np.abs(table).max(initial=0)
    if table.shape[1] == 1:
        return np.asarray(np.abs(table[:, 0]) <= least)
    best = np.sort(table, axis=1)
    return np.asarray(best[:, -1] - best[:, -2] <= least)
