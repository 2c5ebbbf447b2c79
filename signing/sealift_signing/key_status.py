"""Keys of a team's people that were retired: what a list of members may say of them, and keeps.

*Retired* is a status of a key (docs/adr/0060-retired-is-a-status-of-a-key.md). The list that bears
it names by sha256 all that goes on counting of what the key signed. What is not in it counts for
nothing, whatever its date: whoever signed something chose its date, and whoever owns the hub
chooses when it turns up.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sealift_signing import features
from sealift_signing.errors import MalformedError
from sealift_signing.vocabulary import instant

if TYPE_CHECKING:
    from sealift_signing.documents import MemberKey, Members, Person

REQUIRED = features.KEY_STATUS.spelled


def check(members: Members, what: str) -> None:
    """Check what `members` says of single keys.

    Raises:
        MalformedError: the feature is not required where a key has a status, or where none has; a
            list stands elsewhere than with a retired key, or is not in order; or a key has a
            status of its own although its person is compromised, which is more.
    """
    has_status = False
    for person in members.people:
        for key in person.keys:
            has_status = has_status or key.status is not None
            if (key.counts is None) is (key.status == "retired"):
                raise _bad(
                    what, f"{person.id} has a list without a retired key, or the other way round"
                )
            digests = [one.sha256 for one in key.counts or ()]
            if digests != sorted(digests):
                raise _bad(what, f"what goes on counting of {person.id} is not in order")
            if key.status is not None and person.status == "compromised":
                raise _bad(what, f"{person.id} is compromised, with every key")
    if has_status is not (REQUIRED in members.requires):
        raise MalformedError(
            "key-status-unrequired",
            f"{what} says what a single key is without requiring {REQUIRED}, or the other way "
            "round.",
            subject=what,
        )


def requiring(members: Members) -> Members:
    """`members`, in which the feature is required where a key has a status, and only there."""
    required = {one for one in members.requires if one != REQUIRED}
    if any(key.status is not None for person in members.people for key in person.keys):
        required |= {REQUIRED}
    return replace(members, requires=tuple(sorted(required)))


def without_expired(members: Members, now: datetime) -> Members:
    """`members` without what no longer counts anywhere, because it is valid no longer."""
    return replace(members, people=tuple(_of_person(one, now) for one in members.people))


def _of_person(person: Person, now: datetime) -> Person:
    return replace(person, keys=tuple(_of_key(one, now) for one in person.keys))


def _of_key(key: MemberKey, now: datetime) -> MemberKey:
    if key.counts is None:
        return key
    return replace(key, counts=tuple(one for one in key.counts if instant(one.until) > now))


def _bad(what: str, why: str) -> MalformedError:
    return MalformedError("bad-key-status", f"{what}: {why}.", subject=what)
