"""What somebody may sign, as rights go by it: from the documents that were signed last.

Nothing of it is stored. Whoever left a team a moment ago has nothing of it in the next request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.access.calling import NOTHING, Held
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import Rows
from sealift_signing import roles
from sealift_signing.acts.offices import Office, member_offices, role_offices
from sealift_signing.documents import members_path
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.organisation import Organisation


@dataclass(frozen=True)
class Offices:
    """Every office of everybody, by what was published last.

    Attributes:
        by_person: the offices, by who holds them.
        teams: by the path of each team's list of people, its team.
    """

    by_person: Mapping[str, tuple[Office, ...]]
    teams: Mapping[str, str]

    def of(self, person: str | None, keyid: str | None) -> tuple[Office, ...]:
        """What somebody holds; nothing where an account is nobody's, or by a key of nobody's now.

        Whoever proved a key that was exchanged, or called compromised, since proves another one.
        """
        mine = () if person is None else self.by_person.get(person, ())
        return mine if any(one.key.keyid == keyid for one in mine) else ()

    def held(self, person: str | None, keyid: str | None) -> Held:
        """The same, as rights go by it."""
        places = {one.place for one in self.of(person, keyid)}
        if not places:
            return NOTHING
        members = {self.teams[one] for one in places if one in self.teams}
        return Held(
            teams=frozenset(members | _whose(places, roles.TEAM)),
            sites=frozenset(_whose(places, roles.SITE)),
            fleet=roles.FLEET in places,
            any=True,
        )


def read(connection: Connection) -> Offices:
    """The offices of everybody, by what those signed who hold its role now.

    What others signed, who held it once, gives nobody a right: whoever has the database may put in
    a version by keys that were stolen and exchanged. Of a role that is not signed so, its offices
    are nobody's until it is; the rest stays.
    """
    rows = Repository(connection).stored.rows
    there = _signed_by_people(rows)
    for key, known in _last:
        if key == there:
            return known
    found = _read(rows)
    _last[:] = [(there, found)]
    return found


_last: list[tuple[object, Offices]] = []
"""What was read last, by the very bytes that it was read of: they say it whoever put them there."""


def _signed_by_people(rows: Rows) -> tuple[tuple[str, bytes | None], ...]:
    """The newest version of every role that people sign."""
    named = [role for role in rows.roles() if not roles.is_online(role)]
    return tuple((role, rows.metadata(role)) for role in named)


def _read(rows: Rows) -> Offices:
    organisation = Organisation(rows)
    found: dict[str, list[Office]] = {}
    teams: dict[str, str] = {}
    for one in _of_roles(organisation):
        found.setdefault(one.person, []).append(one)
    with suppress(RefusedError, NotFoundError):
        teams = {members_path(team): team for team in organisation.teams}
    for team in teams.values():
        with suppress(RefusedError, NotFoundError):
            for one in list(member_offices(organisation, team)):
                found.setdefault(one.person, []).append(one)
    return Offices({person: tuple(held) for person, held in found.items()}, teams)


def _of_roles(organisation: Organisation) -> Iterator[Office]:
    for owner in (roles.ROOT, roles.TARGETS, roles.FLEET):
        with suppress(RefusedError, NotFoundError):
            is_root = owner == roles.ROOT
            head = organisation.root if is_root else organisation.head(owner)
            yield from list(role_offices(head.metadata.signed))


def _whose(places: set[str], kind: str) -> set[str]:
    return {roles.whose(one) for one in places if roles.kind(one) == kind} - {""}
