"""What must hold before somebody asks for a promotion, and before somebody approves it.

What holds is asked anew each time: people, policy and evidence may have changed since a draft.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.promotion import comparison_checks, duplicates, gates, promise_checks
from sealift_registry.promotion.gates import ArtifactEvidence
from sealift_registry.promotion.status import PromotionStatus, signers, status_of
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.teams import lets_check_rows_travel
from sealift_signing.approvals import Rules, check_request, tally
from sealift_signing.counting_rules import rule_of
from sealift_signing.errors import RefusedError
from sealift_signing.policy import Policy
from sealift_signing.statements import Approval, Request, Signed
from sealift_signing.vocabulary import PORTABLE, instant, moment

RENEWABLE = timedelta(days=60)
"""An approval can be given again when so much of it is left: sites must not see a gap."""


class AskedBeforeError(Exception):
    """The very same was asked for before: there is nothing to write, and so nothing to log."""

    def __init__(self, promotion: Promotion) -> None:
        super().__init__()
        self.promotion = promotion


class ApprovedBeforeError(Exception):
    """The same person approved the same before, in the same words."""

    def __init__(self, status: PromotionStatus) -> None:
        super().__init__()
        self.status = status


class Conditions:
    """The conditions of asking and approving, held against one state of the hub at a time."""

    def __init__(
        self,
        hub: Hub,
        policy_of: Callable[[str], str],
        promise_of: promise_checks.PromiseOf,
    ) -> None:
        """`policy_of` says a hardware target's artifact policy, `promise_of` what it promises."""
        self._hub = hub
        self._policy_of = policy_of
        self._promise_of = promise_of

    def approvable(self, connection: Connection, number: int) -> PromotionStatus:
        """A promotion whose request still counts, and whose evidence nothing newer contradicts."""
        readiness.check(self._hub, connection)  # by a wrong clock nothing counts any more, or yet
        status = self._status(connection, number)
        promotion, catalog = status.promotion, Catalog(connection)
        gates.check_all_there(catalog, promotion.ref, status.vouched)
        check_request(promotion.request, self.rules(connection, promotion.request))
        about = {one.artifact.path for one in status.vouched}
        newest = gates.vouched(catalog, promotion.ref, promotion.stage)
        newest = [v for v in newest if v.artifact.path in about]
        policies = self.policies(newest)  # of today: a hardware target may have been mended since
        gates.check_policies(promotion.request.predicate, policies)
        self.check_gates(connection, promotion.ref, promotion.stage, newest, policies)
        gates.check_all_signed(status.vouched, status.machines)
        if not status.listed:  # else it is renewed, whatever was listed since
            self.check_compared(connection, promotion.ref, promotion.stage, status.vouched)
        return status

    def check_compared(
        self, connection: Connection, ref: VersionRef, stage: str, found: Sequence[ArtifactEvidence]
    ) -> None:
        """Check that what is asked to be compared was compared with what is listed now."""
        rule = rule_of(Repository(connection).policy(), stage)
        held = comparison_checks.current_listing(connection, self._status, ref, stage)
        comparison_checks.check(rule, found, self.policies(found), held)

    def policies(self, found: Sequence[ArtifactEvidence]) -> dict[str, str]:
        """The artifact policies of those that are not portable, by path."""
        variants = [one.artifact.path for one in found if not one.artifact.path.is_source]
        said = {str(path): self._policy_of(path.form) for path in variants}
        return {path: one for path, one in sorted(said.items()) if one != PORTABLE}

    def check_gates(
        self,
        connection: Connection,
        ref: VersionRef,
        stage: str,
        found: Sequence[ArtifactEvidence],
        policies: Mapping[str, str],
        policy: Policy | None = None,
    ) -> None:
        """Check the gates of `stage` for what was `found` of `ref`.

        Args:
            connection: of one state of the hub.
            ref: the version.
            stage: to which it is to be promoted.
            found: its artifacts, each with its evidence.
            policies: the artifact policies of those that are not portable, by path.
            policy: what each stage asks for; the one that is published if None.

        Raises:
            RefusedError: a gate.
        """
        repository, goldens = Repository(connection), Catalog(connection).goldens(ref)
        fleet, rules = repository.sound_fleet(), policy or repository.policy()
        gates.check(rules, fleet, stage, ref, found, goldens, policies)
        gates.check_all_signed(found, signers(repository, found))
        travel = lets_check_rows_travel(repository, ref.team)
        promise_checks.check(found, goldens, self._promise_of, travel=travel)

    def check_new(self, connection: Connection, ref: VersionRef, request: Signed[Request]) -> None:
        """Check that nobody asked for this before by a request that can still be approved."""
        rules = self.rules(connection, request)
        for earlier in Catalog(connection).promotions(ref):
            late = rules.now - instant(earlier.made) > rules.rule.within
            if earlier.request.sha256 == request.sha256:
                if late:
                    raise duplicates.too_old(earlier, rules)
                raise AskedBeforeError(earlier)
            if not late and duplicates.same_request(earlier.request, request):
                with suppress(RefusedError):  # such as by a key that was replaced since
                    check_request(earlier.request, rules)
                    raise AskedBeforeError(earlier)

    def rules(self, connection: Connection, request: Signed[Request]) -> Rules:
        """The rules by which `request` counts now."""
        said = request.predicate
        return Repository(connection).rules(said.team, said.stage, self._hub.now())

    def check_counts(
        self, status: PromotionStatus, approval: Signed[Approval], rules: Rules
    ) -> None:
        """Refuse an approval that would not count, with the counting rule's own sentence."""
        promotion, person = status.promotion, approval.predicate.person
        earlier = next((a for a in status.tally.counted if a.predicate.person == person), None)
        if earlier and (until := status.tally.ends(earlier)) - rules.now > RENEWABLE:
            if duplicates.same_approval(earlier, approval):
                raise ApprovedBeforeError(status)
            raise RefusedError(
                "approved-twice",
                f"{person} has approved {promotion.id} already, in other words or for another "
                "time.",
                subject=promotion.id,
                next_step=f"It is valid until {moment(until)}. In its last "
                f"{RENEWABLE.days} days give it again, if the request is no older than "
                f"{rules.rule.within.days} days then; else ask again with: sealift promote",
            )
        alone = tally(promotion.request, (approval,), rules)
        after = tally(promotion.request, (*status.tally.counted, approval), rules)
        if approval not in after.counted:
            why = (alone.set_aside or after.set_aside)[-1]
            raise RefusedError(
                "approval-not-counted",
                f"{why[0].upper()}{why[1:]}",
                subject=promotion.id,
                next_step=f"See who may approve with: sealift team list; and what it is about "
                f"with: sealift show {promotion.id}",
            )

    def _status(self, connection: Connection, number: int) -> PromotionStatus:
        return status_of(connection, number, self._hub.now())
