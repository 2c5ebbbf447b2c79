"""One key has one owner in the whole organisation: a person, or a machine.

A person may hold several offices with one key: be a steward of one team, approve in another,
dispatch. But a key that two documents give to two owners is a weapon: whoever enters somebody's
key as a machine's, or under another name, would void what its owner approved. So a key enters a
document only by a card of its owner's, and everybody who signs checks it against all documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuf.api.metadata import Root, Targets

from sealift_signing import roles
from sealift_signing.errors import RefusedError
from sealift_signing.organisation import Organisation
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import CATALOG, FLEET, SITE, TARGETS, TEAM

HUB = "hub"


@dataclass(frozen=True)
class Owner:
    """Whose a key is; `where` is a place that says so."""

    name: str
    is_machine: bool
    where: str

    def __str__(self) -> str:
        """In words: `carla (teams/vision/members.json)`."""
        machine = "the machine " if self.is_machine else ""
        return f"{machine}{self.name} ({self.where})"

    def same_as(self, other: Owner) -> bool:
        """Whether both are the same person or machine."""
        return (self.name, self.is_machine) == (other.name, other.is_machine)


def owners(organisation: Organisation) -> Iterator[tuple[PublicKey, Owner]]:
    """Every key that any document of `organisation` names, with its owner there."""
    root, targets = organisation.root.metadata.signed, organisation.head(TARGETS).targets
    fleet = organisation.head(FLEET).targets
    named = [(root, role) for role in roles.TOP_ROLES]
    named += [(targets, role) for role in organisation.delegated(TEAM)]
    named += [(targets, role) for role in organisation.delegated(CATALOG)]
    named += [(targets, role) for role in (FLEET, roles.RECALL)]
    named += [(fleet, role) for role in organisation.delegated(SITE)]
    for signed, role in named:
        yield from _holders(signed, role)
    for team in organisation.teams:
        members = organisation.members(team)
        where = roles.paths(roles.team_role(team))[0]
        for person, key in members.all_keys() if members else ():
            yield key, Owner(person.id, is_machine=False, where=where)
    for machine in organisation.fleet_keys().keys:
        name = f"site {machine.name}" if machine.purpose == SITE else machine.name
        where = f"fleet/keys.json, {machine.purpose}"
        yield PublicKey.parse(machine.key), Owner(name, is_machine=True, where=where)


def check_enters(organisation: Organisation, person: str, key: PublicKey) -> None:
    """Check that `key` may enter a document as that of `person`.

    Raises:
        RefusedError: it is somebody else's, or a machine's, or one that nobody can own.
    """
    _check(organisation, key, Owner(person, is_machine=False, where="now"))


def check_machine_enters(organisation: Organisation, machine: str, key: PublicKey) -> None:
    """Check that `key` may enter a document as that of `machine`.

    Raises:
        RefusedError: it is a person's, or another machine's, or one that nobody can own.
    """
    _check(organisation, key, Owner(machine, is_machine=True, where="now"))


def _check(organisation: Organisation, key: PublicKey, wanted: Owner) -> None:
    key.check_enters(wanted.name)
    if organisation.is_solo:
        return  # one key is everything there, and every bundle says so
    for known, owner in owners(organisation):
        if known.raw == key.raw and not owner.same_as(wanted):
            raise _of_another(wanted, owner)


def _of_another(wanted: Owner, owner: Owner) -> RefusedError:
    what = f"The key given for {wanted.name} is that of {owner}; one key has one owner."
    if wanted.is_machine or owner.is_machine:
        return RefusedError(
            "key-of-another",
            what,
            subject=wanted.name,
            next_step="Have the owner make a key of their own: sealift-sign key new FILE",
        )
    # Older settings called a dispatcher otherwise than people do.
    return RefusedError(
        "key-of-another",
        what,
        subject=wanted.name,
        next_step=f"Have the owner make a key of their own: sealift-sign key new FILE. Where "
        f"{owner.name} is the same person, go on in that name: sealift-sign card {owner.name} "
        "--key FILE",
    )


def _holders(signed: Root | Targets, role: str) -> Iterator[tuple[PublicKey, Owner]]:
    online = roles.is_online(role)
    for name, key in roles.named_keys(signed, role).items():
        yield key, Owner(HUB if online else name, is_machine=online, where=f"the role {role}")
