"""One connection to the server: uvicorn's, with bounds on what somebody may make it wait for.

uvicorn waits for ever for the head of a request, and keeps all of it, however long. So anybody
could hold connections and fill the memory without ever being asked who they are.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sealift_registry.web import problems, refusals
from sealift_registry.web.zero_copy import EXTENSION, Span, ZeroCopy
from sealift_signing import events
from sealift_signing.errors import SealiftError

LONGEST_HEAD = 64 << 10
"""Bytes of the first line and the headers of a request, together."""
HEAD_SECONDS = 20.0
"""Seconds until the whole head has to be there, from the first byte or the connection's begin."""


class Connection(HttpToolsProtocol):
    """A connection whose requests' heads are short, and are there in time."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*given, **named)
        self._head = 0
        self._timer: asyncio.TimerHandle | None = None
        self._direct: ZeroCopy | None = None
        self._answer: Any = self.app
        self.app: Any = self._answer_from_files

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        if self.scheme == "http":
            self._direct = ZeroCopy(transport, self.flow.drain)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._stop_waiting()
        if self._direct is not None:
            self._direct.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came: of a head, of a body, or of both."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            self._await_head()
            self._head += len(data)
        super().data_received(data)
        if self._timer is not None and self._head > LONGEST_HEAD:
            self._refuse(refusals.head_too_large(LONGEST_HEAD))

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    async def _answer_from_files(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        """Answer a request; where nothing is encrypted, files may be sent without being read."""
        if self._direct is None:
            await self._answer(scope, receive, send)
            return
        direct, cycle = self._direct, send.__self__

        async def sent(message: Any) -> None:  # noqa: ANN401 - ASGI's
            if message["type"] != EXTENSION:
                await send(message)
                return
            span = Span(message["file"], message["offset"], message["count"])
            if cycle.disconnected or not await direct.send(span):
                cycle.disconnected = True
                return
            cycle.expected_content_length -= span.count  # of which uvicorn keeps count
            if not message["more_body"]:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        scope.setdefault("extensions", {})[EXTENSION] = {}
        await self._answer(scope, receive, sent)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        """What came is no HTTP."""
        self._refuse(refusals.not_http())

    def _await_head(self) -> None:
        if self._timer is None:
            self._head = 0
            self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, error: SealiftError) -> None:
        """Answer a problem in the place of any application, and close.

        Amid another answer nothing is said: it would be taken for bytes of that one.
        """
        self._stop_waiting()
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            self.transport.abort()
            return
        found = problems.problem(error)
        body = msgspec.json.encode(found)
        head = (
            f"HTTP/1.1 {found.status} {error.code}\r\n"
            f"content-type: {problems.MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        events.tell("web", "request-unread", "warning", code=error.code)
        self.transport.write(head.encode() + body)
        self.transport.close()
