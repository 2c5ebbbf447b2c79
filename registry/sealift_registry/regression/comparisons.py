"""The use case: before a promotion is asked for, each variant is compared with what is listed."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version as package_version
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import ArtifactRow, Catalog
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import copy_out, lay_out
from sealift_registry.proof.models import model_of
from sealift_registry.proof.prove_worker import RUNTIME
from sealift_registry.regression import comparison_words
from sealift_registry.regression.listed_variant import ListedVariant
from sealift_registry.regression.measure import measure
from sealift_registry.regression.measurement import ListedGoldens, Measurement
from sealift_registry.regression.regression_report import (
    KIND,
    NotAsked,
    ProvedBy,
    RegressionReport,
    Side,
    report_of,
)
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.machines import own_machine
from sealift_registry.trust.repository import Repository
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from sealift_signing.evidence import EVIDENCE_PURPOSE, says_of
from sealift_signing.statements import Evidence, Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath, moment
from sealift_sync.artifact import LARGEST_MANIFEST, read_manifest

ListedNow = Callable[[Connection, CatalogPath, str], ListedVariant | None]
"""What is listed now for a stage, of the model and hardware target of the variant at a path."""
ListedBeside = Callable[[Connection, CatalogPath, str], str]
"""What else of that model is or was listed for the stage, in words; empty where nothing was."""

PASSING = {"broke-down", "gone"}
"""Reasons that another time may not find: files are put back, and a busy machine has time again."""


@dataclass(frozen=True)
class _Plan:
    """What a comparison starts from.

    Attributes:
        artifact: the candidate.
        stage: for which it is asked.
        base: what is listed for it now; None where nothing is.
        beside: what else of the model is or was listed then, in words.
        goldens: that count for the candidate now.
        before: what was found the last time, for this stage, if anything was.
    """

    artifact: ArtifactRow
    stage: str
    base: ListedVariant | None
    beside: str
    goldens: str | None
    before: Signed[Evidence] | None

    @property
    def is_known(self) -> bool:
        """Whether the same was found before: by the same software, of the same bytes."""
        said = self._said()
        if said is None or self.before is None or said.goldens != self.goldens:
            return False
        if self.base is not None and self.base.artifact.path == self.artifact.path:
            return True  # what is listed itself was compared when it was asked for
        if not self._is_of_base(said) or _is_passing(said):
            return False
        return self.before.predicate.tools == _software()

    def _is_of_base(self, said: RegressionReport) -> bool:
        """Whether it says of what is listed now, and of the rows by which that was approved."""
        base, listed, rows = self.base, said.listed, said.proved_by
        if base is None or listed is None:
            return base is None and listed is None and (said.why or "") == self.beside
        same = listed.sha256 == base.artifact.sha256 and (said.no_more or ()) == base.no_more
        return same and rows is not None and rows.goldens == base.goldens

    def _said(self) -> RegressionReport | None:
        if self.before is None:
            return None
        try:
            said = report_of(self.before.predicate)
        except MalformedError:
            return None
        return said if said.candidate.sha256 == self.artifact.sha256 else None


def _is_passing(said: RegressionReport) -> bool:
    """Whether another time may find more: something was gone, broke down or was cut short."""
    rows = said.proved_by
    reasons = {said.nothing, None if rows is None else rows.nothing}
    found = said.comparison, None if rows is None else rows.found
    return bool(reasons & PASSING) or any(one is not None and one.left_out for one in found)


class _ComparedMeanwhileError(Exception):
    """Somebody else compared the same; theirs was first."""


class Comparisons:
    """Comparing what may be promoted with what is listed.

    Args:
        hub: the hub.
        listed_now: what is listed.
        listed_beside: what is listed of the same model else.
    """

    def __init__(self, hub: Hub, listed_now: ListedNow, listed_beside: ListedBeside) -> None:
        self._hub = hub
        self._listed_beside = listed_beside
        self._listed_now = listed_now

    def compare(self, ref: VersionRef, stage: str, progress: Progress) -> None:
        """Have evidence of how each variant of `ref` differs from what is listed for `stage`.

        What was found of the same bytes, goldens and software stands, and is not found again.

        Raises:
            RefusedError: a variant cannot be run on its own goldens.
            FailedError: the comparison broke down before the other version was looked at.
        """
        self._hub.home.sweep()
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)
            gone = Catalog(connection).discards(ref)
            forms = (one for one in Catalog(connection).artifacts(ref) if not one.path.is_source)
            rows = [one for one in forms if str(one.path) not in gone]
            plans = [self._plan(connection, one, stage) for one in rows]
        for plan in plans:
            if not plan.is_known:
                self._compare(plan, progress)

    def _plan(self, connection: Connection, artifact: ArtifactRow, stage: str) -> _Plan:
        catalog, repository = Catalog(connection), Repository(connection)
        path = artifact.path
        ref = VersionRef(path.team, path.model, path.version)
        found = [
            one
            for one in catalog.evidence(path)
            if one.predicate.kind == KIND
            and says_of(one.predicate, stage)
            and repository.signer_of(one) is not None
        ]
        base = self._listed_now(connection, path, stage)
        beside = "" if base is not None else self._listed_beside(connection, path, stage)
        before = found[-1] if found else None
        return _Plan(artifact, stage, base, beside, catalog.goldens(ref), before)

    def _compare(self, plan: _Plan, progress: Progress) -> None:
        measured = self._measured(plan, progress)
        ours, theirs = measured.sides[0], measured.sides[1] if plan.base else None
        said = RegressionReport(
            format=1,
            requires=(),
            stage=plan.stage,
            hardware_target=plan.artifact.path.form,
            goldens=plan.goldens,
            candidate=ours,
            listed=theirs,
            nothing=measured.nothing,
            why=measured.why,
            comparison=measured.comparison,
            proved_by=measured.proved_by,
            no_more=(plan.base.no_more or None) if plan.base else None,
            broke=measured.broke,
        )
        machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
        details = shape.to_json(said)
        finding = Finding(
            KIND, "pass", comparison_words.checks(said), _software(), machine, details
        )
        with suppress(_ComparedMeanwhileError):
            self._record(plan, finding, measured)

    def _measured(self, plan: _Plan, progress: Progress) -> Measurement:
        ours = self._side(plan.artifact)
        if plan.base is None:
            return Measurement((ours, ours), "first", plan.beside or None)
        base, theirs = plan.base.artifact, _theirs(plan.base, plan.goldens)
        if base.path == plan.artifact.path:
            return Measurement((ours, ours), "itself").with_proved_by(theirs)
        try:
            sides = ours, self._side(base)
        except (NotFoundError, RefusedError):
            lost = Side(base.path.version, base.sha256, 0, None, None)
            return Measurement((ours, lost), "gone").with_proved_by(theirs)
        if plan.goldens is None:
            return Measurement(sides, "not-run", "there are none").with_proved_by(theirs)
        pair = plan.artifact, base
        return self._run(pair, plan.goldens, theirs, sides, progress).with_proved_by(theirs)

    def _run(
        self,
        pair: tuple[ArtifactRow, ArtifactRow],
        goldens: str,
        theirs: ProvedBy,
        sides: tuple[Side, Side],
        progress: Progress,
    ) -> Measurement:
        """Both side by side, in a process of its own."""
        with workspace(self._hub.home.work) as work:
            candidate = self._laid_out(pair[0], work / "candidate")
            try:
                listed = self._laid_out(pair[1], work / "listed")
            except (NotFoundError, RefusedError):
                return Measurement(sides, "gone")
            if candidate.is_dir() or listed.is_dir():
                return Measurement(sides, "not-run", "one of the two is not an ONNX model")
            rows = work / "goldens.npz"
            copy_out(self._hub.home.blobs, goldens, rows)
            others = self._rows(theirs, work / "theirs.npz")
            return measure(candidate, listed, rows, sides, progress, others)

    def _rows(self, known: ProvedBy, path: Path) -> ListedGoldens:
        """The goldens by which what is listed was approved, at `path`; or why they are not."""
        if known.nothing is not None or known.goldens is None:
            return ListedGoldens(known)
        try:
            copy_out(self._hub.home.blobs, known.goldens, path)
        except (NotFoundError, RefusedError):
            return ListedGoldens(replace(known, nothing="gone"))
        return ListedGoldens(known, path)

    def _side(self, artifact: ArtifactRow) -> Side:
        manifest = self._hub.home.blobs.read(artifact.sha256, LARGEST_MANIFEST)
        files = read_manifest(manifest, what=str(artifact.path)).files
        size = sum(one.size for one in files)
        return Side(artifact.path.version, artifact.sha256, size, None, None)

    def _laid_out(self, artifact: ArtifactRow, folder: Path) -> Path:
        """The model of an artifact, with all its files beside it; `folder` where none is ONNX."""
        manifest = self._hub.home.blobs.read(artifact.sha256, LARGEST_MANIFEST)
        lay_out(self._hub.home.blobs, manifest, folder)
        files = read_manifest(manifest, what=str(artifact.path)).files
        return folder / model_of(one.path for one in files)

    def _record(self, plan: _Plan, finding: Finding, measured: Measurement) -> None:
        artifact = plan.artifact
        with self._hub.reading() as connection:
            machine = own_machine(self._hub, connection, EVIDENCE_PURPOSE[KIND])

        def action(connection: Connection) -> tuple[Entry, None]:
            if self._plan(connection, artifact, plan.stage).is_known:
                raise _ComparedMeanwhileError
            organisation = Repository(connection).organisation()
            now = moment(self._hub.now())
            body = findings.sign(
                finding, organisation, artifact.path, artifact.sha256, machine.signer, now
            )
            signed = recording.add_evidence(connection, body, artifact.path)
            data: dict[str, Json] = {
                "artifact": str(artifact.path),
                "stage": plan.stage,
                "regression": signed.sha256,
                "listed": "" if plan.base is None else str(plan.base.artifact.path),
                "nothing": measured.nothing or "",
            }
            terms = {"model": artifact.path.full_model}
            return self._hub.entry("variant.compared", machine.name, data, terms), None

        self._hub.commit(action)


def _theirs(base: ListedVariant, goldens: str | None) -> ProvedBy:
    """What is known beforehand of the rows by which what is listed was approved."""
    nothing: NotAsked | None = None
    if base.goldens is None:
        nothing = "none"
    elif base.goldens == goldens:
        nothing = "same"
    return ProvedBy(base.goldens, nothing, None, None, None, None, None, None)


def _software() -> dict[str, str]:
    """What computes, and what judges."""
    found = installed(("numpy", RUNTIME))
    return {
        "python": platform.python_version(),
        "sealift": package_version("sealift-registry"),
        **found,
    }
