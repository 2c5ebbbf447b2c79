"""What is expected of a model on the goldens, where somebody knows it: labels or numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.comparing import (
    Answers,
    flat,
    is_labels,
    probabilities,
    scores_of,
)
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError

MOST_NAMED = 5
TRUTHS = {"True": "1", "False": "0"}
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0")
"""A whole number that is spelled as a fraction; "01" and "1_000" are texts."""
NEARLY = 1e-4
"""A number is as expected where it is so near, as a part of the spread of what is expected."""


@dataclass(frozen=True)
class ExpectationResult:
    """How both models do what is expected of them.

    Attributes:
        kind: of what is expected.
        rows: of which it is known.
        source: accuracy, or mean error.
        variant: likewise.
        chance: what always answering the same would reach: the most frequent label, or the mean.
        even: what guessing blindly would; of numbers the same.
        exact: numbers that the source answers nearly as expected, of all.
        missed: labels that the source answers on none of the rows that expect them, each with how
            many those are.
    """

    kind: Literal["labels", "numbers"]
    rows: int
    source: float
    variant: float
    chance: float
    even: float
    exact: float
    missed: tuple[tuple[str, int], ...] = ()

    @property
    def is_poor(self) -> bool:
        """Whether always answering the same does as well."""
        return self._is_no_better(self.chance)

    @property
    def is_wrong(self) -> bool:
        """Whether guessing blindly does as well."""
        return self._is_no_better(self.even)

    def _is_no_better(self, guessing: float) -> bool:
        if self.kind == "labels":  # where all are the same, nothing is better than right
            return min(self.source, self.variant) <= min(guessing, 1 - 1e-9)
        return max(self.source, self.variant) >= guessing


def known(expected: Array) -> tuple[Array, Array]:
    """What is expected, without rows of which nobody knows it (NaN); and which rows those are not.

    Labels in one column are labels.
    """
    if expected.ndim == 2 and expected.shape[1] == 1:  # noqa: PLR2004 - rows and a column
        expected = expected[:, 0]
    if expected.dtype.kind != "f":
        return expected, np.ones(len(expected), dtype=bool)
    told = np.asarray(np.isfinite(flat(expected)).all(axis=1))
    return expected[told], told


def judged(
    expected: Array,
    source: Answers,
    variant: Answers,
    classes: Sequence[str],
    *,
    numbers: bool = True,
) -> ExpectationResult | None:
    """Accuracy or error of both on the goldens; None where nothing of theirs can be compared.

    Args:
        expected: one label, or a number or more, for each row.
        source: its answers to the goldens.
        variant: likewise.
        classes: the labels that the model can answer, where it says so.
        numbers: whether whole numbers may be meant as numbers; a scaler has no labels.

    Raises:
        RefusedError: a label is expected that the model cannot answer.
    """
    told = _told(source, classes, expected)
    ours, theirs = (answered_labels(one, classes, expected) for one in (source, variant))
    if told is not None and ours is not None and theirs is not None and expected.ndim == 1:
        _check_labels(expected, told, source, classes)
        asked = np.array(spelled(expected))
        right = [float((one == asked).mean()) for one in (ours, theirs)]
        known = len(classes) or width(source) or len(np.unique(told.astype(str)))
        often = np.unique(asked, return_counts=True)[1].max() / len(asked)
        even = 1 / max(known, 1)
        missed = _missed(asked, ours)
        guess = float(often)
        return ExpectationResult(
            "labels", len(asked), right[0], right[1], guess, even, right[0], missed
        )
    if not numbers and expected.dtype.kind != "f":
        return None
    return _numbers(expected, source, variant)


def _missed(asked: Array, answered: Array) -> tuple[tuple[str, int], ...]:
    """Labels of which no row that expects one is answered so; the most frequent first.

    A class that got lost in training or in an export is hardly seen in the accuracy of all.
    """
    names, counts = np.unique(asked, return_counts=True)
    found = set(asked[asked == answered].tolist())
    lost = [(str(n), int(c)) for n, c in zip(names, counts, strict=True) if n not in found]
    if _fractions(asked.tolist()):  # values of rows are not shown
        return ((f"{len(lost)} numbers", sum(count for _, count in lost)),) if lost else ()
    return tuple(sorted(lost, key=lambda one: -one[1]))


def _told(answers: Answers, classes: Sequence[str], expected: Array | None = None) -> Array | None:
    """The one output of labels; else the likeliest column of the one table of scores."""
    labels = [one for one in answers.values() if is_labels(one) and flat(one).shape[1] == 1]
    if len(labels) == 1:
        return flat(labels[0])[:, 0]
    named = [one for name, one in answers.items() if name == "label" and flat(one).shape[1]]
    if named:
        return flat(named[0])[:, 0]
    scores = None if labels else scores_of(answers)
    if scores is None or not _of_classes(flat(answers[scores]), classes, expected):
        return None
    at = np.asarray(flat(answers[scores]).argmax(axis=1))
    return np.array(classes)[at] if len(classes) == flat(answers[scores]).shape[1] else at


def _of_classes(table: Array, classes: Sequence[str], expected: Array | None) -> bool:
    """Whether columns are scores of classes; three targets of a regression have no likeliest.

    They are where each has a name, where rows are shares, and where the labels that are expected
    are the numbers of columns.
    """
    width = table.shape[1]
    if width < 2:  # noqa: PLR2004 - one is a number
        return False
    if len(classes) == width or probabilities(table.astype(np.float64)):
        return True
    if expected is None or expected.ndim != 1:
        return False
    return set(spelled(expected)) <= {str(one) for one in range(width)}


def width(answers: Answers) -> int:
    """How many classes there are scores for; 0 where that is not known."""
    scores = scores_of(answers)
    found = flat(answers[scores]).shape[1] if scores is not None else 0
    return found if found > 1 else 0


def _check_labels(expected: Array, told: Array, source: Answers, classes: Sequence[str]) -> None:
    """Labels that were given other names on the way make every answer wrong, and no row shows it.

    Raises:
        RefusedError: one is expected that is none of the model's.
    """
    known = list(classes)
    if not known and not np.issubdtype(told.dtype, np.str_) and not _named(source):
        known = [str(one) for one in range(width(source))]  # the columns of its scores
    if not known:
        return
    asked, can = spelled(expected), spelled(np.array(known))
    strange = sorted(set(asked) - set(can))
    if strange:
        shown = _shown(strange, numbers=_fractions(asked))
        have = ", ".join(word(one) for one in sorted(set(can))[: 2 * MOST_NAMED])
        raise RefusedError(
            "labels-unknown",
            f"The goldens expect {shown}, which the model cannot answer; it answers {have}.",
            subject="expected" if _fractions(asked) else strange[0],
            next_step="Give goldens whose `expected` is spelled as the labels that the model "
            "answers: look at what became of them where it was trained (an encoder, XGBoost and "
            "LightGBM number them from 0 on).",
        )


def _named(source: Answers) -> bool:
    """Whether the model has an output of labels, whose names are its own."""
    return any(is_labels(one) or name == "label" for name, one in source.items())


def spelled(labels: Array) -> list[str]:
    """Labels as text: 3 and 3.0 are the same, and so are true and 1, which a variant has for it."""
    return [_label(one) for one in labels.tolist()]


def _label(one: object) -> str:
    text = str(one)
    if text in TRUTHS:
        return TRUTHS[text]
    number = _NUMBER.fullmatch(text)
    return text if number is None else number.group(1)


def _shown(strange: Sequence[str], *, numbers: bool) -> str:
    if numbers:
        return f"{len(strange)} numbers"
    return f"the label {', '.join(word(one) for one in strange[:MOST_NAMED])}"


def _fractions(labels: Sequence[str]) -> bool:
    """Whether these are numbers and no labels: such a value tells of a row, and is not shown."""
    for one in labels:
        with suppress(ValueError):
            if not float(one).is_integer() and math.isfinite(float(one)):
                return True
    return False


def _numbers(expected: Array, source: Answers, variant: Answers) -> ExpectationResult | None:
    """The mean error of the one output that has as many numbers as are expected."""
    if expected.dtype.kind not in "fiub":
        return None
    wanted = flat(expected).astype(np.float64)
    fitting = [
        name
        for name, one in source.items()
        if flat(one).shape == wanted.shape and one.dtype.kind in "fiub"
    ]
    if len(fitting) != 1:
        return None
    away = [np.abs(flat(one[fitting[0]]) - wanted) for one in (source, variant)]
    errors = [float(np.where(np.isfinite(one), one, np.inf).mean()) for one in away]
    guess = float(np.abs(wanted - wanted.mean(axis=0)).mean())
    exact = float((away[0] <= NEARLY * max(float(wanted.std()), 1e-300)).all(axis=1).mean())
    return ExpectationResult("numbers", len(wanted), errors[0], errors[1], guess, guess, exact)


def strange(expected: Array | None, seen: set[str], judged: ExpectationResult | None) -> list[str]:
    """Labels that are expected and that were answered on no row at all.

    Where a model does not say which labels it can answer, they cannot be called impossible.
    """
    if expected is None or judged is None or judged.kind != "labels" or not seen:
        return []
    answered = set(spelled(np.array(sorted(seen))))
    found = sorted(set(spelled(expected)) - answered)
    return [f"{len(found)} numbers"] if _fractions(spelled(expected)) else found


def unfit(expected: Array | None, judged: ExpectationResult | None) -> str:
    """Told where something is expected that none of the model's outputs could be compared with."""
    if expected is None or judged is not None:
        return ""
    return "What the goldens expect fits none of the model's outputs, and was compared with none."


