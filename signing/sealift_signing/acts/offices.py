"""Every office that a person holds, each with its key: what goes on where one of them was mended.

One person may hold many offices with one key, and each office is exchanged by an act of its own. A
stolen key that was exchanged in one goes on ruling in the others until it is exchanged there, too.
So whoever drafts or signs an exchange is told of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tuf.api.metadata import Root, Targets

from sealift_signing import documents, floors, roles
from sealift_signing.acts import wording
from sealift_signing.acts.material import Unsigned
from sealift_signing.documents import Members
from sealift_signing.drafts import ROLE, DraftPart, encoded, to_metadata
from sealift_signing.organisation import Organisation
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard

_NAMES = {
    roles.ROOT: "holder of root",
    roles.TARGETS: "holder of targets",
    roles.FLEET: "fleet administrator",
    roles.RECALL: "safety officer",
    roles.TEAM: "steward of team {}",
    roles.SITE: "dispatcher of site {}",
}
MAY = "may "
"""How what somebody may do in a team begins, which no role says."""


@dataclass(frozen=True)
class Office:
    """What a person may sign, and with which key.

    Attributes:
        place: the role, or the path of the document that says so.
        name: in words: `steward of team audio`, `may approve for staging in team audio`.
    """

    place: str
    name: str
    person: str
    key: PublicKey

    @property
    def holder(self) -> str:
        """Whoever holds it, in words: `steward of team audio`, `one who may approve for …`."""
        return f"one who {self.name}" if self.name.startswith(MAY) else self.name


def offices(organisation: Organisation) -> Iterator[Office]:
    """Every office of every person, by what was published last."""
    targets, fleet = organisation.head(roles.TARGETS), organisation.head(roles.FLEET)
    for owner in (organisation.root, targets, fleet):
        yield from role_offices(owner.metadata.signed)
    for team in organisation.teams:
        yield from member_offices(organisation, team)


def role_offices(signed: Root | Targets) -> Iterator[Office]:
    """The offices that a delegator's verified metadata gives people."""
    for role in held_by_people(signed):
        for person, key in roles.named_keys(signed, role).items():
            yield Office(role, name_of(role), person, key)


def member_offices(organisation: Organisation, team: str) -> Iterator[Office]:
    """The offices that a team's list of people gives."""
    members = organisation.members(team)
    for one in members.people if members else ():
        for entitled in one.active_keys:  # of another nothing counts that is new
            name = f"{MAY}{wording.purposes(entitled.purposes)} in team {team}"
            key = PublicKey.parse(entitled.key)
            yield Office(documents.members_path(team), name, one.id, key)


def held_by_people(signed: Root | Targets) -> tuple[str, ...]:
    """The roles to which a delegator names people, in order."""
    if isinstance(signed, Root):
        return (roles.ROOT, roles.TARGETS)
    return tuple(sorted(one for one in floors.delegated(signed) if roles.kind(one) in _NAMES))


def name_of(role: str) -> str:
    """The office of whoever holds a role."""
    return _NAMES[roles.kind(role)].format(roles.whose(role))


def warnings(
    organisation: Organisation, parts: Iterable[Unsigned], cards: Iterable[KeyCard]
) -> Iterator[str]:
    """What else holds the keys that the next versions put out, and what else those hold who enter.

    Args:
        organisation: as it stands.
        parts: what is to be signed of it.
        cards: by which keys enter a document.
    """
    if organisation.is_solo:
        return  # one key is everything there
    left, entered = set(), set()
    for part in parts:
        before, after = _delegated(organisation, part)
        left |= before - after
        entered |= after - before
        if roles.kind(part.name) == roles.TEAM:
            path = documents.members_path(roles.whose(part.name))
            entered |= {(path, one.owner, PublicKey.parse(one.key)) for one in cards}
    known = list(offices(organisation)) if left | entered else []
    for place, person, key in sorted(left, key=str):
        yield from _goes_on(known, person, key, place)
    gone = {key.raw for _, _, key in left}
    for place, person, key in sorted(entered, key=str):
        yield from _other_keys(known, person, key, place, gone)


Held = tuple[str, str, PublicKey]
"""A role, who holds it, and with which key."""


def _delegated(organisation: Organisation, part: Unsigned) -> tuple[set[Held], set[Held]]:
    """Who held roles by the version before, and who by the one that is to be signed.

    Of a team's list whoever could sign something new for the team.
    """
    team, path = roles.whose(part.name), documents.members_path(roles.whose(part.name))
    if part.kind == ROLE and roles.kind(part.name) == roles.TEAM and path in part.documents:
        there = documents.read_members(part.documents[path], team)
        return _active(organisation.members(team), path), _active(there, path)
    if part.kind != ROLE or part.name not in {roles.ROOT, roles.TARGETS, roles.FLEET}:
        return set(), set()
    after = to_metadata(DraftPart("role", part.name, encoded(part.payload), (), ())).signed
    return holders(organisation.head(part.name).metadata.signed), holders(after)


def _active(members: Members | None, path: str) -> set[Held]:
    return {
        (path, one.id, PublicKey.parse(key.key))
        for one in (members.people if members else ())
        for key in one.active_keys
    }


def holders(signed: Root | Targets) -> set[Held]:
    """Who holds the roles to which a delegator names people."""
    return {
        (role, person, key)
        for role in held_by_people(signed)
        for person, key in roles.named_keys(signed, role).items()
    }


def _goes_on(known: Iterable[Office], person: str, key: PublicKey, place: str) -> Iterator[str]:
    held = [
        one.name
        for one in known
        if (one.person, one.key.raw) == (person, key.raw) and one.place != place
    ]
    if held:
        yield (
            f"The key of {person} that leaves {place} GOES ON elsewhere. If it was lost or "
            f"stolen, have it exchanged there, too. It is {key.text}:"
        )
        yield from wording.indented(held)


def _other_keys(
    known: Iterable[Office], person: str, key: PublicKey, place: str, told: set[bytes]
) -> Iterator[str]:
    """Of a key that is `told` of already nothing is said again."""
    held = [
        f"{one.name}: {one.key.text}"
        for one in known
        if one.person == person and one.key.raw not in told | {key.raw} and one.place != place
    ]
    if held:
        yield (
            f"{person} has ANOTHER key elsewhere than {key.text}, which enters {place}. If one of "
            f"them was lost or stolen, it must be exchanged everywhere; ask {person} which:"
        )
        yield from wording.indented(held)
