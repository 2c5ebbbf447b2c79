"""What a request is about, found before it is said whether whoever asks may.

What cannot be found is the hub as a whole: who may not see everything is then told that they may
not, and learns nothing of whether there is such a thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.connection import ASGIConnection
from sqlalchemy import select

from sealift_registry.catalog import tables
from sealift_registry.catalog.reference import parse_promotion
from sealift_registry.jobs import records
from sealift_registry.jobs.job import parse_job
from sealift_registry.views.jobs import team_of
from sealift_registry.web.callers import Where
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

Connection = ASGIConnection[Any, Any, Any, Any]
HUB = Where()
HUB_LOG = "hub"
"""As `all_logs.HUB`: what the hub's own log is called."""


def team_asked(_served: Served, connection: Connection) -> Where:
    """The team to which a list is narrowed down, by its name or by a model of it."""
    asked = connection.query_params
    model = asked.get("model")
    return Where(team=model.partition("/")[0] if model else asked.get("team"))


def site_asked(_served: Served, connection: Connection) -> Where:
    """The site to which a list is narrowed down."""
    return Where(site=connection.query_params.get("site"))


def entries_asked(_served: Served, connection: Connection) -> Where:
    """The team or site to which entries are narrowed down: each of them has that word."""
    asked = connection.query_params
    terms = [one.partition("=") for one in asked.getall("term", [])]
    teams = [value for kind, _, value in terms if kind == "team"]
    models = [value.partition("/")[0] for kind, _, value in terms if kind == "model"]
    at = asked.get("at", HUB_LOG).partition("@")[0]
    sites = {one for one in (asked.get("site"), None if at == HUB_LOG else at) if one}
    # Of two sites there is nothing; who may not see everything is told of what they may see.
    site = next(iter(sites)) if len(sites) == 1 else None
    return Where(team=next(iter(teams + models), None), site=site)


def of_promotion(served: Served, connection: Connection) -> Where:
    """The team of a promotion."""
    try:
        number = parse_promotion(connection.path_params["promotion"])
    except SealiftError:
        return HUB
    t = tables.promotion.c
    with served.app.hub.reading() as reading:
        team = reading.execute(select(t.team).where(t.number == number)).scalar()
    return Where(team=team)


def of_transfer(_served: Served, connection: Connection) -> Where:
    """The site of a transfer, which stands in its name."""
    name: str = connection.path_params["transfer"]
    return Where(site=name.rpartition("-")[0] or None)


def of_job(served: Served, connection: Connection) -> Where:
    """Who asked for a job, and the team that it is about."""
    try:
        number = parse_job(connection.path_params["job"])
        with served.app.hub.reading() as reading:
            order = records.asked(reading, number).order
    except SealiftError:
        return HUB
    caller = connection.state.caller
    owner = caller.account if order.asked_by == caller.name else None
    return Where(team=team_of(order.arguments), owner=owner)


def jobs_asked(_served: Served, connection: Connection) -> Where:
    """Whose jobs are listed: one's own, or everybody's."""
    mine = connection.query_params.get("mine", "").lower() in {"true", "1"}
    return Where(owner=connection.state.caller.account if mine else None)
