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
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, latest
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import copy_out, lay_out, store_files, store_manifest
from sealift_registry.conversion.convert import Conversion, convert
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.proof.models import SourceModel, VariantModel, model_file
from sealift_registry.proof.picture import picture
from sealift_registry.proof.prove import prove
from sealift_registry.proof.report import ProofReport
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.workers.channel import Progress
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.statements import Check, Evidence, Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, CatalogPath, moment
from sealift_sync.artifact import read_manifest

SIGNED_BY = {"scan": "scanner", "parity": "builder", "provenance": "builder"}


@dataclass(frozen=True)
class Built:
    """A variant with the newest evidence about it; `new` unless it was there before."""

    artifact: ArtifactRow
    evidence: tuple[Signed[Evidence], ...]
    new: bool


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

    @property
    def measured(self) -> bool:
        """Whether the newest parity was measured on the goldens that count now."""
        return self.parity is not None and self.parity.predicate.details["goldens"] == self.goldens


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
    """

    def __init__(
        self,
        hub: Hub,
        scan_folder: Callable[[Path], Finding],
        hardware_targets: Mapping[str, HardwareTarget],
    ) -> None:
        self._hub = hub
        self._scan_folder = scan_folder
        self._hardware_targets = hardware_targets

    def convert(
        self, ref: VersionRef, hardware_target: str, actor: str, progress: Progress
    ) -> Built:
        """Build the variant of `ref` for a hardware target; built before, nothing is done.

        Where the goldens changed since, the variant's parity is measured anew.

        Raises:
            NotFoundError: no such version or hardware target, or no goldens yet.
            RefusedError: it cannot be converted, or the variant is not faithful; logged.
        """
        self._hub.home.sweep()
        target = self._hardware_target(hardware_target)
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)  # before minutes of work
            plan = _plan(connection, self._hub, ref, target)
        if plan.existing is not None and plan.measured:
            return self._built(plan.existing, new=False)
        with workspace(self._hub.home.work) as work:
            source = self._source(plan, work / "source")
            goldens = work / "goldens.npz"
            copy_out(self._hub.home.blobs, plan.goldens, goldens)
            refusal = None
            try:
                if plan.existing is None:
                    return self._build(plan, source, target, goldens, work, actor, progress)
                refusal = self._measure_again(
                    plan, plan.existing, source, target, goldens, work, progress
                )
            except RefusedError as refused:
                self._refused(plan.path, refused, actor)
                raise
        if refusal is not None:
            raise refusal
        return self._built(plan.existing, new=False)

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
        report = prove(source, made.variant, target, goldens, progress)
        refusal = report.refusal()
        if refusal is not None:
            raise refusal
        blobs = self._hub.home.blobs
        expected = {file.path: file.sha256 for file in made.variant.files}
        stored = store_files(blobs, made.variant.folder, expected, lambda _: None)
        manifest = store_manifest(blobs, plan.path, "onnx", stored)
        found = (scanned, self._parity(report, plan.path), _provenance(made, plan))

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
            return self._built(self._hub.commit(action).result, new=True)
        except _BuiltMeanwhileError as meanwhile:
            return self._built(meanwhile.artifact, new=False)

    def _measure_again(
        self,
        plan: _Plan,
        existing: ArtifactRow,
        source: SourceModel,
        target: HardwareTarget,
        goldens: Path,
        work: Path,
        progress: Progress,
    ) -> RefusedError | None:
        """The variant is there, and the goldens are others: only its parity is measured.

        Returns what is wrong with it; its evidence, good or bad, is kept and logged by then.
        """
        folder = work / "variant"
        blobs = self._hub.home.blobs
        manifest = blobs.read(existing.sha256)
        lay_out(blobs, manifest, folder)
        paths = [file.path for file in read_manifest(manifest, what=str(plan.path)).files]
        model = next(path for path in paths if path.endswith(".onnx"))
        variant = VariantModel(folder, model, tuple(model_file(folder, path) for path in paths))
        report = prove(source, variant, target, goldens, progress)
        refusal, parity = report.refusal(), self._parity(report, plan.path)

        def action(connection: Connection) -> tuple[Entry, None]:
            now = moment(self._hub.now())
            (signed,) = self._sign(connection, existing, (parity,), now)
            data: dict[str, Json] = {
                "artifact": str(existing.path),
                "parity": signed.sha256,
                "verdict": report.verdict,
                "goldens": plan.goldens,
            }
            return self._entry("variant.measured", "hub-builder", existing.path, data), None

        self._hub.commit(action)
        return refusal

    def _parity(self, report: ProofReport, path: CatalogPath) -> Finding:
        """The evidence; its picture stays here, as what a site has no use of."""
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
            signer = self._hub.online.signer(SIGNED_BY[finding.kind])
            body = findings.sign(finding, organisation, row.path, row.sha256, signer, now)
            signed.append(recording.add_evidence(connection, body, row.path))
        return signed

    def _source(self, plan: _Plan, folder: Path) -> SourceModel:
        """The source as it was scanned, its files laid out again."""
        lay_out(self._hub.home.blobs, plan.source_manifest, folder)
        said = plan.scan
        models, data = tuple(said["model_files"]), tuple(said["data_files"])
        return SourceModel(folder, said["format"], models, data)

    def _built(self, row: ArtifactRow, *, new: bool) -> Built:
        with self._hub.reading() as connection:
            found = latest(Catalog(connection).evidence(row.path))
        return Built(row, tuple(found.values()), new)

    def _refused(self, path: CatalogPath, refused: RefusedError, actor: str) -> None:
        data: dict[str, Json] = {
            "artifact": str(path),
            "code": refused.code,
            "what": refused.what,
        }
        self._hub.log.commit_entry(self._entry("conversion.refused", actor, path, data))

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
    return _Plan(
        path=path,
        source_manifest=hub.home.blobs.read(source.sha256),
        source_sha256=source.sha256,
        scan=scan.predicate.details,
        goldens=goldens,
        existing=catalog.artifact(path),
        parity=latest(catalog.evidence(path)).get("parity"),
    )


def _check_scan(scanned: Finding, path: CatalogPath) -> None:
    failed = [check.words for check in scanned.checks if check.verdict == "fail"]
    if scanned.verdict != "pass":
        raise RefusedError(
            "variant-scan",
            f"The variant {path} did not pass the scan: {drawn(' '.join(failed))}",
            subject=str(path),
            next_step="The variant is not kept. Export the model to ONNX yourself and ingest that.",
        )


def _provenance(made: Conversion, plan: _Plan) -> Finding:
    """What the variant was built from, by which recipe (in the manner of SLSA provenance)."""
    words = f"built by {made.recipe.converter} from the source {plan.source_sha256[:12]}"
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
