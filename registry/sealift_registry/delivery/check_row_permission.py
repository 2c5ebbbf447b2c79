"""Whether a team lets check rows leave the hub, and to which sites they would go."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sealift_registry.delivery import assignments, site_software
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.teams import lets_check_rows_travel
from sealift_signing.acts.check_rows import STAY, TRAVEL
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.acts.teams import check_team


def wanted(hub: Hub, team: str, aside: Sequence[SetAsideVersion] = (), *, travel: bool) -> Wanted:
    """To have check rows of a team's models travel with them from now on, or stay at the hub."""
    with hub.reading() as connection:
        concerned = sites_of(connection, team)
    return Wanted(
        Ask("set-check-rows", (team, TRAVEL if travel else STAY)),
        facts={"site": tuple(one.id for one in concerned)} if concerned else {},
        others=tuple(aside),
        check=lambda state, made: site_software.check_members(state, concerned, team, made),
    )


def permission_of(hub: Hub, team: str) -> tuple[bool, tuple[str, ...]]:
    """Whether check rows of a team's models travel, and the sites that have such a model today.

    Raises:
        NotFoundError: there is no such team.
    """
    with hub.reading() as connection:
        repository = Repository(connection)
        check_team(repository.stored, team)
        concerned = tuple(one.id for one in sites_of(connection, team))
        return lets_check_rows_travel(repository, team), concerned


def sites_of(connection: Connection, team: str) -> list[EnrolledSite]:
    """The sites to which a model of `team` is assigned today, by id."""
    repository = Repository(connection)
    return [
        site
        for site in Sites(connection).all()
        if any(
            artifact.parsed.team == team
            for _, _, artifact in assignments.current(repository, site).artifacts()
        )
    ]


def told_first(name: str, sites: Sequence[str], *, travel: bool) -> tuple[str, ...]:
    """What comes of it, in lines, before anybody signs."""
    found = ", ".join(sites) or "no site yet"
    if not travel:
        return (f"Sites that would get no more check rows of team {name}: {found}.",)
    return (
        f"Sites that would get check rows of team {name} with the next export: {found}.",
        "Rows are values of your goldens: whoever has the medium or the site can read them.",
    )
