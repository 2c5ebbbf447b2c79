"""Routes by which the server describes itself; nothing on them is fetched from anywhere else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get
from litestar.datastructures import State

from sealift_registry.web import description, error_page, guarding, refusals

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

WHY = "It describes the software, and nothing of what the hub holds."
STYLE = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
section { border-top: 1px solid; margin-top: 1.5rem; }
h2 { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
caption { text-align: left; font-weight: bold; }
td { padding: .2rem .5rem; vertical-align: top; border-bottom: 1px solid; }
"""
_lock = threading.Lock()


@get(
    "/api/v1/openapi.json",
    opt=guarding.open_to_all(WHY),
    sync_to_thread=True,
    tags=["server"],
    media_type="application/json",
)
def openapi(state: State) -> Response[dict[str, Any]]:
    """Describe this API, as OpenAPI 3.1."""
    return Response(_described(state.served), media_type="application/json")


@get(
    refusals.PAGE,
    opt=guarding.open_to_all(WHY),
    sync_to_thread=True,
    tags=["server"],
    media_type="text/html",
)
def page(state: State) -> Response[str]:
    """Describe this API, for people."""
    return Response(description.page(_described(state.served)), media_type="text/html")


@get(
    f"{refusals.PAGE}/errors",
    opt=guarding.open_to_all(WHY),
    sync_to_thread=True,
    tags=["server"],
    media_type="text/html",
)
def errors() -> Response[str]:
    """List every code of a problem, with what it says and what to do next."""
    return Response(error_page.page(), media_type="text/html")


@get(
    f"{refusals.PAGE}/style.css",
    opt=guarding.open_to_all(WHY),
    sync_to_thread=False,
    tags=["server"],
    media_type="text/css",
)
def style() -> Response[str]:
    """How that page looks."""
    return Response(STYLE, media_type="text/css")


def _described(served: Served) -> dict[str, Any]:
    """The description, which is made once."""
    from sealift_registry.web.api import ROUTES

    with _lock:
        if served.described is None:
            found = description.described(ROUTES, served.version)
            served.described = msgspec.json.decode(msgspec.json.encode(found))
        return served.described


ROUTES: tuple[Any, ...] = (openapi, page, errors, style)
