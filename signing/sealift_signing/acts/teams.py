"""Teams and their people: `add-team`, `set-stewards`, `add-approver`, `add-requester`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tuf.api.metadata import Metadata, Targets

from sealift_signing import floors, key_owners, publishing, roles
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.member_list import list_members
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.counting_rules import rule_of
from sealift_signing.documents import MemberKey, Members, Person
from sealift_signing.drawing import pasted
from sealift_signing.errors import NotFoundError, RefusedError, shown
from sealift_signing.organisation import Organisation, holders_of
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard, Signed
from sealift_signing.vocabulary import NAME, SOURCE


def add_team(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`add-team TEAM STEWARD…`: `targets` with one more team, and who its stewards are.

    The catalog of the team is delegated to the key with which the hub lists other teams, or, for
    the first team, to the one that the draft names and shows.

    Raises:
        RefusedError: the team exists, or has too few stewards.
    """
    team, *stewards = ask.object
    check_name(team, "team")
    if team in organisation.teams:
        raise RefusedError(
            "team-exists",
            f"Team {team} exists already.",
            subject=team,
            next_step=f"Change its stewards with set-stewards {team} PERSON…",
        )
    held = _stewards(organisation, material, stewards, team)
    catalog = PublicKey.parse(material.fact("catalog-key"))
    key_owners.check_machine_enters(organisation, key_owners.HUB, catalog)
    _check_catalog_key(organisation, catalog)
    metadata, change = _with_stewards(organisation, material, team, held)
    signed = versions.targets_of(metadata.signed)
    publishing.delegate(signed, roles.catalog_role(team), 1, {"hub": catalog})
    words = (
        f"Add the team {team}: {change}.",
        *wording.indented(f"{who}: {key.text}" for who, key in held.items()),
        f"  the hub lists its artifacts with {catalog.text}",
    )
    part = versions.unsigned(roles.TARGETS, metadata)
    return Prepared((part,), words)


