"""What every request goes through: its id, its line in the log of events, its counts, its bounds.

It stands around all routes, so that what no route knows is named, told and counted as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from sealift_registry.web import problems, refusals, request_ids
from sealift_registry.web.metrics import Metrics
from sealift_registry.web.zero_copy import EXTENSION
from sealift_signing import events
from sealift_signing.errors import SealiftError

UNKNOWN = "none"
"""The route of a request to nowhere."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
OTHER = "other"
"""The method of a request whose own is none: what is counted is never what somebody typed."""
SECURE: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
)
"""What a browser is told of every answer."""


class Watching:
    """An application around another, which watches over each request."""

    def __init__(self, inner: ASGIApp, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
            return
        request = request_ids.new_id()
        request_ids.begin(request)
        one = _Answer(request, send)
        self._metrics.begun()
        try:
            await self._inner(scope, _of_who_is_there(receive), one.send)
        except Exception as bad:
            if one.status:  # its head is gone: all that can be done is to cut it off
                problems.told(bad)
                raise
            await answer_problem(problems.told(bad), one.send)
        finally:
            self._end(scope, one)

    def _end(self, scope: Scope, one: _Answer) -> None:
        route = str(scope.get("path_template") or UNKNOWN)
        method = scope["method"] if scope["method"] in METHODS else OTHER  # type: ignore[typeddict-item]
        seconds = time.monotonic() - one.began
        self._metrics.ended(method, route, one.status, seconds, one.sent)
        caller = scope.get("state", {}).get("caller")
        theirs = request_ids.of_client(_header(scope["headers"], b"x-request-id"))
        events.tell(
            "web",
            "request-answered",
            request=one.request,
            **({"client_request": theirs} if theirs else {}),
            method=method,
            route=route,
            status=one.status,
            seconds=round(seconds, 4),
            sent=one.sent,
            whole=one.whole,
            account=getattr(caller, "name", None),
        )


def _of_who_is_there(receive: Receive) -> Receive:
    """What comes of a request; whoever goes amid it is no fault of ours, and Litestar says so.

    It raises `ClientGoneError`; who goes when all is here is told by ASGI's own message.
    """
    whole = False

    async def received() -> Any:  # noqa: ANN401 - ASGI's
        nonlocal whole
        message = await receive()
        if message["type"] == "http.request":
            whole = not message.get("more_body", False)
        elif not whole:
            raise refusals.client_gone()
        return message

    return received


class _Answer:
    """One answer on its way out."""

    def __init__(self, request: str, send: Send) -> None:
        self.request = request
        self.began = time.monotonic()
        self.status = 0
        self.sent = 0
        self.whole = False
        self._send = send

    async def send(self, message: Message) -> None:
        """Send it on, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = _with_headers(message, self.request)
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
        await self._send(message)
        file: Any = message
        if file["type"] == EXTENSION:
            self.sent += file["count"]
            self.whole = not file["more_body"]


def _with_headers(message: HTTPResponseStartEvent, request: str) -> HTTPResponseStartEvent:
    given = list(message.get("headers", ()))
    there = {name.lower() for name, _ in given}
    given += [(name, value) for name, value in SECURE if name not in there]
    if b"cache-control" not in there:
        given.append((b"cache-control", b"no-store"))
    given.append((request_ids.HEADER.encode(), request.encode()))
    return {**message, "headers": given}


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name.lower() == wanted), None)


async def answer_problem(error: SealiftError, send: Send) -> None:
    """Answer a request to which no route could say anything."""
    found = problems.problem(error)
    body = msgspec.json.encode(found)
    headers = [(b"content-type", problems.MEDIA_TYPE.encode())]
    headers += [(name.encode(), value.encode()) for name, value in problems.headers(error).items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
