"""Teams and their people: what `targets` delegates, and what stewards sign (members.json)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from securesystemslib.signer import Signer

from sealift_registry.trust.online_keys import NAMES, OnlineKeys
from sealift_registry.trust.repository import Change, Repository, sign_enough
from sealift_signing import documents, owners, publishing, roles, shape
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import KeyClass, MemberKey, Members, Person
from sealift_signing.errors import NotFoundError, RefusedError, shown
from sealift_signing.public_key import PublicKey
from sealift_signing.publishing import Holders
from sealift_signing.vocabulary import NAME, SOURCE


def draft_team(
    repository: Repository,
    team: str,
    stewards: Holders,
    signers: Sequence[Signer],
    online: OnlineKeys,
    now: datetime,
) -> Change:
    """`targets` with one more team, signed by `signers`, and that team's empty catalog.

    Nothing, where the team is there with just these stewards.

    Raises:
        RefusedError: the team exists with others, has too few stewards for two of them to sign,
            or a steward's key is somebody's who requests or approves, or the hub's own.
    """
    check_name(team, "team")
    if team in repository.teams():
        if _has_stewards(repository, team, stewards):
            return Change()
        raise RefusedError(
            "team-exists",
            f"There is a team {team} already.",
            subject=team,
            next_step=f"Add its people with: sealift team approver {team} PERSON=PUBLIC-KEY",
        )
    solo = repository.is_solo()
    if not solo:
        _check_stewards(repository, stewards, online)
    distinct = len({key.raw for key in stewards.values()})
    if distinct < (1 if solo else roles.QUORUM):
        raise RefusedError(
            "too-few-stewards",
            f"Team {team} needs at least {roles.QUORUM} stewards with keys of their own.",
            subject=team,
            next_step="Give --steward PERSON=PUBLIC-KEY once for each of them.",
        )
    targets = publishing.following(
        repository.targets(),
        expires=publishing.expiry(now, repository.lifetime(roles.TARGETS)),
    )
    threshold = 1 if solo and distinct == 1 else roles.quorum(distinct)
    publishing.delegate(targets.signed, roles.team_role(team), threshold, stewards)
    catalog_holder = {"hub": online.public("catalog")}
    publishing.delegate(targets.signed, roles.catalog_role(team), 1, catalog_holder)
    sign_enough(targets, roles.TARGETS, signers, repository.root().signed)
    catalog = publishing.first_targets(
        expires=publishing.expiry(now, repository.lifetime(roles.CATALOG))
    )
    publishing.sign(catalog, [online.signer("catalog")])
    return Change({roles.TARGETS: targets, roles.catalog_role(team): catalog})


def _has_stewards(repository: Repository, team: str, stewards: Holders) -> bool:
    held = roles.keyholders(repository.targets().signed, roles.team_role(team))
    keys = {key.raw for key in held.keys} == {key.raw for key in stewards.values()}
    return keys and set(held.people) == set(stewards)


def draft_members(
    repository: Repository, members: Members, signers: Iterable[Signer], now: datetime
) -> Change:
    """`team.<id>` listing `members`, signed by `signers`, the stewards.

    Raises:
        RefusedError: not signed by enough stewards, or the list is one no site would read.
    """
    role = roles.team_role(members.team)
    data = shape.write(members)
    documents.read_members(data, members.team)
    _check_owners(repository, members)
    _check_no_compromised_key(repository, members)
    before = repository.metadata(role)
    expires = publishing.expiry(now, repository.lifetime(role))
    metadata = (
        publishing.following(before, expires=expires)
        if before
        else publishing.first_targets(expires=expires)
    )
    path = documents.members_path(members.team)
    publishing.list_document(metadata.signed, path, data)
    sign_enough(metadata, role, signers, repository.targets().signed)
    return Change({role: metadata}, {path: data})


def members_of(repository: Repository, team: str) -> Members:
    """The team's people as they stand; an empty list where its stewards have signed none yet.

    Raises:
        NotFoundError: there is no such team.
    """
    if team not in repository.teams():
        raise NotFoundError(
            "no-team",
            f"There is no team {team}.",
            subject=team,
            next_step=f"Add it with: sealift team add {team} --steward PERSON=PUBLIC-KEY …",
        )
    return repository.members(team) or Members(1, (), team, (), ())


def with_person(
    members: Members,
    person: str,
    key: PublicKey,
    purposes: Sequence[str],
    key_class: KeyClass = "file",
) -> Members:
    """`members` with `person` entitled to `purposes` with `key`, beside what they could do.

    Whose keys were compromised comes back with this key, a new one, and without all of those.

    Raises:
        RefusedError: the person is retired, or comes back with a key that was compromised.
    """
    check_name(person, "person")
    known = members.person(person) or Person(person, person, "active", ())
    if known.status == "compromised":
        if key.raw in {PublicKey.parse(one.key).raw for one in known.keys}:
            raise _compromised(person)
        known = replace(known, status="active", keys=())
    if known.status != "active":
        # Their earlier keys would count again with the new one.
        raise RefusedError(
            "person-not-active",
            f"{person} is {known.status} in team {members.team}, with the keys that they had.",
            subject=person,
            next_step="Enter the person under a new id.",
        )
    same = next((k for k in known.keys if k.key == key.text), None)
    earlier = same.purposes if same else ()
    entitled = MemberKey(key.text, key_class, tuple(sorted({*earlier, *purposes})))
    others = tuple(k for k in known.keys if k.key != key.text)
    changed = replace(known, keys=(*others, entitled))
    people = tuple(p for p in members.people if p.id != person)
    return replace(members, people=tuple(sorted((*people, changed), key=lambda p: p.id)))


def purposes(repository: Repository, *, requests: bool, stages: Iterable[str]) -> list[str]:
    """The purposes of a key, stages checked against the policy."""
    known = repository.policy().stages
    found = [REQUEST] if requests else []
    for stage in stages:
        if stage not in known:
            raise NotFoundError(
                "no-stage",
                f"The policy has no stage {stage}.",
                subject=stage,
                next_step=f"Its stages are: {', '.join(sorted(known))}.",
            )
        found.append(approve(stage))
    return found


def check_name(text: str, what: str) -> None:
    """Check that `text` is spelled as a name (DESIGN section 8, choice 2).

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


