"""Teams and their people: what `targets` delegates, and what stewards sign (members.json)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from securesystemslib.signer import Signer

from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, shape
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import KeyClass, MemberKey, Members, Person
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.publishing import Holders
from sealift_signing.vocabulary import NAME, SOURCE

STEWARDS_NEEDED = 2


def draft_team(
    repository: Repository,
    team: str,
    stewards: Holders,
    signers: Sequence[Signer],
    online: OnlineKeys,
    now: datetime,
) -> Change:
    """`targets` with one more team, signed by `signers`, and that team's empty catalog.

    Raises:
        RefusedError: the team exists, or has too few stewards for two of them to sign.
    """
    check_name(team, "team")
    if team in repository.teams():
        raise RefusedError(
            "team-exists",
            f"There is a team {team} already.",
            subject=team,
            next_step=f"Add its people with: sealift team approver {team} PERSON=PUBLIC-KEY",
        )
    solo = any(rule.requester_may_approve for rule in repository.policy().stages.values())
    if len({key.raw for key in stewards.values()}) < (1 if solo else STEWARDS_NEEDED):
        raise RefusedError(
            "too-few-stewards",
            f"Team {team} needs at least {STEWARDS_NEEDED} stewards with keys of their own.",
            subject=team,
            next_step="Give --steward PERSON=PUBLIC-KEY once for each of them.",
        )
    targets = publishing.successor(
        repository.targets(),
        expires=publishing.expiry(now, repository.lifetime(roles.TARGETS)),
    )
    threshold = min(STEWARDS_NEEDED, len(stewards))
    publishing.delegate(targets.signed, roles.team_role(team), threshold, stewards)
    catalog_holder = {"hub": online.public("catalog")}
    publishing.delegate(targets.signed, roles.catalog_role(team), 1, catalog_holder)
    publishing.sign(targets, signers)
    publishing.check_publishable(targets, roles.TARGETS, repository.root().signed)
    catalog = publishing.first_targets(
        expires=publishing.expiry(now, repository.lifetime(roles.CATALOG))
    )
    publishing.sign(catalog, [online.signer("catalog")])
    return Change({roles.TARGETS: targets, roles.catalog_role(team): catalog})


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
    _check_no_machine_key(repository, members)
    before = repository.metadata(role)
    expires = publishing.expiry(now, repository.lifetime(role))
    metadata = (
        publishing.successor(before, expires=expires)
        if before
        else publishing.first_targets(expires=expires)
    )
    path = documents.members_path(members.team)
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, signers)
    publishing.check_publishable(metadata, role, repository.targets().signed)
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
    """`members` with `person` entitled to `purposes` with `key`, beside what they could do."""
    check_name(person, "person")
    known = members.person(person) or Person(person, person, "active", ())
    same = next((k for k in known.keys if k.key == key.text), None)
    earlier = same.purposes if same else ()
    entitled = MemberKey(key.text, key_class, tuple(sorted({*earlier, *purposes})))
    others = tuple(k for k in known.keys if k.key != key.text)
    changed = replace(known, status="active", keys=(*others, entitled))
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
        raise RefusedError(
            "bad-name",
            f"{text!r} cannot name a {what}: it must be {NAME.words}.",
            subject=text,
            next_step="Choose such a name.",
        )


def _check_no_machine_key(repository: Repository, members: Members) -> None:
    """No person's key is a role's or a machine's; for one person alone it cannot be otherwise."""
    if any(rule.requester_may_approve for rule in repository.policy().stages.values()):
        return
    machines = repository.machine_keys()
    for person, key in members.all_keys():
        if key.raw in machines:
            raise RefusedError(
                "key-of-a-role",
                f"The key given for {person.id} is that of a role or a machine.",
                subject=person.id,
                next_step="Make a key for the person alone: sealift key new FILE",
            )
