"""Accounts: who is invited, who recovers one, who is kept out from now on.

An invitation's secret is told once, to whoever invited. Whoever shows it in time chooses what the
account signs in with (`opening`), and it is used up. Nobody is asked for a password here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from sealift_registry.access import granting, secret, standing, tables
from sealift_registry.access.calling import KINDS, Caller, Grant, Kind
from sealift_registry.access.rows import InvitationRow
from sealift_registry.access.standing import Standing
from sealift_registry.trust.hub import Hub
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError, UsageError, shown
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import NAME, moment

HOURS = 24
"""How long an invitation waits, where nobody says otherwise."""
MOST_HOURS = 7 * 24


@dataclass(frozen=True)
class Invited:
    """An account that somebody was invited to.

    Attributes:
        account: how it stands.
        secret: what whoever is invited shows; it is told here, and never again. Empty: a program's,
            which has tokens alone.
        ends: when it counts no more; empty with `secret`.
    """

    account: Standing
    secret: str
    ends: str


def invite(
    hub: Hub, name: str, kind: Kind, grants: Sequence[Grant], actor: str, hours: int = HOURS
) -> Invited:
    """Make an account, and invite whoever it is for.

    Raises:
        UsageError: it cannot be called so, or a role is not limited so.
        NotFoundError: a grant is for a team or a site that there is not.
        RefusedError: that name was given already.
    """
    _check_asked(name, kind, hours)
    shown_once, id_ = secret.new(secret.INVITATION), secret.new_id("account")
    made = {secret.new_id("grant"): one for one in dict.fromkeys(grants)}

    def action(connection: Connection) -> tuple[Entry, Invited]:
        _check_free(connection, name)
        granting.check_grants(connection, kind, grants)
        now = moment(hub.now())
        row = {"id": id_, "name": name, "kind": kind, "made": now}
        connection.execute(insert(tables.account).values(**row))
        granting.add(connection, id_, made)
        data: dict[str, Json] = {"account": id_, "name": name, "kind": kind}
        data["grants"] = [granting.said(grant, one) for grant, one in made.items()]
        waiting = None
        if kind == "person":
            waiting = _add_invitation(hub, connection, id_, shown_once, hours)
            data |= {"invitation": waiting.id, "row": waiting.digest(), "ends": waiting.ends}
        found = Standing(id_, name, kind)
        entry = hub.entry(standing.INVITED, actor, data, granting.terms(found, *grants))
        return entry, _told(standing.begun(entry), shown_once, waiting)

    return hub.commit(action).result


def recover(
    hub: Hub, name: str, actor: str, hours: int = HOURS, caller: Caller | None = None
) -> Invited:
    """Invite somebody to their account again: what it signed in with counts no more, at once.

    Its sessions end with that, its tokens are good for nothing, and it is nobody's until they prove
    a key again. Its grants stay. An account that was disabled is enabled.

    Raises:
        NotFoundError: there is no such account.
        UsageError: an invitation does not wait so long.
        RefusedError: nobody recovers their own over the API: whoever got hold of a session would
            have the account for good.
    """
    _check_hours(hours)
    shown_once = secret.new(secret.INVITATION)

    def action(connection: Connection) -> tuple[Entry, Invited]:
        found = standing.known(connection, name)
        _check_not_own(found, caller, "recovers", f"sealift account recover {name}")
        data: dict[str, Json] = {"account": found.id}
        forget(connection, found.id)
        waiting = None
        if found.kind == "person":
            waiting = _add_invitation(hub, connection, found.id, shown_once, hours)
            data |= {"invitation": waiting.id, "row": waiting.digest(), "ends": waiting.ends}
        entry = hub.entry(standing.RECOVERED, actor, data, granting.terms(found))
        return entry, _told(found.after(entry), shown_once, waiting)

    return hub.commit(action).result


def disable(hub: Hub, name: str, actor: str, caller: Caller | None = None) -> bool:
    """Keep everybody out of an account, from now on. Whether that is new.

    Raises:
        NotFoundError: there is no such account.
        RefusedError: nobody disables their own over the API, by mistake.
    """

    def action(connection: Connection) -> tuple[Entry, bool]:
        found = standing.known(connection, name)
        _check_not_own(found, caller, "disables", f"sealift account disable {name}")
        if not found.enabled:
            raise _DisabledAlreadyError(name)
        forget(connection, found.id)
        data: dict[str, Json] = {"account": found.id}
        return hub.entry(standing.DISABLED, actor, data, granting.terms(found)), True

    try:
        return hub.commit(action).result
    except _DisabledAlreadyError:
        return False


def forget(connection: Connection, account: str) -> None:
    """Take out all that an account could sign in with; the entry of the same commit decides."""
    for t in (tables.account_secret, tables.invitation, tables.session, tables.api_token):
        connection.execute(delete(t).where(t.c.account == account))


def _add_invitation(
    hub: Hub, connection: Connection, account: str, shown_once: str, hours: int
) -> InvitationRow:
    now = hub.latest()
    made = InvitationRow(
        format=1,
        requires=(),
        id=secret.new_id("invitation"),
        account=account,
        made=moment(now),
        secret=secret.digest(shown_once),
        ends=moment(now + timedelta(hours=hours)),
    )
    row = {"id": made.id, "secret": made.secret, "account": account, "body": made.body()}
    connection.execute(insert(tables.invitation).values(**row))
    return made


def _told(of: Standing, shown_once: str, waiting: InvitationRow | None) -> Invited:
    return Invited(of, shown_once, waiting.ends) if waiting else Invited(of, "", "")


def _check_asked(name: str, kind: str, hours: int) -> None:
    if not NAME.matches(name):
        raise UsageError(
            "bad-account",
            f"{shown(name)} is not {NAME.words}.",
            subject=name,
            next_step="Name the account so, such as anna or ci-vision.",
        )
    if kind not in KINDS:
        raise UsageError(
            "bad-account-kind",
            f"{shown(kind)} is no kind of account.",
            subject=kind,
            next_step=f"There are: {', '.join(KINDS)}.",
        )
    _check_hours(hours)


def _check_not_own(of: Standing, caller: Caller | None, verb: str, command: str) -> None:
    if caller is not None and caller.account == of.id:
        raise RefusedError(
            "own-account",
            f"Nobody {verb} the account that they are signed in with.",
            subject=of.name,
            next_step=f"Have another administrator do it, or whoever runs the hub: {command}",
        )


def _check_hours(hours: int) -> None:
    if not 1 <= hours <= MOST_HOURS:
        raise UsageError(
            "bad-hours",
            f"An invitation waits 1 to {MOST_HOURS} hours.",
            subject=str(hours),
            next_step="Choose so many; whoever comes late is invited again.",
        )


def _check_free(connection: Connection, name: str) -> None:
    """By the log, and by the rows: nobody takes a name over, whatever somebody did to one."""
    t = tables.account
    there = connection.execute(select(t.c.id).where(t.c.name == name)).first()
    if there is not None or standing.standing(connection, name) is not None:
        raise RefusedError(
            "account-there",
            f"There is an account {name}, or was; no name is given twice.",
            subject=name,
            next_step=f"See it with: sealift account show {name}; have it again with: sealift "
            f"account recover {name}",
        )


class _DisabledAlreadyError(RefusedError):
    """It is disabled already: nothing is written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "disabled-already",
            f"{name} is disabled already.",
            subject=name,
            next_step="Nothing is to be done.",
        )
