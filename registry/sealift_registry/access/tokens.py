"""Tokens of the API: for programs. Random, for some actions, until a day, and revoked at any time.

As of a session, the log has the sha256 of a token's row, and whether it was revoked.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, select, update

from sealift_registry.access import secret, standing, tables
from sealift_registry.access.calling import NOTHING, Caller, Reach
from sealift_registry.access.rights import ACTIONS, SCOPES, reach
from sealift_registry.access.rows import TokenRow, is_so
from sealift_registry.access.sessions import LONGEST_NOTE, NOTED, SKEW
from sealift_registry.access.standing import ACCOUNT, Standing
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError, shown
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment

TOKEN_MADE, REVOKED = "token.made", "token.revoked"
TOKEN = "token"  # noqa: S105 - the kind of a term
"""The term by which all about one is found."""
DAYS = 90
MOST_DAYS = 366
MOST = 100
"""Tokens of one account at once."""


@dataclass(frozen=True)
class Made:
    """A token that was made; `secret` is told here, and never again."""

    token: TokenRow
    secret: str


def make(
    hub: Hub,
    name: str,
    scopes: Collection[str],
    note: str,
    actor: str,
    days: int = DAYS,
    *,
    of_program: bool = False,
) -> Made:
    """Make a token of the account `name`, for some actions, for so many days.

    It does no more than its account may: each time both are asked. For somebody else, `of_program`,
    it is of a program's account alone, and for nothing that the account was not granted by now.

    Raises:
        NotFoundError: there is no such account.
        UsageError: there is no such scope, or none is named; or it would be good for too long.
        RefusedError: the account is disabled or not opened yet, or has too many; or `of_program`.
    """
    _check_asked(scopes, days)
    shown_once = secret.new(secret.TOKEN)

    def action(connection: Connection) -> tuple[Entry, Made]:
        of = standing.known(connection, name)
        if not of.enabled or of.words != "open":
            raise RefusedError(
                "account-not-open",
                f"The account {name} is {of.words}: nobody can sign in with it.",
                subject=name,
                next_step=f"See it with: sealift account show {name}",
            )
        if of_program:
            _check_of_program(of, scopes)
        _check_not_too_many(connection, of.id)
        now = hub.latest()
        one = TokenRow(
            format=1,
            requires=(),
            id=secret.new_id("token"),
            account=of.id,
            made=moment(now),
            secret=secret.digest(shown_once),
            era=of.era,
            scopes=tuple(sorted(set(scopes))),
            ends=moment(now + timedelta(days=days)),
            note=plain(note)[:LONGEST_NOTE] or "a token",
        )
        row = {"id": one.id, "secret": one.secret, "account": of.id, "body": one.body()}
        connection.execute(insert(tables.api_token).values(**row))
        data: dict[str, Json] = {"account": of.id, "token": one.id, "row": one.digest()}
        data |= {"scopes": list(one.scopes), "ends": one.ends}
        terms = {TOKEN: one.id, ACCOUNT: of.name}
        return hub.entry(TOKEN_MADE, actor, data, terms), Made(one, shown_once)

    return hub.commit(action).result


def revoke(hub: Hub, account: str, token: str, actor: str) -> bool:
    """Revoke a token of the account with this id, from now on.

    Raises:
        NotFoundError: it is none of that account.
    """

    def action(connection: Connection) -> tuple[Entry, bool]:
        t, a = tables.api_token, tables.account
        mine = (t.c.id == token, t.c.account == account)
        known = secret.is_id(token, "token")
        if not known or connection.execute(select(t.c.id).where(*mine)).first() is None:
            raise NotFoundError(
                "no-token",
                f"There is no token {token} of that account, or it was revoked.",
                subject=token,
                next_step="Nothing is to be done: it lets nobody in.",
            )
        connection.execute(delete(t).where(t.c.id == token))
        name = connection.execute(select(a.c.name).where(a.c.id == account)).scalar_one()
        data: dict[str, Json] = {"account": account, "token": token}
        return hub.entry(REVOKED, actor, data, {TOKEN: token, ACCOUNT: str(name)}), True

    return hub.commit(action).result


def of_account(connection: Connection, account: str) -> list[tuple[TokenRow, str | None]]:
    """The tokens of an account that were not revoked, each with when it was used last."""
    t = tables.api_token
    query = select(t.c.body, t.c.used).where(t.c.account == account)
    found = [(read(bytes(row.body)), row.used) for row in connection.execute(query)]
    return sorted(found, key=lambda one: one[0].made, reverse=True)


def read(body: bytes) -> TokenRow:
    """What a token's row holds.

    Raises:
        MalformedError: it is none.
    """
    return shape.read(TokenRow, body, what="a token's row")


def by_secret(connection: Connection, digest: str) -> Row[tuple[str, str, str, bytes, str]] | None:
    """The row that a secret's sha256 finds; nothing in it is believed."""
    t = tables.api_token
    return connection.execute(select(t).where(t.c.secret == digest)).first()


