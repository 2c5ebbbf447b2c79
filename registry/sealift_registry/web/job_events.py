"""How a job stands, told as it changes: server-sent events (WHATWG HTML, section 9.2).

Each is all that is known of the job, so that whoever was cut off has missed nothing once the next
one comes. Nobody hears more than they may see: while they listen they are asked for again.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, get
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp, Receive, Scope, Send

from sealift_registry.changing_jobs import look
from sealift_registry.shown.job import whole_job_data
from sealift_registry.trust.hub import Hub
from sealift_registry.web import guarding, placeless, places, refusals
from sealift_registry.web.answering import API, served_by
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

EVENTS = "text/event-stream"
PAUSE = 1.0
"""Seconds between two looks."""
BEAT = 15.0
"""Seconds after which something is sent in any case: a proxy would think that nobody is there."""
ASKED_AGAIN = 10.0
"""Seconds after which it is asked again whether whoever listens still may."""
LONGEST = 60 * 60.0
"""Seconds that one answer takes; whoever listens on asks anew, as browsers do by themselves."""
MOST = 64
"""Listeners to one server at once: each has it look every second."""


class Listeners:
    """How many listen to this server now."""

    def __init__(self) -> None:
        self.count = 0

    def begin(self) -> None:
        """One more.

        Raises:
            RefusedError: there are very many.
        """
        if self.count >= MOST:
            raise refusals.too_many(int(BEAT))
        self.count += 1


@dataclass
class JobEvents:
    """The answer; an ASGI application.

    Attributes:
        request: of who listens.
        listeners: to this server.
        first: the job, as it stood when it was asked for.
    """

    request: Request[Any, Any, State]
    listeners: Listeners
    first: dict[str, Any]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell it until the job has ended, whoever listens goes or may no more, or for an hour."""
        del scope
        self.listeners.begin()
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", b"text/event-stream; charset=utf-8"),
                        (b"cache-control", b"no-store, no-transform"),
                        (b"x-accel-buffering", b"no"),  # nginx would keep it until it is long
                    ],
                }
            )
            await self._tell(send, gone)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.listeners.count -= 1
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    async def _tell(self, send: Send, gone: asyncio.Future[None]) -> None:
        served = served_by(self.request)
        began = asked = sent = time.monotonic()
        found, said, number = self.first, None, 0
        while True:
            now = time.monotonic()
            if _but_time(found) != said:
                number, said, sent = number + 1, _but_time(found), now
                body = msgspec.json.encode(found)
                await _send(send, b"id: %d\nevent: job\ndata: %b\n\n" % (number, body))
            elif now - sent > BEAT:
                sent = now
                await _send(send, b": still so\n\n")
            if found["ended"] or served.health.stopping or now - began > LONGEST:
                return
            if now - asked > ASKED_AGAIN:
                asked = now
                if not await self._still_may():
                    return
            await asyncio.wait([gone], timeout=PAUSE)
            if gone.done():
                return
            with suppress(SealiftError):  # the database is away for a while: it is told later
                found = await sync_to_thread(_looked, served.app.hub, self.request)

    async def _still_may(self) -> bool:
        """Whether whoever listens would be let in now: a session ends, a right is taken."""
        try:
            await guarding.check_allowed(self.request, self.request.route_handler)
        except SealiftError:
            return False
        return True


async def _gone(receive: Receive) -> None:
    """Until whoever listens has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _looked(hub: Hub, request: Request[Any, Any, State]) -> dict[str, Any]:
    """All about the job."""
    found: dict[str, Any] = placeless.without(
        hub, whole_job_data(look(hub, request.path_params["job"]), hub.now())
    )
    return found


def _but_time(found: dict[str, Any]) -> dict[str, Any]:
    """The same but for what changes by itself."""
    return {name: value for name, value in found.items() if name != "seconds"}


class JobEvent(msgspec.Struct):
    """One event; its data is all about the job, as JSON."""

    id: str
    event: str
    data: str


@get(
    f"{API}/jobs/{{job:str}}/events",
    tags=["jobs"],
    media_type=EVENTS,
    opt=guarding.allowed("job.read", places.of_job) | {"problems": (404, 409)},
    sync_to_thread=True,
    responses={
        200: ResponseSpec(
            JobEvent, generate_examples=False, description="As it changes.", media_type=EVENTS
        )
    },
)
def follow_job(request: Request[Any, Any, State]) -> ASGIApp:
    """Tell how a job stands, as it changes, until it has ended (server-sent events)."""
    served: Served = served_by(request)
    return JobEvents(request, served.listeners, _looked(served.app.hub, request))


ROUTES: tuple[Any, ...] = (follow_job,)
"""All of them."""
