"""Keys that were exchanged in one office and not in the others, as the hub's history shows it.

The newest versions say which keys a person holds; only the older ones say which of two is the one
that was put out. A hub has all of them, and whoever signs elsewhere has the newest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sealift_registry.trust.stored import Stored
from sealift_signing import roles
from sealift_signing.acts import offices
from sealift_signing.acts.material import Carried
from sealift_signing.acts.offices import Office
from sealift_signing.drafts import Draft, decoded
from sealift_signing.organisation import Organisation
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard
from sealift_signing.tuf_walk import PERSON_FIELD

_DELEGATORS = (roles.ROOT, roles.TARGETS, roles.FLEET)


@dataclass(frozen=True)
class ReplacedKey:
    """That a person held `role` with a key, and holds it with another now, or no longer.

    Attributes:
        by: the version that put it out, such as `version 5 of targets`.
    """

    role: str
    by: str


def warnings(found: Stored, made: Draft) -> tuple[str, ...]:
    """What is said of key cards that a draft goes by, whose key was put out somewhere."""
    carried = Carried([decoded(one) for one in made.statements])
    return tuple(
        f"The card of {card.owner} is of a key that {one.by} put out of {one.role}: {card.key}. "
        f"Ask {card.owner} whether it was lost; if so, go by the new card."
        for card in (one.predicate for one in carried.of_kind(KeyCard))
        for one in replaced(found, card.owner, PublicKey.parse(card.key))
    )


def alarms(found: Stored) -> Iterator[tuple[str, Office]]:
    """A sentence for each person with two keys in two places, and the office to be mended.

    That is the one whose key was put out elsewhere; where no history tells, the first.
    """
    held: dict[str, list[Office]] = {}
    # Also what others hold since it was signed, and have not signed again, says who held what.
    for one in offices.offices(Organisation(found.rows, former=True)):
        held.setdefault(one.person, []).append(one)
    for person, all_of_them in sorted(held.items()):
        if not _differ(all_of_them):
            continue
        keys = {one.key.raw: one.key for one in all_of_them}
        stale = {
            raw: why
            for raw, key in keys.items()
            if (why := next(replaced(found, person, key), None))
        }
        if stale:
            for office in all_of_them:
                if office.key.raw in stale:
                    yield _goes_on(office, stale[office.key.raw]), office
        else:
            yield _two_keys(person, all_of_them), all_of_them[0]


def _differ(held: list[Office]) -> bool:
    """Whether two of these offices are held in different places with different keys."""
    # Of two places and two keys there always are two such: one person may hold hundreds of offices.
    return len({one.key.raw for one in held}) > 1 and len({one.place for one in held}) > 1


def _goes_on(office: Office, why: ReplacedKey) -> str:
    return (
        f"The key of {office.person} that {why.by} put out of {why.role} still signs as "
        f"{office.holder} ({office.key.text}): if it was lost or stolen, so can whoever has it."
    )


def _two_keys(person: str, held: Iterable[Office]) -> str:
    each = "; ".join(sorted({f"{one.name} ({one.key.text})" for one in held}))
    return f"{person} has several keys: {each}. If one was lost or stolen, it still signs there."


def replaced(found: Stored, person: str, key: PublicKey) -> Iterator[ReplacedKey]:
    """The roles that `person` held with `key` once, and no longer does."""
    seen: set[str] = set()
    for delegator in _DELEGATORS:
        if found.rows.newest(delegator) is None:
            continue
        now = _held(found.base(delegator).metadata.signed.to_dict(), person, key)
        above = found.rows.newest(delegator) or 0
        for number in found.rows.versions(delegator)[1:]:
            then = _held(_said(found, delegator, number), person, key) - now
            for role in sorted(then - seen):
                if found.version(delegator, number) is not None:  # a row that nobody signed is none
                    yield ReplacedKey(role, f"version {above} of {delegator}")
                    seen.add(role)
            above = number


def _said(found: Stored, role: str, number: int) -> Any:  # noqa: ANN401 - JSON
    with suppress(ValueError):
        return json.loads(found.rows.metadata(role, number) or b"")["signed"]
    return None


def _held(signed: Any, person: str, key: PublicKey) -> set[str]:  # noqa: ANN401 - JSON
    """The roles that a version gives to `person` with `key`, read without checking all the rest."""
    with suppress(KeyError, TypeError, AttributeError):  # a row that is none is somebody else's
        delegations = signed.get("delegations") or signed
        if delegations["keys"][key.keyid][PERSON_FIELD] != person:
            return set()
        given = delegations["roles"]
        each = given.items() if isinstance(given, dict) else [(one["name"], one) for one in given]
        named = {role for role, one in each if key.keyid in one["keyids"]}
        return {role for role in named if not roles.is_online(role)}
    return set()
