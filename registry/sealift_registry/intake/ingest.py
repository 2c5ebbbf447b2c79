"""The use case of intake: from a source to a scanned, recorded, numbered version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Version
from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.catalog.storing import StoredFiles, store_again, store_files, store_manifest
from sealift_registry.intake import goldens as golden_files
from sealift_registry.intake.goldens import GoldensRecord
from sealift_registry.intake.scan import ScanReport, scan
from sealift_registry.intake.scan_evidence import as_finding
from sealift_registry.intake.source import Source, SourceRecord
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust import readiness, signed_log
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.machines import own_machine
from sealift_registry.trust.repository import Repository
from sealift_registry.workers.channel import Progress
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, moment


@dataclass(frozen=True)
class Ingested:
    """What became of an ingestion.

    Attributes:
        new: False where this very version was ingested before.
        aliases: names of the source under which it had not been asked for before.
        goldens: the digest of the version's goldens, None while it has none.
        kept: what those are that came with it, if any did.
    """

    version: Version
    new: bool
    aliases: tuple[str, ...]
    goldens: str | None
    kept: GoldensRecord | None = None


class _NumberTakenError(Exception):
    """Another version of the model was taken in meanwhile, and has the number."""


class _TakenInMeanwhileError(Exception):
    """Somebody else took the same version in while this one was looked at."""

    def __init__(self, version: Version) -> None:
        super().__init__()
        self.version = version


class _NothingNewError(Exception):
    """There is nothing to write, and so there is nothing to log."""

    def __init__(self, again: Ingested) -> None:
        super().__init__()
        self.again = again


class Intake:
    """Ingesting models."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def ingest(
        self, source: Source, model: ModelRef, actor: str, given: Path | None, progress: Progress
    ) -> Ingested:
        """Take the model at `source` in as a version of `model`; the same one again adds nothing.

        Args:
            source: where it is.
            model: what it becomes a version of; its team must exist.
            actor: who does this.
            given: a file of goldens, `.npz`; None takes the source's input example if it has one.
            progress: told of what is being fetched.

        Raises:
            NotFoundError: no such team, or nothing at the source.
            RefusedError: the scan failed; it is in the log, and nothing was kept.
        """
        self._hub.home.sweep()
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)  # before gigabytes are fetched
            _check_team(connection, model)
        with workspace(self._hub.home.work) as work:
            record = source.fetch(work / "model", progress)
            report = self._scanned(work / "model", record, model, actor)
            kept = self._goldens(work, record, given)
            goldens = None if kept is None else kept.sha256
            with self._hub.reading() as connection:
                known = _same(connection, model, record)
            if known is not None:
                self._mend(work / "model", known, record)
                return replace(self._again(known, record, goldens, actor), kept=kept)
            expected = {file.path: file.sha256 for file in record.files}
            stored = store_files(self._hub.home.blobs, work / "model", expected, lambda _: None)
        try:
            done = self._record(model, record, report, stored, goldens, actor)
        except _TakenInMeanwhileError as meanwhile:
            done = self._again(meanwhile.version, record, goldens, actor)
        return replace(done, kept=kept)

    def _scanned(
        self, folder: Path, record: SourceRecord, model: ModelRef, actor: str
    ) -> ScanReport:
        report = scan(folder, record.files)
        refusal = report.refusal() or _not_onnx(record, report)
        if refusal is None:
            return report
        data: dict[str, Json] = {
            "model": str(model),
            "locator": record.locator,
            "code": refusal.code,
            "what": refusal.what,
        }
        terms = {"model": str(model)}
        self._hub.commit_entry(self._hub.entry("intake.refused", actor, data, terms))
        raise refusal

    def _goldens(
        self, work: Path, record: SourceRecord, given: Path | None
    ) -> GoldensRecord | None:
        """The goldens, which lie in the blobs then; None where there are none."""
        target = work / "goldens.npz"
        if given is not None:
            kept = golden_files.from_file(given, target)
        elif record.kind == "mlflow":
            try:
                kept = golden_files.from_input_example(work / "model", target)
            except NotFoundError:
                return None
        else:
            return None
        self._hub.home.blobs.put_file(target)
        return kept

    def _mend(self, folder: Path, known: Version, record: SourceRecord) -> None:
        """Put back what the hub's disk lost of a version that was taken in before."""
        blobs, path = self._hub.home.blobs, known.ref.path(SOURCE)
        with self._hub.reading() as connection:
            row = Catalog(connection).artifact(path)
        if row is not None:
            expected = {file.path: file.sha256 for file in record.files}
            store_again(blobs, folder, expected, path, known.format, row.sha256)

    def _again(
        self, known: Version, record: SourceRecord, goldens: str | None, actor: str
    ) -> Ingested:
        """The version is here: note a new alias or new goldens, and nothing else."""

        def action(connection: Connection) -> tuple[Entry, Ingested]:
            made = moment(self._hub.now())
            added = recording.add_aliases(connection, known.ref, record.aliases, made)
            fresh = goldens is not None and recording.add_goldens(
                connection, known.ref, goldens, made
            )
            # What is new is not in the log yet, and so is nothing to go by.
            counts = goldens if fresh else Catalog(connection).goldens(known.ref)
            again = Ingested(known, new=False, aliases=tuple(added), goldens=counts)
            if not added and not fresh:
                raise _NothingNewError(again)
            data: dict[str, Json] = {"version": str(known.ref), "aliases": added}
            if fresh and counts is not None:
                data["goldens"] = counts
            terms = {"model": str(known.ref.of)}
            return self._hub.entry("version.seen-again", actor, data, terms), again

        try:
            return self._hub.commit(action).result
        except _NothingNewError as nothing:
            return nothing.again

    def _record(
        self,
        model: ModelRef,
        record: SourceRecord,
        report: ScanReport,
        stored: StoredFiles,
        goldens: str | None,
        actor: str,
    ) -> Ingested:
        body = shape.write(record)
        digest = self._hub.home.blobs.put_bytes(body).sha256
        ref, manifest = self._described(model, report, stored)

        def action(connection: Connection) -> tuple[Entry, Version]:
            made = moment(self._hub.now())
            catalog = Catalog(connection)
            meanwhile = _same(connection, model, record)
            if meanwhile is not None:
                raise _TakenInMeanwhileError(meanwhile)
            if catalog.next_number(model) != ref.number:
                raise _NumberTakenError
            version = Version(ref, body, digest, record.source_version, report.model_format, made)
            recording.add_version(connection, version, record.identity())
            recording.add_aliases(connection, ref, record.aliases, made)
            if goldens is not None:
                recording.add_goldens(connection, ref, goldens, made)
            entry = self._add_source(connection, version, manifest, report, goldens, actor)
            return entry, version

        try:
            version = self._hub.commit(action).result
        except _NumberTakenError:
            return self._record(model, record, report, stored, goldens, actor)
        return Ingested(version, new=True, aliases=record.aliases, goldens=goldens)

    def _described(
        self, model: ModelRef, report: ScanReport, stored: StoredFiles
    ) -> tuple[VersionRef, str]:
        """The version that is next, and its manifest, which lies in the blobs then.

        Nobody waits for a store while others wait to write: so it is there before.
        """
        with self._hub.reading() as connection:
            number = Catalog(connection).next_number(model)
        ref = VersionRef(model.team, model.model, number)
        path, blobs = ref.path(SOURCE), self._hub.home.blobs
        return ref, store_manifest(blobs, path, report.model_format, stored).sha256

    def _add_source(
        self,
        connection: Connection,
        version: Version,
        manifest: str,
        report: ScanReport,
        goldens: str | None,
        actor: str,
    ) -> Entry:
        """The source artifact, its scan as evidence, and the entry of it all."""
        hub, path = self._hub, version.ref.path(SOURCE)
        row = ArtifactRow(path, manifest, None, version.made)
        recording.add_artifact(connection, row)
        organisation = Repository(connection).organisation()
        signer = own_machine(hub, connection, "scanner").signer
        body = findings.sign(as_finding(report), organisation, path, manifest, signer, version.made)
        scanned = recording.add_evidence(connection, body, path)
        data: dict[str, Json] = {
            "version": str(version.ref),
            "source": version.source_version,
            "source_record": version.source_sha256,
            "format": version.format,
            "artifact": manifest,
            "scan": scanned.sha256,
            "goldens": goldens or "",
        }
        return hub.entry("version.ingested", actor, data, {"model": str(version.ref.of)})


