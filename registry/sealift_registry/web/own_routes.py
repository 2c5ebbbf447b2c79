"""Routes for what is one's own: sessions, tokens, the password, and whose account it is."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import Response, delete, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import JSONBody

from sealift_registry.access import binding, sessions, signing_in, tokens
from sealift_registry.access.standing import Standing
from sealift_registry.app import App
from sealift_registry.shown import accounts as shown
from sealift_registry.shown.told import Told
from sealift_registry.trust import hub_drafts
from sealift_registry.trust.hub import Hub
from sealift_registry.web import access_shapes, guarding, writing
from sealift_registry.web.access_shapes import (
    BindingDraft,
    BindingMade,
    InvitationShown,
    InvitationTaken,
    PasswordChange,
    PasswordChanged,
    SeedGiven,
    SessionEnded,
    TokenAsked,
    TokenMade,
    TokenRevoked,
)
from sealift_registry.web.acting import (
    UNCACHED,
    beside_a_write,
    caller_of,
    hub_of,
    own,
    spec,
)
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.writing import Made, Writes
from sealift_signing import drafts
from sealift_signing.words import words_of

DRAFT = "application/octet-stream"
INVITED = "Whoever is invited is nobody yet: the invitation says for which account."


async def _told(request: Asking, told: Told) -> Response[bytes]:
    answer = answered(request, told)
    answer.headers.update(UNCACHED)
    return answer


# ---------------------------------------------------------------------- sessions and tokens


@get(
    f"{API}/sessions",
    tags=["me"],
    **beside_a_write(Reads("session.manage-own", access_shapes.Sessions, own)),
)
async def list_own_sessions(request: Asking) -> Response[bytes]:
    """List the sessions of whoever asks that have not ended."""
    hub, caller = served_by(request).app.hub, caller_of(request)

    def read() -> Told:
        with hub.reading() as connection:
            found = sessions.of_account(connection, caller.account)
        return shown.own_sessions(found, caller.credential)

    return await _told(request, await sync_to_thread(read))


@delete(
    f"{API}/sessions/{{session:str}}",
    tags=["me"],
    status_code=200,
    responses=spec(SessionEnded, "It is over."),
    **Writes("session.manage-own", own, (404,)).declared(),
)
async def end_own_session(request: Asking) -> Response[bytes]:
    """End a session of whoever asks."""
    caller, session = caller_of(request), request.path_params["session"]

    def act(app: App) -> Made:
        sessions.close(app.hub, caller.account, session, caller.name)
        return Made(SessionEnded(caller.name, session))

    return await writing.once(request, act)


@get(
    f"{API}/tokens",
    tags=["me"],
    **beside_a_write(Reads("token.manage-own", access_shapes.Tokens, own)),
)
async def list_own_tokens(request: Asking) -> Response[bytes]:
    """List the tokens of whoever asks that were not revoked."""
    hub, caller = served_by(request).app.hub, caller_of(request)

    def read() -> Told:
        with hub.reading() as connection:
            return shown.own_tokens(tokens.of_account(connection, caller.account))

    return await _told(request, await sync_to_thread(read))


@post(
    f"{API}/tokens",
    tags=["me"],
    responses=spec(TokenMade, "Made.", 201),
    **Writes("token.manage-own", own, (404, 415, 422), secret=("secret",)).declared(),
)
async def make_own_token(request: Asking, data: JSONBody[TokenAsked]) -> Response[bytes]:
    """Make a token of whoever asks, which does no more than they may; its secret is told once."""
    caller = caller_of(request)

    def act(app: App) -> Made:
        done = tokens.make(app.hub, caller.name, data.scopes, data.note, caller.name, data.days)
        return Made({**shown.token_data(done.token, None), "secret": done.secret}, 201)

    return await writing.once(request, act)


@delete(
    f"{API}/tokens/{{token:str}}",
    tags=["me"],
    status_code=200,
    responses=spec(TokenRevoked, "It lets nobody in."),
    **Writes("token.manage-own", own, (404,)).declared(),
)
async def revoke_own_token(request: Asking) -> Response[bytes]:
    """Revoke a token of whoever asks."""
    caller, token = caller_of(request), request.path_params["token"]

    def act(app: App) -> Made:
        tokens.revoke(app.hub, caller.account, token, caller.name)
        return Made(TokenRevoked(caller.name, token))

    return await writing.once(request, act)


@post(
    f"{API}/me/password",
    status_code=200,
    tags=["me"],
    opt=guarding.allowed("me.password", own)
    | writing.by_itself("Of a repeat the password of before is wrong; no digest of one is kept.")
    | {"problems": (400, 409, 415, 422, 507)},
)
async def change_password(
    request: Asking, data: JSONBody[PasswordChange]
) -> Response[PasswordChanged]:
    """Choose another password; all other sessions end, and tokens stay."""
    act = partial(_changed, request, data.old, data.new, data.code)
    ended = await served_by(request).door.work(act)
    return Response(PasswordChanged(list(ended)), headers=UNCACHED)


def _changed(request: Asking, old: str, new: str, code: str) -> tuple[str, ...]:
    caller, hub = caller_of(request), hub_of(request)
    return signing_in.change_password(hub, caller, old, new, code)


# ---------------------------------------------------------------------- invitations


@post(
    f"{API}/invitations/seed",
    status_code=200,
    tags=["me"],
    opt=guarding.open_to_all(INVITED)
    | writing.by_itself("Each time there is another seed, and none counts before it is given back.")
    | {"problems": (400, 401, 415, 422)},
)
async def give_seed(request: Asking, data: JSONBody[InvitationShown]) -> Response[SeedGiven]:
    """Give out a seed of one-time codes, for whoever shows an invitation that waits."""
    served = served_by(request)
    act = partial(signing_in.new_seed, served.app.hub, data.invitation, served.url)
    found = await served.door.work(act)
    return Response(SeedGiven(found.account, found.text, found.uri), headers=UNCACHED)


@post(
    f"{API}/invitations/take",
    status_code=200,
    tags=["me"],
    opt=guarding.open_to_all(INVITED)
    | writing.by_itself("An invitation is taken once; no digest of a password is kept.")
    | {"problems": (400, 401, 409, 415, 422, 507)},
    responses=spec(access_shapes.AccountTaken, "The account can be signed in with."),
)
async def take_invitation(
    request: Asking, data: JSONBody[InvitationTaken]
) -> Response[dict[str, Any]]:
    """Choose what the account signs in with; the invitation is used up by that."""
    served = served_by(request)
    said = (data.invitation, data.password, data.seed, data.code)
    act = partial(signing_in.take, served.app.hub, *said)
    taken = await served.door.work(act)
    return Response({**shown.data(taken.account), "device": taken.device}, headers=UNCACHED)


# ---------------------------------------------------------------------- whose account it is


@post(
    f"{API}/me/binding/draft",
    status_code=200,
    tags=["me"],
    opt=guarding.allowed("me.bind")
    | writing.by_itself("Each time there is another challenge; the one before counts no more.")
    | {"problems": (400, 409, 507)},
)
async def draft_binding(request: Asking) -> Response[BindingDraft]:
    """Have drafted what binds the account to whoever signs it with a key that entitles them."""
    made = await sync_to_thread(_binding, request)
    return Response(made, headers=UNCACHED)


def _binding(request: Asking) -> BindingDraft:
    hub: Hub = served_by(request).app.hub
    wanted = binding.wanted(hub, caller_of(request), served_by(request).url)
    with hub.reading() as connection:
        made = hub_drafts.drafted(hub, connection, wanted)
    (challenge,), (until,) = (wanted.facts[one] for one in ("challenge", "until"))
    data = drafts.write(made.draft)
    return BindingDraft(data, list(made.warnings), words_of(challenge), until)


@post(
    f"{API}/me/binding",
    status_code=200,
    tags=["me"],
    request_max_body_size=drafts.LARGEST,
    opt=guarding.allowed("me.bind")
    | writing.by_itself("A challenge is answered once.")
    | {"problems": (400, 409, 413, 415, 507), "takes": DRAFT},
    responses=spec(BindingMade, "Whose account it is now."),
)
async def bind_account(request: Asking) -> Response[dict[str, Any]]:
    """Hand in the binding as it was signed at the desk of whoever the account is of."""
    writing.check_kind(request, DRAFT)
    body = await request.body()
    signed = drafts.read(body, what="what was handed in")
    of = await sync_to_thread(_bound, request, signed)
    said = {"new": True, "data": shown.data(of), "lines": shown.lines(of), "left_out": []}
    return Response(said, headers=UNCACHED)


def _bound(request: Asking, signed: drafts.Draft) -> Standing:
    url = served_by(request).url
    return binding.take(hub_of(request), caller_of(request), url, signed)


ROUTES: tuple[Any, ...] = (
    *(list_own_sessions, end_own_session),
    *(list_own_tokens, make_own_token, revoke_own_token, change_password),
    *(give_seed, take_invitation, draft_binding, bind_account),
)
"""All of them."""
