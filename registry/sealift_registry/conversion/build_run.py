"""Running a work order, on any machine: an order and its blobs in, a signed result out.

Nothing here opens a database or a hub's home, which the import contracts hold. What the machine
vouches for, it signs with its own keys and under its own name; the hub verifies all of it
(`acceptance`), wherever it ran.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path

from securesystemslib.signer import Signer

from sealift_registry.catalog import findings
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.storing import as_stored, copy_out, lay_out, manifest_digest
from sealift_registry.conversion.build_result import (
    BUILDER,
    CHECK_ROWS,
    RESULT,
    VARIANT,
    BuildResult,
    Outcome,
    Refusal,
    evidence_file,
    provenance_details,
)
from sealift_registry.conversion.convert import Conversion, convert
from sealift_registry.conversion.trying import Trial, Trying, check_written
from sealift_registry.conversion.work_order import ORDER, WorkOrder
from sealift_registry.frameworks.framework import AS_IT_IS, WITHOUT_CONVERTER
from sealift_registry.frameworks.supported import as_it_is
from sealift_registry.proof.models import (
    ModelFile,
    SourceModel,
    VariantModel,
    model_file,
    model_of,
)
from sealift_registry.proof.picture import picture
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.proof.prove import How, prove
from sealift_registry.runtimes.environments import Environments
from sealift_registry.workers.channel import Progress
from sealift_signing import shape, statements
from sealift_signing.drawing import drawn, word
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.statements import Check, subject
from sealift_signing.vocabulary import moment, sentence
from sealift_sync import durable
from sealift_sync.artifact import ArtifactFile, read_manifest
from sealift_sync.blobs import BlobStore

WORK = "work"
"""In the folder of a result, while it is made."""


@dataclass(frozen=True)
class Machine:
    """A machine that runs orders.

    Attributes:
        name: of its builder's key in fleet/keys.json.
        signers: its keys by their purposes: `builder`, `scanner`.
        clock: its time.
        scan_folder: scans the files of a folder (intake's scanner).
        environments: where other releases of runtimes are.
    """

    name: str
    signers: Mapping[str, Signer]
    clock: Callable[[], datetime]
    scan_folder: Callable[[Path], Finding]
    environments: Callable[[], Environments]


@dataclass(frozen=True)
class _Done:
    """What came of an order, unsigned."""

    outcome: Outcome
    manifest: str | None = None
    files: tuple[ModelFile, ...] = ()
    findings: tuple[Finding, ...] = ()
    untried: tuple[str, ...] = ()
    refusal: Refusal | None = None


def run(
    order: WorkOrder, inputs: BlobStore, into: Path, machine: Machine, progress: Progress
) -> None:
    """Run `order`, and write the signed result to the empty folder `into`.

    That no variant comes of it is a result, too: the hub keeps it in its log.

    Args:
        order: what to build or to measure.
        inputs: the blobs that it names.
        into: where the result goes; `result.json` is written last.
        machine: this one.
        progress: told what is done.

    Raises:
        RefusedError: the order is one of another release of Sealift, or a blob is damaged.
        FailedError: something could not be read, written or started.
    """
    _check_software(order)
    with _scratch(into) as work:
        source = _source(order, inputs, work / "source")
        copy_out(inputs, order.goldens, work / "goldens.npz")
        running = _Running(order, source, work, machine, progress)
        try:
            done = running.built() if order.existing is None else running.measured(inputs)
        except RefusedError as bad:
            done = _refused(bad)
        _write(order, done, work, into, machine)


@dataclass(frozen=True)
class _Running:
    """One order while it runs; everything is in the folder `work`."""

    order: WorkOrder
    source: SourceModel
    work: Path
    machine: Machine
    progress: Progress

    def built(self) -> _Done:
        """A variant with all evidence.

        Raises:
            RefusedError: it cannot be built, or it is not faithful.
        """
        order = self.order
        target = order.hardware_target
        made = convert(self.source, target, self.work / VARIANT, self.progress)
        scanned = self.machine.scan_folder(made.variant.folder)
        _check_scan(scanned, order.artifact)
        check_written(order, made.variant)
        report = self._proved(made.variant)
        refusal = report.refusal(as_it_is=as_it_is(self.source.format))
        if refusal is not None:
            raise refusal
        trial = self._tried(made.variant, report)
        files = [ArtifactFile(one.path, one.sha256, one.size) for one in made.variant.files]
        stored = as_stored(made.variant.folder, files)
        return _Done(
            "built",
            manifest_digest(order.path, "onnx", stored),
            made.variant.files,
            (
                scanned,
                parity(report, order.artifact),
                _provenance(made, order, self.machine.name),
                *trial.findings,
            ),
            trial.untried,
        )

    def measured(self, inputs: BlobStore) -> _Done:
        """The variant that is there, with evidence that is new: good or bad, it is kept.

        Raises:
            RefusedError: one of the models cannot be run, or the goldens do not fit.
        """
        order, folder = self.order, self.work / VARIANT
        manifest = inputs.read(str(order.existing))
        lay_out(inputs, manifest, folder)
        paths = [file.path for file in read_manifest(manifest, what=order.artifact).files]
        files = tuple(model_file(folder, path) for path in paths)
        variant = VariantModel(folder, model_of(paths), files)
        report = self._proved(variant)
        trial = self._tried(variant, report)
        if order.replaces_runtimes:
            trial = trial.said_again()
        return _Done(
            "measured",
            order.existing,
            (),
            (parity(report, order.artifact), *trial.findings),
            trial.untried,
        )

    def _proved(self, variant: VariantModel) -> ProofReport:
        order = self.order
        how = How(float(order.proof_seconds), check_rows=self.work / CHECK_ROWS)
        goldens = self.work / "goldens.npz"
        return prove(self.source, variant, order.hardware_target, goldens, self.progress, how=how)

    def _tried(self, variant: VariantModel, report: ProofReport) -> Trial:
        goldens = self.work / "goldens.npz"
        where = self.machine.environments
        return Trying(self.order, where, self.source, variant, goldens, self.progress).tried(report)


def parity(report: ProofReport, path: str) -> Finding:
    """The evidence of a proof; its picture and its check rows stay at the hub."""
    drawing = sha256(picture(report.findings, path)).hexdigest()
    details = shape.to_json(report) | {"picture": drawing}
    machine = report.machine
    where = f"{machine.cpu}, {machine.arch}, {machine.os}"
    return Finding("parity", report.verdict, report.evidence(), machine.software, where, details)


def _provenance(made: Conversion, order: WorkOrder, builder: str) -> Finding:
    by, source = made.recipe.converter, order.source.manifest
    how = "taken as it is" if by == AS_IT_IS else f"built by {by}"
    words = f"{how} from the source {source[:12]}"
    details = provenance_details(shape.to_json(made.recipe), source, builder)
    tools = {**made.recipe.toolchain, "sealift": order.software}
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    return Finding(
        "provenance", "pass", (Check("provenance", "pass", words),), tools, machine, details
    )


def _source(order: WorkOrder, inputs: BlobStore, folder: Path) -> SourceModel:
    """The source as it was scanned, its files laid out again."""
    said, manifest = order.source, inputs.read(order.source.manifest)
    named = {(one.path, one.sha256, one.size) for one in read_manifest(manifest, what="it").files}
    if named != {(one.path, one.sha256, one.size) for one in said.files}:
        raise MalformedError(
            "bad-order",
            "The work order names other files of its source than the source's manifest does.",
            subject="the work order",
            next_step="Have the work order written again by the hub.",
        )
    lay_out(inputs, manifest, folder)
    return SourceModel(folder, said.format, said.model_files, said.data_files)


def _check_software(order: WorkOrder) -> None:
    """What a proof asks and allows is code: another release would vouch for something else."""
    ours = package_version("sealift-registry")
    if order.software != ours:
        raise RefusedError(
            "order-of-another-release",
            f"The work order is of Sealift {word(order.software)}, and this machine has {ours}.",
            subject=order.artifact,
            next_step="Install the hub's release of Sealift on this machine.",
        )


def _check_scan(scanned: Finding, path: str) -> None:
    failed = [check.words for check in scanned.checks if check.verdict == "fail"]
    if scanned.verdict != "pass":
        raise RefusedError(
            "variant-scan",
            f"The variant {path} did not pass the scan, and is not kept: {drawn(' '.join(failed))}",
            subject=path,
            next_step=WITHOUT_CONVERTER,
        )


def _refused(bad: RefusedError) -> _Done:
    return _Done("refused", refusal=Refusal.of(bad))


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    work = into / WORK
    try:
        work.mkdir(parents=True)
    except OSError as bad:
        raise durable.unwritable(work, bad) from bad
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(order: WorkOrder, done: _Done, work: Path, into: Path, machine: Machine) -> None:
    now = moment(machine.clock())
    evidence = []
    for found in done.findings:
        signer = machine.signers[EVIDENCE_PURPOSE[found.kind]]
        manifest = str(done.manifest)
        body = findings.sign(found, order.organisation, order.path, manifest, signer, now)
        evidence.append(sha256(body).hexdigest())
        durable.write(into / evidence_file(evidence[-1]), body)
    said = BuildResult(
        format=1,
        requires=(),
        organisation=order.organisation,
        artifact=order.artifact,
        goldens=order.goldens,
        machine=machine.name,
        made=now,
        outcome=done.outcome,
        manifest=done.manifest,
        files=done.files,
        evidence=tuple(evidence),
        untried=tuple(sentence(words) for words in done.untried),
        refusal=done.refusal,
    )
    about = [subject(ORDER, order.digest())]
    body = statements.sign(said, about, machine.signers[BUILDER])
    try:
        if done.outcome == "built":
            (work / VARIANT).rename(into / VARIANT)
        if done.outcome != "refused" and (work / CHECK_ROWS).exists():
            (work / CHECK_ROWS).rename(into / CHECK_ROWS)
    except OSError as bad:
        raise durable.unwritable(into, bad) from bad
    durable.write(into / RESULT, body)