def _check_stewards(repository: Repository, stewards: Holders, online: OnlineKeys) -> None:
    hubs = {online.public(name).raw for name in NAMES}
    for name, key in stewards.items():
        if key.raw in hubs:
            raise RefusedError(
                "key-of-the-hub",
                f"The key given for {name} is one that the hub signs with by itself: whoever "
                "steals the hub would be a steward.",
                subject=name,
                next_step="Make a key for the person alone: sealift key new FILE",
            )
        owners.check_enters(repository.stored, name, key)


def _check_owners(repository: Repository, members: Members) -> None:
    """Check that each key which enters the list is nobody else's in the whole organisation."""
    before = repository.members(members.team)
    known = {(one.id, key.raw) for one, key in before.all_keys()} if before else set()
    for person, key in members.all_keys():
        if (person.id, key.raw) not in known:
            owners.check_enters(repository.stored, person.id, key)


def _check_no_compromised_key(repository: Repository, members: Members) -> None:
    """Nobody is active with a key that was ever called compromised: it would count nowhere."""
    lost = repository.compromised(members.team)
    for person, key in members.all_keys():
        if person.status == "active" and key.raw in lost:
            raise _compromised(person.id)


def _compromised(person: str) -> RefusedError:
    return RefusedError(
        "key-compromised",
        f"The key given for {person} was called compromised, and counts for nobody any more.",
        subject=person,
        next_step="Make a new key for the person: sealift key new FILE",
    )