Kind = Literal["labels", "numbers"]


def answered_labels(
    answers: Answers, classes: Sequence[str], expected: Array | None = None
) -> Array | None:
    """The labels that a model answers, as they are spelled; None where it answers none."""
    found = _told(answers, classes, expected)
    if found is None:
        return None
    return np.where(_no_likeliest(answers), NO_NUMBER, np.array(spelled(found)))


NO_NUMBER = "no number"
"""Instead of a label, where the scores by which it would be told are none."""


def _no_likeliest(answers: Answers) -> Array:
    """By row, whether its label would be the likeliest of what is not a number."""
    name = None if _named(answers) else scores_of(answers)
    if name is None:
        return np.zeros(1, dtype=bool)
    return np.asarray(np.isnan(flat(answers[name]).astype(np.float64)).any(axis=1))


def alone(expected: Array, answers: Answers, classes: Sequence[str]) -> tuple[Kind, float] | None:
    """Accuracy or mean error of one model; None where nothing it answers can be compared.

    Args:
        expected: as for `judged`; a label that the model cannot answer is one that it gets wrong.
        answers: to the same rows.
        classes: the labels that the model can answer, where it says so.
    """
    told = answered_labels(answers, classes, expected)
    if told is not None and expected.ndim == 1:
        return "labels", float((told == np.array(spelled(expected))).mean())
    found = _numbers(expected, answers, answers)
    return None if found is None else ("numbers", found.source)
