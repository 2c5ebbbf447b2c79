"""Requests and approvals: what people sign, and listing an artifact once enough of them have.

The hub holds no approver's key. It records what was signed, counts by the same rule as a site
(`sealift_signing.approvals`), and lists; a site counts again and believes only its own count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from securesystemslib.signer import Signer
from sqlalchemy import Connection
from tuf.api.metadata import Targets

from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.promotion import again, gates, signable
from sealift_registry.promotion.gates import Vouched
from sealift_registry.trust.hub import Hub, checkpoint_seen
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import publishing, roles, statements
from sealift_signing.approvals import (
    REQUEST,
    NotCountedError,
    Rules,
    Tally,
    approve,
    check_request,
    tally,
)
from sealift_signing.canonical import Json
from sealift_signing.documents import Withdrawal
from sealift_signing.errors import RefusedError, UsageError
from sealift_signing.statements import Approval, Request, Signed, Subject, subject
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment

RENEWABLE = timedelta(days=60)
"""An approval can be given again when so much of it is left: sites must not see a gap."""


@dataclass(frozen=True)
class Standing:
    """How a promotion stands: what it is about, who approved, and whether it is listed.

    Attributes:
        despite: what the request names to be set aside, each with the withdrawal that it is the
            digest of in the team's present list; None where it is of none, and sets nothing aside.
        listed: the team's catalog role lists all of its variants, and by the counting rule it may.
        machines: the names of our scanners and builders that signed evidence, by its sha256.
        doubt: why its request does not count, so that nobody vouches for what it says; else empty.
    """

    promotion: Promotion
    despite: Mapping[str, Withdrawal | None]
    vouched: Sequence[Vouched]
    tally: Tally
    listed: bool
    machines: Mapping[str, str]
    doubt: str = ""


class _AskedBeforeError(Exception):
    """The very same was asked for before: there is nothing to write, and so nothing to log."""

    def __init__(self, promotion: Promotion) -> None:
        super().__init__()
        self.promotion = promotion


class _ApprovedBeforeError(Exception):
    """The same person approved the same before, in the same words."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self.standing = standing


