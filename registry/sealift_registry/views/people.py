"""Teams and their people: who may do what, by what stewards signed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import FalseRow, each
from sealift_signing import roles
from sealift_signing.documents import Person


@dataclass(frozen=True)
class TeamView:
    """A team.

    Attributes:
        stewards: who holds its role, by `targets`.
        people: who may ask for something or approve it; None where stewards have signed no list
            that counts now.
        check_rows_travel: whether check rows leave the hub with its models.
    """

    name: str
    stewards: tuple[str, ...]
    people: tuple[Person, ...] | None
    check_rows_travel: bool


def names(connection: Connection) -> list[str]:
    """The names of all teams, in order."""
    return sorted(Repository(connection).teams())


def teams(connection: Connection) -> tuple[tuple[TeamView, ...], tuple[FalseRow, ...]]:
    """Every team, by name; and those of whose people nothing can be told now.

    Who its stewards are, `targets` says: a team is here with them in either case.
    """
    repository = Repository(connection)
    every = names(connection)
    lists, refused = each(every, lambda name: (name, repository.members(name)))
    members = dict(lists)
    found = []
    for name in every:
        of_team = members.get(name)
        held = roles.keyholders(repository.targets().signed, roles.team_role(name)).people
        people = None if of_team is None else of_team.people
        travel = of_team is not None and of_team.check_rows is not None
        found.append(TeamView(name, tuple(held), people, travel))
    return tuple(found), refused
