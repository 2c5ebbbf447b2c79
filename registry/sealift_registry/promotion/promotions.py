"""Requests and approvals: what people sign, and listing an artifact once enough of them have.

The hub holds no approver's key. It records what was signed, counts by the same rule as a site
(`sealift_signing.approvals`), and lists; a site counts again and believes only its own count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from securesystemslib.signer import Signer
from sqlalchemy import Connection
from tuf.api.metadata import Targets

from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.promotion import gates
from sealift_registry.promotion.gates import Vouched
from sealift_registry.trust.hub import Hub, checkpoint_seen
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import publishing, roles, statements
from sealift_signing.approvals import REQUEST, Rules, Tally, approve, check_request, tally
from sealift_signing.canonical import Json
from sealift_signing.documents import Members, Person
from sealift_signing.errors import RefusedError, UsageError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Approval, Request, Signed, Subject, subject
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment


@dataclass(frozen=True)
class Standing:
    """How a promotion stands: what it is about, who approved, and whether it is listed."""

    promotion: Promotion
    vouched: Sequence[Vouched]
    tally: Tally
    listed: bool


class Promotions:
    """The use cases of promotion."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def request(
        self, ref: VersionRef, stage: str, reason: str, signer: Signer, despite: Sequence[str] = ()
    ) -> Promotion:
        """Ask for `ref` to be promoted to `stage`; signed by `signer`, a requester of its team.

        Raises:
            NotFoundError: no such version, variant, stage or team.
            RefusedError: a gate, or the key's owner may not request.
        """
        with self._hub.reading() as connection:
            request = self._sign_request(connection, ref, stage, reason, signer, tuple(despite))

        def action(connection: Connection) -> tuple[Entry, Promotion]:
            catalog = Catalog(connection)
            number = catalog.next_promotion()
            recording.add_promotion(connection, number, request)
            made = catalog.promotion(number)
            return self._entry("promotion.requested", made, request.predicate.person, reason), made

        return self._hub.log.commit(action).result

    def approve(
        self, number: int, signer: Signer, meaning: str, reason: str, days: int | None = None
    ) -> Standing:
        """Approve promotion `number`; at the threshold its artifacts are listed.

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
        with self._hub.reading() as connection:
            approval = self._sign_approval(connection, number, signer, meaning, reason, days)

        def action(connection: Connection) -> tuple[Entry, Standing]:
            before = self.standing(connection, number)
            recording.add_approval(connection, number, approval)
            standing = self.standing(connection, number)
            if standing.tally.enough and not before.listed:
                self._list(connection, standing)
                standing = self.standing(connection, number)
            kind = "promotion.approved"
            person = approval.predicate.person
            entry = self._entry(kind, standing.promotion, person, reason, listed=standing.listed)
            return entry, standing

        standing = self._hub.log.commit(action).result
        self._hub.copy_metadata()
        return standing

    def standing(self, connection: Connection, number: int) -> Standing:
        """How promotion `number` stands now."""
        catalog = Catalog(connection)
        promotion = catalog.promotion(number)
        rules = Repository(connection).rules(promotion.ref.team, promotion.stage, self._hub.now())
        named = set(promotion.request.predicate.evidence)
        found = [
            Vouched(row, tuple(e for e in catalog.evidence(row.path) if e.sha256 in named))
            for row in catalog.artifacts(promotion.ref)
            if promotion.request.about(str(row.path), row.sha256)
        ]
        counted = tally(promotion.request, catalog.approvals(number), rules)
        listed = any(one.promotion == number for one in catalog.listed(promotion.ref))
        return Standing(promotion, found, counted, listed)

    def _sign_request(
        self,
        connection: Connection,
        ref: VersionRef,
        stage: str,
        reason: str,
        signer: Signer,
        despite: tuple[str, ...],
    ) -> Signed[Request]:
        catalog, repository = Catalog(connection), Repository(connection)
        version = catalog.version(ref)
        found = gates.vouched(catalog, ref)
        gates.check(repository.policy(), stage, ref, found)
        rules = Repository(connection).rules(ref.team, stage, self._hub.now())
        person = _owner(rules.members, signer, REQUEST, "request promotions")
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
            despite=despite,
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
        standing = self.standing(connection, number)
        asked = standing.promotion.request
        said = asked.predicate
        rules = Repository(connection).rules(said.team, said.stage, self._hub.now())
        person = _owner(rules.members, signer, approve(said.stage), f"approve for {said.stage}")
        longest = rules.rule.longest_validity_days
        if days is not None and not 0 < days <= longest:
            raise UsageError(
                "bad-validity", f"An approval is valid for 1 to {longest} days.", subject=str(days)
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
        before = standing.tally.counted
        after = tally(standing.promotion.request, (*before, approval), rules)
        if approval.predicate.person in standing.tally.people:
            raise RefusedError(
                "approved-twice",
                f"{approval.predicate.person} has approved {standing.promotion.id} already.",
                subject=standing.promotion.id,
            )
        if approval not in after.counted:
            why = after.set_aside[-1]
            raise RefusedError(
                "approval-not-counted",
                f"{why[0].upper()}{why[1:]}",
                subject=standing.promotion.id,
                next_step=f"See who may approve with: sealift show {standing.promotion.id}",
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
        size = self._hub.home.blobs.size(sha256)
        catalog.targets[path] = publishing.target_file(path, size, sha256)

    def _entry(
        self, kind: str, made: Promotion, person: str, reason: str, *, listed: bool = False
    ) -> Entry:
        data: dict[str, Json] = {
            "promotion": made.id,
            "request": made.request.sha256,
            "stage": made.stage,
            "version": str(made.ref),
            "reason": reason,
            "artifacts": [_words(one) for one in made.request.subjects],
            "listed": listed,
        }
        terms = {"person": person, "model": str(made.ref.of), "promotion": made.id}
        return self._hub.entry(kind, person, data, terms)


def _words(one: Subject) -> dict[str, str]:
    return {"path": one.name, "sha256": one.sha256}


def _owner(members: Members, signer: Signer, purpose: str, deed: str) -> Person:
    """The person whose key `signer` is.

    Raises:
        RefusedError: nobody's of this team, or not entitled to `purpose`.
    """
    key = PublicKey.from_tuf(signer.public_key)
    for person, known in members.all_keys():
        if known.raw == key.raw:
            owned = person.key_for(key.keyid)
            if owned is not None and purpose in owned.purposes:
                return person
            raise RefusedError(
                "not-entitled",
                f"{person.id} of team {members.team} may not {deed} with this key.",
                subject=person.id,
                next_step="Have the team's stewards entitle the key (sealift team --help).",
            )
    raise RefusedError(
        "key-unknown",
        f"This key belongs to nobody of team {members.team}.",
        subject=key.text,
        next_step=f"Have the team's stewards add {key.text} (sealift team --help).",
    )
