"""One connection to the server: uvicorn's, with bounds on what somebody may make it wait for.

uvicorn waits for ever for the head of a request and for its body, keeps all of the head, however
long, and takes any number of connections. So anybody could hold connections, until there is no
number left for a file, and fill the memory, without ever being asked who they are.
"""

from __future__ import annotations

import asyncio
import resource
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
BODY_SECONDS = 30.0
"""Seconds in which some more of a body has to come, or the rest of it."""
LEAST = 16 << 10
"""Bytes of it that have to come in that time: very slow connections take thirty times as much."""
RESERVE = 256
"""Files that a process has open besides connections: the database's, the log's, code."""
FILES_EACH = 3
"""Files that a connection takes at most: itself, what is sent over it, and itself once more."""
MOST = 8192
"""Connections at once, however many files a process may have open."""


def most_connections() -> int:
    """How many connections there may be at once, by how many files the process may have open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST
    return max(min(MOST, (files - RESERVE) // FILES_EACH), 8)


def raise_limit() -> None:
    """Have the process open as many files as it may, as far as that is of use."""
    files, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST * FILES_EACH + RESERVE
    if highest != resource.RLIM_INFINITY:
        wanted = min(wanted, highest)
    if files != resource.RLIM_INFINITY and files < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, highest))


class Connection(HttpToolsProtocol):
    """A connection whose requests' heads are short, and all of each is there in time."""

    waiting: dict[Connection, None] = {}  # noqa: RUF012 - of all connections of this process
    """Those that wait for what their clients do, the one that does so longest first."""
    most = MOST

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*given, **named)
        self._head = 0
        self._timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._came = 0
        self._in_body = False
        self._wrong: SealiftError | None = None
        self._was_held = False
        self._direct: ZeroCopy | None = None
        self._answer: Any = self.app
        self.app: Any = self._answer_from_files

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        if self.scheme == "http":
            self._direct = ZeroCopy(transport, self.flow.drain)
        if len(self.connections) > self.most and not self._make_room():
            self._refuse(refusals.full(), "retry-after: 1\r\n")
            return
        self._settle()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._stop_waiting()
        self._stop_body()
        self.waiting.pop(self, None)
        if self._direct is not None:
            self._direct.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came: of a head, of a body, or of both."""
        cycle: Any = self.cycle
        if not self._in_body and (cycle is None or cycle.response_complete):
            self._await_head()
            self._head += len(data)
        super().data_received(data)
        if self._timer is not None and self._head > LONGEST_HEAD:
            self._refuse(refusals.head_too_large(LONGEST_HEAD))

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._stop_waiting()
        self._wrong = self._wrong_head()
        if self._wrong is not None:
            raise ValueError  # the parser ends there
        super().on_headers_complete()
        self._in_body = True
        self._await_body()
        self._settle()

    def on_body(self, body: bytes) -> None:
        """Some of a body is there."""
        self._came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._in_body = False
        self._stop_body()
        super().on_message_complete()
        self._settle()

    def on_response_complete(self) -> None:
        """It is answered."""
        super().on_response_complete()
        self._settle()

    def pause_writing(self) -> None:
        """Its client reads less than there is."""
        super().pause_writing()
        self._settle()

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        self._settle()

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
                self.transport.abort()  # which does not hear it where nothing is read any more
                return
            cycle.expected_content_length -= span.count  # of which uvicorn keeps count
            if not message["more_body"]:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        scope.setdefault("extensions", {})[EXTENSION] = {}
        await self._answer(scope, receive, sent)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        """What came is no HTTP."""
        cycle: Any = self.cycle
        if self._in_body and not self.pipeline and not cycle.response_started:
            self._refuse_amid(refusals.not_http())
            return
        self._refuse(self._wrong or refusals.not_http())

    def _wrong_head(self) -> SealiftError | None:
        """What is wrong with a head (RFC 9112, 3.2 and 6.1; RFC 9110, 8.4 and 10.1.1)."""
        version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (version == "1.1" and not hosts):
            return refusals.no_one_host()
        said = {name: value.lower() for name, value in self.headers}
        if said.get(b"transfer-encoding", b"chunked") != b"chunked":
            return refusals.unknown_coding()
        if said.get(b"content-encoding", b"identity") != b"identity":
            return refusals.encoded()
        if said.get(b"expect", b"100-continue") != b"100-continue":
            return refusals.expects_too_much()
        return None

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Its client sends no more; who has asked all of something is answered, and no more."""
        cycle: Any = self.cycle
        asked = cycle is not None and not self._in_body and not cycle.response_complete
        if self.scheme == "https" or not asked or cycle.chunked_encoding:
            return None
        cycle.keep_alive = False
        return True

    # ------------------------------------------------------------------ who waits for whom

    def _settle(self) -> None:
        """Note whether this waits for its client, or its client for us."""
        cycle: Any = self.cycle
        waits = cycle is None or cycle.response_complete or self._in_body or self.flow.write_paused
        if not waits:
            self.waiting.pop(self, None)
        elif self in self.connections:
            self.waiting.setdefault(self)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for somebody who is not known to be let in.

        Whoever is asked to wait by a crowd that says nothing would wait for ever.
        """
        for one in self.waiting:
            cycle: Any = one.cycle
            if cycle is not None and not cycle.response_complete:
                if cycle.scope.get("state", {}).get("caller") is not None:
                    continue
                cycle.disconnected = True
            del self.waiting[one]
            one.transport.abort()
            return True
        return False

    def _await_body(self) -> None:
        self._stop_body()
        self._came, self._was_held = 0, self.flow.read_paused
        self._body_timer = self.loop.call_later(BODY_SECONDS, self._see_body)

    def _stop_body(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _see_body(self) -> None:
        """Tell whoever sends too little of a body; what we made wait is no fault of theirs."""
        cycle: Any = self.cycle
        held = self._was_held or self.flow.read_paused or cycle.waiting_for_100_continue
        if held or self._came >= LEAST:
            self._await_body()
            return
        self._body_timer = None
        if cycle.response_started or self.pipeline:
            self.transport.abort()
            return
        self._refuse_amid(refusals.body_too_slow(int(BODY_SECONDS)))

    def _refuse_amid(self, error: SealiftError) -> None:
        """Answer a request of which the application waits for the rest, in its place."""
        cycle: Any = self.cycle
        cycle.disconnected = cycle.response_complete = True
        self._refuse(error)
        cycle.message_event.set()

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

    def _refuse(self, error: SealiftError, more: str = "") -> None:
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
            f"{more}connection: close\r\n\r\n"
        )
        events.tell("web", "request-unread", "warning", code=error.code)
        self.transport.write(head.encode() + body)
        self.transport.close()