def set_stewards(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`set-stewards TEAM STEWARD…`: `targets` in which just these are the team's stewards.

    Who is a steward already keeps their key, unless they come with the card of another; who is
    not, comes with a card.

    Raises:
        NotFoundError: there is no such team.
        RefusedError: too few stewards, or nothing would change.
    """
    team, *stewards = ask.object
    check_team(organisation, team)
    before = holders_of(organisation, roles.team_role(team))
    held = _stewards(organisation, material, stewards, team)
    same = {key.raw for key in held.values()} == {key.raw for key in before.keys}
    if same and before.threshold >= roles.quorum(len(held)):  # else as many as it takes today
        raise RefusedError(
            "nothing-changes",
            f"These are the stewards of team {team} already.",
            subject=team,
            next_step="Name all who are to be stewards from now on, and nobody else.",
        )
    metadata, change = _with_stewards(organisation, material, team, held)
    owner = organisation.head(roles.TARGETS).targets
    known = roles.named_keys(owner, roles.team_role(team))
    left = [who for who in before.people if who not in held]
    words = (
        f"Change the stewards of team {team}: {change}.",
        *wording.indented(_steward(who, key, known.get(who)) for who, key in held.items()),
        f"  no longer a steward: {', '.join(left) or 'nobody'}",
        f"  until now {before.threshold} of {len(before.people)} stewards signed",
        *_from_there(versions.targets_of(metadata.signed), roles.team_role(team)),
    )
    part = versions.unsigned(roles.TARGETS, metadata)
    return Prepared((part,), words)


def _from_there(signed: Targets, role: str) -> list[str]:
    number = floors.stated(signed, role)
    return [f"  sites take no list of theirs below version {number}"] if number else []


def _steward(who: str, key: PublicKey, before: PublicKey | None) -> str:
    if before == key:
        return f"{who}: {key.text}"
    replaced = f", in place of {before.text}" if before else ""
    return f"{who}: {key.text} (NEW{replaced})"


def add_approver(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`add-approver TEAM PERSON [--stage STAGE]…`: who may approve, for all stages or for some."""
    policy = organisation.policy()
    stages = ask.values("stage") or tuple(sorted(policy.stages))
    for stage in stages:
        rule_of(policy, stage)
    return _entitle(organisation, ask, material, [approve(stage) for stage in stages])


def add_requester(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`add-requester TEAM PERSON`: who may ask for promotions."""
    return _entitle(organisation, ask, material, [REQUEST])


def _entitle(
    organisation: Organisation, ask: Ask, material: Material, purposes: Iterable[str]
) -> Prepared:
    team, who = ask.object
    check_team(organisation, team)
    check_name(who, "person")
    before = organisation.members(team) or Members(1, (), team, (), ())
    card, role = material.carried.card(who), roles.team_role(team)
    check_enters(organisation, card)
    above = (role, roles.TARGETS, roles.ROOT)
    material.check_not_lost(who, PublicKey.parse(card.predicate.key), *above)
    after = with_person(before, card, purposes)
    listed = list_members(organisation, material, after)
    entered = listed.members.person(who)
    words = [
        (
            f"Entitle {who} in team {team} with the {card.predicate.key_class} key "
            f"{card.predicate.key} to: {wording.purposes(purposes)}."
        ),
        f"{listed.becomes}. {who} is then:",
        *wording.indented(wording.person(entered) if entered else []),
        "Besides, it says as before:",
        *wording.indented(wording.members(listed.without(who))),
    ]
    return Prepared((listed.part,), tuple(words))


def with_person(members: Members, card: Signed[KeyCard], purposes: Iterable[str]) -> Members:
    """`members` with the card's owner entitled to `purposes`, beside what they could do.

    Raises:
        RefusedError: the person is retired; or compromised, and comes back with an old key; or the
            key is retired or compromised by itself, and would become active again.
    """
    said = card.predicate
    known = members.person(said.owner) or Person(said.owner, said.owner, "active", ())
    same = next((k for k in known.keys if k.key == said.key), None)
    if known.status == "retired" or (known.status == "compromised" and same):
        raise RefusedError(
            "person-not-active",
            f"{said.owner} is {known.status} in team {members.team}, with the keys that they had.",
            subject=said.owner,
            next_step="Enter the person with a key that is new."
            if same
            else "Enter the person under a new id.",
        )
    if same is not None and same.status is not None:
        raise RefusedError(
            "key-not-active",
            f"The key given for {said.owner} is {same.status} in team {members.team}, and never "
            "becomes active again: all that was signed with it meanwhile would count.",
            subject=said.owner,
            next_step="Make a new key: sealift-sign key new FILE",
        )
    earlier = same.purposes if same else ()
    entitled = MemberKey(said.key, said.key_class, tuple(sorted({*earlier, *purposes})))
    # Of whom was compromised the old keys leave the list: they count nowhere, ever.
    kept = () if known.status == "compromised" else known.keys
    others = tuple(k for k in kept if k.key != said.key)
    changed = replace(known, status="active", keys=(*others, entitled))
    people = tuple(p for p in members.people if p.id != said.owner)
    return replace(members, people=tuple(sorted((*people, changed), key=lambda p: p.id)))


def check_team(organisation: Organisation, team: str) -> None:
    """Check that there is such a team.

    Raises:
        NotFoundError: there is none.
    """
    if team not in organisation.teams:
        raise NotFoundError(
            "no-team",
            f"There is no team {team}.",
            subject=team,
            next_step=f"Add it with: sealift team add {pasted([team])} --steward CARD …",
        )


def check_name(text: str, what: str) -> None:
    """Check that `text` is spelled as a name (docs/reference/formats.md).

    Raises:
        RefusedError: it is not.
    """
    if not NAME.matches(text) or text == SOURCE:
        reserved = "it is reserved" if text == SOURCE else f"it must be {NAME.words}"
        raise RefusedError(
            "bad-name",
            f"{shown(text)} cannot name a {what}: {reserved}.",
            subject=text,
            next_step="Choose another name.",
        )


def check_enters(organisation: Organisation, card: Signed[KeyCard]) -> None:
    """Check that a key which enters a document is nobody else's in the whole organisation.

    Raises:
        RefusedError: it is, and whose.
    """
    said = card.predicate
    key_owners.check_enters(organisation, said.owner, PublicKey.parse(said.key))


def _check_catalog_key(organisation: Organisation, catalog: PublicKey) -> None:
    """The hub lists every team's artifacts with one key: another would be of its own choosing.

    Raises:
        RefusedError: it is another than that of the teams that there are.
    """
    owner = organisation.head(roles.TARGETS).targets
    for role in organisation.delegated(roles.CATALOG):
        if catalog.raw not in {key.raw for key in roles.keyholders(owner, role).keys}:
            raise RefusedError(
                "other-catalog-key",
                f"The hub lists other teams' artifacts with a key other than {catalog.text}.",
                subject=role,
                next_step="Have it drafted by the hub that lists them.",
            )


def _stewards(
    organisation: Organisation, material: Material, people: Iterable[str], team: str
) -> dict[str, PublicKey]:
    """Each with the key of their card; who has none, with that of the office that they hold."""
    role = roles.team_role(team)
    known = {}
    if team in organisation.teams:
        owner = organisation.head(roles.TARGETS).targets
        known = roles.named_keys(owner, role)
    given = {card.predicate.owner for card in material.carried.of_kind(KeyCard)}
    held = {}
    for person in people:
        check_name(person, "person")
        if person in held:
            raise RefusedError(
                "person-twice",
                f"{person} is named twice.",
                subject=person,
                next_step="Name everybody once.",
            )
        if person in known and person not in given:
            held[person] = known[person]
            continue
        card = material.carried.card(person)
        check_enters(organisation, card)
        held[person] = PublicKey.parse(card.predicate.key)
        material.check_not_lost(person, held[person], roles.TARGETS, roles.ROOT)
    return held


def _with_stewards(
    organisation: Organisation, material: Material, team: str, held: dict[str, PublicKey]
) -> tuple[Metadata[Any], str]:
    solo = organisation.is_solo
    distinct = len({key.raw for key in held.values()})
    if distinct < (1 if solo else roles.QUORUM):
        raise RefusedError(
            "too-few-stewards",
            f"Team {team} needs at least {roles.QUORUM} stewards with keys of their own.",
            subject=team,
            next_step="Name more of them, each with a card of their own.",
        )
    threshold = 1 if solo and distinct == 1 else roles.quorum(distinct)
    metadata = versions.next_version(organisation, roles.TARGETS, material)
    role = roles.team_role(team)
    floor = versions.floor(organisation, role) if team in organisation.teams else None
    publishing.delegate(versions.targets_of(metadata.signed), role, threshold, held, floor)
    becomes = wording.becomes(roles.TARGETS, metadata.signed)
    return metadata, f"{threshold} of {len(held)} stewards sign; {becomes}"
