"""What signed-in people ask to be changed and are refused: before they are told, the log is.

It stands around all routes, for much of what somebody tries has none: to delete a version, or to
write over what was signed. Who may not is told of where rights are asked (`guarding`). Whoever only
reads, is not known, asks too much, or meets a fault of ours, is no matter of the log.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import Message, Receive, Scope, Send

from sealift_registry.access.binding import TwoAccountsError
from sealift_registry.access.refusals import ForbiddenError, SignedOutError, ThrottledError
from sealift_registry.web import guarding, request_ids, same_site
from sealift_registry.web.answering import API
from sealift_registry.web.refusals import TooManyError
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

REFUSAL = "refusal"
"""Where a request's state keeps why it was refused."""
UNTOLD = (
    *(ForbiddenError, same_site.CrossSiteError, TwoAccountsError),  # by whoever refuses it
    *(SignedOutError, ThrottledError, TooManyError),
)
"""Of what the log is not told here."""
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SORT = 3
"""Which part of an address says of what sort it is: `/api/v1/versions/…`."""
FIRST, BEYOND = 400, 500
"""Statuses of what whoever asks is refused."""


def keep(scope: Scope, bad: SealiftError) -> None:
    """Keep with a request why it is refused."""
    scope.setdefault("state", {})[REFUSAL] = bad


class RefusedWrites:
    """An application around another; of what that refuses to change it tells the log."""

    def __init__(self, inner: Litestar, served: Served) -> None:
        self._inner = inner
        self._served = served
        paths = [route.path_format.split("/") for route in inner.routes]
        self._sorts = {one[_SORT] for one in paths if len(one) > _SORT}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] in guarding.READS:
            await self._inner(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                bad = scope.get("state", {}).get(REFUSAL)
                if bad is not None and _is_told(bad, message["status"]):
                    await sync_to_thread(self._tell, scope, bad)
            await send(message)

        await self._inner(scope, receive, told)

    def _tell(self, scope: Any, bad: SealiftError) -> None:  # noqa: ANN401 - as ASGI has it
        """Tell the log; what it cannot take keeps nobody from being refused."""
        with suppress(SealiftError):
            caller = scope["state"].get("caller")
            if caller is None and "route_handler" in scope:
                return  # anybody may use it, or a guard found nobody
            if caller is None:  # it has no route, and so no guard
                caller = guarding.known_beyond(self._served, ASGIConnection(scope))
            asked, run = f"{scope['method']} {scope['path']}", request_ids.current()
            kind = self._kind(scope["method"], scope["path"])
            self._served.gatekeeper.tell_request_refused(caller, asked, kind, bad, run)

    def _kind(self, method: str, path: str) -> str:
        """What it is counted with: the method, and the sort of thing that the address is of."""
        parts = path.split("/")
        is_ours = path.startswith(f"{API}/") and len(parts) > _SORT and parts[_SORT] in self._sorts
        return f"{method} {parts[_SORT]}" if is_ours and method in METHODS else "another address"


def _is_told(bad: SealiftError, status: int) -> bool:
    return FIRST <= status < BEYOND and not isinstance(bad, UNTOLD)
