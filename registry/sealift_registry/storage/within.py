"""Which rows of a list somebody is told of: all, or those of some teams and sites and their own.

It is asked by queries, so that a page is full where there are so many, and the next one begins
behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


@dataclass(frozen=True)
class Within:
    """How far a list goes.

    Attributes:
        everything: no row is left out.
        teams: whose rows are told, where not everything is.
        sites: likewise.
        all_sites: of every site.
        asked_by: who is told of the jobs that they asked for; empty: of none as theirs.
    """

    everything: bool = True
    teams: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    all_sites: bool = False
    asked_by: str = ""

    def has_team(self, team: str | None) -> bool:
        """Whether what is of this team is told."""
        return self.everything or team in self.teams

    def has_site(self, site: str | None) -> bool:
        """Whether what is of this site is told."""
        return self.everything or self.all_sites or site in self.sites

    def has_role(self, role: str) -> bool:
        """Whether what is about this role of TUF is told: a team's, a site's, or the hub's own."""
        kind, _, name = role.partition(".")
        if kind == "team":
            return self.has_team(name)
        return self.has_site(name) if kind == "site" else self.everything

    def of_teams(self, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
        """What is asked of the column of a table that names a team."""
        return [] if self.everything else [column.in_(sorted(self.teams))]

    def of_sites(self, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
        """What is asked of the column of a table that names a site."""
        whole = self.everything or self.all_sites
        return [] if whole else [column.in_(sorted(self.sites))]


ALL = Within()
"""No row is left out: at the hub's shell, and for who may see everything."""