class Promotions:
    """The use cases of promotion."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def request(
        self, ref: VersionRef, stage: str, reason: str, signer: Signer, despite: Sequence[str] = ()
    ) -> Promotion:
        """Ask for `ref` to be promoted to `stage`; signed by `signer`, a requester of its team.

        The same request by the same person again adds nothing: it is the one that is there.

        Raises:
            NotFoundError: no such version, variant, stage or team.
            RefusedError: a gate, or the key's owner may not request.
        """
        signable.check_reason(reason)
        with self._hub.reading() as connection:
            request = self._sign_request(connection, ref, stage, reason, signer, despite)

        def action(connection: Connection) -> tuple[Entry, Promotion]:
            # Again, by the rules that hold now: the team's people may have changed meanwhile.
            check_request(request, self._rules(connection, request))
            catalog = Catalog(connection)
            self._check_new(connection, ref, request)
            number = catalog.next_promotion()
            recording.add_promotion(connection, number, request)
            made = catalog.promotion(number)
            data: dict[str, Json] = {"reason": reason, "listed": False}
            return self._entry("promotion.requested", made, made.person, data), made

        try:
            return self._hub.commit(action).result
        except _AskedBeforeError as before:
            return before.promotion

    def approve(
        self, number: int, signer: Signer, meaning: str, reason: str, days: int | None = None
    ) -> Standing:
        """Approve promotion `number`; at the threshold its artifacts are listed.

        The same approval by the same person again adds nothing.

        Args:
            number: of the promotion.
            signer: the approver's own key.
            meaning: one of the policy's meanings.
            reason: in the approver's words.
            days: how long the approval is valid; the policy's longest if None.

        Raises:
            NotFoundError: no such promotion.
            RefusedError: this approval would not count, and why.
        """
        signable.check_reason(reason)
        try:
            with self._hub.reading() as connection:
                approval = self._sign_approval(connection, number, signer, meaning, reason, days)
            standing = self._record_approval(number, approval)
        except _ApprovedBeforeError as before:
            standing = before.standing
        self._hub.copy_metadata()
        return standing

    def _record_approval(self, number: int, approval: Signed[Approval]) -> Standing:
        said = approval.predicate

        def action(connection: Connection) -> tuple[Entry, Standing]:
            # Again, by what holds now: people, policy or approvals may have changed meanwhile.
            before = self._approvable(connection, number)
            self._check_counts(before, approval, self._rules(connection, before.promotion.request))
            recording.add_approval(connection, number, approval)
            standing = self.standing(connection, number)
            if standing.tally.enough and not before.listed:
                self._list(connection, standing)
                standing = self.standing(connection, number)
            data: dict[str, Json] = {
                "approval": approval.sha256,
                "meaning": said.meaning,
                "reason": said.reason,
                "listed": standing.listed,
            }
            entry = self._entry("promotion.approved", standing.promotion, said.person, data)
            return entry, standing

        return self._hub.commit(action).result

    def standing(self, connection: Connection, number: int) -> Standing:
        """How promotion `number` stands now.

        Raises:
            NotFoundError: no such promotion.
            RefusedError: the hub lacks something that its request names.
        """
        catalog = Catalog(connection)
        promotion = catalog.promotion(number)
        found = gates.named(catalog, promotion.request)
        rules = self._rules(connection, promotion.request)
        counted = tally(promotion.request, catalog.approvals(number), rules)
        doubt = _doubt(promotion.request, rules)
        repository = Repository(connection)
        there = all(
            repository.lists(promotion.ref.team, str(one.artifact.path), one.artifact.sha256)
            for one in found
            if not one.artifact.path.is_source
        )
        listed = there and counted.enough and not doubt
        known = {one.digest: one for one in rules.members.withdrawn}
        despite = {name: known.get(name) for name in promotion.request.predicate.despite}
        machines = signers(repository, found)
        return Standing(promotion, despite, found, counted, listed, machines, doubt)

    def listed(self, connection: Connection, ref: VersionRef) -> set[str]:
        """The stages for which `ref` is listed, by a promotion that counts today."""
        numbers = [one.number for one in Catalog(connection).promotions(ref)]
        found = (self.standing(connection, number) for number in numbers)
        return {one.promotion.stage for one in found if one.listed}

    def _approvable(self, connection: Connection, number: int) -> Standing:
        """A promotion whose request still counts, and whose evidence nothing newer contradicts."""
        standing = self.standing(connection, number)
        promotion, catalog = standing.promotion, Catalog(connection)
        check_request(promotion.request, self._rules(connection, promotion.request))
        about = {one.artifact.path for one in standing.vouched}
        newest = [v for v in gates.vouched(catalog, promotion.ref) if v.artifact.path in about]
        self._check_gates(connection, promotion.ref, promotion.stage, newest)
        gates.check_all_signed(standing.vouched, standing.machines)
        return standing

    def _check_gates(
        self, connection: Connection, ref: VersionRef, stage: str, found: Sequence[Vouched]
    ) -> None:
        repository, goldens = Repository(connection), Catalog(connection).goldens(ref)
        fleet = repository.sound_fleet()
        gates.check(repository.policy(), fleet, stage, ref, found, goldens)
        gates.check_all_signed(found, signers(repository, found))

    def _check_new(self, connection: Connection, ref: VersionRef, request: Signed[Request]) -> None:
        """Check that nobody asked for this before by a request that can still be approved."""
        rules = self._rules(connection, request)
        for earlier in Catalog(connection).promotions(ref):
            late = rules.now - instant(earlier.made) > rules.rule.within
            if not late and again.same_request(earlier.request, request):
                with suppress(RefusedError):  # such as by a key that was replaced since
                    check_request(earlier.request, rules)
                    raise _AskedBeforeError(earlier)

    def _rules(self, connection: Connection, request: Signed[Request]) -> Rules:
        said = request.predicate
        return Repository(connection).rules(said.team, said.stage, self._hub.now())

    def _sign_request(
        self,
        connection: Connection,
        ref: VersionRef,
        stage: str,
        reason: str,
        signer: Signer,
        despite: Sequence[str],
    ) -> Signed[Request]:
        catalog = Catalog(connection)
        version = catalog.version(ref)
        found = gates.vouched(catalog, ref)
        self._check_gates(connection, ref, stage, found)
        rules = Repository(connection).rules(ref.team, stage, self._hub.now())
        person = signable.owner(rules.members, signer, REQUEST, "request promotions")
        named = signable.named_withdrawals(despite, rules.members)
        evidence = sorted(one.sha256 for v in found for one in v.evidence)
        request = Request(
            format=1,
            requires=(),
            organisation=rules.organisation,
            team=ref.team,
            model=ref.model,
            version=ref.number,
            stage=stage,
            source_record=version.source_sha256,
            evidence=tuple(evidence),
            log=checkpoint_seen(connection),
            person=person.id,
            reason=reason,
            made=moment(rules.now),
            despite=named,
        )
        subjects = [subject(str(v.artifact.path), v.artifact.sha256) for v in found]
        body = statements.sign(request, subjects, signer)
        signed = statements.read(Request, body, what="the request")
        check_request(signed, rules)
        return signed

    def _sign_approval(
        self,
        connection: Connection,
        number: int,
        signer: Signer,
        meaning: str,
        reason: str,
        days: int | None,
    ) -> Signed[Approval]:
        standing = self._approvable(connection, number)
        asked = standing.promotion.request
        said = asked.predicate
        rules = self._rules(connection, asked)
        signable.check_meaning(meaning, rules)
        person = signable.owner(
            rules.members, signer, approve(said.stage), f"approve for {said.stage}"
        )
        longest = rules.rule.longest_validity_days
        if days is not None and not 0 < days <= longest:
            raise UsageError(
                "bad-validity",
                f"An approval is valid for 1 to {longest} days.",
                subject=str(days),
                next_step="Choose so many with --days, or leave it out for the longest.",
            )
        approval = Approval(
            format=1,
            requires=(),
            organisation=said.organisation,
            team=said.team,
            model=said.model,
            version=said.version,
            stage=said.stage,
            request=asked.sha256,
            person=person.id,
            meaning=meaning,
            reason=reason,
            made=moment(rules.now),
            valid_until=moment(rules.now + timedelta(days=days or longest)),
            measured=tuple(m for v in standing.vouched for m in v.measured()),
        )
        signed = statements.read(
            Approval, statements.sign(approval, asked.subjects, signer), what="the approval"
        )
        self._check_counts(standing, signed, rules)
        return signed

    def _check_counts(self, standing: Standing, approval: Signed[Approval], rules: Rules) -> None:
        """Refuse an approval that would not count, with the counting rule's own sentence."""
        promotion, person = standing.promotion, approval.predicate.person
        earlier = next((a for a in standing.tally.counted if a.predicate.person == person), None)
        if earlier and instant(earlier.predicate.valid_until) - rules.now > RENEWABLE:
            if again.same_approval(earlier, approval):
                raise _ApprovedBeforeError(standing)
            raise RefusedError(
                "approved-twice",
                f"{person} has approved {promotion.id} already, in other words or for another "
                "time.",
                subject=promotion.id,
                next_step=f"It is valid until {earlier.predicate.valid_until}. In its last "
                f"{RENEWABLE.days} days give it again, if the request is no older than "
                f"{rules.rule.within.days} days then; else ask again with: sealift promote",
            )
        alone = tally(promotion.request, (approval,), rules)
        after = tally(promotion.request, (*standing.tally.counted, approval), rules)
        if approval not in after.counted:
            why = (alone.set_aside or after.set_aside)[-1]
            raise RefusedError(
                "approval-not-counted",
                f"{why[0].upper()}{why[1:]}",
                subject=promotion.id,
                next_step=f"See who may approve with: sealift team list; and what it is about "
                f"with: sealift show {promotion.id}",
            )

    def _list(self, connection: Connection, standing: Standing) -> None:
        """List the request's variants in the team's catalog role, and publish it."""
        promotion = standing.promotion
        repository = Repository(connection)
        role = roles.catalog_role(promotion.ref.team)
        now = self._hub.now()
        catalog = publishing.successor(
            repository.targets(role), expires=publishing.expiry(now, repository.lifetime(role))
        )
        for one in standing.vouched:
            if not one.artifact.path.is_source:
                self._add_target(catalog.signed, one)
                recording.add_listing(
                    connection, one.artifact.path, promotion.stage, promotion.number, moment(now)
                )
        publishing.sign(catalog, [self._hub.online.signer("catalog")])
        self._hub.publish(connection, Change({role: catalog}))

    def _add_target(self, catalog: Targets, one: Vouched) -> None:
        path, sha256 = str(one.artifact.path), one.artifact.sha256
        manifest = self._hub.home.blobs.read(sha256)
        catalog.targets[path] = publishing.target_file(path, len(manifest), sha256)

    def _entry(self, kind: str, made: Promotion, person: str, more: Mapping[str, Json]) -> Entry:
        data: dict[str, Json] = {
            "promotion": made.id,
            "request": made.request.sha256,
            "stage": made.stage,
            "version": str(made.ref),
            "artifacts": [_words(one) for one in made.request.subjects],
            **more,
        }
        terms = {"person": person, "model": str(made.ref.of), "promotion": made.id}
        return self._hub.entry(kind, person, data, terms)


def signers(repository: Repository, found: Iterable[Vouched]) -> dict[str, str]:
    """The machines of ours that signed the evidence in `found`, by its sha256."""
    return {
        evidence.sha256: name
        for one in found
        for evidence in one.evidence
        if (name := repository.signer_of(evidence)) is not None
    }


def _doubt(request: Signed[Request], rules: Rules) -> str:
    """Why `request` does not count; empty where it does."""
    try:
        check_request(request, rules)
    except NotCountedError as bad:
        return bad.what
    return ""


def _words(one: Subject) -> dict[str, str]:
    return {"path": one.name, "sha256": one.sha256}
