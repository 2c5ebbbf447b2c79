"""Routes for administrators: accounts, what each was granted, and what it is signed in with.

What changes an account names the state of it that was read (`If-Match`), so that nobody changes
what somebody else has changed meanwhile; whether it is still so is asked within the commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import JSONBody
from sqlalchemy import Connection

from sealift_registry.access import accounts, granting, sessions, standing, tokens
from sealift_registry.access.accounts import Invited
from sealift_registry.access.calling import Grant
from sealift_registry.access.standing import Standing
from sealift_registry.app import App
from sealift_registry.shown import accounts as shown
from sealift_registry.shown.told import Told
from sealift_registry.trust.hub import Hub
from sealift_registry.web import access_shapes, writing
from sealift_registry.web.access_shapes import (
    AccountAsked,
    AccountChanged,
    AccountInvited,
    GrantAsked,
    GrantChanged,
    Recovery,
    SessionEnded,
    TokenAsked,
    TokenMade,
    TokenRevoked,
)
from sealift_registry.web.acting import (
    UNCACHED,
    beside_a_write,
    caller_of,
    spec,
)
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.writing import Made, Writes

ALL = f"{API}/accounts"
ONE = f"{ALL}/{{name:str}}"
TAGS = ["accounts"]


def tag(of: Standing) -> str:
    """The tag of an account's state: who signs in changes nothing of it."""
    said = {**shown.data(of), "era": of.era, "grants": sorted(of.grants)}
    return f'"{sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:32]}"'


@get(ALL, tags=TAGS, **beside_a_write(Reads("account.read", access_shapes.Accounts)))
async def list_accounts(request: Asking) -> Response[bytes]:
    """List accounts, how each stands, who invited whoever has it, and what it was granted."""
    hub = served_by(request).app.hub

    def read() -> Told:
        with hub.reading() as connection:
            return shown.listed(standing.all_standings(connection).values())

    answer = answered(request, await sync_to_thread(read))
    answer.headers.update(UNCACHED)
    return answer


@get(ONE, tags=TAGS, **Reads("account.read", access_shapes.AccountWhole).declared())
def show_account(request: Asking) -> Response[bytes]:
    """Show an account, its sessions and its tokens; its ETag is what a change of it names."""
    with served_by(request).app.hub.reading() as connection:
        of = standing.known(connection, request.path_params["name"])
        told = shown.whole(
            of, sessions.of_account(connection, of.id), tokens.of_account(connection, of.id)
        )
    answer = answered(request, told)
    answer.headers.update({**UNCACHED, "etag": tag(of)})
    return answer


@post(
    ALL,
    tags=TAGS,
    responses=spec(AccountInvited, "Invited.", 201),
    **Writes("account.invite", None, (404, 415, 422), secret=("secret",)).declared(),
)
async def invite_account(request: Asking, data: JSONBody[AccountAsked]) -> Response[bytes]:
    """Make an account, and invite whoever it is for; the invitation is told once."""
    actor = caller_of(request).name

    def act(app: App) -> Made:
        grants = [Grant.parse(one) for one in data.grants]
        done = accounts.invite(app.hub, data.account, data.kind, grants, actor, data.hours)
        return _invited(done, 201)

    return await writing.once(request, act)


@post(
    f"{ONE}/recover",
    tags=TAGS,
    status_code=200,
    responses=spec(AccountInvited, "Invited again."),
    **Writes("account.invite", None, (404, 415, 422), secret=("secret",), matches=True).declared(),
)
async def recover_account(request: Asking, data: JSONBody[Recovery]) -> Response[bytes]:
    """Invite somebody again, who lost what they sign in with: nothing of before counts then."""

    def act(hub: Hub, name: str) -> Made:
        caller = caller_of(request)
        return _invited(accounts.recover(hub, name, caller.name, data.hours, caller), 200)

    return await _changing(request, act)


@post(
    f"{ONE}/disable",
    tags=TAGS,
    status_code=200,
    responses=spec(AccountChanged, "Nobody signs in with it."),
    **Writes("account.disable", None, (404,), matches=True).declared(),
)
async def disable_account(request: Asking) -> Response[bytes]:
    """Keep everybody out of an account, from now on; its sessions and tokens end."""

    def act(hub: Hub, name: str) -> Made:
        caller = caller_of(request)
        new = accounts.disable(hub, name, caller.name, caller)
        return Made(AccountChanged(name, new))

    return await _changing(request, act)


