"""The application that is served: all routes, and what holds for every one of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp

from sealift_registry.access.once import Once
from sealift_registry.access.told_failures import ToldFailures
from sealift_registry.app import App
from sealift_registry.web import (
    account_routes,
    comment_routes,
    delivery_routes,
    document_routes,
    documenting,
    download_routes,
    guarding,
    intake_routes,
    job_events,
    job_routes,
    log_routes,
    operating,
    own_routes,
    placeless,
    problems,
    reading,
    refusals,
    refused_writes,
    session_routes,
    signing_routes,
    upload_routes,
)
from sealift_registry.web.callers import Gatekeeper
from sealift_registry.web.door import Door
from sealift_registry.web.health import Health
from sealift_registry.web.job_events import Listeners
from sealift_registry.web.limits import Limits
from sealift_registry.web.metrics import Metrics
from sealift_registry.web.refused_writes import RefusedWrites
from sealift_registry.web.watching import Watching
from sealift_signing.errors import MalformedError, SealiftError

MOST_JSON = 1 << 20
"""Bytes of a body, where a route says nothing else."""
TOLD_EVERY = 60
"""Seconds after which it is seen whether the log is to be told of failures."""
READING = {"GET", "HEAD"}
THREADS = 16
"""Requests that are worked at at once; each takes at most one connection to the database."""


@dataclass
class Served:
    """What routes are given: the hub that is served, and what watches over serving it.

    Attributes:
        app: the hub's use cases.
        gatekeeper: who knows callers, and what each may do; without one nobody is let in.
        url: the server's name to everybody.
        version: of the software.
        health: whether it is ready.
        metrics: what it counts.
        listeners: who is told of jobs as they change.
        described: the API, once somebody asked.
        once: which requests are worked at, and what those before were answered.
        failures: what the log is told of those whom nobody knows.
        door: who is signing in.
        limits: how much anybody may ask.
    """

    app: App
    gatekeeper: Gatekeeper
    url: str
    version: str
    health: Health
    metrics: Metrics = field(default_factory=Metrics)
    listeners: Listeners = field(default_factory=Listeners)
    described: dict[str, Any] | None = None
    once: Once = field(init=False)
    failures: ToldFailures = field(init=False)
    door: Door = field(init=False)
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        """Requests of this server are counted together."""
        hub = self.app.hub
        self.once, self.failures = Once(hub), ToldFailures(hub)
        self.door = Door(self.failures)
        self.limits = Limits(hub.home.settings.server.requests_a_minute)


ROUTES: Sequence[Any] = (
    *(*operating.ROUTES, *documenting.ROUTES, *download_routes.ROUTES),
    *(*reading.ROUTES, *job_routes.ROUTES, *job_events.ROUTES, *log_routes.ROUTES),
    *upload_routes.ROUTES,
    *session_routes.ROUTES,
    *own_routes.ROUTES,
    *account_routes.ROUTES,
    *document_routes.ROUTES,
    *intake_routes.ROUTES,
    *comment_routes.ROUTES,
    *delivery_routes.ROUTES,
    *signing_routes.ROUTES,
)
"""Every route that there is."""


def make_api(served: Served) -> ASGIApp:
    """The application.

    Raises:
        RuntimeError: a route says neither what one must be allowed to do, nor why anybody may.
    """
    inner = Litestar(
        route_handlers=[*ROUTES],
        exception_handlers={
            SealiftError: _answer,
            HTTPException: _answer,
            Exception: _answer,
        },
        guards=[guarding.check_allowed],
        openapi_config=None,
        state=State({"served": served}),
        request_max_body_size=MOST_JSON,
        lifespan=[_threads, _telling],
        logging_config=None,
        debug=False,
    )
    check_guarded(inner)
    return Watching(RefusedWrites(inner, served), served.metrics)


def check_guarded(api: Litestar) -> None:
    """Check that each route says who may use it, and each that writes how a repeat is known.

    Raises:
        RuntimeError: one does not; it would be closed to everybody, and nobody would know why.
    """
    for route in api.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if guarding.is_options(handler):
                continue
            if not guarding.is_declared(handler.opt):
                msg = f"{route.path} says neither an action nor why it is open to all"
                raise RuntimeError(msg)
            if not guarding.says_once(handler):
                msg = f"{route.path} says not how a repeat is known, nor why it need not be"
                raise RuntimeError(msg)


@asynccontextmanager
async def _threads(_api: Litestar) -> AsyncIterator[None]:
    """Have use cases run in a bounded number of threads."""
    import asyncio

    pool = ThreadPoolExecutor(THREADS, "sealift-web")
    asyncio.get_running_loop().set_default_executor(pool)
    try:
        yield
    finally:
        pool.shutdown(wait=True)


@asynccontextmanager
async def _telling(api: Litestar) -> AsyncIterator[None]:
    """Have the log told of failures whose hour has come, also where nobody fails any more."""
    import asyncio

    async def tell() -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            await sync_to_thread(tell_now)

    def tell_now(*, rest: bool = False) -> None:
        served: Served = api.state.served
        served.failures.tell()
        served.gatekeeper.tell_more_refused(rest=rest)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        tell_now(rest=True)


# ---------------------------------------------------------------------- errors


def _answer(
    request: Request[object, object, State], error: Exception
) -> Response[problems.Problem]:
    """Any error, as a problem."""
    bad = _in_words(request, error)
    if not isinstance(bad, refusals.ClientGoneError):  # nobody was refused anything
        refused_writes.keep(request.scope, bad)
    served: Served = request.app.state.served
    found = placeless.problem(served.app.hub, problems.problem(bad))
    if isinstance(error, MalformedError) and request.method in READING:  # nothing was sent
        found = msgspec.structs.replace(found, status=409)
    headers = problems.headers(bad)
    if isinstance(error, MethodNotAllowedException):
        headers["allow"] = ", ".join(_methods_at(request.app, request.url.path))
    return Response(
        found, status_code=found.status, media_type=problems.MEDIA_TYPE, headers=headers
    )


def _in_words(request: Request[object, object, State], error: Exception) -> SealiftError:
    if isinstance(error, RecursionError) and guarding.is_json(request):
        return refusals.bad_request("what it holds is nested too deeply")
    if not isinstance(error, HTTPException):
        return problems.told(error)
    path = request.url.path
    if isinstance(error, NotFoundException):
        return refusals.no_such_resource(path)
    if isinstance(error, MethodNotAllowedException):
        return refusals.method_not_allowed(request.method, path, _methods_at(request.app, path))
    return _unread(request, error)


def _unread(request: Request[object, object, State], error: HTTPException) -> SealiftError:
    """What is wrong with what was sent."""
    if isinstance(error, ValidationException):
        return _unfit(error)
    if error.status_code == 413:  # noqa: PLR2004 - the status that says so
        return refusals.body_too_large(_most(request))
    if error.status_code < 500:  # noqa: PLR2004 - and these are of the caller
        return refusals.bad_request("it could not be read")
    return problems.told(error)


def _most(request: Request[object, object, State]) -> int:
    """Bytes of a body that are taken here."""
    most = getattr(request.scope.get("route_handler"), "request_max_body_size", None)
    return most if isinstance(most, int) else MOST_JSON


def _methods_at(api: Litestar, path: str) -> list[str]:
    """What can be done at an address."""
    parts = path.strip("/").split("/")
    found: set[str] = set()
    for route in api.routes:
        wanted = route.path_format.strip("/").split("/")
        fits = len(wanted) == len(parts) and all(
            one == part or one.startswith("{") for one, part in zip(wanted, parts, strict=True)
        )
        if fits and isinstance(route, HTTPRoute):
            found |= {method for one in route.route_handlers for method in one.http_methods}
    return sorted(found)


def _unfit(error: ValidationException) -> SealiftError:
    """What is wrong with what was sent, and where."""
    extra = error.extra if isinstance(error.extra, list) else []
    if not extra:  # what is missing has no place
        named = re.search(r"'([A-Za-z_-]+)'", error.detail)
        return refusals.bad_request(f"{named[1] if named else 'something'} is missing")
    sources = {str(one.get("source", "body")) for one in extra}
    places = tuple(
        (str(one.get("key") or "body"), str(one.get("message", "does not fit"))) for one in extra
    )
    if sources <= {"body"}:
        return refusals.bad_body(places)
    said = "; ".join(f"{where}: {what}" for where, what in places)
    return refusals.bad_request(said, places)
