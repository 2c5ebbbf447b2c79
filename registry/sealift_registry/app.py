"""The one place that wires: an open hub and its use cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_registry.conversion import hardware
from sealift_registry.delivery import derived_rows
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust.founding import open_hub
from sealift_registry.trust.hub import Hub
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.conversion.building import Builder
    from sealift_registry.conversion.inbox import Inbox
    from sealift_registry.conversion.trying import Runtimes
    from sealift_registry.delivery.exports import Exports
    from sealift_registry.delivery.returns import Returns
    from sealift_registry.guide import Step
    from sealift_registry.intake.ingest import Intake
    from sealift_registry.promotion.promotions import Promotions
    from sealift_registry.regression.comparisons import Comparisons
    from sealift_registry.runtimes.ranges import Promise
    from sealift_registry.trust.submitting import AcceptedSubmission
    from sealift_signing.drafts import Draft, RoleVersion
    from sealift_sync.durable import BeginPhase


@dataclass(frozen=True)
class App:
    """The use cases of one open hub, each made when it is first asked for."""

    hub: Hub

    @cached_property
    def intake(self) -> Intake:
        """Taking models in."""
        from sealift_registry.intake.ingest import Intake

        return Intake(self.hub)

    @cached_property
    def conversion(self) -> Builder:
        """Building variants."""
        from sealift_registry.conversion.building import Builder
        from sealift_registry.intake.scan_evidence import scan_folder

        return Builder(
            self.hub,
            scan_folder,
            self.hardware_targets,
            self.runtimes,
            self._inbox,
            self.hub.home.settings.builders.build,
        )

    @cached_property
    def _inbox(self) -> Inbox | None:
        """Where builders on other machines are asked; None where none are.

        Raises:
            UsageError: they are to be, and what that takes is not there.
        """
        home = self.hub.home
        builders, database, blobs = (
            home.settings.builders,
            home.settings.database,
            home.settings.blobs,
        )
        if not builders.build:
            return None
        if not (database.url and blobs.url and builders.inbox):
            raise UsageError(
                "builders-need-servers",
                "Builders on other machines are asked through a database server, and answer "
                "through S3; database.url, blobs.url or builders.inbox is not set.",
                subject="builders.hardware_targets",
                next_step="Set them, or leave builders.hardware_targets empty; see "
                "docs/how-to/build-on-another-machine.md",
            )
        for name in sorted(builders.build - self.hardware_targets.keys()):
            raise UsageError(
                "builders-unknown-target",
                f"builders.hardware_targets names {word(name)}, and there is no such hardware "
                "target.",
                subject=name,
                next_step=f"There are: {', '.join(sorted(self.hardware_targets))}.",
            )
        from sealift_registry.conversion.inbox import Inbox
        from sealift_registry.storage.s3_address import s3_address
        from sealift_registry.storage.s3_blobs import S3Blobs

        address = s3_address(builders.inbox, blobs.endpoint, blobs.region)
        return Inbox(self.hub, S3Blobs(address, home.work, home.organisation))

    @cached_property
    def promotions(self) -> Promotions:
        """Requests and approvals."""
        from sealift_registry.promotion.promotions import Promotions

        extra = self.hub.home.root / "hardware-targets"
        return Promotions(self.hub, lambda name: hardware.policy_of(name, extra), self._promise)

    @cached_property
    def comparisons(self) -> Comparisons:
        """What may be promoted, beside what is listed."""
        from sealift_registry.regression.comparisons import Comparisons

        promotions = self.promotions
        return Comparisons(self.hub, promotions.listed_now, promotions.listed_beside)

    @cached_property
    def exports(self) -> Exports:
        """Bundles."""
        from sealift_registry.delivery.exports import Exports

        return Exports(self.hub)

    @cached_property
    def returns(self) -> Returns:
        """What comes home."""
        from sealift_registry.delivery.returns import Returns

        return Returns(self.hub)

    @cached_property
    def runtimes(self) -> Runtimes:
        """The releases of runtimes that are promised, and where each is tried."""
        from sealift_registry.conversion.trying import Runtimes

        home = self.hub.home
        return Runtimes(home.root, os.environ, home.settings.conversion.proof_seconds)

    def _promise(self, name: str) -> Promise | None:
        """What a hardware target promises of its runtime; nothing where it is no more."""
        target = hardware.find_target(name, self.hub.home.root / "hardware-targets")
        return None if target is None else self.runtimes.promise(target)

    @cached_property
    def hardware_targets(self) -> dict[str, hardware.HardwareTarget]:
        """Sealift's own hardware targets, and those in the home's `hardware-targets/`."""
        return hardware.load_all(self.hub.home.root / "hardware-targets")

    def submit(self, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
        """Take in a signed draft: whichever room its act belongs to publishes it.

        Raises:
            RefusedError: too few of those who may have signed it, or it no longer follows; or this
                hub takes nothing in, by its clock or because it was restored.
            UsageError: it is of a transfer, which is finished on its medium (`finish`).
        """
        self._check_ready(draft)
        done = self._submit(draft, at_hub=at_hub)
        if not done.new:
            self.hub.copy_metadata()  # an earlier run may have been killed before it did
        return done

    def _submit(self, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
        from sealift_registry.delivery import assignments, enrolling, finishing
        from sealift_registry.trust import returned_signatures, submitting
        from sealift_signing import gate

        gate.check_act(draft)  # what the log says of it stands beside what was signed
        with self.hub.reading() as connection:
            draft, _ = returned_signatures.joined(connection, [("", draft)])
        if draft.act == "request":
            return self.promotions.submit_request(draft, at_hub=at_hub)
        if draft.act == "approve":
            return self.promotions.submit_approval(draft, at_hub=at_hub)
        if draft.act == "object":
            return self.promotions.submit_objection(draft, at_hub=at_hub)
        if draft.act == "enroll":
            return enrolling.submit(self.hub, draft, at_hub=at_hub)
        if draft.act in {"assign", "unassign"}:
            return assignments.submit(self.hub, draft, at_hub=at_hub)
        if draft.act == "transfer":
            raise finishing.medium_needed(draft)
        if draft.act == "bind-account":
            raise _for_server(draft)
        return submitting.submit_role(self.hub, draft, at_hub=at_hub)

    def finish(self, draft: Draft, medium: Path, begin_phase: BeginPhase) -> AcceptedSubmission:
        """Finish, on the medium where it lies, a bundle whose transfer was signed elsewhere.

        Raises:
            RefusedError: what lies there is not what was signed for.
        """
        from sealift_registry.delivery import finishing
        from sealift_registry.trust import returned_signatures
        from sealift_signing import gate

        self._check_ready(draft)
        gate.check_act(draft)
        with self.hub.reading() as connection:
            draft, _ = returned_signatures.joined(connection, [("", draft)])
        return finishing.finish(self.hub, draft, medium, begin_phase)

    def take_back(self, version: RoleVersion) -> AcceptedSubmission:
        """Take back a version that the hub lost.

        Raises:
            RefusedError: it does not follow what is here.
        """
        from sealift_registry.trust import submitting

        done = submitting.submit_version(self.hub, version)
        if not done.new:
            self.hub.copy_metadata()  # as above
        return done

    def _check_ready(self, draft: Draft) -> None:
        """Check that the log takes an entry now: else what was signed is judged by a wrong clock.

        Raises:
            ClockError, RestoredError: it does not.
        """
        from sealift_registry.trust import readiness

        replaces = readiness.replaces_log(draft.act, draft.object)
        with self.hub.reading() as connection:
            readiness.check(self.hub, connection, replaces_key=replaces)

    def missing(self, within: Within = ALL) -> list[Step]:
        """What is missing before the next step of the journey: of these teams and sites."""
        from sealift_registry import guide

        return guide.missing(self.hub, self.hardware_targets, within)

    def close(self) -> None:
        """Write what is queued, and let go of the database."""
        self.hub.close()


def _for_server(draft: Draft) -> UsageError:
    return UsageError(
        "binding-for-server",
        "What was signed says whose an account of a server is, and is taken by that server alone.",
        subject=draft.object[0],
        next_step="Hand it in there: sealift submit FILE --server URL",
    )


def open_app(
    root: Path, environment: Mapping[str, str], told: Callable[[str], None] = lambda _: None
) -> App:
    """The hub at `root`, wired; `told` of what in it was open to others, and was closed."""
    hub = open_hub(root, environment, told)
    derived_rows.fill(hub)
    return App(hub)
