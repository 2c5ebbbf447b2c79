"""Who may do what, and what is forbidden: read strictly, from the root, out of what was signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256

from sqlalchemy import select

from sealift_registry.catalog import tables as catalog
from sealift_registry.trust.tables import tuf_document, tuf_metadata, tuf_online_body
from sealift_signing import drafts, publishing, roles, shape, statements
from sealift_signing.approvals import check_request, tally
from sealift_signing.counting_rules import rules_for
from sealift_signing.documents import Members
from sealift_signing.drafts import Draft, DraftPart
from sealift_signing.errors import SealiftError
from sealift_signing.organisation import Head, Organisation
from sealift_signing.statements import Approval, Request, Signed, SiteAnswer
from tests.desks import Paper
from tests.poisonings.world import OTHER_THIEF, THIEF, World

Claim = tuple[str, ...]
ANSWER = "site-answer"
MOST = 400
"""Beyond it numbers are not told apart."""
ONLINE_PURPOSES = ("site",)
"""Machines whose key is new in every run."""


@dataclass(frozen=True)
class Claims:
    """What somebody who reads strictly would go by.

    Attributes:
        rights: who may do what; more of them is what an attacker wants.
        limits: what was taken away or is asked for; fewer of them is what an attacker wants.
    """

    rights: frozenset[Claim]
    limits: frozenset[Claim]

    def __or__(self, other: Claims) -> Claims:
        return Claims(self.rights | other.rights, self.limits | other.limits)

    def __and__(self, other: Claims) -> Claims:
        return Claims(self.rights & other.rights, self.limits & other.limits)


def paper_of(world: World) -> Paper:
    """The rows as they stand, as files."""
    paper = Paper()
    with world.app.hub.engine.connect() as connection:
        for bodies in (tuf_metadata, tuf_online_body):
            for row in connection.execute(select(bodies)):
                paper.roles.setdefault(row.role, {})[row.version] = bytes(row.body)
        for row in connection.execute(select(tuf_document)):
            paper.documents[row.path, row.sha256] = bytes(row.body)
    return paper


class Beheaded:
    """Files in which one role has another newest version."""

    def __init__(self, files: Paper, role: str, data: bytes) -> None:
        self._files, self._role, self._data = files, role, data

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        if role != self._role:
            return self._files.metadata(role, version)
        number = drafts.spelled_role(role, self._data).signed.version
        if version is None or version == number:
            return self._data
        return self._files.metadata(role, version) if version < number else None

    def document(self, path: str, digest: str) -> bytes | None:
        return self._files.document(path, digest)


def claims(organisation: Organisation) -> Claims:
    """Everything that `organisation` grants and forbids."""
    rights, limits = set(_rights(organisation)), set(_limits(organisation))
    return Claims(frozenset(rights), frozenset(limits))


def _rights(organisation: Organisation) -> Iterator[Claim]:
    yield from _lasting(organisation)
    for role, held in _holders(organisation):
        yield from (("holds", role, key.text) for key in held.keys)
    for team in _delegated(organisation, roles.TEAM):
        for person in _members(organisation, team).people:
            if person.status == "active":
                for key in person.keys:
                    yield from (("may", team, key.key, purpose) for purpose in key.purposes)
    with suppress(SealiftError):
        for machine in organisation.fleet_keys().keys:
            if machine.status != "compromised":
                key_text = "" if machine.purpose in ONLINE_PURPOSES else machine.key
                yield ("machine", machine.name, machine.purpose, key_text)
    for site in _delegated(organisation, roles.SITE):
        yield from _assigned(organisation, site)
    yield from _policy(organisation)


def _lasting(organisation: Organisation) -> Iterator[Claim]:
    """Until when each role's newest version stands, in hundreds of days."""
    delegated = (*map(roles.team_role, _delegated(organisation, roles.TEAM)),)
    sites = (*map(roles.site_role, _delegated(organisation, roles.SITE)),)
    for role in (roles.ROOT, roles.TARGETS, roles.FLEET, roles.RECALL, *delegated, *sites):
        with suppress(SealiftError):
            yield from _up_to("lasts", role, _hundreds(organisation.head(role)))