@post(
    f"{ONE}/grants",
    tags=TAGS,
    status_code=200,
    responses=spec(GrantChanged, "It is granted."),
    **Writes("right.grant", None, (404, 415, 422), matches=True).declared(),
)
async def grant_right(request: Asking, data: JSONBody[GrantAsked]) -> Response[bytes]:
    """Grant an account a role; nobody grants themselves one."""

    def act(hub: Hub, name: str) -> Made:
        caller, one = caller_of(request), Grant.parse(data.grant)
        new = granting.grant(hub, name, one, caller.name, caller)
        return Made(GrantChanged(name, one.spelled, new))

    return await _changing(request, act)


@delete(
    f"{ONE}/grants/{{grant:str}}",
    tags=TAGS,
    status_code=200,
    responses=spec(GrantChanged, "It is not granted."),
    **Writes("right.revoke", None, (404,), matches=True).declared(),
)
async def revoke_right(request: Asking) -> Response[bytes]:
    """Take a role from an account, from now on; it is spelled as it was granted."""

    def act(hub: Hub, name: str) -> Made:
        one = Grant.parse(request.path_params["grant"])
        new = granting.revoke(hub, name, one, caller_of(request).name)
        return Made(GrantChanged(name, one.spelled, new))

    return await _changing(request, act)


@delete(
    f"{ONE}/sessions/{{session:str}}",
    tags=TAGS,
    status_code=200,
    responses=spec(SessionEnded, "It is over."),
    **Writes("session.revoke-any", None, (404,)).declared(),
)
async def end_session(request: Asking) -> Response[bytes]:
    """End a session of anybody."""

    def act(app: App) -> Made:
        of = _of(app.hub, request)
        session = str(request.path_params["session"])
        sessions.close(app.hub, of.id, session, caller_of(request).name)
        return Made(SessionEnded(of.name, session))

    return await writing.once(request, act)


@post(
    f"{ONE}/tokens",
    tags=TAGS,
    responses=spec(TokenMade, "Made.", 201),
    **Writes(
        "token.make-program", None, (404, 415, 422), secret=("secret",), matches=True
    ).declared(),
)
async def make_token(request: Asking, data: JSONBody[TokenAsked]) -> Response[bytes]:
    """Make a token of a program's account, for what that was granted; its secret is told once."""

    def act(hub: Hub, name: str) -> Made:
        actor = caller_of(request).name
        asked = (name, data.scopes, data.note, actor, data.days)
        done = tokens.make(hub, *asked, of_program=True)
        return Made({**shown.token_data(done.token, None), "secret": done.secret}, 201)

    return await _changing(request, act)


@delete(
    f"{ONE}/tokens/{{token:str}}",
    tags=TAGS,
    status_code=200,
    responses=spec(TokenRevoked, "It lets nobody in."),
    **Writes("token.revoke-any", None, (404,)).declared(),
)
async def revoke_token(request: Asking) -> Response[bytes]:
    """Revoke a token of anybody."""

    def act(app: App) -> Made:
        of = _of(app.hub, request)
        token = str(request.path_params["token"])
        tokens.revoke(app.hub, of.id, token, caller_of(request).name)
        return Made(TokenRevoked(of.name, token))

    return await writing.once(request, act)


async def _changing(request: Asking, act: Callable[[Hub, str], Made]) -> Response[bytes]:
    """What changes an account, as it was read."""
    name = str(request.path_params["name"])

    def matching(app: App) -> Made:
        with app.hub.reading() as connection:  # also where nothing would be committed
            check(connection)
        before = app.hub.guard

        def guard(connection: Connection) -> None:
            if before is not None:
                before(connection)
            check(connection)

        return act(replace(app.hub, guard=guard), name)

    def check(connection: Connection) -> None:
        writing.check_match(request, tag(standing.known(connection, name)))

    return await writing.once(request, matching)


def _of(hub: Hub, request: Asking) -> Standing:
    with hub.reading() as connection:
        return standing.known(connection, request.path_params["name"])


def _invited(done: Invited, status: int) -> Made:
    secret = {"secret": done.secret or None, "ends": done.ends or None}
    return Made({**shown.data(done.account), **secret}, status)


ROUTES: tuple[Any, ...] = (
    *(list_accounts, show_account, invite_account, recover_account, disable_account),
    *(grant_right, revoke_right, end_session, make_token, revoke_token),
)
"""All of them."""
