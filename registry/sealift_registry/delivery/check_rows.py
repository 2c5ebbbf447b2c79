"""Check rows on their way: whether a team lets them leave, and to which sites they would go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery import assignments, reading
from sealift_registry.delivery.sites import Site, Sites
from sealift_registry.proof.report import named_check_rows
from sealift_registry.trust.drafting import Wanted
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.teams import lets_check_rows_travel
from sealift_signing.acts.asking import Ask, Other
from sealift_signing.acts.check_rows import STAY, TRAVEL
from sealift_signing.documents import AssignedArtifact
from sealift_signing.drawing import pasted
from sealift_signing.features import CHECK_ROWS, unread
from sealift_signing.statements import Evidence


@dataclass(frozen=True)
class OnTheWay:
    """Files of check rows of what is assigned to a site.

    Attributes:
        travelling: the digests of those that a bundle carries.
        staying: sentences about those that it does not, and why.
    """

    travelling: frozenset[str]
    staying: tuple[str, ...]


def of(
    hub: Hub, connection: Connection, site: Site, assigned: Sequence[AssignedArtifact]
) -> OnTheWay:
    """Which files of check rows travel to `site` with what is assigned there.

    All of them in every bundle, for they are small: only where the team lets them out, and the
    site's software reads them. None that stays at home is a reason to refuse: a site that is sent
    none does as it did before there were any.
    """
    named = {one.parsed: rows for one in assigned if (rows := _named(connection, one)) is not None}
    repository, staying = Repository(connection), list[str]()
    kept = [
        team
        for team in sorted({path.team for path in named})
        if not lets_check_rows_travel(repository, team)
    ]
    for team in kept:
        count = _counted(sum(path.team == team for path in named))
        staying.append(
            f"Check rows of {count} stay at home: team {team} does not let them travel. "
            f"It would with: sealift team check-rows {pasted([team])} --travel"
        )
    out = {path: rows for path, rows in named.items() if path.team not in kept}
    if out and unread([CHECK_ROWS.full], reading.reads_of(connection, site).told):
        staying.append(
            f"Check rows of {_counted(len(out))} stay at home: the software of {site.id} does not "
            f"read them. Sealift {CHECK_ROWS.since} does, or newer."
        )
        out = {}
    there = frozenset(rows for rows in out.values() if hub.home.blobs.has(rows))
    lost = sum(rows not in there for rows in out.values())
    if lost:
        staying.append(
            f"Check rows of {_counted(lost)} stay at home: their file is missing from the hub's "
            "own store. Restore it from a backup."
        )
    return OnTheWay(there, tuple(staying))


def _named(connection: Connection, one: AssignedArtifact) -> str | None:
    """The digest of the check rows that the evidence of an assigned artifact names."""
    catalog = Catalog(connection)
    for digest in one.evidence:
        said = catalog.statement(Evidence, digest).predicate
        rows = named_check_rows(said.details) if said.kind == "parity" else None
        if rows is not None:
            return rows.sha256
    return None


def _counted(number: int) -> str:
    return f"{number} artifact" if number == 1 else f"{number} artifacts"


def wanted(hub: Hub, team: str, aside: Sequence[Other] = (), *, travel: bool) -> Wanted:
    """To have check rows of a team's models travel with them from now on, or stay at the hub."""
    with hub.reading() as connection:
        concerned = sites_of(connection, team)
    return Wanted(
        Ask("set-check-rows", (team, TRAVEL if travel else STAY)),
        facts={"site": tuple(one.id for one in concerned)} if concerned else {},
        others=tuple(aside),
        check=lambda state, made: reading.check_members(state, concerned, team, made),
    )


def sites_of(connection: Connection, team: str) -> list[Site]:
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
