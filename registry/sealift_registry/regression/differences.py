"""Two models' answers side by side, neither of which is right: arrays in, figures out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import TYPES as NUMPY
from sealift_registry.frameworks.variant_names import Names
from sealift_registry.proof import comparing
from sealift_registry.proof.comparing import Answers, flat
from sealift_registry.proof.expected_answers import Kind, answered_labels
from sealift_registry.proof.expected_answers import alone as judged_alone
from sealift_registry.proof.expected_answers import known as known_to_be
from sealift_registry.proof.figures import accuracy, decimal
from sealift_registry.regression.regression_report import BySpread, LabelChurn, NumberChurn
from sealift_signing.drawing import word

TYPES: Mapping[str, str] = {
    "f": "fractions",
    "i": "whole numbers",
    "u": "whole numbers without signs",
}
"""NumPy's kinds of types, in words; what is none of them is `truths` or text."""


@dataclass(frozen=True)
class Taken:
    """What a model takes: by name, the type in the runtime's words, and the lengths of a row.

    Attributes:
        inputs: name → type and lengths; a length that is not fixed is None.
        names: of columns and of what their codes mean, as far as the model bears them.
    """

    inputs: Mapping[str, tuple[str, tuple[int | None, ...]]]
    names: Names = field(default_factory=Names)


# -------------------------------------------------------------------- inputs


def other_inputs(candidate: Taken, listed: Taken) -> str:
    """What the listed version takes that the candidate does not, in words; empty if the same.

    Rows of the candidate that the listed version takes for something else compare nothing.
    """
    if len(candidate.inputs) != len(listed.inputs):
        return f"it has {len(listed.inputs)} of them, and this one {len(candidate.inputs)}"
    if len(candidate.inputs) > 1 and set(candidate.inputs) != set(listed.inputs):
        strange = min(set(listed.inputs) - set(candidate.inputs))
        return f"one of them is called {word(strange)}"
    pairs = zip(sorted(candidate.inputs.items()), sorted(listed.inputs.items()), strict=True)
    for (_, (kind, here)), (name, (other, there)) in pairs:
        if _family(kind) != _family(other):
            return f"{word(name)} is of the type {other}, and here of {kind}"
        if not _same_lengths(here, there):
            return f"a row of {word(name)} is {_long(there)}, and here {_long(here)}"
    ours, theirs = candidate.names, listed.names
    return _other_columns(ours.features, theirs.features) or _other_codes(ours, theirs)