def _same(connection: Connection, model: ModelRef, record: SourceRecord) -> Version | None:
    """The version of `model` that was taken in from the same source.

    Raises:
        RefusedError: a row is taken for it that the log does not speak of, or that has the identity
            of another: what somebody takes in would be said to be here, and is not.
    """
    found = Catalog(connection).same(model, record.identity())
    if found is not None:
        kept = shape.read(SourceRecord, found.source, what="the source's record")
        if kept.identity() != record.identity():
            raise signed_log.not_logged(
                f"the version {found.ref} with another identity than its source has",
                f"model_version WHERE identity = '{record.identity()}'",
            )
    return found


def _not_onnx(record: SourceRecord, report: ScanReport) -> RefusedError | None:
    """A plain file has no other record of its origin, so only the exchange format is taken so."""
    if record.kind != "onnx" or report.model_format == "onnx":
        return None
    return RefusedError(
        "not-onnx",
        f"{word(record.locator)} is {report.model_format}, and only ONNX is taken in as a plain "
        "file.",
        subject=record.locator,
        next_step="Log it to MLflow or track it with DVC, and ingest it from there: then its "
        "origin is on record.",
    )


def _check_team(connection: Connection, model: ModelRef) -> None:
    if model.team not in Repository(connection).teams():
        raise NotFoundError(
            "no-team",
            f"There is no team {model.team}.",
            subject=model.team,
            next_step=f"Add it with: sealift team add {pasted([model.team])} --steward CARD …",
        )
