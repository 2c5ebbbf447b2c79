"""Which grants there may be, and how they are written: rows beside the entries that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert

from sealift_registry.access import secret, standing, tables
from sealift_registry.access.calling import Caller, Grant
from sealift_registry.access.rights import LIMITS
from sealift_registry.access.standing import ACCOUNT, STANDING, Standing
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import roles
from sealift_signing.canonical import Json
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.transparency.entry import Entry

MOST = 200
"""Grants of one account: an entry names them all."""


def check_grants(connection: Connection, kind: str, grants: Sequence[Grant]) -> None:
    """Check that an account of a kind may be granted these.

    Raises:
        UsageError: a role is not limited so.
        NotFoundError: there is no such team or site.
        RefusedError: a program is not granted that, or they are too many.
    """
    for one in grants:
        _check_spelled(one)
        if kind == "service" and one.role == "administrator":
            raise RefusedError(
                "service-administrator",
                "A program sees to no accounts and rights: people do.",
                subject=one.role,
                next_step="Grant it viewer, publisher, auditor or operator.",
            )
        _check_there(connection, one)
    if len(grants) > MOST:
        raise RefusedError(
            "too-many-grants",
            f"One account has at most {MOST} grants.",
            next_step="Grant a role without a team or a site: it counts for all of them.",
        )


def _check_spelled(one: Grant) -> None:
    limits = {name for name in ("team", "site") if getattr(one, name)}
    if limits - LIMITS[one.role]:
        what = " and ".join(sorted(limits))
        raise UsageError(
            "bad-grant-limit",
            f"The role {one.role} is not granted for one {what} alone.",
            subject=one.role,
            next_step="Leave that out; docs/reference/rights.md says what each may be limited to.",
        )


def _check_there(connection: Connection, one: Grant) -> None:
    repository = Repository(connection)
    if one.team and one.team not in repository.teams():
        raise NotFoundError(
            "no-such-team",
            f"There is no team {one.team}.",
            subject=one.team,
            next_step="Those that there are: sealift team list",
        )
    sites = {roles.whose(role) for role in repository.delegated(roles.SITE)}
    if one.site and one.site not in sites:
        raise NotFoundError(
            "no-such-site",
            f"There is no site {one.site}.",
            subject=one.site,
            next_step="Those that there are: sealift list sites",
        )


def said(grant: str, one: Grant) -> dict[str, Json]:
    """What an entry says of a grant."""
    found: dict[str, Json] = {"grant": grant, "role": one.role}
    return found | {name: value for name, value in _limits(one).items() if value}


def add(connection: Connection, account: str, grants: Mapping[str, Grant]) -> None:
    """Add the rows of grants, within an action whose entry tells of them."""
    for name, one in grants.items():
        row = {"id": name, "account": account, "role": one.role, **_limits(one)}
        connection.execute(insert(tables.account_grant).values(**row))


def grant(hub: Hub, name: str, one: Grant, actor: str, caller: Caller | None = None) -> bool:
    """Grant an account a role; `caller` is who does so over the API. Whether it is new.

    Raises:
        NotFoundError: there is no such account, team or site.
        UsageError: the role is not limited so.
        RefusedError: nobody grants themselves anything; or the account has no use for it.
    """

    def action(connection: Connection) -> tuple[Entry, bool]:
        found = standing.known(connection, name)
        _check_not_own(found, caller)
        _check_enabled(found)
        if one in found.grants.values():
            raise _SoAlreadyError
        check_grants(connection, found.kind, [*found.grants.values(), one])
        made = secret.new_id("grant")
        add(connection, found.id, {made: one})
        data: dict[str, Json] = {"account": found.id, **said(made, one)}
        return hub.entry(standing.GRANTED, actor, data, terms(found, one)), True

    try:
        return hub.commit(action).result
    except _SoAlreadyError:
        return False


def revoke(hub: Hub, name: str, one: Grant, actor: str) -> bool:
    """Take a role away, from now on. Whether the account had it.

    Raises:
        NotFoundError: there is no such account.
    """

    def action(connection: Connection) -> tuple[Entry, bool]:
        found = standing.known(connection, name)
        had = [grant for grant, value in found.grants.items() if value == one]
        if not had:
            raise _SoAlreadyError
        connection.execute(delete(tables.account_grant).where(tables.account_grant.c.id == had[0]))
        data: dict[str, Json] = {"account": found.id, **said(had[0], one)}
        return hub.entry(standing.REVOKED, actor, data, terms(found, one)), True

    try:
        return hub.commit(action).result
    except _SoAlreadyError:
        return False


def terms(of: Standing, *grants: Grant) -> dict[str, str | Sequence[str]]:
    """The words by which an entry about an account is found."""
    found: dict[str, str | Sequence[str]] = {STANDING: of.name, ACCOUNT: of.name}
    for limit in ("team", "site"):
        named = [_limits(one)[limit] for one in grants]
        found[limit] = sorted({one for one in named if one})
    return found


def _limits(one: Grant) -> dict[str, str | None]:
    return {"team": one.team, "site": one.site}


def _check_not_own(of: Standing, caller: Caller | None) -> None:
    if caller is not None and caller.account == of.id:
        raise RefusedError(
            "own-right",
            "Nobody grants themselves a right.",
            subject=of.name,
            next_step="Have another administrator do it, or whoever runs the hub: sealift account "
            f"grant {of.name} ROLE",
        )


def _check_enabled(of: Standing) -> None:
    if not of.enabled:
        raise RefusedError(
            "account-disabled",
            f"The account {of.name} is disabled.",
            subject=of.name,
            next_step=f"Have it again with: sealift account recover {of.name}",
        )


class _SoAlreadyError(RefusedError):
    """It is so already: nothing is written."""

    def __init__(self) -> None:
        super().__init__("so-already", "It is so already.", next_step="Nothing is to be done.")
