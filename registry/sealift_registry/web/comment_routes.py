"""Routes of comments on promotions: words of people, which are in the log and decide nothing."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter

from sealift_registry.app import App
from sealift_registry.audit.page_query import PageBounds
from sealift_registry.catalog import page_sizes
from sealift_registry.catalog.reference import parse_promotion, promotion_id
from sealift_registry.promotion.comments import comment
from sealift_registry.shown import comments as shown
from sealift_registry.views.comments import comments
from sealift_registry.web import places, shapes, writing
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.guarding import caller_of
from sealift_registry.web.reading import Limit
from sealift_registry.web.writing import Made, Writes

OF_PROMOTION = f"{API}/promotions/{{promotion:str}}/comments"
Entry = Annotated[
    int | None, QueryParameter(ge=0, le=2**53, description="Go on after this entry's number.")
]
OldestFirst = Annotated[bool, QueryParameter(description="Begin with the oldest.")]


class CommentAsked(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be said of a promotion: up to 2,000 characters."""

    text: str


class Commented(msgspec.Struct):
    """What was said of a promotion, and the number of its entry in the log."""

    promotion: str
    entry: int


def _listed() -> dict[str, Any]:
    """Of two handlers at one address Litestar 2.25 wraps the first twice: each is no thread's."""
    said = Reads("promotion.read", shapes.Comments, places.of_promotion).declared()
    return {name: one for name, one in said.items() if name != "sync_to_thread"}


@get(OF_PROMOTION, tags=["promotions"], **_listed())
async def list_comments(
    request: Asking,
    *,
    limit: Limit = page_sizes.USUAL,
    beyond: Entry = None,
    oldest_first: OldestFirst = False,
) -> Response[bytes]:
    """List what people said of a promotion, newest first."""
    place = PageBounds(limit, beyond, not oldest_first)
    return await sync_to_thread(_read, request, place)


def _read(request: Asking, place: PageBounds) -> Response[bytes]:
    number = parse_promotion(request.path_params["promotion"])
    with served_by(request).app.hub.reading() as connection:
        page = comments(connection, number, place)
    return answered(request, shown.told(page))


@post(
    OF_PROMOTION,
    tags=["promotions"],
    status_code=201,
    responses={201: ResponseSpec(Commented, generate_examples=False, description="Said.")},
    **Writes("promotion.comment", places.of_promotion, (404, 413, 422)).declared(),
)
async def comment_on_promotion(request: Asking, data: JSONBody[CommentAsked]) -> Response[bytes]:
    """Say something of a promotion: it is an entry of the log, and no part of what is signed."""
    caller = caller_of(request)

    def act(app: App) -> Made:
        number = parse_promotion(request.path_params["promotion"])
        entry = comment(app.hub, number, data.text, caller.name, caller.person)
        return Made(Commented(promotion_id(number), entry), 201)

    return await writing.once(request, act)


ROUTES: tuple[Any, ...] = (list_comments, comment_on_promotion)
"""All of them."""
