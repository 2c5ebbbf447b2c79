"""Routes for whoever runs the server: does it live, is it ready, what does it count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Response, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec

from sealift_registry.web import guarding, metrics
from sealift_registry.web.health import Live, Ready

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

PROBES = "What asks it holds no secret, and learns nothing but codes."


@get(
    "/health/live",
    opt=guarding.open_to_all(PROBES),
    sync_to_thread=False,
    tags=["server"],
    operation_id="live",
)
def live() -> Live:
    """Tell that the server lives: it answers."""
    return Live(live=True)


@get(
    "/health/ready",
    opt=guarding.open_to_all(PROBES),
    sync_to_thread=True,
    tags=["server"],
    operation_id="ready",
    responses={503: ResponseSpec(Ready, generate_examples=False, description="It is not.")},
)
def ready(state: State) -> Response[Ready]:
    """Tell whether the server is ready.

    Its database answers, its log would take an entry, its disk has room, its certificate is in
    force, and it is not about to end. Of each it is `ok`, or the code of what is wrong.
    """
    served: Served = state.served
    found = served.health.ready()
    return Response(found, status_code=200 if found.ready else 503)


@get(
    "/metrics",
    opt=guarding.allowed("metrics.read"),
    sync_to_thread=True,
    tags=["server"],
    operation_id="metrics",
    media_type=metrics.MEDIA_TYPE,
)
def counted(state: State) -> Response[str]:
    """Tell what the server counts, in Prometheus' text format."""
    served: Served = state.served
    is_ready = served.health.ready().ready
    gauges = {"sealift_ready": ("Whether the server is ready.", float(is_ready))}
    text = served.metrics.text(gauges, served.version)
    return Response(text, media_type=metrics.MEDIA_TYPE)


ROUTES: tuple[Any, ...] = (live, ready, counted)
