"""Parity: does the variant answer as its source does, on the goldens, and where was that seen?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.frameworks.known import absent
from sealift_registry.proof.models import ModelFile, SourceModel, VariantModel, model_file
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.runner import Limits, Worker, ask, nonsense
from sealift_signing import shape
from sealift_signing.drawing import drawn
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import Count, Decimal, Name, Sentence, Sha256

Verdict = Literal["pass", "fail"]

ABSOLUTE, RELATIVE = "0.0001", "0.00001"
"""How far an fp32 variant's numbers may lie from the source's: so much, or such a part of the
source's number where that is more, since 32 bits hold no more than seven digits."""

WORKER = Worker(
    module="sealift_registry.conversion.parity_worker",
    name="the parity check",
    limits=Limits(seconds=1800, file_bytes=0),
)


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        arch: as `uname -m` spells it.
        cpu: the processor's own name.
        os: with its version.
        software: package → version, of all that computed.
    """

    arch: Sentence
    cpu: Sentence
    os: Sentence
    software: Mapping[Sentence, Sentence]


@dataclass(frozen=True)
class OutputParity:
    """One output of both models, laid side by side.

    Attributes:
        name: of the output.
        kind: labels must be equal; numbers must be near.
        values: how many were compared.
        equal: of the labels.
        largest_difference: of the numbers; absent where one of them is no finite number.
        verdict: of this output.
    """

    name: Sentence
    kind: Literal["labels", "numbers"]
    values: Count
    equal: Count | None
    largest_difference: Decimal | None
    verdict: Verdict


@dataclass(frozen=True)
class ParityReport:
    """A document: one variant compared with its source.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        verdict: `pass` only where every output's is.
        words: what was found, in one sentence, for whoever approves.
        hardware_target: that the variant is for.
        measured_on_target: whether the machine is of the hardware target's architecture.
        machine: on which it was measured.
        reference: what the source's own answers were computed by.
        rows: of the goldens.
        goldens: the sha256 of their file.
        absolute_tolerance: of numbers.
        relative_tolerance: of numbers.
        outputs: each of them.
        largest_difference: over all outputs of numbers; absent where there are none, or one is no
            finite number.
        labels_equal: over all outputs of labels.
        labels_compared: likewise.
        source_accuracy: the part of the goldens' labels that the source tells rightly.
        variant_accuracy: likewise, the variant.
        source_files: what was compared with.
        variant_files: what was compared.
    """

    DOCUMENT: ClassVar[str] = "parity-report"

    format: Literal[1]
    requires: tuple[str, ...]
    verdict: Verdict
    words: Sentence
    hardware_target: Name
    measured_on_target: bool
    machine: Machine
    reference: Sentence
    rows: Count
    goldens: Sha256
    absolute_tolerance: Decimal
    relative_tolerance: Decimal
    outputs: Annotated[tuple[OutputParity, ...], Distinct(by="name")]
    largest_difference: Decimal | None
    labels_equal: Count
    labels_compared: Count
    source_accuracy: Decimal | None
    variant_accuracy: Decimal | None
    source_files: Annotated[tuple[ModelFile, ...], Distinct(by="path")]
    variant_files: Annotated[tuple[ModelFile, ...], Distinct(by="path")]

    def refusal(self) -> RefusedError | None:
        """The error to raise where parity failed; None where it did not."""
        if self.verdict == "pass":
            return None
        return RefusedError(
            "parity-failed",
            f"The variant does not answer as its source does: {drawn(self.words)}",
            subject=self.hardware_target,
            next_step="The variant is not kept. Export the model to ONNX yourself and ingest "
            "that, or train it in a way that 32-bit numbers can follow.",
        )


def compare(
    source: SourceModel,
    variant: VariantModel,
    target: HardwareTarget,
    goldens: Path,
    progress: Progress = lambda _path, _done, _total: None,
) -> ParityReport:
    """Let both models answer the goldens (an `.npz` file of intake's layout), and compare.

    Raises:
        RefusedError: the goldens do not fit, or one of the models cannot be run.
        FailedError: the comparison itself failed; the variant may not be used.
    """
    request = {
        "source": str((source.folder / source.model).absolute()),
        "source_format": source.format,
        "variant": str((variant.folder / variant.model).absolute()),
        "goldens": str(goldens.absolute()),
        "hardware_target": target.id,
        "arch": target.arch,
    }
    known = _hashed(source, variant, goldens)
    worker = replace(WORKER, absent=absent(source.format))
    answer = ask(worker, "compare", request, progress, work=goldens.parent)
    try:
        report = shape.from_json(ParityReport, answer | known, what="the parity check's answer")
    except (MalformedError, RefusedError) as bad:
        raise nonsense(WORKER) from bad
    passed = all(one.verdict == "pass" for one in report.outputs)
    if not report.outputs or (report.verdict == "pass") != passed:
        raise nonsense(WORKER)
    return report


def _hashed(source: SourceModel, variant: VariantModel, goldens: Path) -> Document:
    """Which bytes are compared: hashed by us, before; the worker's word is not taken for it."""
    paths = (*source.model_files, *source.data_files)
    try:
        return {
            "goldens": model_file(goldens.parent, goldens.name).sha256,
            "source_files": [shape.to_json(model_file(source.folder, path)) for path in paths],
            "variant_files": [shape.to_json(file) for file in variant.files],
        }
    except OSError as bad:
        raise FailedError(
            "parity-unreadable",
            f"{bad.filename} could not be read: {bad.strerror}.",
            subject=str(bad.filename),
            next_step="Convert again.",
        ) from bad
