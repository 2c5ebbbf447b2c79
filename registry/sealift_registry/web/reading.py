"""Routes that read what there is: the read models and the lines of the commands, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from sealift_registry.catalog import page_sizes
from sealift_registry.catalog.pages import PagePlace
from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.shown import (
    lists,
    overview,
    person,
    promotion,
    settings,
    site,
    steps,
    teams,
    transfer,
    version,
)
from sealift_registry.shown.told import Told
from sealift_registry.storage.within import Within
from sealift_registry.trust.repository import Repository
from sealift_registry.views import overview as runs
from sealift_registry.views import people, promotions, sites, transfers, versions
from sealift_registry.web import hub_shapes, places, shapes
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.guarding import Part, caller_of, within_of
from sealift_signing.transparency.question import day_or_time

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.trust.hub import Hub

TEAM, SITE = frozenset[Part]({"team"}), frozenset[Part]({"site"})
Limit = Annotated[
    int, QueryParameter(ge=1, le=page_sizes.LARGEST, description="So many rows at most.")
]
Beyond = Annotated[str | None, QueryParameter(description="Go on after the row of this name.")]
NewestFirst = Annotated[bool, QueryParameter(description="Begin with the newest.")]
Team = Annotated[str | None, QueryParameter(description="Only of this team.")]
Model = Annotated[str | None, QueryParameter(description="Only of this model, TEAM/MODEL.")]
Stage = Annotated[str | None, QueryParameter(description="Only for this stage.")]
Site = Annotated[str | None, QueryParameter(description="Only of this site.")]


def listed(
    request: Asking,
    kind: str,
    place: PagePlace,
    *,
    team: str | None = None,
    model: str | None = None,
    stage: str | None = None,
    of_site: str | None = None,
) -> Response[bytes]:
    """A page of a list."""
    app = served_by(request).app
    ref, within = ModelRef.parse(model) if model else None, within_of(request)
    wanted = lists.Asked(team, ref, stage, of_site, place, within)
    here = lists.Here(app.hub, app.hardware_targets)
    with app.hub.reading() as connection:
        return answered(request, lists.told(here, connection, kind, wanted))


def _read(request: Asking, read: Callable[[Connection], Told]) -> Response[bytes]:
    """What is read in one state of the database."""
    with served_by(request).app.hub.reading() as connection:
        found = read(connection)
    return answered(request, found)


# ---------------------------------------------------------------------- models


@get(
    f"{API}/teams",
    tags=["teams"],
    **Reads("team.read", shapes.Teams, by=TEAM).declared(),
)
def list_teams(request: Asking) -> Response[bytes]:
    """List teams, and who may do what in each."""
    within = within_of(request)
    return _read(request, lambda connection: teams.told(*people.teams(connection, within)))


@get(
    f"{API}/versions",
    tags=["models"],
    **Reads("version.read", shapes.Versions, places.team_asked, TEAM).declared(),
)
def list_versions(
    request: Asking,
    *,
    team: Team = None,
    model: Model = None,
    limit: Limit = page_sizes.USUAL,
    beyond: Beyond = None,
    newest_first: NewestFirst = False,
) -> Response[bytes]:
    """List versions of models: of the teams that one may see."""
    place = PagePlace(limit, beyond, newest_first)
    return listed(request, "versions", place, team=team, model=model)


@get(
    f"{API}/versions/{{team:str}}/{{model:str}}/{{number:str}}",
    tags=["models"],
    **Reads("version.read", shapes.VersionShown).declared(),
)
def show_version(request: Asking) -> Response[bytes]:
    """Show all about a version: its source, its forms, its evidence, where it runs."""
    named = request.path_params
    ref = VersionRef.parse(f"{named['team']}/{named['model']}/{named['number']}")

    def read(hub: Hub, connection: Connection) -> Told:
        found = versions.version(hub, connection, ref)
        return Told(version.version_data(found), version.version_lines(found))

    return answered(request, served_by(request).app.hub.reading_blobs(read))


# ------------------------------------------------------------------ promotions


@get(
    f"{API}/promotions",
    tags=["promotions"],
    **Reads("promotion.read", shapes.Promotions, places.team_asked, TEAM).declared(),
)
def list_promotions(
    request: Asking,
    *,
    team: Team = None,
    model: Model = None,
    stage: Stage = None,
    limit: Limit = page_sizes.USUAL,
    beyond: Beyond = None,
    newest_first: NewestFirst = False,
) -> Response[bytes]:
    """List promotions: of the teams that one may see."""
    place = PagePlace(limit, beyond, newest_first)
    return listed(request, "promotions", place, team=team, model=model, stage=stage)


@get(
    f"{API}/promotions/{{promotion:str}}",
    tags=["promotions"],
    **Reads("promotion.read", shapes.PromotionShown, places.of_promotion).declared(),
)
def show_promotion(request: Asking) -> Response[bytes]:
    """Show all about a promotion: its evidence, who approved, who objected, what is missing."""
    hub, number = served_by(request).app.hub, parse_promotion(request.path_params["promotion"])

    def read(connection: Connection) -> Told:
        found = promotions.promotion(connection, hub.now(), number)
        return Told(promotion.promotion_data(found), promotion.promotion_lines(found))

    return _read(request, read)


# ----------------------------------------------------------------------- sites


@get(f"{API}/sites", tags=["sites"], **Reads("site.read", shapes.Sites, by=SITE).declared())
def list_sites(
    request: Asking,
    *,
    stage: Stage = None,
    limit: Limit = page_sizes.USUAL,
    beyond: Beyond = None,
) -> Response[bytes]:
    """List sites: those that one may see."""
    return listed(request, "sites", PagePlace(limit, beyond), stage=stage)


@get(f"{API}/sites/{{site:str}}", tags=["sites"], **Reads("site.read", shapes.SiteShown).declared())
def show_site(request: Asking) -> Response[bytes]:
    """Show all about a site: what it should run, what it says that it runs, what it reads."""

    def read(connection: Connection) -> Told:
        found = sites.site(connection, request.path_params["site"])
        return Told(site.site_data(found), site.site_lines(found))

    return _read(request, read)


@get(
    f"{API}/overview",
    tags=["sites"],
    **Reads("site.read", hub_shapes.OverviewShown, places.site_asked, SITE).declared(),
)
def show_overview(
    request: Asking,
    *,
    of: Annotated[
        str | None, QueryParameter(description="Only of this TEAM/MODEL, or TEAM/MODEL/VERSION.")
    ] = None,
    site: Site = None,
    at: Annotated[
        str | None, QueryParameter(description="As it was known before this day or time, in UTC.")
    ] = None,
) -> Response[bytes]:
    """Show what runs where, at every site at once: of the sites that one may see."""
    model, version = runs.ref_of(of) if of else (None, None)
    until = None if at is None else day_or_time(at)
    asked = runs.Asked(model, version, site, until, within_of(request))
    served = served_by(request)
    # Whether there is a model is told to who may see every one.
    whole = served.gatekeeper.reach(caller_of(request), "model.read").everything
    return _read(request, lambda connection: overview.told(connection, asked, whole=whole))


@get(
    f"{API}/transfers",
    tags=["sites"],
    **Reads("transfer.read", shapes.Transfers, places.site_asked, SITE).declared(),
)
def list_transfers(
    request: Asking,
    *,
    site: Site = None,
    limit: Limit = page_sizes.USUAL,
    beyond: Beyond = None,
    newest_first: NewestFirst = False,
) -> Response[bytes]:
    """List transfers: of the sites that one may see."""
    place = PagePlace(limit, beyond, newest_first)
    return listed(request, "transfers", place, of_site=site)


@get(
    f"{API}/transfers/{{transfer:str}}",
    tags=["sites"],
    **Reads("transfer.read", shapes.TransferShown, places.of_transfer).declared(),
)
def show_transfer(request: Asking) -> Response[bytes]:
    """Show all about a transfer, whether it is signed or only begun."""
    hub, name = served_by(request).app.hub, request.path_params["transfer"]

    def read(connection: Connection) -> Told:
        found = transfers.transfer(hub, connection, name)
        if isinstance(found, transfers.TransferView):
            return Told(transfer.transfer_data(found), transfer.transfer_lines(found))
        if found is None:
            raise transfers.missing(name)
        return Told(transfer.begun_data(found), transfer.begun_lines(found))

    return _read(request, read)


# ---------------------------------------------------------------------- people


@get(f"{API}/people", tags=["teams"], **Reads("team.read", shapes.People, by=TEAM).declared())
def list_people(
    request: Asking, limit: Limit = page_sizes.USUAL, beyond: Beyond = None
) -> Response[bytes]:
    """List everybody who holds an office: to who sees some teams, the offices in those."""
    return listed(request, "people", PagePlace(limit, beyond))


@get(
    f"{API}/people/{{person:str}}",
    tags=["teams"],
    **Reads("team.read", shapes.PersonShown, by=TEAM).declared(),
)
def show_person(request: Asking) -> Response[bytes]:
    """Show all about a person: every office, and the key by which they hold it.

    To who sees some teams, the offices in those.
    """
    within = within_of(request)

    def read(connection: Connection) -> Told:
        found = people.person(connection, request.path_params["person"], within)
        return Told(person.person_data(found), person.person_lines(found))

    return _read(request, read)


# --------------------------------------------------------------------- the hub

ADMINISTERS = "account.read"
"""What administrators alone may."""


@get(f"{API}/roles", tags=["hub"], **Reads("policy.read", shapes.Roles).declared())
def list_roles(
    request: Asking, limit: Limit = page_sizes.USUAL, beyond: Beyond = None
) -> Response[bytes]:
    """List roles: who signed each, and until when it counts."""
    return listed(request, "roles", PagePlace(limit, beyond))


@get(
    f"{API}/hardware-targets",
    tags=["hub"],
    **Reads("hardware-target.read", shapes.HardwareTargets).declared(),
)
def list_hardware_targets(
    request: Asking, limit: Limit = page_sizes.USUAL, beyond: Beyond = None
) -> Response[bytes]:
    """List what variants can be built for."""
    return listed(request, "hardware-targets", PagePlace(limit, beyond))


@get(f"{API}/policy", tags=["hub"], **Reads("policy.read", hub_shapes.PolicyShown).declared())
def show_policy(request: Asking) -> Response[bytes]:
    """Show the policy: what each stage asks before something counts as promoted to it."""

    def read(connection: Connection) -> Told:
        return settings.policy(Repository(connection).policy())

    return _read(request, read)


@get(f"{API}/settings", tags=["hub"], **Reads("settings.read", hub_shapes.SettingsShown).declared())
def show_settings(request: Asking) -> Response[bytes]:
    """Show the settings that the server goes by; what looks like a secret is struck out.

    Where things are, on the hub's host or its network, is told to administrators alone.
    """
    served, caller = served_by(request), caller_of(request)
    places = served.gatekeeper.reach(caller, ADMINISTERS).everything
    return answered(request, settings.settings(served.app.hub.home.settings, places=places))


@get(f"{API}/next", tags=["hub"], **Reads("next.read", hub_shapes.Missing).declared())
def show_next(request: Asking) -> Response[bytes]:
    """Show what is missing next, of the teams and sites that one may see: a sentence and a command.

    What is the hub's own is told to who may see every team and site.
    """
    served, caller = served_by(request), caller_of(request)
    reach = partial(served.gatekeeper.reach, caller)
    teams, sites = reach("team.read"), reach("site.read")
    seen = teams.teams
    if teams.everything:
        with served.app.hub.reading() as connection:
            seen = frozenset(people.team_names(connection))
    within = Within(
        everything=teams.everything and sites.everything,
        teams=seen,
        sites=sites.sites,
        all_sites=sites.everything or sites.all_sites,
        asked_by=caller.name,
    )
    return answered(request, steps.told(served.app.missing(within)))


ROUTES = (
    *(list_teams, list_versions, show_version, list_promotions, show_promotion),
    *(
        list_sites,
        show_site,
        show_overview,
        list_transfers,
        show_transfer,
        list_people,
        show_person,
    ),
    *(list_roles, list_hardware_targets, show_policy, show_settings, show_next),
)
