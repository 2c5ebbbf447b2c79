"""What the proof found, as documents: they stand in signed evidence, and hold no value of a row.

Rows are named by kind, number and digest: who may see the evidence may not see the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from sealift_registry.frameworks.framework import PROBABILITIES
from sealift_registry.proof.advice import ADVICE, INSTEAD, NEAR, OF_ONE_FILE
from sealift_registry.proof.machine import Machine, ProofRuntime
from sealift_registry.proof.models import ModelFile
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.more_member import TOLD_FIRST
from sealift_signing.shape import Distinct
from sealift_signing.statements import Check
from sealift_signing.vocabulary import Count, Decimal, Name, Sentence, Sha256, sentence

Verdict = Literal["pass", "fail"]

SECONDS = 600.0
"""That probe rows may take."""

MANY_STEPS = 1e-5
"""Of a number; what differs by less, and too much, does so by steps of 32 bits."""
BINS = ("0", "1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1", "1")
"""Upper ends of the histogram's bins: parts of what is allowed. The last bin is what is above."""


@dataclass(frozen=True)
class OutputProof:
    """One output of both models, laid side by side on all rows.

    Attributes:
        name: of the output.
        kind: labels must be equal; numbers must be near.
        rows: how many were compared.
        wrong: how many differ more than is allowed, those excused as rounding not among them.
        spread: standard deviation of the source's numbers, of the column that has most.
        largest_difference: of the numbers; absent where one of a pair is no finite number.
        allowed: at the number that used up most of what it was allowed.
        differences: rows by the part of what is allowed that they used up (`BINS`).
        constant: whether the source's answers are the same on every row, or no number.
        verdict: of this output.
    """

    name: Sentence
    kind: Literal["labels", "numbers"]
    rows: Count
    wrong: Count
    spread: Decimal | None
    largest_difference: Decimal | None
    allowed: Decimal | None
    differences: tuple[Count, ...]
    constant: bool
    verdict: Verdict


@dataclass(frozen=True)
class KindProof:
    """Rows of one kind.

    Attributes:
        kind: `goldens`, or a kind of probe rows.
        ran: how many both models were asked.
        dropped: how many the source refuses.
        left_out: how many the time was not enough for.
        wrong: how many are answered differently, those excused as rounding not among them.
        excused: how many are rounding, or ties that the source shows.
        apart: how many are answered differently where something is missing and nobody says what is
            right; absent where none are. They are not among those that are wrong.
    """

    kind: Name
    ran: Count
    dropped: Count
    left_out: Count
    wrong: Count
    excused: Count
    apart: Count | None = None


@dataclass(frozen=True)
class WorstRow:
    """The row whose answers lie furthest apart, by what is allowed there.

    Attributes:
        kind: of the row.
        number: in its kind, from 0.
        sha256: of the row as the variant is given it.
        output: on which.
        column: of a row of its numbers; absent where there is one number, and of labels.
        source: its answer there; `withheld` where it may be a value of the row.
        variant: likewise; how far it is off where that is withheld.
        allowed: how far apart the two may be; absent of labels.
    """

    kind: Name
    number: Count
    sha256: Sha256
    output: Sentence
    column: Count | None
    source: Sentence
    variant: Sentence
    allowed: Decimal | None

    @property
    def is_rounded(self) -> bool:
        """Whether the two differ by steps of 32 bits, and so little is too much there.

        A share is no number that lies far from zero.
        """
        if self.allowed is None or self.output == PROBABILITIES:
            return False
        try:
            source, variant = float(self.source), float(self.variant)
        except ValueError:  # it is withheld
            return False
        return float(self.allowed) < abs(source - variant) < MANY_STEPS * abs(source)


@dataclass(frozen=True)
class Tolerances:
    """The parts of the sum that a number may be off, and what holds for labels.

    Attributes:
        of_spread: of the output's standard deviation.
        of_answer: of the source's own number.
        of_largest: of the largest of its numbers.
        most_of_spread: no more than that, wherever there is a spread.
        probability: a probability may be off so much, where that is no more of the spread.
        tie: two scores so near are as good as each other.
    """

    of_spread: Decimal
    of_answer: Decimal
    of_largest: Decimal
    most_of_spread: Decimal
    probability: Decimal
    tie: Decimal


@dataclass(frozen=True)
class Expected:
    """How often, or how nearly, both models answer as is expected of them on the goldens.

    Attributes:
        kind: of what is expected.
        rows: of which it is known.
        source: the part of labels that it tells rightly, or the mean error of its numbers.
        variant: likewise.
        chance: what always answering the same would reach: the share of the most frequent label, or
            the error of the mean of what is expected.
    """

    kind: Literal["labels", "numbers"]
    rows: Count
    source: Decimal
    variant: Decimal
    chance: Decimal


@dataclass(frozen=True)
class Merging:
    """What becomes one value in the variant's type.

    Attributes:
        rows: that were looked at; none where the type holds the goldens as they are.
        merged: that the source answers otherwise then.
    """

    rows: Count
    merged: Count