def is_logged(connection: Connection, one: TokenRow) -> bool:
    """Whether the log says that it was made so, and not that it was revoked.

    Raises:
        FailedError: an entry is not the one that was signed.
    """
    said = signed_log.newest(
        connection,
        (TOKEN_MADE, REVOKED),
        (TOKEN, one.id),
        lambda _, data: data.get("token") == one.id,
    )
    return said is not None and said[0] == TOKEN_MADE and is_so(one.body(), said[1].get("row"))


def is_over(one: TokenRow, now: datetime) -> bool:
    """Whether its time is over, by the hub's clock; or began in what is the future by now."""
    return not (instant(one.made) - SKEW <= now < instant(one.ends))


def note_used(hub: Hub, one: TokenRow, used: str | None) -> None:
    """Note that it is used now, where that was not noted within the last minute.

    It lets nobody in, so where it cannot be written, as on a full disk, whoever asks still reads.
    """
    now, t = hub.latest(), tables.api_token
    if used is not None and abs(now - instant(used)) < NOTED:
        return
    with (
        suppress(FailedError),
        hub.database.in_words(),
        hub.database.writing() as connection,
        connection.begin(),
    ):
        connection.execute(update(t).where(t.c.id == one.id).values(used=moment(now)))


def _check_asked(scopes: Collection[str], days: int) -> None:
    if not scopes:
        raise UsageError(
            "scope-needed",
            "A token is for some actions, and none is named.",
            next_step="Name each that it is for; docs/reference/rights.md lists them.",
        )
    for one in sorted(set(scopes) - SCOPES):
        raise UsageError(
            "bad-scope",
            f"No token is for {shown(one)}.",
            subject=one,
            next_step="What tokens may be for is in docs/reference/rights.md; the rest takes "
            "people.",
        )
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(
            "bad-days",
            f"A token is good for 1 to {MOST_DAYS} days.",
            subject=str(days),
            next_step="Choose so many, and make another one before they are over.",
        )


def _check_of_program(of: Standing, scopes: Collection[str]) -> None:
    """Check that an account is a program's, and may do something of each scope.

    Whoever has a token of a person's would do what stands in the log under that person's name.
    """
    if of.kind != "service":
        raise RefusedError(
            "own-token-alone",
            f"{of.name} is a person's account: whoever is signed in with it makes its tokens.",
            subject=of.name,
            next_step="Have them make it, or make one of a program's account.",
        )
    grants = frozenset(of.grants.values())
    for one in sorted(set(scopes)):
        its = Caller(of.id, of.name, of.kind, None, "token", "", grants, frozenset({one}))
        if reach(one, its, NOTHING) == Reach():
            raise RefusedError(
                "scope-not-granted",
                f"{of.name} may not {ACTIONS[one].words}, so that no token of it is for that.",
                subject=one,
                next_step="Grant the account the role first: sealift account grant --help",
            )


def _check_not_too_many(connection: Connection, account: str) -> None:
    t = tables.api_token
    there = connection.execute(select(t.c.id).where(t.c.account == account)).all()
    if len(there) >= MOST:
        raise RefusedError(
            "too-many-tokens",
            f"The account has {MOST} tokens, which is the most.",
            subject=account,
            next_step="Revoke those that nobody uses.",
        )
