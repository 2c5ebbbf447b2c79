"""Accepting a result: verified wherever it was built, then its files, rows and entry are written.

The folder may come from another machine on a medium: no link in it is followed, nothing is read
that the signed result does not name, and each file is hashed while it is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from sealift_registry.catalog import recording, restoring
from sealift_registry.catalog.catalog import ArtifactRow, Catalog
from sealift_registry.catalog.discards import check_there
from sealift_registry.catalog.logged import BUILT, RESTORED
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import store_manifest, store_opened
from sealift_registry.conversion import result_rules
from sealift_registry.conversion.build_result import (
    CHECK_ROWS,
    RESULT,
    VARIANT,
    BuildResult,
    evidence_file,
)
from sealift_registry.conversion.recipe import Recipe
from sealift_registry.conversion.refused import REFUSED, RESULT_TERM, is_known, refusal
from sealift_registry.conversion.result_rules import ANEW, Judged
from sealift_registry.conversion.work_order import WorkOrder
from sealift_registry.frameworks.supported import as_it_is
from sealift_registry.jobs.records import said_before
from sealift_registry.proof.models import ModelFile
from sealift_registry.proof.picture import picture
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import dsse, shape, statements
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from sealift_signing.statements import Evidence, Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, CatalogPath, moment
from sealift_sync.artifact import LARGEST_MANIFEST, ArtifactFile, read_manifest
from sealift_sync.blobs import BlobFolder
from sealift_sync.bundle.medium import Medium
from sealift_sync.check_rows import LARGEST, unpack

MEASURED = "variant.measured"
"""The type of the entry of a variant that was there."""
MOST_EVIDENCE = 8
"""Statements of a result; there are four kinds."""

Orders = Callable[[BuildResult], Iterable[WorkOrder]]
"""The orders that a result may be of: those that this hub made, or would make now."""


@dataclass(frozen=True)
class Accepted:
    """What came of a result.

    Attributes:
        artifact: the variant.
        new: unless it was there before.
        untried: releases that are promised and were not tried, in words.
        failed: what is wrong with a variant that was there before and was measured anew.
        theirs: whether somebody else's result was first: `untried` says nothing of the variant.
    """

    artifact: ArtifactRow
    new: bool
    untried: tuple[str, ...]
    failed: RefusedError | None = None
    theirs: bool = False


class NoVariantError(RefusedError):
    """Another machine built none: it is in the log now."""


class KnownResultError(RefusedError):
    """Another machine built none: that is in the log already, and the result adds nothing."""


class _KnownRefusalError(Exception):
    """This very result is in the log already; or that it was so, by this very job."""

    def __init__(self, *, ours: bool) -> None:
        super().__init__()
        self.ours = ours


class _BuiltMeanwhileError(Exception):
    """Somebody else built the same variant while this one was made, or brought this very result.

    Theirs was first.
    """

    def __init__(self, artifact: ArtifactRow, *, theirs: bool = False) -> None:
        super().__init__()
        self.artifact, self.theirs = artifact, theirs


def accept(hub: Hub, folder: Path, orders: Orders, actor: str, *, carried: bool = True) -> Accepted:
    """Take in the result in `folder`.

    Args:
        hub: the hub.
        folder: where the result lies; nothing in it is changed.
        orders: that it may be of.
        actor: who does this.
        carried: whether another machine made it: what it says is then told as that machine's words.

    Raises:
        RefusedError: the result does not count, or says that no variant came of its order; the
            latter is logged, once.
        FailedError: a file could not be read or written.
    """
    taking = _Taking(hub, Medium(folder), actor)
    judged = taking.judged(orders)
    if judged.said.refusal is not None:
        machine, why = judged.machine.name, judged.said.refusal
        bad = why.as_told_by(machine, judged.said.artifact) if carried else why.error()
        is_new = taking.refused(judged, bad)
        if not carried:
            raise bad
        if is_new:
            raise NoVariantError(bad.code, bad.what, subject=bad.subject, next_step=bad.next_step)
        known = f"{bad.what} This result was taken in before, and adds nothing."
        raise KnownResultError(bad.code, known, subject=bad.subject, next_step=bad.next_step)
    done = taking.taken(judged)
    if not carried:
        return done
    told = tuple(f"{judged.machine.name} says: {drawn(words)}" for words in done.untried)
    return replace(done, untried=told)


@dataclass(frozen=True)
class _Taking:
    """One result on its way in."""

    hub: Hub
    medium: Medium
    actor: str

    def judged(self, orders: Orders) -> Judged:
        """The result, verified by (1) to (5) of `result_rules`; nothing is written yet."""
        result = result_rules.read_result(self.medium.read(RESULT, dsse.LARGEST_ENVELOPE))
        with self.hub.reading() as connection:
            fleet = Repository(connection).sound_fleet()
        machine = result_rules.machine_of(result, fleet)
        said = result.predicate
        judged = result_rules.judge(result, machine, orders(said), self.hub.now())
        if said.outcome == "refused":
            return judged
        result_rules.check_size(judged)
        if len(said.evidence) > MOST_EVIDENCE:
            raise MalformedError("bad-result", "The result names too much.", subject=RESULT)
        evidence = [self._evidence(digest) for digest in said.evidence]
        return result_rules.with_evidence(judged, evidence, self._files(judged), fleet)

    def _evidence(self, digest: str) -> Signed[Evidence]:
        body = self.medium.read(evidence_file(digest), dsse.LARGEST_ENVELOPE)
        return statements.read(Evidence, body, what=f"the evidence {digest[:12]}")

    def _files(self, judged: Judged) -> tuple[ModelFile, ...]:
        """The files of the variant: those of the result, or of the variant that is here."""
        existing = judged.order.existing
        if existing is None:
            return judged.said.files
        manifest = read_manifest(
            self.hub.home.blobs.read(existing, LARGEST_MANIFEST), what=judged.said.artifact
        )
        return tuple(ModelFile(one.path, one.size, one.sha256) for one in manifest.files)

    def refused(self, judged: Judged, bad: RefusedError) -> bool:
        """Log a result of no variant; False where it says nothing new to whoever asked.

        One that is replayed adds nothing; nor does one of an order to build what was built since,
        which is refused itself.
        """
        path, digest = judged.order.path, judged.digest
        data = refusal(path, judged.order.goldens, bad)

        def action(connection: Connection) -> tuple[Entry, None]:
            if judged.order.existing is None and _built_before(connection, path) is not None:
                raise _overtaken(judged)
            again = said_before(self.hub, connection, (REFUSED,), lambda said: data == said)
            if again is not None or is_known(connection, digest):
                raise _KnownRefusalError(ours=again is not None)
            return self.entry(REFUSED, self.actor, judged, data, {RESULT_TERM: digest}), None

        try:
            self.hub.commit(action)
        except _KnownRefusalError as known:
            return known.ours
        return True

    def taken(self, judged: Judged) -> Accepted:
        """(6) Its files, hashed while they are copied; then rows and entry, or neither.

        They are copied aside, and have their places once all of them are what was signed for.
        """
        with workspace(self.hub.home.work) as work:
            aside = BlobFolder(work)
            if judged.report is not None:
                self._keep(aside, judged, judged.report)
            if judged.recipe is None:
                return self._measured(aside, judged)
            self._store(aside, judged)
            return self._built(aside, judged, judged.recipe)

    def _ready(self, aside: BlobFolder) -> Callable[[], None]:
        """What takes in all that lies aside, and is quick."""
        return self.hub.home.blobs.prepare({one: aside.path(one) for one in aside.digests()})

    def _store(self, blobs: BlobFolder, judged: Judged) -> None:
        """The variant's files and manifest, which this hub writes itself.

        Raises:
            RefusedError: they are not those that were signed for.
        """
        files = [ArtifactFile(one.path, one.sha256, one.size) for one in judged.said.files]
        try:
            stored = store_opened(blobs, files, self._opened)
        except RefusedError as bad:
            if bad.code != "blob-damaged":
                raise
            raise _other_bytes(judged, VARIANT) from bad
        manifest = store_manifest(blobs, judged.order.path, "onnx", stored)
        if manifest.sha256 != judged.said.manifest:
            raise _other_bytes(judged, "its manifest")

    def _opened(self, file: ArtifactFile) -> BinaryIO:
        path = f"{VARIANT}/{file.path}"
        if self.medium.size(path) != file.size:  # before an endless one is copied
            raise RefusedError(
                "result-other-bytes",
                f"{path} of the result has not the {file.size:,} bytes that were signed for.",
                subject=path,
                next_step=ANEW,
            )
        return self.medium.open(path)

    def _keep(self, blobs: BlobFolder, judged: Judged, report: ProofReport) -> None:
        """What stays at the hub: the proof's picture, and its rows for sites if it left any.

        Raises:
            RefusedError: the rows are not those that the proof names.
        """
        blobs.put_bytes(picture(report.findings, judged.said.artifact))
        named = report.check_rows
        if named is None:
            return
        data = self.medium.read(CHECK_ROWS, LARGEST)
        found = sha256(data).hexdigest(), len(data)
        if found != (named.sha256, named.size) or unpack(data).rows != named.rows:
            raise _other_bytes(judged, CHECK_ROWS)
        blobs.put_bytes(data)

    def _built(self, aside: BlobFolder, judged: Judged, recipe: Recipe) -> Accepted:
        said, path = judged.said, judged.order.path
        adopt = self._ready(aside)

        def action(connection: Connection) -> tuple[Entry, ArtifactRow]:
            meanwhile = _built_before(connection, path)
            if meanwhile is not None:
                raise _BuiltMeanwhileError(meanwhile, theirs=not _is_known(connection, judged))
            gone = Catalog(connection).artifact(path)
            if gone is not None:
                return self._restored(connection, judged, gone, adopt), gone
            ref = VersionRef(path.team, path.model, path.version)
            check_there(Catalog(connection).discards(ref), ref.path(SOURCE))
            adopt()
            made = moment(self.hub.now())
            row = ArtifactRow(path, str(said.manifest), shape.write(recipe), made)
            recording.add_artifact(connection, row)
            _add_evidence(connection, judged)
            data: dict[str, Json] = {
                "artifact": str(path),
                "sha256": row.sha256,
                "recipe": recipe.digest(),
                "goldens": said.goldens,
                "evidence": {one.predicate.kind: one.sha256 for one in judged.evidence},
            }
            return self.entry(BUILT, self.actor, judged, data), row

        try:
            return Accepted(self.hub.commit(action).result, new=True, untried=said.untried)
        except _BuiltMeanwhileError as meanwhile:
            untried = () if meanwhile.theirs else said.untried
            return Accepted(meanwhile.artifact, new=False, untried=untried, theirs=meanwhile.theirs)

    def _restored(
        self,
        connection: Connection,
        judged: Judged,
        gone: ArtifactRow,
        adopt: Callable[[], None],
    ) -> Entry:
        """The variant was discarded, and the very same was built again.

        Raises:
            RefusedError: it came out otherwise.
        """
        if gone.sha256 != judged.said.manifest:
            raise _came_out_otherwise(gone)
        adopt()
        _add_evidence(connection, judged)
        evidence = {one.predicate.kind: one.sha256 for one in judged.evidence}
        return self.entry(RESTORED, self.actor, judged, restoring.data_of(gone, evidence))

    def _measured(self, aside: BlobFolder, judged: Judged) -> Accepted:
        """The variant was there, and the goldens or runtimes are others: it was only measured.

        Its evidence is kept, good or bad.
        """
        said, path = judged.said, judged.order.path
        adopt = self._ready(aside)

        def action(connection: Connection) -> tuple[Entry, ArtifactRow]:
            row = _variant(connection, judged)
            if _is_known(connection, judged):
                raise _BuiltMeanwhileError(row)
            adopt()
            _add_evidence(connection, judged)
            data: dict[str, Json] = {
                "artifact": str(path),
                **{one.predicate.kind: one.sha256 for one in judged.evidence},
                "verdict": "" if judged.report is None else judged.report.verdict,
                "goldens": said.goldens,
            }
            return self.entry(MEASURED, judged.machine.name, judged, data), row

        try:
            row = self.hub.commit(action).result
        except _BuiltMeanwhileError as known:
            row = known.artifact
        report, as_copy = judged.report, as_it_is(judged.order.source.format)
        failed = None if report is None else report.refusal(as_it_is=as_copy)
        return Accepted(row, new=False, untried=said.untried, failed=failed)

    def entry(
        self,
        kind: str,
        actor: str,
        judged: Judged,
        data: Mapping[str, Json],
        words: Mapping[str, str] | None = None,
    ) -> Entry:
        """An entry about the model of a result; `words` find it, too."""
        terms = {"model": judged.order.path.full_model, **(words or {})}
        return self.hub.entry(kind, actor, data, terms)


def _built_before(connection: Connection, path: CatalogPath) -> ArtifactRow | None:
    """The variant, if it was built and not discarded since."""
    row = Catalog(connection).artifact(path)
    return None if row is None or restoring.is_discarded(connection, row) else row


def _came_out_otherwise(gone: ArtifactRow) -> RefusedError:
    version, form = gone.path.full_version, gone.path.form
    return RefusedError(
        "restored-otherwise",
        f"{gone.path} was discarded, and what was built now is not the same: with other software, "
        "or on another machine than then. What people and evidence say of it is about other bytes.",
        subject=str(gone.path),
        next_step="Build it with the software that its recipe names, on such a machine: "
        f"sealift convert {version} --for {form}; or ingest another version of the model.",
    )


def _new_evidence(connection: Connection, judged: Judged) -> list[Signed[Evidence]]:
    """The evidence that is not here yet."""
    known = {one.sha256 for one in Catalog(connection).evidence(judged.order.path)}
    return [one for one in judged.evidence if one.sha256 not in known]


def _is_known(connection: Connection, judged: Judged) -> bool:
    """Whether all of the evidence is here: it is this very result that was taken in before."""
    return not _new_evidence(connection, judged)


def _add_evidence(connection: Connection, judged: Judged) -> None:
    """Keep the evidence."""
    for one in _new_evidence(connection, judged):
        recording.add_evidence(connection, one.envelope.data, judged.order.path)


def _overtaken(judged: Judged) -> RefusedError:
    artifact, path = judged.said.artifact, judged.order.path
    return RefusedError(
        "result-overtaken",
        f"{judged.machine.name} built no variant {artifact}; but there is one: it was built since, "
        "and a result of the order from before says nothing of it.",
        subject=artifact,
        next_step=f"See the variant and its evidence with: sealift show {path.full_version}",
    )


def _variant(connection: Connection, judged: Judged) -> ArtifactRow:
    """The variant that was measured."""
    path = judged.order.path
    row = Catalog(connection).artifact(path)
    if row is None:
        raise NotFoundError(
            "no-variant",
            f"There is no variant {judged.said.artifact}.",
            subject=judged.said.artifact,
            next_step=f"Build it with: sealift convert {path.full_version} --for {path.form}",
        )
    return row


def _other_bytes(judged: Judged, what: str) -> RefusedError:
    return RefusedError(
        "result-other-bytes",
        f"The result for {judged.said.artifact} is not taken: {what} is not what was signed for.",
        subject=judged.said.artifact,
        next_step=ANEW,
    )
