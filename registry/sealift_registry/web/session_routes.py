"""Routes by which somebody signs in and out, and learns who they are to this server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Response, delete, get, post
from litestar.concurrency import sync_to_thread
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from sealift_registry.access import own_account, sessions, signing_in
from sealift_registry.access.sessions import Opened
from sealift_registry.shown import own_account as shown
from sealift_registry.web import access_shapes, cookies, door, guarding, same_site, writing
from sealift_registry.web.access_shapes import SignedIn, SignIn
from sealift_registry.web.acting import UNCACHED, caller_of, hub_of, own
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

SESSION = f"{API}/session"
NOBODY_YET = "Whoever signs in is nobody yet."


@post(
    SESSION,
    opt=guarding.open_to_all(NOBODY_YET)
    | writing.by_itself("A code counts once: of a repeat nothing is opened.")
    | {"problems": (400, 401, 403, 415, 422, 507)},
    tags=["me"],
    responses={201: ResponseSpec(SignedIn, generate_examples=False, description="Signed in.")},
)
async def sign_in(request: Asking, data: JSONBody[SignIn]) -> Response[SignedIn]:
    """Open a session, with a password and a one-time code; a browser's ends the one before it."""
    served = served_by(request)
    before, device = "", data.device
    if data.way == "browser":
        cookies.name(served.url)
        same_site.check_origin(request, served.url)
        before = next(iter(cookies.shown(request, served.url)), "")
        device = device or next(iter(cookies.devices(request, served.url)), "")
    note = data.note or request.headers.get("user-agent", "")
    place = signing_in.From(data.way, door.address(request), note, before, device)

    def act() -> Opened:
        return signing_in.sign_in(served.app.hub, data.account, data.password, data.code, place)

    return _opened(served, data.account, await served.door.work(act))


def _opened(served: Served, name: str, done: Opened) -> Response[SignedIn]:
    one = done.session
    made = SignedIn(account=one.account, name=name, ends=one.ends, id=one.id)
    headers = dict(UNCACHED)
    if one.way == "browser":
        made.csrf = one.csrf
        headers |= cookies.setting(served.url, done.secret)
        kept = [cookies.device(served.url, done.device)]
        return Response(made, status_code=201, headers=headers, cookies=kept)
    made.session, made.device = done.secret, done.device
    return Response(made, status_code=201, headers=headers)


@delete(
    SESSION,
    opt=guarding.allowed("session.manage-own", own)
    | writing.by_itself("Of a repeat nobody is signed in.")
    | {"problems": (400, 404, 507)},
    tags=["me"],
)
async def sign_out(request: Asking) -> Response[None]:
    """End the session that is shown, at once and everywhere."""
    served, caller = served_by(request), caller_of(request)
    await sync_to_thread(_ended, request)
    headers = dict(UNCACHED)
    if caller.by == "browser":
        headers |= cookies.ending(served.url)
    return Response(None, status_code=204, headers=headers)


def _ended(request: Asking) -> None:
    caller = caller_of(request)
    sessions.close(hub_of(request), caller.account, caller.credential, caller.name)


@get(f"{API}/me", tags=["me"], **Reads("me.read", access_shapes.Me).declared())
def show_me(request: Asking) -> Response[bytes]:
    """Tell who asks: their account, what they may sign and do, and until when."""
    found = own_account.read(served_by(request).app.hub, caller_of(request))
    answer = answered(request, shown.told(found))
    answer.headers.update(UNCACHED)
    return answer


ROUTES: tuple[Any, ...] = (sign_in, sign_out, show_me)
"""All of them."""
