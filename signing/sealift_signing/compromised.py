"""Keys that were called compromised: once, by the role that may say so, and then for ever.

Whoever keeps a memory, a site or a signer, keeps the *union* of all that it ever verified. A person
who is made active again is another matter than a key that was stolen: the thief still has it. So
statements of such a key count nowhere, and of roles its signature counts for no new version.

Each key is kept with the role that entered it, because a word reaches only as far as the role's
own: what a team's stewards say of their people's keys voids nobody's approvals in another team.

    a team            its people's keys: those of a person whose status is `compromised`, or one
                      key by its own
    fleet             machines' keys by their status, and dispatchers' keys by the field
    root, targets     the keys of all roles below them, by the field
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from sealift_signing.documents import FleetKeys, MachineKey, Members
from sealift_signing.errors import MalformedError
from sealift_signing.public_key import PublicKey

FIELD = "x-sealift-compromised"
"""In the signed part of root, targets or fleet: the sorted texts of keys, none twice."""

Compromised = frozenset[tuple[str, str]]
"""Keys by their text, each with the role that entered it."""

NONE: Compromised = frozenset()


def entered_by(role: str, signed: Root | Timestamp | Snapshot | Targets) -> Compromised:
    """The keys of roles that `role` calls compromised in its verified metadata.

    Raises:
        MalformedError: the field is no sorted list of keys.
    """
    named = signed.unrecognized_fields.get(FIELD, [])
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise _not_a_list(role)
    if named != sorted(set(named)):
        raise _not_a_list(role)
    return frozenset((role, PublicKey.parse(text).text) for text in named)


def people_of(role: str, members: Members) -> Compromised:
    """The keys of people that the team of stewards' role `role` calls compromised."""
    return frozenset(
        (role, key.key)
        for person in members.people
        for key in person.keys
        if person.status_of(key) == "compromised"
    )


def machines_of(role: str, fleet: FleetKeys) -> Compromised:
    """The machines' keys that `role`, which is `fleet`, calls compromised."""
    return frozenset((role, key.key) for key in fleet.keys if key.status == "compromised")


def union(known: Iterable[Compromised]) -> Compromised:
    """All of them: nothing is ever taken back."""
    return frozenset[tuple[str, str]]().union(*known)


def barred(known: Compromised, roles: Iterable[str]) -> frozenset[bytes]:
    """The raw keys that one of `roles` entered: a role's own word, and those above it."""
    wanted = set(roles)
    return frozenset(PublicKey.parse(text).raw for role, text in known if role in wanted)


def marked(fleet: FleetKeys, raw: frozenset[bytes]) -> FleetKeys:
    """`fleet` with each of those keys compromised, whatever the newest list calls it."""
    return replace(fleet, keys=tuple(_marked(fleet.keys, raw)))


def _marked(keys: Iterable[MachineKey], raw: frozenset[bytes]) -> Iterator[MachineKey]:
    for key in keys:
        lost = PublicKey.parse(key.key).raw in raw
        yield replace(key, status="compromised") if lost else key


def _not_a_list(role: str) -> MalformedError:
    return MalformedError(
        "bad-compromised",
        f"{role}: {FIELD} must be a sorted list of keys.",
        subject=role,
        next_step="Have its holders sign a version with a right list.",
    )
