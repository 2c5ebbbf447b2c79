"""What a candidate does otherwise than the version that is listed, as a document.

It stands in signed evidence, and holds no value of a row: figures over all rows, and names of
outputs and classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sealift_signing import shape
from sealift_signing.evidence import REGRESSION
from sealift_signing.statements import Evidence
from sealift_signing.vocabulary import Count, Decimal, Name, Sentence, Sha256, VersionNumber

KIND = REGRESSION
"""Of the evidence."""

Reason = Literal["first", "itself", "inputs", "gone", "not-run", "broke-down"]
"""Why there is nothing to compare with: nothing is listed, or the candidate itself is; the listed
version takes other inputs, its files are lost, the runtime refuses it or these rows, or the process
ended."""
Broke = Literal["candidate", "listed", "both"]
"""Which of both gives no answers to some rows, when it is asked alone."""
NotAsked = Literal["same", "none", "itself", "inputs", "gone", "not-run", "broke-down"]
"""Why nothing was found on the rows by which the listed version was approved: they are the
candidate's, it was approved by none, or it is the candidate; for the rest see `Reason`."""

Lapse = Literal["withdrawn", "approvals", "request", "not-listed", "lost"]
"""Why what was listed counts no more."""


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        version: its number.
        sha256: of its artifact's manifest.
        size: of its files together, in bytes.
        metric: accuracy, or mean error, on the goldens; absent where nothing is known to be right
            that it answers.
        microseconds: that a batch takes it, in the median; absent where it was not run.
    """

    version: VersionNumber
    sha256: Sha256
    size: Count
    metric: Decimal | None
    microseconds: Count | None


@dataclass(frozen=True)
class LabelChurn:
    """How many rows get another label.

    Attributes:
        differing: of the rows that were compared.
        tied: of those, where the listed version has two labels that are as good.
    """

    differing: Count
    tied: Count


@dataclass(frozen=True)
class BySpread:
    """How far numbers lie apart, as parts of the standard deviation of the listed version's.

    Attributes:
        median: over the rows; of each row the column counts that is furthest apart.
        largest: likewise.
    """

    median: Decimal
    largest: Decimal


@dataclass(frozen=True)
class NumberChurn:
    """How far numbers lie apart, as parts of the larger of both; shares that sum to 1, as they are.

    Attributes:
        median: over the rows; of each row the column counts that is furthest apart.
        largest: likewise.
        no_number: rows on which only one of both answers a number; they count for nothing else.
        lost: of those, where it is the listed version that does; absent in evidence from before.
        by_spread: the same of numbers that move: of 1,000,000 and a little, the little is what a
            model tells. Absent of shares, of what never moves, and in evidence from before.
    """

    median: Decimal
    largest: Decimal
    no_number: Count
    lost: Count | None = None
    by_spread: BySpread | None = None


@dataclass(frozen=True)
class Batch:
    """How it was timed.

    Attributes:
        rows: of one batch.
        repeats: of each of both, in turns.
    """

    rows: Count
    repeats: Count


@dataclass(frozen=True)
class Comparison:
    """What was found where both were run.

    Attributes:
        rows: of the goldens, that both answered.
        left_out: that time was not enough for.
        expected: what is known to be right, where the listed version could be compared with it.
        labels: absent where one of both answers none.
        numbers: of labels, their scores; absent where no number has a counterpart.
        outputs: what there is of outputs, their types and shapes on one side only, in words.
        classes_new: labels that the candidate says it can answer, and the listed version does not.
        classes_gone: the other way round.
        batch: that was timed; absent where both could not be run beside each other.
        software: package → version, of all that computed.
        without_labels: of which alone the labels cannot be told; absent where both have some, or
            none has.
        known: rows by which both were measured: what is right is known, and where it is a number,
            the listed version answers one; absent where there is none, and in evidence from before.
    """

    rows: Count
    left_out: Count
    expected: Literal["labels", "numbers"] | None
    labels: LabelChurn | None
    numbers: NumberChurn | None
    outputs: tuple[Sentence, ...]
    classes_new: tuple[Sentence, ...]
    classes_gone: tuple[Sentence, ...]
    batch: Batch | None
    software: Mapping[Sentence, Sentence]
    without_labels: Literal["candidate"] | None = None
    known: Count | None = None


@dataclass(frozen=True)
class Rows:
    """A set of golden rows.

    Attributes:
        total: of them.
        distinct: as a model takes them; a row that comes again is none more.
    """

    total: Count
    distinct: Count


@dataclass(frozen=True)
class OnRows:
    """What was found on the rows by which the listed version was approved.

    Attributes:
        rows: that both answered.
        left_out: that time was not enough for.
        expected: what is known to be right, where the listed version could be compared with it.
        candidate: its accuracy, or mean error; absent where nothing is known to be right, or where
            what is known says nothing of what it answers, or it answers no number.
        listed: likewise.
        labels: absent where one of both answers none.
        numbers: of labels, their scores; absent where no number has a counterpart.
        without_labels: see `Comparison`.
        known: likewise.
        outputs: likewise; absent where there is nothing.
    """

    rows: Count
    left_out: Count
    expected: Literal["labels", "numbers"] | None
    candidate: Decimal | None
    listed: Decimal | None
    labels: LabelChurn | None
    numbers: NumberChurn | None
    without_labels: Literal["candidate"] | None = None
    known: Count | None = None
    outputs: tuple[Sentence, ...] | None = None


@dataclass(frozen=True)
class ProvedBy:
    """The golden rows by which the listed version was approved, and what was found on them.

    Whoever asks for the candidate chose its goldens, and not these.

    Attributes:
        goldens: the sha256 of their file; absent where no proof is named by which it was approved.
        nothing: why nothing was found on them; absent where both were asked.
        why: the same in words, where there is more to say.
        own: the candidate's golden rows; absent where they were not read.
        theirs: likewise, those of the listed version.
        both: distinct rows that are in both.
        otherwise: of those, of which the candidate's goldens expect something else.
        found: absent where `nothing` says why.
        unsaid: of the rows in both, of which the candidate's goldens no longer say what is right.
        broke: whose doing it is that nothing was found; absent where that is not known.
    """

    goldens: Sha256 | None
    nothing: NotAsked | None
    why: Sentence | None
    own: Rows | None
    theirs: Rows | None
    both: Count | None
    otherwise: Count | None
    found: OnRows | None
    unsaid: Count | None = None
    broke: Broke | None = None


@dataclass(frozen=True)
class NoMore:
    """A version that was listed after the one that is listed now, and no longer counts.

    Attributes:
        version: its number.
        why: it was withdrawn, too few of its approvals still count, its request does not, the
            catalog no longer lists it, or the hub lacks what its promotion names.
        goldens: the sha256 of those by which it was approved; absent where none are known.
    """

    version: VersionNumber
    why: Lapse
    goldens: Sha256 | None


@dataclass(frozen=True)
class RegressionReport:
    """A document: a variant beside the variant that is listed for a stage and the same machines.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        stage: for which the other one is listed.
        hardware_target: that both are for.
        goldens: the sha256 of their file, those of the candidate; absent where it has none.
        candidate: the variant that this evidence is about.
        listed: the variant that is listed; absent where none is.
        nothing: why there is nothing to compare with; absent where they were compared.
        why: the same in words, where there is more to say.
        comparison: absent where there is nothing to compare with.
        proved_by: the rows by which the listed version was approved; absent where none is, and in
            evidence from before, when the candidate's rows alone were compared.
        no_more: what was listed after the listed version, and no longer counts: the golden rows by
            which it was approved are not asked; absent where nothing is known of such.
        broke: whose doing it is that nothing was found on the candidate's rows; absent where that
            is not known.
    """

    DOCUMENT: ClassVar[str] = "regression-report"

    format: Literal[1]
    requires: tuple[str, ...]
    stage: Name
    hardware_target: Name
    goldens: Sha256 | None
    candidate: Side
    listed: Side | None
    nothing: Reason | None
    why: Sentence | None
    comparison: Comparison | None
    proved_by: ProvedBy | None = None
    no_more: tuple[NoMore, ...] | None = None
    broke: Broke | None = None


def report_of(evidence: Evidence) -> RegressionReport:
    """The document that stands in evidence of this kind.

    Raises:
        MalformedError: it is not of the shape that it should be.
    """
    return shape.from_json(RegressionReport, evidence.details, what="the regression evidence")
