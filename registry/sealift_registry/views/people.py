"""People: their teams and what they may do there, and every office that one holds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.catalog.pages import PagePlace
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import FalseRow, Page, page_names, told_or_refused
from sealift_signing import documents, roles
from sealift_signing.acts.offices import Office, offices
from sealift_signing.documents import Person
from sealift_signing.errors import NotFoundError
from sealift_signing.organisation import Organisation


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


@dataclass(frozen=True)
class PersonRow:
    """Somebody in a list: what they may do by all that was signed last.

    Attributes:
        offices: in words, such as `steward of team vision`, in order; a key of another office is
            another key where `keys` says more than one.
        keys: how many keys they have.
    """

    person: str
    offices: tuple[str, ...]
    keys: int


@dataclass(frozen=True)
class PersonView:
    """All about somebody: every office, each with the key that it is held with."""

    person: str
    offices: tuple[Office, ...]


def team_names(connection: Connection) -> list[str]:
    """The names of all teams, in order."""
    return sorted(Repository(connection).teams())


def teams(
    connection: Connection, within: Within = ALL
) -> tuple[tuple[TeamView, ...], tuple[FalseRow, ...]]:
    """Every team, by name; and those of whose people nothing can be told now.

    Who its stewards are, `targets` says: a team is here with them in either case.
    """
    repository = Repository(connection)
    every = [name for name in team_names(connection) if within.has_team(name)]
    lists, refused = told_or_refused(every, lambda name: (name, repository.members(name)))
    members = dict(lists)
    found = []
    for name in every:
        of_team = members.get(name)
        held = roles.keyholders(repository.targets().signed, roles.team_role(name)).people
        people = None if of_team is None else of_team.people
        travel = of_team is not None and of_team.check_rows is not None
        found.append(TeamView(name, tuple(held), people, travel))
    return tuple(found), refused


def people(connection: Connection, place: PagePlace, within: Within = ALL) -> Page[PersonRow]:
    """A page of everybody who holds an office, by their ids: of some teams those in them alone.

    Raises:
        RefusedError: a role that says so is none that its holders signed.
    """
    held = _held(connection, within)
    here, after = page_names(place, held)
    rows = [
        PersonRow(
            person,
            tuple(sorted(one.name for one in held[person])),
            len({one.key.raw for one in held[person]}),
        )
        for person in here
    ]
    return Page(tuple(rows), (), after)


def person(connection: Connection, name: str, within: Within = ALL) -> PersonView:
    """All about somebody: to who sees some teams, their offices in those.

    Raises:
        NotFoundError: nobody of that id holds an office.
        RefusedError: a role that says so is none that its holders signed.
    """
    held = _held(connection, within).get(name)
    if held is None:
        raise NotFoundError(
            "no-person",
            f"Nobody called {name} holds an office.",
            subject=name,
            next_step="See who does with: sealift list people",
        )
    return PersonView(name, tuple(sorted(held, key=lambda one: one.name)))


def _held(connection: Connection, within: Within) -> dict[str, list[Office]]:
    """Every office by its holder; also of roles that others hold since, and have not signed."""
    found: dict[str, list[Office]] = {}
    organisation = Organisation(Repository(connection).stored.rows, former=True)
    seen = {
        place
        for team in within.teams
        for place in (roles.team_role(team), documents.members_path(team))
    }
    for one in offices(organisation):
        if not (within.everything or one.place in seen):
            continue
        found.setdefault(one.person, []).append(one)
    return found
