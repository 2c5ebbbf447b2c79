"""Whether there is what a list is asked for: a mistyped name must not read as an empty list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from sealift_registry.catalog import tables as catalog_tables
from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion, promotion_id
from sealift_registry.delivery import tables
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust.repository import Repository
from sealift_registry.views import people, receipts, transfers
from sealift_signing.counting_rules import rule_of
from sealift_signing.errors import NotFoundError


def check_team(connection: Connection, team: str) -> None:
    """Check that the organisation has a team, or had it when a version was taken in.

    Raises:
        NotFoundError: it never had one.
    """
    teams = Repository(connection).teams()
    if team not in teams and not _has(connection, catalog_tables.model_version.c.team == team):
        known = ", ".join(sorted(teams)) or "none yet"
        raise NotFoundError(
            "no-team",
            f"There is no team {team}.",
            subject=team,
            next_step=f"The teams are: {known}.",
        )


def check_model(connection: Connection, model: ModelRef) -> None:
    """Check that a version of a model was taken in.

    Raises:
        NotFoundError: none was, or there is no such team.
    """
    check_team(connection, model.team)
    t = catalog_tables.model_version.c
    if not _has(connection, t.team == model.team, t.model == model.model):
        raise NotFoundError(
            "no-model",
            f"There is no model {model}.",
            subject=str(model),
            next_step=f"See which the team has with: sealift list versions --team {model.team}",
        )


def check_stage(connection: Connection, stage: str) -> None:
    """Check that the policy has a stage, or that something was asked for, or enrolled, for it.

    Raises:
        NotFoundError: there is no such stage.
    """
    promoted, enrolled = catalog_tables.promotion.c.stage, tables.site.c.stage
    if not (_has(connection, promoted == stage) or _has(connection, enrolled == stage)):
        rule_of(Repository(connection).policy(), stage)


def check_site(connection: Connection, site: str, within: Within = ALL) -> None:
    """Check that a site is enrolled, or was exported to, and that it is told of.

    Raises:
        NotFoundError: there is no such site.
    """
    enrolled, exported = tables.site.c.id == site, tables.transfer.c.site == site
    is_there = _has(connection, enrolled) or _has(connection, exported)
    if not (is_there and within.has_site(site)):
        raise NotFoundError(
            "no-site",
            f"No site {site} is enrolled.",
            subject=site,
            next_step="See which there are with: sealift list sites",
        )


def check_beyond(
    connection: Connection,
    kind: str,
    name: str,
    hardware_targets: Collection[str],
    within: Within = ALL,
) -> None:
    """Check that there is what a page of a list is to begin after, for who is told of it.

    Raises:
        NotFoundError: there is not.
        UsageError: nothing of that kind is spelled so.
    """
    if kind != "hardware-targets":
        _BEYOND[kind](connection, name, within)
    elif name not in hardware_targets:
        raise _none("hardware-target-unknown", f"There is no hardware target {name}.", name, kind)


def _has(connection: Connection, *where: ColumnElement[Any]) -> bool:
    return connection.execute(select(1).where(*where).limit(1)).first() is not None


def _check_version(connection: Connection, name: str, within: Within) -> None:
    ref, t = VersionRef.parse(name), catalog_tables.model_version.c
    is_it = (t.team == ref.team, t.model == ref.model, t.number == ref.number)
    if not _has(connection, *is_it, *within.of_teams(t.team)):
        raise _none("no-version", f"There is no version {ref}.", str(ref), "versions")


def _check_model(connection: Connection, name: str, within: Within) -> None:
    ref, t = ModelRef.parse(name), catalog_tables.model_version.c
    is_it = (t.team == ref.team, t.model == ref.model)
    if not _has(connection, *is_it, *within.of_teams(t.team)):
        raise _none("no-model", f"There is no model {ref}.", str(ref), "models")


def _check_promotion(connection: Connection, name: str, within: Within) -> None:
    number, t = parse_promotion(name), catalog_tables.promotion.c
    if not _has(connection, t.number == number, *within.of_teams(t.team)):
        known = promotion_id(number)
        raise _none("no-promotion", f"There is no promotion {known}.", known, "promotions")


def _check_transfer(connection: Connection, name: str, within: Within) -> None:
    t = tables.transfer.c
    if not _has(connection, t.id == name, *within.of_sites(t.site)):
        raise transfers.missing(name)


def _check_person(connection: Connection, name: str, within: Within) -> None:
    people.person(connection, name, within)


def _check_role(connection: Connection, name: str, _within: Within) -> None:
    if name not in Repository(connection).stored.rows.newest_numbers():
        raise _none("no-role", f"There is no role {name}.", name, "roles")


def _none(code: str, what: str, subject: str, kind: str) -> NotFoundError:
    step = f"Begin with the first page: sealift list {kind}"
    return NotFoundError(code, what, subject=subject, next_step=step)


_BEYOND: Mapping[str, Callable[[Connection, str, Within], None]] = {
    "versions": _check_version,
    "models": _check_model,
    "promotions": _check_promotion,
    "sites": check_site,
    "transfers": _check_transfer,
    "receipts": receipts.check_there,
    "people": _check_person,
    "roles": _check_role,
}
