"""Requests and approvals: what people sign, and listing an artifact once enough of them have.

The hub holds no approver's key. It records what was signed, counts by the same rule as a site
(`sealift_signing.approvals`), and lists; a site counts again and believes only its own count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.promotion import (
    comparison_checks,
    duplicates,
    gates,
    objections,
    promise_checks,
)
from sealift_registry.promotion.catalog_listing import list_variants
from sealift_registry.promotion.conditions import (
    ApprovedBeforeError,
    AskedBeforeError,
    Conditions,
)
from sealift_registry.promotion.gates import ArtifactEvidence
from sealift_registry.promotion.status import PromotionStatus, status_of
from sealift_registry.regression.listed_variant import ListedVariant
from sealift_registry.trust.hub import Hub, checkpoint_seen
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing import drafts, statements
from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import LABEL
from sealift_signing.approvals import (
    check_objection,
    check_request,
)
from sealift_signing.canonical import Json
from sealift_signing.drafts import Draft
from sealift_signing.drawing import drawn
from sealift_signing.errors import RefusedError
from sealift_signing.evidence import REGRESSION
from sealift_signing.statements import (
    Approval,
    Objection,
    Predicate,
    Request,
    Signed,
    Subject,
)
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import PORTABLE, CatalogPath
from sealift_sync.artifact import LARGEST_MANIFEST

P = TypeVar("P", bound=Predicate)


class Promotions:
    """The use cases of promotion."""

    def __init__(
        self,
        hub: Hub,
        policy_of: Callable[[str], str] = lambda _: PORTABLE,
        promise_of: promise_checks.PromiseOf = promise_checks.nothing,
    ) -> None:
        """`policy_of` says a hardware target's artifact policy, `promise_of` what it promises."""
        self._hub = hub
        self._conditions = Conditions(hub, policy_of, promise_of)

    # ------------------------------------------------------------------ what is drafted

    def request_wanted(
        self,
        connection: Connection,
        ref: VersionRef,
        stage: str,
        reason: str,
        despite: Sequence[str] = (),
    ) -> Wanted:
        """The act of asking for `ref` to be promoted to `stage`, with all that is known of it.

        Raises:
            NotFoundError: no such version, variant, stage or team.
            RefusedError: a gate.
        """
        catalog = Catalog(connection)
        version, found = catalog.version(ref), gates.vouched(catalog, ref, stage)
        found = comparison_checks.fresh(
            found, comparison_checks.current_listing(connection, self.status, ref, stage)
        )
        policies = self._conditions.policies(found)
        self._conditions.check_gates(connection, ref, stage, found, policies)
        self._conditions.check_compared(connection, ref, stage, found)
        seen = checkpoint_seen(connection)
        facts = {
            "artifact": tuple(f"{one.artifact.path} {one.artifact.sha256}" for one in found),
            "source-record": (version.source_sha256,),
            "log-origin": (seen.origin,),
            "log-size": (str(seen.size),),
            "log-root": (seen.root,),
        }
        if policies:
            facts["artifact-policy"] = tuple(f"{path} {one}" for path, one in policies.items())
        details = {"reason": (reason,)} | ({"despite": tuple(despite)} if despite else {})
        return Wanted(Ask("request", (str(ref), stage), details), _envelopes(found), facts)

    def check_askable(self, connection: Connection, ref: VersionRef, stage: str) -> None:
        """Check that a promotion could be asked for, but for what is made when it is.

        Raises:
            NotFoundError: no such version, variant, stage or team.
            RefusedError: a gate.
        """
        catalog = Catalog(connection)
        catalog.version(ref)
        found = gates.vouched(catalog, ref, stage)
        policy = gates.without(Repository(connection).policy(), stage, REGRESSION)
        self._conditions.check_gates(
            connection, ref, stage, found, self._conditions.policies(found), policy
        )

    def approval_wanted(
        self,
        connection: Connection,
        number: int,
        meaning: str,
        reason: str,
        days: int | None = None,
    ) -> Wanted:
        """The act of approving promotion `number`, with all that its approver has to read.

        Args:
            connection: of one state of the hub.
            number: of the promotion.
            meaning: one of the policy's meanings.
            reason: in the approver's words.
            days: how long the approval is valid; the policy's longest if None.

        Raises:
            NotFoundError: no such promotion.
            RefusedError: its request counts no more, or newer evidence speaks against it.
        """
        status = self._conditions.approvable(connection, number)
        details = {"meaning": (meaning,), "reason": (reason,)}
        details |= {} if days is None else {"days": (str(days),)}
        return self._about("approve", connection, status, details)

    def objection_wanted(self, connection: Connection, number: int, reason: str) -> Wanted:
        """The act of objecting to promotion `number`, with all that there is to read.

        Raises:
            NotFoundError: no such promotion.
        """
        status = self.status(connection, number)
        return self._about("object", connection, status, {"reason": (reason,)})

    def _about(
        self,
        act: str,
        connection: Connection,
        status: PromotionStatus,
        details: Mapping[str, tuple[str, ...]],
    ) -> Wanted:
        """An act about a request, which comes with it; its label is for people alone."""
        catalog, promotion = Catalog(connection), status.promotion
        envelopes = (
            promotion.request.envelope.data,
            *_envelopes(status.vouched),
            *(one.envelope.data for one in catalog.approvals(promotion.number)),
            *(one.envelope.data for one in catalog.objections(promotion.number)),
        )
        ask = Ask(act, (promotion.id,), details)
        return Wanted(ask, envelopes, {LABEL: (promotion.id,)})

    # ------------------------------------------------------------------ what was signed

    def submit_request(self, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
        """Take in a signed request, under a number of its own.

        The same request by the same person again adds nothing: it is the one that is there.

        Raises:
            RefusedError: it does not count, a gate, or it names what this hub does not have.
        """
        request = _read(Request, draft)

        def action(connection: Connection) -> tuple[Entry, Promotion]:
            ref = _ref(request)
            # By the rules that hold now: the team's people may have changed since it was drafted.
            self._conditions.check_new(connection, ref, request)
            check_request(request, self._conditions.rules(connection, request))
            catalog = Catalog(connection)
            found = gates.named(catalog, request)
            gates.check_all_there(catalog, ref, found)
            said, policies = request.predicate, self._conditions.policies(found)
            gates.check_policies(said, policies)
            self._conditions.check_gates(connection, ref, said.stage, found, policies)
            self._conditions.check_compared(connection, ref, said.stage, found)
            number = catalog.next_promotion()
            recording.add_promotion(connection, number, request)
            made = catalog.promotion(number)
            data: dict[str, Json] = {"reason": request.predicate.reason, "listed": False}
            return self._entry("promotion.requested", made, request, data, at_hub=at_hub), made

        try:
            made, new = self._hub.commit(action).result, True
        except AskedBeforeError as before:
            made, new = before.promotion, False
        with self._hub.reading() as connection:
            stale = self.stale(connection, self.status(connection, made.number))
        sentence = f"{made.id}: {made.ref} to {made.stage}, asked for by {made.person}."
        told = {"promotion": made.id, "request": made.request.sha256, "stale": stale}
        return AcceptedSubmission(new, sentence, told, tuple(stale))

    def submit_approval(self, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
        """Take in a signed approval; at the threshold the artifacts of its request are listed.

        The same approval by the same person again adds nothing.

        Raises:
            NotFoundError: its request is not here.
            RefusedError: it would not count, and why.
        """
        approval = _read(Approval, draft)
        try:
            status, new = self._record_approval(approval, at_hub=at_hub), True
        except ApprovedBeforeError as before:
            status, new = before.status, False
        self._hub.copy_metadata()
        have, need = len(status.tally.counted), status.tally.needed
        state = "listed" if status.listed else f"waiting for {need - have} more"
        data: dict[str, Json] = {
            "promotion": status.promotion.id,
            "approval": approval.sha256,
            "listed": status.listed,
        }
        sentence = f"{status.promotion.id}: {have} of {need} approvals; {state}."
        return AcceptedSubmission(
            new, sentence + objections.words(status.objections, status.promotion.id), data
        )

    def submit_objection(self, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
        """Take in a signed objection, for every later approver to read.

        Raises:
            NotFoundError: its request is not here.
            RefusedError: it is by nobody who might have approved.
        """
        objection = _read(Objection, draft)
        said = objection.predicate

        def action(connection: Connection) -> tuple[Entry, Promotion]:
            catalog = Catalog(connection)
            made = catalog.promotion_of(said.request)
            if any(
                duplicates.same_objection(one, objection) for one in catalog.objections(made.number)
            ):
                raise AskedBeforeError(made)
            check_objection(
                objection, made.request, self._conditions.rules(connection, made.request)
            )
            recording.add_objection(connection, made.number, objection)
            more: dict[str, Json] = {"reason": said.reason}
            return self._entry("promotion.objected", made, objection, more, at_hub=at_hub), made

        try:
            made, new = self._hub.commit(action).result, True
        except AskedBeforeError as before:
            made, new = before.promotion, False
        data: dict[str, Json] = {"promotion": made.id, "objection": objection.sha256}
        return AcceptedSubmission(
            new, f"{made.id}: {said.person} objects: {drawn(said.reason)}", data
        )

    def _record_approval(self, approval: Signed[Approval], *, at_hub: bool) -> PromotionStatus:
        said, manifests = approval.predicate, self._manifests(approval)

        def action(connection: Connection) -> tuple[Entry, PromotionStatus]:
            # By what holds now: people, policy or approvals may have changed since it was drafted.
            catalog = Catalog(connection)
            number = catalog.promotion_of(said.request).number
            now = self.status(connection, number)
            if approval.sha256 in {one.sha256 for one in now.tally.counted}:
                raise ApprovedBeforeError(now)
            before = self._conditions.approvable(connection, number)
            self._conditions.check_counts(
                before, approval, self._conditions.rules(connection, before.promotion.request)
            )
            recording.add_approval(connection, number, approval)
            status = self.status(connection, number)
            if status.tally.enough and not before.listed:
                list_variants(self._hub, connection, status.promotion, status.vouched, manifests)
                status = self.status(connection, number)
            data: dict[str, Json] = {
                "meaning": said.meaning,
                "reason": said.reason,
                "listed": status.listed,
            }
            made = status.promotion
            entry = self._entry("promotion.approved", made, approval, data, at_hub=at_hub)
            return entry, status

        return self._hub.commit(action).result

    def _manifests(self, approval: Signed[Approval]) -> dict[str, bytes]:
        """The manifests of what an approval may have listed, by their digests."""
        with self._hub.reading() as connection:
            catalog = Catalog(connection)
            ref = catalog.promotion_of(approval.predicate.request).ref
            digests = {one.sha256 for one in catalog.artifacts(ref) if not one.path.is_source}
        return self._hub.home.blobs.read_all(digests, LARGEST_MANIFEST)

    # ------------------------------------------------------------------ how it stands

    def status(self, connection: Connection, number: int) -> PromotionStatus:
        """How promotion `number` stands now.

        Raises:
            NotFoundError: no such promotion.
            RefusedError: the hub lacks something that its request names.
        """
        return status_of(connection, number, self._hub.now())

    def listed_now(
        self, connection: Connection, path: CatalogPath, stage: str
    ) -> ListedVariant | None:
        """What is listed now for `stage`, of the model and hardware target of the variant there."""
        return comparison_checks.listed_now(connection, self.status, path, stage)

    def listed_beside(self, connection: Connection, path: CatalogPath, stage: str) -> str:
        """What else of the model is or was listed for `stage`, in words."""
        return comparison_checks.listed_beside(connection, self.status, path, stage)

    def stale(self, connection: Connection, status: PromotionStatus) -> list[str]:
        """What is told first of its comparisons: they are old, or its request leaves them out."""
        return comparison_checks.stale_lines(connection, self.status, status)

    def _entry(
        self,
        kind: str,
        made: Promotion,
        signed: Signed[Any],
        more: Mapping[str, Json],
        *,
        at_hub: bool,
    ) -> Entry:
        person = signed.predicate.person
        data: dict[str, Json] = {
            "promotion": made.id,
            "request": made.request.sha256,
            "stage": made.stage,
            "version": str(made.ref),
            "artifacts": [_words(one) for one in made.request.subjects],
            "sha256": signed.sha256,
            "keyid": signed.envelope.keyid,
            "at_hub": at_hub,
            **more,
        }
        terms = {"person": person, "model": str(made.ref.of), "promotion": made.id}
        return self._hub.entry(kind, person, data, terms)


def _read(kind: type[P], draft: Draft) -> Signed[P]:
    """The one statement that a draft holds, as its owner signed it.

    Raises:
        RefusedError: nobody signed it yet; or it holds more, of which one would count unseen.
    """
    name = kind.PREDICATE_TYPE.split(":")[-2]
    part = draft.part(name)
    if len(draft.parts) > 1:
        raise RefusedError(
            "draft-says-more",
            f"What was handed in holds {len(draft.parts)} statements, and only one is handed in at "
            "a time.",
            subject=draft.act,
            next_step="Submit each file as sealift-sign wrote it.",
        )
    if part is None:
        raise RefusedError(
            "not-signed",
            f"Nobody has signed this {name} yet.",
            subject=draft.act,
            next_step="Whoever makes it signs it first, with sealift-sign; submit what that wrote.",
        )
    return statements.read(kind, drafts.to_envelope(part), what=f"the {name}")


def _ref(request: Signed[Request]) -> VersionRef:
    said = request.predicate
    return VersionRef(said.team, said.model, said.version)


def _envelopes(found: Iterable[ArtifactEvidence]) -> tuple[bytes, ...]:
    return tuple(one.envelope.data for vouched in found for one in vouched.evidence)


def _words(one: Subject) -> dict[str, str]:
    return {"path": one.name, "sha256": one.sha256}
