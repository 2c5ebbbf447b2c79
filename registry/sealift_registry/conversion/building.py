"""The use case of conversion: from a version to a variant with its evidence, all of it logged."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import ArtifactRow, Catalog, latest, newest
from sealift_registry.catalog.discards import check_there
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.logged import BUILT, RESTORED
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import store_manifest, store_opened
from sealift_registry.conversion.acceptance import MEASURED, Accepted, accept
from sealift_registry.conversion.build_result import (
    BUILDER,
    CHECK_ROWS,
    RESULT,
    VARIANT,
    BuildResult,
)
from sealift_registry.conversion.build_run import Machine, run
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.conversion.inbox import Inbox
from sealift_registry.conversion.trying import Runtimes, untried
from sealift_registry.conversion.work_order import OrderedSource, WorkOrder
from sealift_registry.frameworks.supported import as_it_is
from sealift_registry.jobs import elsewhere
from sealift_registry.jobs.records import said_before
from sealift_registry.jobs.steps import Made, Steps, product
from sealift_registry.proof.models import ModelFile
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.runtimes.runtimes_report import KIND as RUNTIMES
from sealift_registry.runtimes.runtimes_report import by_release
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.machines import own_machine
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.signed_log import Data
from sealift_signing import canonical, disk, shape, statements
from sealift_signing.canonical import Json
from sealift_signing.errors import NotFoundError, SealiftError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import SOURCE, CatalogPath
from sealift_sync.artifact import LARGEST_MANIFEST, ArtifactFile, read_manifest
from sealift_sync.blobs import BlobFolder

LOOK = 2.0
"""Seconds between two looks for what a builder answered, while a person waits."""
PURPOSES = (BUILDER, EVIDENCE_PURPOSE["scan"])
"""Of the keys that a machine signs a result with."""


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

    organisation: str
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


class Builder:
    """Building variants.

    Args:
        hub: the hub.
        scan_folder: scans the files of a folder (intake's scanner).
        hardware_targets: the known ones, by id.
        runtimes: the releases that those promise, and where each is tried.
        inbox: where builders on other machines are asked.
        built_elsewhere: the hardware targets whose variants those build.
    """

    def __init__(
        self,
        hub: Hub,
        scan_folder: Callable[[Path], Finding],
        hardware_targets: Mapping[str, HardwareTarget],
        runtimes: Runtimes,
        inbox: Inbox | None = None,
        built_elsewhere: Collection[str] = (),
    ) -> None:
        self._runtimes = runtimes
        self._hub = hub
        self._scan_folder = scan_folder
        self._hardware_targets = hardware_targets
        self._inbox = inbox
        self._elsewhere = frozenset(built_elsewhere)

    def convert(self, ref: VersionRef, hardware_target: str, actor: str, steps: Steps) -> Built:
        """Build the variant of `ref` for a hardware target; built before, nothing is done.

        Where the goldens changed since, or a release that is promised can be tried only now, the
        variant is measured anew. What a run that was killed had built is taken in by the next one,
        as long as that would build the same.

        Raises:
            NotFoundError: no such version or hardware target, or no goldens yet.
            RefusedError: it cannot be converted, or the variant is not faithful; logged.
        """
        self._hub.home.sweep()
        target = self._hardware_target(hardware_target)
        if self._inbox is not None and self.is_elsewhere(target.id):
            return self._from_elsewhere(self._inbox, ref, target, actor, steps)
        planned = self._to_build(ref, target)
        if isinstance(planned, Built):
            return planned
        order, machine = planned, self._machine()

        def build(into: Path) -> Made:
            run(order, self._hub.home.blobs, into, machine, steps.progress)
            return {}

        result, _ = product(steps, "build", build, of=self._made_of(order, machine))
        # No step of its own: what is recorded of it is in the hub's rows, and is found there.
        return self._taken(accept(self._hub, result, lambda _: [order], actor, carried=False))

    def _to_build(self, ref: VersionRef, target: HardwareTarget) -> WorkOrder | Built:
        """What is to be built by now; or the variant, where nothing is."""
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)  # before minutes of work
        plan = self._planned(ref, target)
        lacking = self._lacking(plan, target)
        if plan.existing is not None and plan.measured and lacking is not None:
            return self._there(plan, plan.existing, lacking)
        return self._order(plan, target)

    def is_elsewhere(self, hardware_target: str) -> bool:
        """Whether builders on other machines build its variants."""
        return hardware_target in self._elsewhere

    def _from_elsewhere(
        self, inbox: Inbox, ref: VersionRef, target: HardwareTarget, actor: str, steps: Steps
    ) -> Built:
        """What a builder on another machine made of it.

        A person waits for it; a job is put off until there is an answer. What is to be built is
        asked each time: somebody else may have taken in the answer, or have given other goldens.

        Raises:
            FailedError: nobody answered yet.
            RefusedError: as `accept`.
        """
        while isinstance(found := self._asked(inbox, ref, target, actor), WorkOrder):
            if self._hub.job:
                raise elsewhere.waits(target.id, found.digest())
            try:
                steps.progress(f"a builder for {target.id}", 0, 0)
                time.sleep(LOOK)
            except BaseException:
                with suppress(SealiftError):  # nobody waits for it here any more
                    inbox.withdraw(found)
                raise
        return found

    def _asked(
        self, inbox: Inbox, ref: VersionRef, target: HardwareTarget, actor: str
    ) -> Built | WorkOrder:
        """The variant, where it is there or somebody answered; else what builders are asked for."""
        planned = self._to_build(ref, target)
        if isinstance(planned, Built):
            return planned
        inbox.place(planned)
        accepted = inbox.take_in(planned, actor)
        return planned if accepted is None else self._taken(accepted)

    def _made_of(self, order: WorkOrder, machine: Machine) -> str:
        """What a result is made of: the order, the keys, and where releases can be tried."""
        keys = sorted(str(one.public_key.keyid) for one in machine.signers.values())
        asked = self._runtimes.promise(order.hardware_target)
        tried = [] if asked is None else self._runtimes.triable(asked.ends)
        said: Json = [order.digest(), machine.name, keys, [str(one) for one in tried]]
        return sha256(canonical.encode(said)).hexdigest()

    def _there(self, plan: _Plan, row: ArtifactRow, lacking: tuple[str, ...]) -> Built:
        """A variant that is there; as whoever made it answers, where a killed attempt at this did.

        Raises:
            RefusedError: that attempt measured it, and it is not faithful.
        """

        def about(data: Data) -> bool:
            return data.get("artifact") == str(row.path)

        with self._hub.reading() as connection:
            ours = said_before(self._hub, connection, (BUILT, RESTORED, MEASURED), about)
        if ours is not None and ours.get("verdict", "pass") != "pass" and plan.parity is not None:
            details = {**plan.parity.predicate.details}
            details.pop("picture", None)
            report = shape.from_json(ProofReport, details, what=f"the proof of {row.path}")
            bad = report.refusal(as_it_is=as_it_is(plan.scan["format"]))
            if bad is not None:
                raise bad
        return self._built(row, lacking, new=ours is not None and "evidence" in ours)

    def order(self, ref: VersionRef, hardware_target: str) -> WorkOrder:
        """The work order for the variant of `ref`, to be run anywhere (`work_order.write_order`).

        The same state of the hub makes the same order. Where the variant is there, it is one to
        measure it anew.

        Raises:
            NotFoundError: no such version or hardware target, or no goldens yet.
        """
        target = self._hardware_target(hardware_target)
        plan = self._planned(ref, target)
        return self._order(plan, target)

    def rebuild(
        self, path: CatalogPath, made: BlobFolder, work: Path, told: Callable[[int], None]
    ) -> None:
        """Build a variant that is here once more, as it would be built now; nothing is recorded.

        Args:
            path: the variant.
            made: gets its manifest, all that this names, and the check rows of its proof.
            work: an empty folder, or none yet, to work in.
            told: now and then, that it goes on.

        Raises:
            NotFoundError: its source, its goldens or its hardware target is not here.
            RefusedError: it cannot be built, or is not faithful.
        """
        ref = VersionRef(path.team, path.model, path.version)
        order = replace(self.order(ref, path.form), existing=None, replaces_runtimes=False)
        run(order, self._hub.home.blobs, work, self._machine(), lambda *_: told(0))
        body = disk.read(work / RESULT)
        said = statements.read(BuildResult, body, what="the result").predicate
        if said.refusal is not None:
            raise said.refusal.error()
        files = [ArtifactFile(one.path, one.sha256, one.size) for one in said.files]
        stored = store_opened(made, files, lambda one: (work / VARIANT / one.path).open("rb"))
        store_manifest(made, path, "onnx", stored)
        if (work / CHECK_ROWS).exists():
            made.put_file(work / CHECK_ROWS)

    def accept(self, result: Path, actor: str) -> Built:
        """Take in the result in the folder `result`, wherever it was built.

        Raises:
            RefusedError: it does not count, or is one of no variant; the latter is logged.
            NotFoundError: it is of a version or hardware target that is not here.
        """
        self._hub.home.sweep()
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)
        return self._taken(accept(self._hub, result, self._orders, actor))

    def _orders(self, said: BuildResult) -> list[WorkOrder]:
        """The orders that this hub would make now for the artifact of a result.

        Also as if the variant were not there: whoever built it meanwhile was only faster.
        """
        path = CatalogPath.parse(said.artifact)
        now = self.order(VersionRef(path.team, path.model, path.version), path.form)
        return [now, replace(now, existing=None, replaces_runtimes=False)]

    def _taken(self, accepted: Accepted) -> Built:
        """What came of a result, with the newest evidence.

        Raises:
            RefusedError: the variant that was there is not faithful on other goldens; it is logged.
        """
        if accepted.failed is not None:
            raise accepted.failed
        row, untried = accepted.artifact, accepted.untried
        if accepted.theirs:
            untried = self._untried_of(row.path)
        return self._built(row, untried, new=accepted.new)

    def _untried_of(self, path: CatalogPath) -> tuple[str, ...]:
        """What is promised of a variant that is here and was not tried, by its own evidence."""
        target, ref = (
            self._hardware_target(path.form),
            VersionRef(path.team, path.model, path.version),
        )
        plan = self._planned(ref, target)
        return self._lacking(plan, target) or ()

    def _planned(self, ref: VersionRef, target: HardwareTarget) -> _Plan:
        return self._hub.reading_blobs(lambda hub, connection: _plan(connection, hub, ref, target))

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

    def _order(self, plan: _Plan, target: HardwareTarget) -> WorkOrder:
        """What has to be done, as whoever does it needs to know."""
        said, source = plan.scan, plan.source_manifest
        named = read_manifest(source, what=str(plan.path)).files
        return WorkOrder(
            format=1,
            requires=(),
            organisation=plan.organisation,
            software=package_version("sealift-registry"),
            artifact=str(plan.path),
            hardware_target=target,
            source=OrderedSource(
                manifest=plan.source_sha256,
                format=said["format"],
                model_files=tuple(said["model_files"]),
                data_files=tuple(said["data_files"]),
                files=tuple(ModelFile(one.path, one.size, one.sha256) for one in named),
            ),
            goldens=plan.goldens,
            existing=None if plan.existing is None else plan.existing.sha256,
            runtimes=self._runtimes.ordered(target),
            replaces_runtimes=plan.runtimes is not None,
            proof_seconds=int(self._runtimes.seconds),
        )

    def _machine(self) -> Machine:
        """This machine, by the names and keys that the hub itself has."""
        with self._hub.reading() as connection:
            own = {one: own_machine(self._hub, connection, one) for one in PURPOSES}
        return Machine(
            own[BUILDER].name,
            {purpose: one.signer for purpose, one in own.items()},
            self._hub.now,
            self._scan_folder,
            lambda: self._runtimes.where,
        )

    def _built(self, row: ArtifactRow, untried: tuple[str, ...], *, new: bool) -> Built:
        with self._hub.reading() as connection:
            found = newest(Catalog(connection).evidence(row.path))
        return Built(row, found, new, untried)

    def _hardware_target(self, wanted: str) -> HardwareTarget:
        found = self._hardware_targets.get(wanted)
        if found is None:
            raise NotFoundError(
                "hardware-target-unknown",
                f"There is no hardware target {wanted!r}.",
                subject=wanted,
                next_step=f"Known: {', '.join(sorted(self._hardware_targets))}.",
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
    path, discarded = ref.path(target.id), catalog.discards(ref)
    check_there(discarded, source.path)
    gone = str(path) in discarded  # it is built again as if it had never been
    known = {} if gone else latest(catalog.evidence(path))
    return _Plan(
        organisation=Repository(connection).organisation(),
        path=path,
        source_manifest=hub.home.blobs.read(source.sha256, LARGEST_MANIFEST),
        source_sha256=source.sha256,
        scan=scan.predicate.details,
        goldens=goldens,
        existing=None if gone else catalog.artifact(path),
        parity=known.get("parity"),
        runtimes=known.get(RUNTIMES),
    )