def _other_columns(ours: Sequence[str], theirs: Sequence[str]) -> str:
    if not ours or not theirs or list(ours) == list(theirs):
        return ""
    if len(ours) != len(theirs):
        return f"it has {len(theirs)} columns, and this one {len(ours)}"
    at = next(n for n, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
    return f"its column {at} is {word(theirs[at])}, and here {word(ours[at])}"


def _other_codes(ours: Names, theirs: Names) -> str:
    """A code that stands for another category; one more of them at the end changes no other."""
    for column, known in sorted(ours.categories.items()):
        before = theirs.categories.get(column, known)
        if any(one != other for one, other in zip(known, before, strict=False)):
            return f"the codes of its column {column} stand for other categories"
    return ""


def _family(runtime_type: str) -> str:
    """Fractions of any width are one family: both models round them as they do."""
    return "fractions" if runtime_type in FRACTIONS else runtime_type


FRACTIONS = {"tensor(float)", "tensor(double)", "tensor(float16)"}


def _same_lengths(one: Sequence[int | None], other: Sequence[int | None]) -> bool:
    if len(one) != len(other):
        return False
    return all(a == b or a is None or b is None for a, b in zip(one, other, strict=True))


def _long(lengths: Sequence[int | None]) -> str:
    return " by ".join("any" if one is None else str(one) for one in lengths) or "one number"


# -------------------------------------------------------------------- answers


def label_churn(
    candidate: Answers, listed: Answers, classes: tuple[Sequence[str], Sequence[str]]
) -> LabelChurn | None:
    """Rows that get another label; None where one of both answers no labels.

    A label is what it is spelled as: 3, 3.0 and "3" are the same.
    """
    ours, theirs = answered_labels(candidate, classes[0]), answered_labels(listed, classes[1])
    if ours is None or theirs is None:
        return None
    differing = ours != theirs
    tied = differing & _ties(listed, len(ours))  # by scores of its own it would excuse itself
    return LabelChurn(int(differing.sum()), int(tied.sum()))


def _ties(answers: Answers, rows: int) -> Array:
    """By row, whether two labels are as good by a model's own scores."""
    name = comparing.scores_of(answers)
    if name is None:
        return np.zeros(rows, dtype=bool)
    return comparing.ties(answers[name], comparing.scale(answers[name]))


def without_labels(
    candidate: Answers, listed: Answers, classes: tuple[Sequence[str], Sequence[str]]
) -> bool:
    """Whether the listed version answers labels, and nobody can tell which the candidate does."""
    there = answered_labels(listed, classes[1]) is not None
    return there and answered_labels(candidate, classes[0]) is None


def number_churn(
    candidate: Answers, listed: Answers, *, labelled: bool = False
) -> NumberChurn | None:
    """How far numbers lie apart; None where none has a counterpart.

    Args:
        candidate: its answers.
        listed: likewise.
        labelled: what they answer are labels, which are no numbers; their scores are.
    """
    pairs = _pairs(*(_scores(one) if labelled else one for one in (candidate, listed)))
    if not pairs:
        return None
    apart = np.concatenate([_apart(one, other) for one, other in pairs], axis=1)
    gone = [np.isfinite(other) & ~np.isfinite(one) for one, other in pairs]
    whole = np.isfinite(apart).all(axis=1)
    by_row = apart[whole].max(axis=1)
    median = float(np.median(by_row)) if len(by_row) else 0.0
    largest = float(by_row.max(initial=0.0))
    lost = np.concatenate(gone, axis=1).any(axis=1)
    return NumberChurn(
        decimal(median),
        decimal(largest),
        int((~whole).sum()),
        int(lost.sum()),
        _by_spread(pairs, whole),
    )


def _by_spread(pairs: Sequence[tuple[Array, Array]], whole: Array) -> BySpread | None:
    """The same beside how much the listed version's answers move; None where none does.

    A constant beside answers of 1,000,000 give or take one is 0.0001 % away from them, and has
    nothing of what they say.
    """
    found = []
    for one, other in pairs:
        if comparing.probabilities(one) and comparing.probabilities(other):
            continue
        spread = comparing.scale(other).spread
        moves = spread > 0
        with np.errstate(all="ignore"):
            away = np.where(_same(one, other), 0.0, np.abs(one - other))
        found.append(away[whole][:, moves] / spread[moves])
    by_column = np.concatenate([np.zeros((int(whole.sum()), 0)), *found], axis=1)
    if not by_column.size:
        return None
    by_row = by_column.max(axis=1)
    return BySpread(decimal(float(np.median(by_row))), decimal(float(by_row.max())))


def _pairs(candidate: Answers, listed: Answers) -> list[tuple[Array, Array]]:
    """Outputs of numbers by name; or the only one of each, whatever it is called."""
    ours, theirs = _numbers(candidate), _numbers(listed)
    both = [(ours[name], theirs[name]) for name in sorted(set(ours) & set(theirs))]
    if not both and len(ours) == len(theirs) == 1:
        both = [(next(iter(ours.values())), next(iter(theirs.values())))]
    return [(one, other) for one, other in both if one.shape == other.shape and one.shape[1]]


def _scores(answers: Answers) -> Answers:
    """What is no label."""
    found = answers.items()
    return {n: one for n, one in found if n != "label" and not comparing.is_labels(one)}


def _numbers(answers: Answers) -> dict[str, Array]:
    return {
        name: flat(one).astype(np.float64)
        for name, one in answers.items()
        if one.dtype.kind in "fiu"
    }


def _apart(one: Array, other: Array) -> Array:
    """The difference as a part of the larger of both; NaN where only one is a number.

    Of shares, which sum to 1, it is the difference itself: 1e-9 for 1e-12 is next to nothing.
    """
    shares = comparing.probabilities(one) and comparing.probabilities(other)
    with np.errstate(all="ignore"):
        larger = np.maximum(np.abs(one), np.abs(other))
        found = np.abs(one - other) / (1.0 if shares else larger)
    found = np.where(np.isfinite(one) & np.isfinite(other), found, np.nan)
    return np.where(_same(one, other), 0.0, found)


def _same(one: Array, other: Array) -> Array:
    return np.asarray((one == other) | (np.isnan(one) & np.isnan(other)))


def other_widths(candidate: Taken, listed: Taken) -> list[str]:
    """Inputs of the same meaning that a program at a site has to hand over otherwise, in words."""
    pairs = zip(sorted(candidate.inputs.items()), sorted(listed.inputs.items()), strict=True)
    return [
        f"the input {word(name)} is of {_handed(kind)}, and was of {_handed(other)}"
        for (name, (kind, _)), (_, (other, _)) in pairs
        if kind != other
    ]


def _handed(runtime_type: str) -> str:
    """A type as NumPy calls it."""
    return NUMPY.get(runtime_type, runtime_type)


def other_outputs(candidate: Answers, listed: Answers) -> list[str]:
    """What whoever uses the model has to know of its outputs, in words."""
    found = [f"{word(name)} is new" for name in sorted(set(candidate) - set(listed))]
    found += [f"{word(name)} is gone" for name in sorted(set(listed) - set(candidate))]
    for name in sorted(set(candidate) & set(listed)):
        ours, theirs = candidate[name], listed[name]
        if _type(ours) != _type(theirs):
            found.append(f"{word(name)} is of {_type(ours)}, and was of {_type(theirs)}")
        if flat(ours).shape[1] != flat(theirs).shape[1]:
            now, before = flat(ours).shape[1], flat(theirs).shape[1]
            found.append(f"{word(name)} has {now} numbers a row, and had {before}")
    return found


def _type(answers: Array) -> str:
    """What a program that reads it has to know: fractions of 64 bits are none of 32 bits."""
    kind = answers.dtype.kind
    if kind in TYPES:
        return f"{TYPES[kind]} of {8 * answers.dtype.itemsize} bits"
    return "truths" if kind == "b" else "text"


# -------------------------------------------------------------------- what is known to be right


def metrics(
    expected: Array | None,
    candidate: Answers,
    listed: Answers,
    classes: tuple[Sequence[str], Sequence[str]],
) -> tuple[Kind, str | None, str] | None:
    """What is expected, and how both do it; None where it cannot be told of the listed version.

    Of the candidate it is None where it cannot be measured as the other, or answers no number: that
    is no way to be measured by nothing.
    """
    found = _of_listed(expected, listed, classes[1])
    if found is None:
        return None
    right, rows, (kind, theirs) = found
    ours = judged_alone(right, _some(candidate, rows), classes[0])
    alike = ours is not None and ours[0] == kind and math.isfinite(ours[1])
    spelled = accuracy if kind == "labels" else decimal
    return kind, spelled(ours[1]) if ours and alike else None, spelled(theirs)


def measured_by(
    expected: Array | None, listed: Answers, classes: tuple[Sequence[str], Sequence[str]]
) -> int | None:
    """How many rows both are measured by; None where there is none."""
    found = _of_listed(expected, listed, classes[1])
    return None if found is None else len(found[0])


def _of_listed(
    expected: Array | None, listed: Answers, names: Sequence[str]
) -> tuple[Array, Array, tuple[Kind, float]] | None:
    """What is expected, on which rows, and how the listed version does it.

    Rows on which it answers no number measure nobody; they are counted beside.
    """
    if expected is None:
        return None
    right, rows = known_to_be(expected)
    found = judged_alone(right, _some(listed, rows), names) if len(right) else None
    if found is not None and not math.isfinite(found[1]):
        answered = _answered(listed, rows, flat(right).shape)
        right, rows = right[answered], _within(rows, answered)
        found = judged_alone(right, _some(listed, rows), names) if len(right) else None
    if found is None or not math.isfinite(found[1]):
        return None
    return right, rows, found


def _some(answers: Answers, rows: Array) -> Answers:
    return {name: one[rows] for name, one in answers.items()}


def _within(rows: Array, kept: Array) -> Array:
    """Of the rows that are marked, those that are kept."""
    found = rows.copy()
    found[rows] = kept
    return found


def _answered(answers: Answers, rows: Array, shape: tuple[int, ...]) -> Array:
    """By row, whether the output of this shape answers numbers."""
    tables = [one[rows] for one in _numbers(answers).values()]
    fitting = [np.isfinite(one).all(axis=1) for one in tables if one.shape == shape]
    return np.asarray(np.all(fitting, axis=0))