def _hundreds(head: Head) -> int:
    return (head.expires.date() - date(2000, 1, 1)).days // 100


def _assigned(organisation: Organisation, site: str) -> Iterator[Claim]:
    with suppress(SealiftError):
        assignment = organisation.assignment(site)
        for _, _, one in assignment.artifacts() if assignment else ():
            yield ("assigned", site, one.path, one.sha256)


def _policy(organisation: Organisation) -> Iterator[Claim]:
    with suppress(SealiftError):
        for stage, rule in organisation.policy().stages.items():
            yield ("stage", stage)
            yield from (("meaning", stage, one) for one in rule.meanings)
            yield from (("class", stage, one) for one in rule.key_classes)
            yield from _up_to("days", stage, rule.longest_validity_days // 30)
            yield from _up_to("within", stage, rule.within.days)
            if rule.requester_may_approve:
                yield ("requester approves", stage)
        for kind, days in organisation.policy().lifetimes_days.items():
            yield from _up_to("lifetime", kind, days // 30)


def _limits(organisation: Organisation) -> Iterator[Claim]:
    for role, held in _holders(organisation):
        yield from _up_to("threshold", role, held.threshold)
    with suppress(SealiftError):
        for stage, rule in organisation.policy().stages.items():
            yield from _up_to("approvals", stage, rule.approvals)
            yield from (("evidence", stage, kind) for kind in rule.evidence)
    for team in _delegated(organisation, roles.TEAM):
        members = _members(organisation, team)
        yield from (("withdrawn", team, one.digest) for one in members.withdrawn)
        for person in members.people:
            if person.status == "compromised":
                yield from (("compromised", key.key) for key in person.keys)
    with suppress(SealiftError):
        for machine in organisation.fleet_keys().keys:
            if machine.status == "compromised":
                yield ("compromised", machine.key)
    with suppress(SealiftError):
        yield from (("recalled", one.sha256) for one in organisation.recalls().recalls)


def _up_to(what: str, about: str, number: int) -> Iterator[Claim]:
    return ((what, about, str(n)) for n in range(1, min(number, MOST) + 1))


def _holders(organisation: Organisation) -> Iterator[tuple[str, roles.Keyholders]]:
    for role in roles.TOP_ROLES:
        yield role, roles.keyholders(organisation.root.metadata.signed, role)
    for owner in (roles.TARGETS, roles.FLEET):
        with suppress(SealiftError):
            signed = organisation.head(owner).targets
            for role in (signed.delegations.roles or {}) if signed.delegations else {}:
                yield role, roles.keyholders(signed, role)


def _delegated(organisation: Organisation, kind: str) -> Iterator[str]:
    """Teams or sites; none where nobody can read who they are."""
    with suppress(SealiftError):
        yield from (role.partition(".")[2] for role in organisation.delegated(kind))


def _members(organisation: Organisation, team: str) -> Members:
    with suppress(SealiftError):
        found = organisation.members(team)
        if found is not None:
            return found
    return Members(1, (), team, (), ())


# ---------------------------------------------------------------------- what left the desks


def given_away(before: Paper, world: World) -> Iterator[tuple[str, Claims]]:
    """Each version that enough people signed, as whoever has it could show it; and its claims."""
    known, documents = Organisation(before), dict(before.documents)
    for (path, _), body in paper_of(world).documents.items():
        documents[path, sha256(body).hexdigest()] = body
    for draft in world.given:
        for one in draft.documents:
            body = drafts.decoded(one.data)
            documents[one.path, sha256(body).hexdigest()] = body
    for (role, digest), part in _together(world.given).items():
        if part.kind != drafts.ROLE:
            continue
        data = _spelled(world, part)
        if data is None:
            continue  # nobody reads it
        paper = before.copy()
        paper.documents |= documents
        for one in part.documents:
            body = drafts.decoded(one.data)
            paper.documents[one.path, _listed(data, role, one.path)] = body
        try:
            if role == roles.ROOT:
                seen = Organisation(Beheaded(paper, role, data))
                _ = seen.roots
            else:
                known.verified(role, data)
                seen = Organisation(Beheaded(paper, role, data))
        except SealiftError:
            continue  # too few of those who hold the role now
        yield f"{role} {digest[:12]}", claims(seen) | _far(before, role, data)


def _spelled(world: World, part: DraftPart) -> bytes | None:
    try:
        metadata = drafts.to_metadata(part)
    except SealiftError:
        return None
    if part.name == roles.ROOT:  # whoever is to hold it next signs it, too
        publishing.sign(metadata, [world.signer(THIEF), world.signer(OTHER_THIEF)])
    return publishing.to_bytes(metadata)


def _far(before: Paper, role: str, data: bytes) -> Claims:
    """A number far above the newest, which nobody would ever reach again."""
    number = drafts.spelled_role(role, data).signed.version
    far = number > max(before.roles.get(role, {0: b""})) + MOST
    return Claims(frozenset({("far ahead", role)} if far else ()), frozenset())


def _listed(data: bytes, role: str, path: str) -> str:
    signed = drafts.spelled_role(role, data).signed
    target = signed.targets.get(path) if role != roles.ROOT else None
    return target.hashes["sha256"] if target else ""


def _together(given: Iterable[Draft]) -> Mapping[tuple[str, str], DraftPart]:
    """Every part that was signed, by its name and digest, with all signatures that it ever got."""
    found: dict[tuple[str, str], DraftPart] = {}
    for draft in given:
        for part in draft.parts:
            known = found.get((part.name, part.digest), part)
            both = {one.keyid: one for one in (*known.signatures, *part.signatures)}
            found[part.name, part.digest] = replace(part, signatures=tuple(both.values()))
    return found


def approved(before: Paper, world: World, now: datetime) -> Iterator[Claim]:
    """What enough people approved, by any request and approvals that anybody could show."""
    organisation = Organisation(before)
    requests, approvals = _statements(world)
    for request in requests:
        said = request.predicate
        with suppress(SealiftError):
            rules = rules_for(organisation, said.team, said.stage, now)
            check_request(request, rules)
            if tally(request, approvals, rules).enough:
                yield from (
                    ("approved", said.stage, one.name, one.sha256) for one in request.subjects
                )


def enrolled(before: Paper, least: Mapping[str, int], world: World) -> Iterator[Claim]:
    """What the answers that were signed enrol a site by: its stage and pins, and odd floors.

    Odd is what is far ahead, or below `least`, which whoever signs them has seen.
    """
    for part in (part for draft in world.given for part in draft.parts):
        if part.name != ANSWER:
            continue
        said = _answer(part)
        if said is None:
            continue
        pins = shape.write(said.pins).decode()
        yield ("enrolled", said.site, said.stage, said.organisation, pins)
        for role, floor in said.floors.items():
            newest = max(before.roles.get(role, {0: b""}))
            if floor < least.get(role, 0) or floor > newest + MOST:
                yield ("enrolled", said.site, "from", role, str(floor))


def _answer(part: DraftPart) -> SiteAnswer | None:
    with suppress(SealiftError, ValueError):  # nobody reads it
        for envelope in _envelopes(part):  # each says the same
            return statements.read(SiteAnswer, envelope, what="it").predicate
    return None


def _envelopes(part: DraftPart) -> Iterator[bytes]:
    """What somebody could make of the part: of each of its signatures one."""
    for one in part.signatures:
        yield drafts.to_envelope(replace(part, signatures=(one,)))


def _statements(world: World) -> tuple[list[Signed[Request]], list[Signed[Approval]]]:
    parts = (p for d in world.given for p in d.parts if p.kind != drafts.ROLE)
    bodies = {envelope for part in parts for envelope in _envelopes(part)}
    with world.app.hub.engine.connect() as connection:
        stored = connection.execute(select(catalog.statement.c.body)).scalars()
        bodies |= {bytes(body) for body in stored}
    requests: list[Signed[Request]] = []
    approvals: list[Signed[Approval]] = []
    for body in sorted(bodies):
        with suppress(SealiftError):
            kind = statements.predicate_type(body, what="it")
            if kind == Request.PREDICATE_TYPE:
                requests.append(statements.read(Request, body, what="it"))
            elif kind == Approval.PREDICATE_TYPE:
                approvals.append(statements.read(Approval, body, what="it"))
    return requests, approvals
