"""Routes that change something: each has its effect once, by somebody who may at that moment.

A request works on an `App` of its own. Each of its commits asks again whether its caller may, for a
right may end meanwhile; its first marks the caller's Idempotency-Key; and all of its entries name
the account and the request (`Hub.on_behalf`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from litestar.concurrency import sync_to_thread
from sqlalchemy import Connection

from sealift_registry.access.once import Asked, Kept
from sealift_registry.access.refusals import ForbiddenError
from sealift_registry.access.told_failures import BY_CODE
from sealift_registry.app import App
from sealift_registry.trust.hub import Hub, OnBehalf
from sealift_registry.web import guarding, placeless, problems, refusals, request_ids
from sealift_registry.web.answering import JSON, Asking
from sealift_registry.web.callers import Where
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

KEY = "idempotency-key"
REPLAYED = {"idempotent-replay": "true"}
_KEY = re.compile(r'"?([A-Za-z0-9._:~+/=-]{8,128})"?')


@dataclass(frozen=True)
class Writes:
    """How a route that changes something is declared.

    Attributes:
        action: what one must be allowed to do.
        where: finds what it is about; `guarding.LATER`: its body alone says so, and `once` is told.
        problems: statuses that it answers besides those of all.
        secret: members of its answer that are told once: a repeat has none.
        matches: it changes what was read before, and asks for that in If-Match.
        takes: the media type of its body, where that is no JSON.
    """

    action: str
    where: guarding.Finds | None = None
    problems: tuple[int, ...] = ()
    secret: tuple[str, ...] = ()
    matches: bool = False
    takes: str = ""

    def declared(self) -> dict[str, Any]:
        """For Litestar's decorator."""
        more = (412, 428) if self.matches else ()
        return {
            "opt": guarding.allowed(self.action, self.where)
            | {
                "problems": (400, 409, 507, *self.problems, *more),
                guarding.ONCE: self,
                "if_match": self.matches,
                "takes": self.takes,
            }
        }


def by_itself(why: str) -> dict[str, Any]:
    """A write that takes no Idempotency-Key, and why."""
    return {guarding.ONCE: why}


@dataclass(frozen=True)
class Made:
    """What a request is answered.

    Attributes:
        body: its members; None: it has none.
        status: of the answer.
        headers: that it has besides.
    """

    body: msgspec.Struct | Mapping[str, Any] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class _Whole(msgspec.Struct):
    """An answer, as it is kept."""

    kind: str
    headers: dict[str, str]
    body: bytes


Acts = Callable[[App], Made]


async def once(request: Asking, act: Acts, *, where: Where | None = None) -> Response[bytes]:
    """The answer to a request: of `act`, or the one that it had before.

    Args:
        request: whose caller a guard let in.
        act: does it, in a thread of its own.
        where: what it is about, where the route's declaration leaves that to its body.

    Raises:
        SealiftError: they may not; or as `act`; or the key was used otherwise.
    """
    body = await request.body()
    return await sync_to_thread(_once, request, act, body, where)


def _once(request: Asking, act: Acts, body: bytes, where: Where | None) -> Response[bytes]:
    served: Served = request.app.state.served
    said, about = declared(request), guarding.where_of(request, where)
    caller = guarding.caller_of(request)
    if where is not None:
        served.gatekeeper.check(caller, said.action, about)
    asked = Asked(
        account=caller.account,
        route=f"{request.method} {request.scope['path_template']}",
        key=_key(request),
        body=_digest(request, body),
        run=request_ids.current(),
    )
    with served.once.working(asked) as before:
        if before is not None:
            return _again(before)
        app = app_of(served, request, about, asked)
        try:
            made = act(app)
        except Exception as error:
            bad = problems.told(error)
            if isinstance(bad, ForbiddenError):  # a right that ended since the door
                served.gatekeeper.tell_refused(caller, said.action, about)
            if bad.code in BY_CODE:  # likewise a session or an account
                served.failures.note(BY_CODE[bad.code])
            served.once.keep(asked, _refused(served.app.hub, bad), is_done=False)
            if bad is error:
                raise
            raise bad from error
        whole = _whole(made)
        kept = Kept(made.status, msgspec.msgpack.encode(_without(whole, made, said.secret)))
        served.once.keep(asked, kept, is_done=True)
    return _answer(made.status, whole)


def app_of(served: Served, request: Asking, about: Where, asked: Asked) -> App:
    """The use cases, for one request of one caller."""
    caller = guarding.caller_of(request)
    may = served.gatekeeper.guard(caller, declared(request).action, about)

    def guard(connection: Connection) -> None:
        may(connection)
        served.once.mark(connection, asked)

    behalf = OnBehalf(caller.name, asked.run)
    return App(replace(served.app.hub, guard=guard, on_behalf=behalf))


def declared(request: Asking) -> Writes:
    """How the route of a request is declared."""
    found: Writes = request.route_handler.opt[guarding.ONCE]
    return found


def check_match(request: Asking, tag: str) -> None:
    """Check that what is to be changed is what whoever asks has read (RFC 9110, section 13.1.1).

    Raises:
        RefusedError: they do not say, or it is another by now.
    """
    given = request.headers.get("if-match")
    if given is None:
        raise refusals.match_needed(request.url.path)
    if tag not in {one.strip() for one in given.split(",")}:  # strong comparison, and no `*`
        raise refusals.changed_since(request.url.path)


def check_kind(request: Asking, wanted: str) -> None:
    """Check that a body is of the kind that is taken.

    Raises:
        UsageError: it is another.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise refusals.wrong_media_type(kind, wanted)


def _key(request: Asking) -> str:
    given = request.headers.getall(KEY, [])
    found = _KEY.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        raise refusals.key_needed()
    return found[1]


def _digest(request: Asking, body: bytes) -> str:
    """The digest of all that is asked, so that nothing else is answered as if it were this."""
    parts = (
        request.scope["raw_path"],
        request.scope["query_string"],
        request.headers.get("if-match", "").encode(),
        body,
    )
    found = sha256()
    for one in parts:
        found.update(len(one).to_bytes(8, "big") + one)
    return found.hexdigest()


def _whole(made: Made) -> _Whole:
    body = b"" if made.body is None else msgspec.json.encode(made.body)
    return _Whole(JSON, dict(made.headers), body)


def _without(whole: _Whole, made: Made, secret: tuple[str, ...]) -> _Whole:
    """An answer that does not repeat what is told once."""
    if not secret or made.body is None:
        return whole
    members = msgspec.to_builtins(made.body) | dict.fromkeys(secret)
    return msgspec.structs.replace(whole, body=msgspec.json.encode(members))


def _refused(hub: Hub, bad: SealiftError) -> Kept:
    found = placeless.problem(hub, problems.problem(bad))
    whole = _Whole(problems.MEDIA_TYPE, problems.headers(bad), msgspec.json.encode(found))
    return Kept(found.status, msgspec.msgpack.encode(whole))


def _again(kept: Kept) -> Response[bytes]:
    whole = msgspec.msgpack.decode(kept.answer, type=_Whole)
    return _answer(kept.status, whole, REPLAYED)


def _answer(status: int, whole: _Whole, more: Mapping[str, str] | None = None) -> Response[bytes]:
    headers = {**whole.headers, "cache-control": "no-store", **(more or {})}
    return Response(whole.body, status_code=status, headers=headers, media_type=whole.kind)
