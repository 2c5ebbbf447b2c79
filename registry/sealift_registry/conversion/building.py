"""The use case of conversion: from a version to a variant with its evidence, all of it logged."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, latest, newest
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import copy_out, lay_out, store_files, store_manifest
from sealift_registry.conversion.convert import Conversion, convert
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.conversion.refused import REFUSED, refusal
from sealift_registry.conversion.trying import Runtimes, untried
from sealift_registry.frameworks.framework import WITHOUT_CONVERTER
from sealift_registry.frameworks.supported import as_it_is
from sealift_registry.proof.models import SourceModel, VariantModel, model_file, model_of
from sealift_registry.proof.picture import picture
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.proof.prove import How, prove
from sealift_registry.runtimes.runtimes_report import KIND as RUNTIMES
from sealift_registry.runtimes.runtimes_report import by_release
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.workers.channel import Progress
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.statements import Check, Evidence, Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, CatalogPath, moment
from sealift_sync.artifact import read_manifest

CHECK_ROWS = "check-rows"
AS_IT_IS = "none"
"""The converter of a recipe that converts nothing."""
"""What a file of them is called until it is a blob."""


@dataclass(frozen=True)
class Built:
    """A variant with the newest evidence about it.

    Attributes:
        artifact: the variant.
        evidence: about it.
        new: unless it was there before.
        untried: releases that its hardware target promises and that it was not tried on, in words.
    """

    artifact: ArtifactRow
    evidence: tuple[Signed[Evidence], ...]
    new: bool
    untried: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """What a conversion starts from."""

    path: CatalogPath
    source_manifest: bytes
    source_sha256: str
    scan: Mapping[str, Any]
    goldens: str
    existing: ArtifactRow | None
    parity: Signed[Evidence] | None
    runtimes: Signed[Evidence] | None

    @property
    def measured(self) -> bool:
        """Whether the newest parity was measured on the goldens that count now.

        A site is the first that runs what was never run on its architecture: for that, a proof
        that left it no check rows is none yet.
        """
        if self.parity is None:
            return False
        said = self.parity.predicate.details
        is_tried = said.get("measured_on_target") is not False or "check_rows" in said
        return said["goldens"] == self.goldens and is_tried


class _BuiltMeanwhileError(Exception):
    """Somebody else built the same variant while this one was made; theirs was first."""

    def __init__(self, artifact: ArtifactRow) -> None:
        super().__init__()
        self.artifact = artifact


class Builder:
    """Building variants.

    Args:
        hub: the hub.
        scan_folder: scans the files of a folder (intake's scanner).
        hardware_targets: the known ones, by id.
        runtimes: the releases that those promise, and where each is tried.
    """

    def __init__(
        self,
        hub: Hub,
        scan_folder: Callable[[Path], Finding],
        hardware_targets: Mapping[str, HardwareTarget],
        runtimes: Runtimes,
    ) -> None:
        self._runtimes = runtimes
        self._hub = hub
        self._scan_folder = scan_folder
        self._hardware_targets = hardware_targets

    def convert(
        self, ref: VersionRef, hardware_target: str, actor: str, progress: Progress
    ) -> Built:
        """Build the variant of `ref` for a hardware target; built before, nothing is done.

        Where the goldens changed since, or a release that is promised can be tried only now, the
        variant is measured anew.

        Raises:
            NotFoundError: no such version or hardware target, or no goldens yet.
            RefusedError: it cannot be converted, or the variant is not faithful; logged.
        """
        self._hub.home.sweep()
        target = self._hardware_target(hardware_target)
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)  # before minutes of work
            plan = _plan(connection, self._hub, ref, target)
        lacking = self._lacking(plan, target)
        if plan.existing is not None and plan.measured and lacking is not None:
            return self._built(plan.existing, lacking, new=False)
        with workspace(self._hub.home.work) as work:
            source = self._source(plan, work / "source")
            goldens = work / "goldens.npz"
            copy_out(self._hub.home.blobs, plan.goldens, goldens)
            refusal, lacking = None, ()
            try:
                if plan.existing is None:
                    return self._build(plan, source, target, goldens, work, actor, progress)
                refusal, lacking = self._measure_again(
                    plan, plan.existing, source, target, goldens, work, progress
                )
            except RefusedError as refused:
                self._refused(plan, refused, actor)
                raise
        if refusal is not None:
            raise refusal
        return self._built(plan.existing, lacking, new=False)

    def _lacking(self, plan: _Plan, target: HardwareTarget) -> tuple[str, ...] | None:
        """What is promised and was not tried, in words; None where some of it can be tried now.

        Raises:
            RefusedError: what is promised is no range.
        """
        asked = self._runtimes.promise(target)
        if asked is None or plan.parity is None:
            return ()
        before = None if plan.runtimes is None else plan.runtimes.predicate
        found = by_release(plan.parity.predicate, before, plan.goldens)
        ends = [end for end in asked.ends if end not in found]
        changed = before is not None and before.details["asked"] != asked.asked
        if changed or self._runtimes.triable(ends):
            return None
        return tuple(untried(end) for end in ends)

    def _build(
        self,
        plan: _Plan,
        source: SourceModel,
        target: HardwareTarget,
        goldens: Path,
        work: Path,
        actor: str,
        progress: Progress,
    ) -> Built:
        made = convert(source, target, work / "variant", progress)
        scanned = self._scan_folder(made.variant.folder)
        _check_scan(scanned, plan.path)
        self._runtimes.check_written(target, made.variant)
        rows = work / CHECK_ROWS
        report = prove(source, made.variant, target, goldens, progress, how=self._how(rows))
        refusal = report.refusal(as_it_is=as_it_is(source.format))
        if refusal is not None:
            raise refusal
        trial = self._runtimes.tried(source, made.variant, target, goldens, report, progress)
        blobs = self._hub.home.blobs
        expected = {file.path: file.sha256 for file in made.variant.files}
        stored = store_files(blobs, made.variant.folder, expected, lambda _: None)
        manifest = store_manifest(blobs, plan.path, "onnx", stored)
        found = (
            scanned,
            self._parity(report, plan.path, rows),
            _provenance(made, plan),
            *trial.findings,
        )

        def action(connection: Connection) -> tuple[Entry, ArtifactRow]:
            now = moment(self._hub.now())
            meanwhile = Catalog(connection).artifact(plan.path)
            if meanwhile is not None:
                raise _BuiltMeanwhileError(meanwhile)
            row = ArtifactRow(plan.path, manifest.sha256, shape.write(made.recipe), now)
            recording.add_artifact(connection, row)
            signed = self._sign(connection, row, found, now)
            data: dict[str, Json] = {
                "artifact": str(row.path),
                "sha256": row.sha256,
                "recipe": made.recipe.digest(),
                "goldens": plan.goldens,
                "evidence": {one.predicate.kind: one.sha256 for one in signed},
            }
            return self._entry("variant.built", actor, plan.path, data), row

        try:
            return self._built(self._hub.commit(action).result, trial.untried, new=True)
        except _BuiltMeanwhileError as meanwhile:
            return self._built(meanwhile.artifact, trial.untried, new=False)

    def _measure_again(
        self,
        plan: _Plan,
        existing: ArtifactRow,
        source: SourceModel,
        target: HardwareTarget,
        goldens: Path,
        work: Path,
        progress: Progress,
    ) -> tuple[RefusedError | None, tuple[str, ...]]:
        """The variant is there, and the goldens or runtimes are others: it is only measured.

        Returns what is wrong with it, and what could not be tried; its evidence, good or bad, is
        kept and logged by then.
        """
        folder = work / "variant"
        blobs = self._hub.home.blobs
        manifest = blobs.read(existing.sha256)
        lay_out(blobs, manifest, folder)
        paths = [file.path for file in read_manifest(manifest, what=str(plan.path)).files]
        variant = VariantModel(
            folder, model_of(paths), tuple(model_file(folder, path) for path in paths)
        )
        rows = work / CHECK_ROWS
        report = prove(source, variant, target, goldens, progress, how=self._how(rows))
        refusal = report.refusal(as_it_is=as_it_is(source.format))
        parity = self._parity(report, plan.path, rows)
        trial = self._runtimes.tried(source, variant, target, goldens, report, progress)
        if plan.runtimes is not None:
            trial = trial.said_again()

        def action(connection: Connection) -> tuple[Entry, None]:
            now = moment(self._hub.now())
            signed = self._sign(connection, existing, (parity, *trial.findings), now)
            data: dict[str, Json] = {
                "artifact": str(existing.path),
                **{one.predicate.kind: one.sha256 for one in signed},
                "verdict": report.verdict,
                "goldens": plan.goldens,
            }
            return self._entry("variant.measured", "hub-builder", existing.path, data), None

        self._hub.commit(action)
        return refusal, trial.untried

    def _how(self, check_rows: Path) -> How:
        return How(self._hub.home.settings.conversion.proof_seconds, check_rows=check_rows)

    def _parity(self, report: ProofReport, path: CatalogPath, rows: Path) -> Finding:
        """The evidence; its picture stays here, and check rows, until their team lets them out."""
        if report.check_rows is not None:
            self._hub.home.blobs.put_bytes(rows.read_bytes())
        drawing = self._hub.home.blobs.put_bytes(picture(report.findings, str(path)))
        details = shape.to_json(report) | {"picture": drawing.sha256}
        machine = report.machine
        where = f"{machine.cpu}, {machine.arch}, {machine.os}"
        return Finding(
            "parity", report.verdict, report.evidence(), machine.software, where, details
        )

    def _sign(
        self, connection: Connection, row: ArtifactRow, found: Sequence[Finding], now: str
    ) -> list[Signed[Evidence]]:
        organisation = Repository(connection).organisation()
        signed = []
        for finding in found:
            signer = self._hub.online.signer(EVIDENCE_PURPOSE[finding.kind])
            body = findings.sign(finding, organisation, row.path, row.sha256, signer, now)
            signed.append(recording.add_evidence(connection, body, row.path))
        return signed

    def _source(self, plan: _Plan, folder: Path) -> SourceModel:
        """The source as it was scanned, its files laid out again."""
        lay_out(self._hub.home.blobs, plan.source_manifest, folder)
        said = plan.scan
        models, data = tuple(said["model_files"]), tuple(said["data_files"])
        return SourceModel(folder, said["format"], models, data)

    def _built(self, row: ArtifactRow, untried: tuple[str, ...], *, new: bool) -> Built:
        with self._hub.reading() as connection:
            found = newest(Catalog(connection).evidence(row.path))
        return Built(row, found, new, untried)

    def _refused(self, plan: _Plan, refused: RefusedError, actor: str) -> None:
        data = refusal(plan.path, plan.goldens, refused)
        self._hub.log.commit_entry(self._entry(REFUSED, actor, plan.path, data))

    def _entry(self, kind: str, actor: str, path: CatalogPath, data: Mapping[str, Json]) -> Entry:
        return self._hub.entry(kind, actor, data, {"model": path.full_model})

    def _hardware_target(self, wanted: str) -> HardwareTarget:
        found = self._hardware_targets.get(wanted)
        if found is None:
            raise NotFoundError(
                "hardware-target-unknown",
                f"There is no hardware target {wanted!r}.",
                subject=wanted,
                next_step=f"Known are: {', '.join(sorted(self._hardware_targets))}.",
            )
        return found


def _plan(connection: Connection, hub: Hub, ref: VersionRef, target: HardwareTarget) -> _Plan:
    catalog = Catalog(connection)
    catalog.version(ref)
    goldens = catalog.goldens(ref)
    if goldens is None:
        raise NotFoundError(
            "no-goldens",
            f"{ref} has no goldens, and without them no variant can be compared with it.",
            subject=str(ref),
            next_step="Ingest it again with --goldens FILE.npz: at least five rows of inputs.",
        )
    source = catalog.artifact(ref.path(SOURCE))
    scan = latest(catalog.evidence(ref.path(SOURCE))).get("scan")
    if source is None or scan is None:
        raise NotFoundError(
            "no-source",
            f"{ref} has no scanned source.",
            subject=str(ref),
            next_step="Take the version in again with: sealift ingest",
        )
    path = ref.path(target.id)
    known = latest(catalog.evidence(path))
    return _Plan(
        path=path,
        source_manifest=hub.home.blobs.read(source.sha256),
        source_sha256=source.sha256,
        scan=scan.predicate.details,
        goldens=goldens,
        existing=catalog.artifact(path),
        parity=known.get("parity"),
        runtimes=known.get(RUNTIMES),
    )


def _check_scan(scanned: Finding, path: CatalogPath) -> None:
    failed = [check.words for check in scanned.checks if check.verdict == "fail"]
    if scanned.verdict != "pass":
        raise RefusedError(
            "variant-scan",
            f"The variant {path} did not pass the scan, and is not kept: {drawn(' '.join(failed))}",
            subject=str(path),
            next_step=WITHOUT_CONVERTER,
        )


def _provenance(made: Conversion, plan: _Plan) -> Finding:
    """What the variant was built from, by which recipe (in the manner of SLSA provenance)."""
    by = made.recipe.converter
    how = "taken as it is" if by == AS_IT_IS else f"built by {by}"
    words = f"{how} from the source {plan.source_sha256[:12]}"
    details = {
        "recipe": shape.to_json(made.recipe),
        "source": plan.source_sha256,
        "builder": "hub",
    }
    tools = {**made.recipe.toolchain, "sealift": package_version("sealift-registry")}
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    return Finding(
        "provenance", "pass", (Check("provenance", "pass", words),), tools, machine, details
    )
