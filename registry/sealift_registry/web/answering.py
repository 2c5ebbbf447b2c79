"""Answering who reads: JSON for machines, the lines of the commands for people, once each.

Both are of the same state. Each answer has a tag of its bytes: who sends it back in If-None-Match
and would be answered the same is told that nothing has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec

from sealift_registry.shown.told import Told
from sealift_registry.web import guarding, refusals
from sealift_signing.drawing import plain

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

API = "/api/v1"
"""Below which everything is asked and changed; beside it are health and the description."""
JSON, TEXT = "application/json", "text/plain"
KINDS = (JSON, TEXT)
PRIVATE = {"cache-control": "private, no-cache", "vary": "Accept, Authorization, Cookie"}
"""What is read may be kept by who asked, and must be asked for again."""

Asking = Request[Any, Any, State]


def served_by(request: Asking) -> Served:
    """The hub that is served."""
    found: Served = request.app.state.served
    return found


@dataclass(frozen=True)
class Reads:
    """How a route that is read is declared: what one must be allowed to do, and what it answers.

    Attributes:
        by: of a list: what its rows are of (`guarding.listed`).
    """

    action: str
    shape: type[msgspec.Struct]
    where: guarding.Finds | None = None
    by: Collection[guarding.Part] | None = None

    def declared(self) -> dict[str, Any]:
        """For Litestar's decorator."""
        problems = (400, 404, 406, 409)
        said = guarding.allowed(self.action, self.where)
        if self.by is not None:
            said = guarding.listed(self.action, self.by, self.where)
        said |= {"problems": problems, "text": True}
        spec = ResponseSpec(self.shape, generate_examples=False, description=_first(self.shape))
        return {
            "opt": said,
            "sync_to_thread": True,
            "responses": {200: spec},
            "media_type": JSON,
        }


def _first(shape: type[msgspec.Struct]) -> str:
    return (shape.__doc__ or "").strip().partition("\n")[0]


def answered(request: Asking, told: Told, beyond: str | None = None) -> Response[bytes]:
    """What is told, as it was asked for; `beyond` is where it goes on, if the members do not say.

    Raises:
        UsageError: it is asked for as something else than it can be.
    """
    kind = wanted(request)
    body = text(told.lines) if kind == TEXT else msgspec.json.encode(told.data)
    return tagged(request, body, kind, _next(request, beyond or told.data.get("beyond")))


def wanted(request: Asking, kinds: tuple[str, ...] = KINDS) -> str:
    """Which of these kinds of answer is asked for; the first where it is all the same.

    Raises:
        UsageError: none of them.
    """
    found = request.accept.best_match(list(kinds), default=None)
    if found is None:
        raise refusals.not_acceptable(request.headers.get("accept", ""), kinds)
    return found


def text(lines: Iterable[str]) -> bytes:
    """Lines, each of which stays one, whatever it holds."""
    return "".join(f"{plain(line)}\n" for line in lines).encode()


def tagged(
    request: Asking, body: bytes, kind: str, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """An answer with the tag of its bytes; or that nothing has changed."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    said = {**PRIVATE, "etag": tag, **(headers or {})}
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(b"", status_code=304, headers=said, media_type=kind)
    return Response(body, headers=said, media_type=kind)


def _tags(given: str) -> set[str]:
    """The tags in a header; a weak one is as good, for reading (RFC 9110, section 13.1.2)."""
    return {one.strip().removeprefix("W/") for one in given.split(",")}


def _next(request: Asking, beyond: str | None) -> dict[str, str]:
    """The address of the next page, where there is one (RFC 8288)."""
    if beyond is None:
        return {}
    asked = [(name, one) for name, one in request.query_params.multi_items() if name != "beyond"]
    query = urlencode([*asked, ("beyond", str(beyond))])
    return {"link": f'<{request.url.path}?{query}>; rel="next"'}
