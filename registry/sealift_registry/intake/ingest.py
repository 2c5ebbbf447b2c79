"""The use case of intake: from a source to a scanned, recorded, numbered version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog import findings, recording, restoring
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Version
from sealift_registry.catalog.logged import INGESTED, SEEN_AGAIN
from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.catalog.storing import (
    StoredFiles,
    copy_out,
    store_again,
    store_files,
    store_manifest,
)
from sealift_registry.intake import goldens as golden_files
from sealift_registry.intake.goldens import GoldensRecord
from sealift_registry.intake.scan import ScanReport, scan
from sealift_registry.intake.scan_evidence import as_finding
from sealift_registry.intake.source import Source, SourceRecord
from sealift_registry.jobs.records import said_before
from sealift_registry.jobs.steps import Made, Steps, product
from sealift_registry.trust import readiness, signed_log
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.machines import own_machine
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.signed_log import Data
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, moment

REFUSED = "intake.refused"
"""The type of the entry of a model that was not taken in."""
MODEL, RECORD, REPORT, GOLDENS = "model", "source.json", "scan.json", "goldens.npz"
"""In the folders of the steps: the files, where they came from, and what was found and made."""


@dataclass(frozen=True)
class Ingested:
    """What became of an ingestion.

    Attributes:
        new: False where this very version was ingested before.
        aliases: names of the source under which it had not been asked for before.
        goldens: the digest of the version's goldens, None while it has none.
        kept: what those are that came with it, if any did.
        restored: whether its source was discarded before, and is there again.
    """

    version: Version
    new: bool
    aliases: tuple[str, ...]
    goldens: str | None
    kept: GoldensRecord | None = None
    restored: bool = False


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
        self, source: Source, model: ModelRef, actor: str, given: Path | None, steps: Steps
    ) -> Ingested:
        """Take the model at `source` in as a version of `model`; the same one again adds nothing.

        Args:
            source: where it is.
            model: what it becomes a version of; its team must exist.
            actor: who does this.
            given: a file of goldens, `.npz`; None takes the source's input example if it has one.
            steps: runs what takes long of it.

        Raises:
            NotFoundError: no such team, or nothing at the source.
            RefusedError: the scan failed; it is in the log, and nothing was kept.
        """
        self._hub.home.sweep()
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)  # before gigabytes are fetched
            check_team(connection, model)
        before = self._before(model, given, steps)
        if before is not None:
            return before
        folder, record = _fetched(source, steps)
        report = self._scanned(folder, record, model, actor, steps)
        kept = self._goldens(folder, record, given, _free(steps.folder / GOLDENS))
        goldens = None if kept is None else kept.sha256
        with self._hub.reading() as connection:
            known = _same(connection, model, record)
        if known is not None:
            restored = self._mend(folder, known, record, actor)
            again = self._again(known, record, goldens, actor)
            return replace(again, kept=kept, restored=restored)
        expected = {file.path: file.sha256 for file in record.files}
        stored = store_files(self._hub.home.blobs, folder, expected, lambda _: None)
        try:
            done = self._record(model, record, report, stored, goldens, actor)
        except _TakenInMeanwhileError as meanwhile:
            done = self._again(meanwhile.version, record, goldens, actor)
        return replace(done, kept=kept)

    def _before(self, model: ModelRef, given: Path | None, steps: Steps) -> Ingested | None:
        """What a killed attempt at this very job had recorded; None where none had.

        It is not fetched again: an alias may stand for another version by now.
        """

        def ours(said: Data) -> bool:
            return VersionRef.parse(str(said["version"])).of == model

        with self._hub.reading() as connection:
            said = said_before(self._hub, connection, (INGESTED, SEEN_AGAIN), ours)
            if said is None:
                return None
            catalog = Catalog(connection)
            version = catalog.version(VersionRef.parse(str(said["version"])))
            goldens = catalog.goldens(version.ref)
            new = "artifact" in said
            aliases = catalog.aliases(version) if new else said["aliases"]
        kept = None
        if said.get("goldens"):
            copied = _free(steps.folder / "kept.npz")
            copy_out(self._hub.home.blobs, str(said["goldens"]), copied)
            kept = golden_files.from_file(copied, _free(steps.folder / GOLDENS))
            kept = kept if given is not None else replace(kept, origin="input example")
        return Ingested(version, new, tuple(aliases), goldens, kept)

    def _scanned(
        self, folder: Path, record: SourceRecord, model: ModelRef, actor: str, steps: Steps
    ) -> ScanReport:
        """What the scanner found; nothing is kept of what it refuses.

        Raises:
            RefusedError: it refuses the model; it is in the log, once for one job.
        """

        def look(into: Path) -> Made:
            found = scan(folder, record.files)
            refusal = found.refusal() or _not_onnx(record, found)
            if refusal is not None:
                self._refuse(refusal, record, model, actor)
                raise refusal
            (into / REPORT).write_bytes(shape.write(found))
            return {"format": found.model_format}

        place, _ = product(steps, "scan", look, of=record.identity())
        return shape.read(ScanReport, (place / REPORT).read_bytes(), what="the scan")

    def _refuse(
        self, refusal: RefusedError, record: SourceRecord, model: ModelRef, actor: str
    ) -> None:
        data: dict[str, Json] = {
            "model": str(model),
            "locator": record.locator,
            "code": refusal.code,
            "what": refusal.what,
        }
        with self._hub.reading() as connection:
            again = said_before(self._hub, connection, (REFUSED,), lambda said: said == data)
        if again is None:
            terms = {"model": str(model)}
            self._hub.commit_entry(self._hub.entry(REFUSED, actor, data, terms))

    def _goldens(
        self, folder: Path, record: SourceRecord, given: Path | None, target: Path
    ) -> GoldensRecord | None:
        """The goldens, which lie in the blobs then; None where there are none."""
        if given is not None:
            kept = golden_files.from_file(given, target)
        elif record.kind == "mlflow":
            try:
                kept = golden_files.from_input_example(folder, target)
            except NotFoundError:
                return None
        else:
            return None
        self._hub.home.blobs.put_file(target)
        return kept

    def _mend(self, folder: Path, known: Version, record: SourceRecord, actor: str) -> bool:
        """Put back what is gone of a version that was taken in before.

        Returns:
            Whether it was discarded, and is not any more.
        """
        blobs, path = self._hub.home.blobs, known.ref.path(SOURCE)
        with self._hub.reading() as connection:
            row = Catalog(connection).artifact(path)
        if row is None:
            return False
        expected = {file.path: file.sha256 for file in record.files}
        store_again(blobs, folder, expected, path, known.format, row.sha256)
        return restoring.restore(self._hub, row, actor)

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
            return self._hub.entry(SEEN_AGAIN, actor, data, terms), again

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
        return hub.entry(INGESTED, actor, data, {"model": str(version.ref.of)})


def _free(path: Path) -> Path:
    """`path`, where nothing lies that a killed attempt left."""
    path.unlink(missing_ok=True)
    return path


def _fetched(source: Source, steps: Steps) -> tuple[Path, SourceRecord]:
    """The folder of the model's files, and the record of where they came from."""

    def fetch(into: Path) -> Made:
        record = source.fetch(into / MODEL, steps.progress)
        (into / RECORD).write_bytes(shape.write(record))
        return {"locator": record.locator}

    place, _ = product(steps, "fetch", fetch)
    said = (place / RECORD).read_bytes()
    return place / MODEL, shape.read(SourceRecord, said, what="the source's record")


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


def check_team(connection: Connection, model: ModelRef) -> None:
    """Check that the team of `model` is there.

    Raises:
        NotFoundError: it is not.
    """
    if model.team not in Repository(connection).teams():
        raise NotFoundError(
            "no-team",
            f"There is no team {model.team}.",
            subject=model.team,
            next_step=f"Add it with: sealift team add {pasted([model.team])} --steward CARD …",
        )
