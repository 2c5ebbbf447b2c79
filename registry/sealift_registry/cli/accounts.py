"""`sealift account`: who may sign in to the server, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli import accounts_at_desk
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user

if TYPE_CHECKING:
    from sealift_registry.access.accounts import Invited
    from sealift_registry.access.calling import Kind

ROLE = "viewer, publisher, auditor, operator or administrator; for one team or site alone, such as "
ROLE += "publisher:team=vision. Once for each."


@sealift.group()
def account() -> None:
    """Accounts of the server: who signs in, and what each may do."""


@command(
    account,
    "invite",
    example="sealift account invite anna --role viewer:team=vision",
    at_server=True,
)
@click.argument("name")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help=ROLE)
@click.option("--service", is_flag=True, help="A program's account: it has tokens alone.")
@click.option(
    "--hours",
    type=int,
    default=24,
    show_default=True,
    metavar="N",
    help="How long the invitation waits.",
)
def invite(session: Session, *, name: str, roles: Sequence[str], service: bool, hours: int) -> None:
    """Make an account, and invite whoever it is for.

    What is printed lets whoever shows it first choose what NAME signs in with. It is told once, and
    counts once and for so many hours: hand it over on a way that nobody else reads. What somebody
    may sign is granted to nobody: it follows from documents that people signed.
    """
    from sealift_registry.access import accounts
    from sealift_registry.access.calling import Grant

    grants = [Grant.parse(one) for one in roles]
    kind: Kind = "service" if service else "person"
    if session.server is not None:
        accounts_at_desk.invite(session, name, [one.spelled for one in grants], kind, hours)
        return
    done = accounts.invite(session.app.hub, name, kind, grants, user(), hours)
    _answer(session, "account-invite", done)


@command(account, "recover", example="sealift account recover anna", at_server=True)
@click.argument("name")
@click.option(
    "--hours",
    type=int,
    default=24,
    show_default=True,
    metavar="N",
    help="How long the invitation waits.",
)
def recover(session: Session, *, name: str, hours: int) -> None:
    """Invite somebody again, who lost what they sign in with.

    At once nothing of before counts any more: no password, no session, no token. The account is
    nobody's until they prove a key again. What it was granted stays. A disabled account is enabled.
    """
    from sealift_registry.access import accounts

    if session.server is not None:
        accounts_at_desk.recover(session, name, hours)
        return
    done = accounts.recover(session.app.hub, name, user(), hours)
    _answer(session, "account-recover", done)


@command(account, "list", example="sealift account list", at_server=True)
def list_(session: Session) -> None:
    """List accounts, how each stands, and what it was granted."""
    from sealift_registry.access import standing
    from sealift_registry.shown import accounts as shown

    if session.server is not None:
        accounts_at_desk.list_(session)
        return
    with session.app.hub.reading() as connection:
        told = shown.listed(standing.all_standings(connection).values())
    session.terminal.answer("account-list", told.data, told.lines)


@command(account, "show", example="sealift account show anna", at_server=True)
@click.argument("name")
def show(session: Session, *, name: str) -> None:
    """Show what an account may do, its sessions and its tokens."""
    from sealift_registry.access import sessions, standing, tokens
    from sealift_registry.shown import accounts as shown

    if session.server is not None:
        accounts_at_desk.show(session, name)
        return
    with session.app.hub.reading() as connection:
        of = standing.known(connection, name)
        told = shown.whole(
            of, sessions.of_account(connection, of.id), tokens.of_account(connection, of.id)
        )
    session.terminal.answer("account-show", told.data, told.lines)


@command(account, "disable", example="sealift account disable anna", at_server=True)
@click.argument("name")
def disable(session: Session, *, name: str) -> None:
    """Keep everybody out of an account, from now on.

    Its sessions and tokens end. What somebody may sign stays as it is: a key that was lost is
    exchanged (docs/how-to/lost-and-found.md).
    """
    from sealift_registry.access import accounts

    if session.server is not None:
        new = accounts_at_desk.disable(session, name)
    else:
        new = accounts.disable(session.app.hub, name, user())
    line = f"The account {name} is disabled{'' if new else ' already'}."
    session.terminal.answer("account-disable", {"account": name, "new": new}, line)
    if session.server is None:
        _tell_where_nobody_administers(session, name)


@command(
    account, "grant", example="sealift account grant anna publisher:team=vision", at_server=True
)
@click.argument("name")
@click.argument("role")
def grant(session: Session, *, name: str, role: str) -> None:
    """Grant an account a role.

    ROLE is viewer, publisher, auditor, operator or administrator; it may be for one team or site
    alone, such as publisher:team=vision.
    """
    from sealift_registry.access import granting
    from sealift_registry.access.calling import Grant

    one = Grant.parse(role)
    if session.server is not None:
        new = accounts_at_desk.grant(session, name, one.spelled)
    else:
        new = granting.grant(session.app.hub, name, one, user())
    line = f"{name} is {one}{'' if new else ' already'}."
    data = {"account": name, "grant": one.spelled, "new": new}
    session.terminal.answer("account-grant", data, line)


@command(
    account, "revoke", example="sealift account revoke anna publisher:team=vision", at_server=True
)
@click.argument("name")
@click.argument("role")
def revoke(session: Session, *, name: str, role: str) -> None:
    """Take a role from an account, from now on.

    ROLE is spelled as it was granted.
    """
    from sealift_registry.access import granting
    from sealift_registry.access.calling import Grant

    one = Grant.parse(role)
    if session.server is not None:
        new = accounts_at_desk.revoke(session, name, one.spelled)
    else:
        new = granting.revoke(session.app.hub, name, one, user())
    line = f"{name} is {one} no more." if new else f"{name} was not granted that: {one}."
    data = {"account": name, "grant": one.spelled, "new": new}
    session.terminal.answer("account-revoke", data, line)
    if session.server is None and one.role == "administrator":
        _tell_where_nobody_administers(session, name)


@command(
    account,
    "token",
    example="sealift account token ci --scope version.ingest --note nightly",
    at_server=True,
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="ACTION",
    help="What it is for, such as version.ingest. Once for each.",
)
@click.option("--note", default="", metavar="WORDS", help="What it is for, in words.")
@click.option(
    "--days",
    type=int,
    default=90,
    show_default=True,
    metavar="N",
    help="How long it is good for.",
)
def token(session: Session, *, name: str, scopes: Sequence[str], note: str, days: int) -> None:
    """Make a token, which a program shows with each request.

    It is told once, and does what its scopes are for and the account may; docs/reference/rights.md
    lists both. With --server, NAME is your own account, or for administrators a
    program's, which was granted what the scopes are for.
    """
    from sealift_registry.access import tokens
    from sealift_registry.shown import accounts as shown

    if session.server is not None:
        said = accounts_at_desk.token(session, name, scopes, note, days)
    else:
        done = tokens.make(session.app.hub, name, scopes, note, user(), days)
        said = {**shown.token_data(done.token, None), "secret": done.secret}
    data = {"account": name, **said}
    lines = [
        f"{said['token']} of {name} counts until {said['ends']},",
        f"for {', '.join(map(str, said['scopes']))}.",
        "It is told this once:",
        f"  {said['secret']}",
    ]
    session.terminal.answer("account-token", data, lines)


@command(
    account,
    "revoke-token",
    example="sealift account revoke-token ci token-0011223344556677",
    at_server=True,
)
@click.argument("name")
@click.argument("token")
def revoke_token(session: Session, *, name: str, token: str) -> None:
    """Revoke a token of an account, from now on.

    `sealift account show` lists them.
    """
    from sealift_registry.access import standing, tokens

    if session.server is not None:
        accounts_at_desk.revoke_token(session, name, token)
    else:
        hub = session.app.hub
        with hub.reading() as connection:
            of = standing.known(connection, name)
        tokens.revoke(hub, of.id, token, user())
    data = {"account": name, "token": token}
    session.terminal.answer("account-revoke-token", data, f"{token} of {name} is revoked.")


def _tell_where_nobody_administers(session: Session, name: str) -> None:
    """Say so where the last administrator was taken away: from here it is put right."""
    from sealift_registry.access import standing

    hub = session.app.hub
    with hub.reading() as connection:
        if standing.any_administrator(connection):
            return
        of = standing.known(connection, name)
    mends = [f"sealift account recover {name}"] if not of.enabled else []
    if not any(one.spelled == "administrator" for one in of.grants.values()):
        mends.append(f"sealift account grant {name} administrator")
    session.terminal.note(
        (
            "Nobody administers accounts by the server any more; this shell still does.",
            f"  Next: {' and '.join(mends)}",
        )
    )


def _answer(session: Session, name: str, done: Invited) -> None:
    """An account that somebody is invited to; the secret is told here alone."""
    from sealift_registry.cli.serve import address
    from sealift_registry.shown import accounts as shown

    data: dict[str, Any] = {**shown.data(done.account), "secret": None, "ends": None}
    lines = shown.lines(done.account)
    if done.secret:
        data |= {"secret": done.secret, "ends": done.ends}
        lines += ["", *accounts_at_desk.told(done.secret, done.ends, address(session.app.hub))]
    session.terminal.answer(name, data, lines)
