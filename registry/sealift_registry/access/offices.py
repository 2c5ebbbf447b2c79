"""What somebody may sign, as rights go by it: from the documents that were signed last.

Nothing of it is stored. Whoever left a team a moment ago has nothing of it in the next request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.access.calling import NOTHING, Held
from sealift_registry.trust.repository import Repository
from sealift_signing import roles
from sealift_signing.acts.offices import Office, offices
from sealift_signing.documents import members_path
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

    def of(self, person: str | None) -> tuple[Office, ...]:
        """What somebody holds; nothing, where an account is nobody's yet."""
        return () if person is None else self.by_person.get(person, ())

    def held(self, person: str | None) -> Held:
        """The same, as rights go by it."""
        places = {one.place for one in self.of(person)}
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
    """The offices of everybody.

    Raises:
        RefusedError: a role that says so is none that its holders signed.
    """
    organisation = Organisation(Repository(connection).stored.rows, former=True)
    found: dict[str, list[Office]] = {}
    for one in offices(organisation):
        found.setdefault(one.person, []).append(one)
    teams = {members_path(team): team for team in organisation.teams}
    return Offices({person: tuple(held) for person, held in found.items()}, teams)


def _whose(places: set[str], kind: str) -> set[str]:
    return {roles.whose(one) for one in places if roles.kind(one) == kind} - {""}