@dataclass(frozen=True)
class Findings:
    """All that the proof found out from the two models and the goldens alone.

    Attributes:
        verdict: `pass` only where every check's is.
        words: what was found, in one sentence, for whoever approves.
        told_first: what whoever approves should know before all else.
        checks: each with what it looked at, in words.
        rows: of the goldens.
        outputs: each of them.
        probes: rows by kind, the goldens first.
        worst: absent where all answers are the same.
        never: what the goldens never show.
        classes: the labels that the model can answer, where it says so.
        tolerances: that were used.
        merging: of values of the goldens.
        expected: absent where nothing is known to be right.
    """

    verdict: Verdict
    words: Sentence
    told_first: tuple[Sentence, ...]
    checks: Annotated[tuple[Check, ...], Distinct(by="name")]
    rows: Count
    outputs: Annotated[tuple[OutputProof, ...], Distinct(by="name")]
    probes: Annotated[tuple[KindProof, ...], Distinct(by="kind")]
    worst: WorstRow | None
    never: tuple[Sentence, ...]
    classes: tuple[Sentence, ...]
    tolerances: Tolerances
    merging: Merging
    expected: Expected | None


@dataclass(frozen=True)
class NamedCheckRows:
    """The file of check rows that a proof left, which lies beside the variant.

    Attributes:
        sha256: of the file.
        size: in bytes.
        rows: how many there are.
    """

    sha256: Sha256
    size: Count
    rows: Count


NEVER_RUN = (
    "IT WAS NEVER RUN on the architecture that it is for: the first machine to do so is a site's."
)
"""What is told first of a proof that another machine made."""


def named_check_rows(details: Json) -> NamedCheckRows | None:
    """The check rows that the details of a proof's evidence name; None where they name none."""
    said = details.get("check_rows") if isinstance(details, Mapping) else None
    if not isinstance(said, Mapping):
        return None
    try:
        return shape.from_json(NamedCheckRows, said, what="check rows")
    except (MalformedError, RefusedError):
        return None


def never_run(details: Json) -> bool:
    """Whether a variant was never run on the architecture it is for, by the details of its proof.

    A proof from before there were findings says nothing of it, and was made at home.
    """
    if not isinstance(details, Mapping):
        return False
    return details.get("measured_on_target", "findings" not in details) is not True


MOVING, UNROUNDED = "moving", ("merging", "expected")
"""Checks that no row fails alone."""

TELLING = "batches"
"""A check of rows on which both agreed before: where it fails, it is the reason of all others."""


def first_failed(checks: Sequence[Check]) -> Check:
    """Of the checks, of which at least one failed, the one to tell of."""
    failed = [one for one in checks if one.verdict == "fail"]
    return next((one for one in failed if one.name == TELLING), failed[0])


@dataclass(frozen=True)
class ProofReport:
    """A document: one variant, proved against its source.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        hardware_target: that the variant is for.
        measured_on_target: whether the machine is of the hardware target's architecture.
        machine: on which it was measured.
        reference: what the source's own answers were computed by.
        runtimes: that ran the variant.
        rows: of the goldens.
        goldens: the sha256 of their file.
        findings: what was found.
        source_files: what was compared with.
        variant_files: what was compared.
        check_rows: rows for a site to ask its own runtime; absent where there are none.
    """

    DOCUMENT: ClassVar[str] = "proof-report"

    format: Literal[1]
    requires: tuple[str, ...]
    hardware_target: Name
    measured_on_target: bool
    machine: Machine
    reference: Sentence
    runtimes: tuple[ProofRuntime, ...]
    rows: Count
    goldens: Sha256
    findings: Findings
    source_files: Annotated[tuple[ModelFile, ...], Distinct(by="path")]
    variant_files: Annotated[tuple[ModelFile, ...], Distinct(by="path")]
    check_rows: NamedCheckRows | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether the variant answers as its source does."""
        return self.findings.verdict

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was looked at."""
        return self.findings.checks

    @property
    def words(self) -> str:
        """What was found, by what and where."""
        machine = self.machine
        where = f"measured on {machine.arch} ({machine.cpu})"
        if not self.measured_on_target:
            where += ", which is not the hardware target's: it was never run there"
        return sentence(f"{self.findings.words}; compared with {self.reference}, {where}.")

    def evidence(self) -> tuple[Check, ...]:
        """The checks as they stand in the evidence: what is told first, the whole, each of them."""
        found = self.findings
        said = found.told_first if self.measured_on_target else (NEVER_RUN, *found.told_first)
        told = (Check(TOLD_FIRST, "pass", sentence(" ".join(said))),) if said else ()
        return (*told, Check("proof", found.verdict, self.words), *found.checks)

    def refusal(self, *, as_it_is: bool = False) -> RefusedError | None:
        """The error to raise where the proof failed; None where it did not.

        Args:
            as_it_is: the variant is a copy of the source, which only other software runs.
        """
        if self.verdict == "pass":
            return None
        first = first_failed(self.checks)
        said = f"{first.name}: {drawn(first.words)}"
        advice = self._advice(first.name, OF_ONE_FILE if as_it_is else INSTEAD)
        if as_it_is:
            return RefusedError(
                "parity-failed",
                f"ONNX Runtime does not answer as {self.reference} does on the same file, and the "
                f"variant is not kept: {said}",
                subject=self.hardware_target,
                next_step=advice,
            )
        return RefusedError(
            "parity-failed",
            f"The variant does not answer as its source does, and is not kept: {said}",
            subject=self.hardware_target,
            next_step=advice,
        )

    def _advice(self, check: str, otherwise: str) -> str:
        """What to do about the check that failed first."""
        worst, outputs = self.findings.worst, self.findings.outputs
        if check == MOVING:
            numbers = any(
                one.verdict == "fail" and one.kind == "numbers" and one.name != PROBABILITIES
                for one in outputs
            )
            return NEAR if numbers else otherwise
        if check not in UNROUNDED and worst is not None and worst.is_rounded:
            return NEAR
        return ADVICE.get(check, otherwise)
