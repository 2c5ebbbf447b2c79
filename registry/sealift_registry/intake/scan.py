"""The scan: what a model is, and whether there is anything in it that must not travel.

The looking itself is done by `scan_worker` in a subprocess with limits. Whatever goes wrong there
(a crash, silence, rubbish) is an error and never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from sealift_registry.frameworks.supported import BY_FORMAT, NEEDED_BY_NONE
from sealift_registry.intake.formats import PICKLE, UNKNOWN
from sealift_registry.intake.source import SourceFile
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.runner import Worker, WorkerLimits, ask, nonsense
from sealift_signing import shape
from sealift_signing.drawing import drawn
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import MediumPath, Name, Sentence

Verdict = Literal["pass", "fail"]

WORKER = Worker(
    module="sealift_registry.intake.scan_worker",
    name="the scanner",
    limits=WorkerLimits(seconds=1800, file_bytes=0),
    absent=NEEDED_BY_NONE,
)


@dataclass(frozen=True)
class ScanCheck:
    """One thing that was looked at.

    Attributes:
        name: stable: `operator-domains`.
        verdict: of this check.
        words: what was found, for whoever approves.
        subject: the file, operator or type that is at fault; only in a failed check.
        next_step: what to do about it; only in a failed check.
    """

    name: Name
    verdict: Verdict
    words: Sentence
    subject: Sentence | None = None
    next_step: Sentence | None = None


@dataclass(frozen=True)
class ScanReport:
    """A document: what the scanner found in one artifact.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        verdict: `pass` only where every check passed.
        model_format: what the model is, by its content; `unknown` where nothing was recognised.
        model_files: the model itself; the first is the file to open.
        data_files: an ONNX model's external data.
        checks: in the order in which they were made; the first failure ends them.
        tools: what looked, and in which version.
        files: all that was looked at, as the scanner itself hashed it.
    """

    DOCUMENT: ClassVar[str] = "scan-report"

    format: Literal[1]
    requires: tuple[str, ...]
    verdict: Verdict
    model_format: Name
    model_files: tuple[MediumPath, ...]
    data_files: tuple[MediumPath, ...]
    checks: Annotated[tuple[ScanCheck, ...], Distinct(by="name")]
    tools: Mapping[str, str]
    files: Annotated[tuple[SourceFile, ...], Distinct(by="path")]

    def refusal(self) -> RefusedError | None:
        """The error to raise for the check that failed; None where all passed.

        What the scanner says stands between marks: its process reads a stranger's file.
        """
        if self.verdict == "pass":
            return None
        failed = next(check for check in self.checks if check.verdict == "fail")
        advice = f"The scanner advises: {drawn(failed.next_step)}" if failed.next_step else ""
        return RefusedError(
            f"scan-{failed.name}",
            f"The scanner refuses it: {drawn(failed.words)}",
            subject=failed.subject or "",
            next_step=advice,
        )


def scan(
    folder: Path,
    files: tuple[SourceFile, ...],
    progress: Progress = lambda _path, _done, _total: None,
    worker: Worker = WORKER,
) -> ScanReport:
    """Look at the model in `folder`, whose files are `files`.

    Raises:
        FailedError: the scanner failed, or looked at other bytes than `files`. Nothing may be let
            in after that.
    """
    request = {"folder": str(folder.absolute())}
    answer = ask(worker, "scan", request, progress, work=folder.parent)
    try:
        report = shape.from_json(ScanReport, answer, what="the scanner's answer")
    except (MalformedError, RefusedError) as bad:
        raise nonsense(WORKER) from bad
    if report.model_format not in {*BY_FORMAT, PICKLE, UNKNOWN}:
        raise nonsense(WORKER)
    passed = all(check.verdict == "pass" for check in report.checks)
    if not report.checks or (report.verdict == "pass") != passed:
        raise nonsense(WORKER)
    if passed and not report.model_files:
        raise nonsense(WORKER)
    if sorted(report.files, key=_by_path) != sorted(files, key=_by_path):
        raise FailedError(
            "scan-other-bytes",
            "The files changed between being fetched and being scanned.",
            subject=str(folder),
            next_step="Ingest again, and let nothing else write to Sealift's home.",
        )
    return report


def _by_path(file: SourceFile) -> str:
    return file.path
