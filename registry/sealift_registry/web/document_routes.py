"""Routes of what was signed: evidence, requests, approvals, transfers, receipts, in their bytes.

Whoever fetches one verifies it: its digest is in its address, or in what names it.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from sealift_registry.catalog import page_sizes
from sealift_registry.catalog.pages import PagePlace
from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.shown import evidence, model
from sealift_registry.views import documents, versions
from sealift_registry.web import guarding, places, shapes
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by, tagged
from sealift_registry.web.reading import (
    SITE,
    TEAM,
    Beyond,
    Limit,
    NewestFirst,
    Site,
    Team,
    listed,
)

VERSION = f"{API}/versions/{{team:str}}/{{model:str}}/{{number:str}}"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"


def _signed(action: str, where: guarding.Finds | None = None) -> dict[str, Any]:
    """How a route of a document is declared."""
    words = "The envelope (DSSE), as it was signed."
    said = {"problems": (400, 404, 409), "tagged": True}
    return {
        "opt": guarding.allowed(action, where) | said,
        "sync_to_thread": True,
        "responses": {
            200: ResponseSpec(
                dict[str, Any], generate_examples=False, description=words, media_type=ENVELOPE
            )
        },
        "media_type": ENVELOPE,
    }


@get(
    f"{API}/models",
    tags=["models"],
    **Reads("model.read", shapes.Models, places.team_asked, TEAM).declared(),
)
def list_models(
    request: Asking, *, team: Team = None, limit: Limit = page_sizes.USUAL, beyond: Beyond = None
) -> Response[bytes]:
    """List models, each with its newest version: of the teams that one may see."""
    return listed(request, "models", PagePlace(limit, beyond), team=team)


@get(
    f"{API}/models/{{team:str}}/{{model:str}}",
    tags=["models"],
    **Reads("model.read", shapes.ModelShown).declared(),
)
def show_model(request: Asking) -> Response[bytes]:
    """Show all about a model: its newest versions, and which is listed for which stage."""
    named, hub = request.path_params, served_by(request).app.hub
    ref = ModelRef.parse(f"{named['team']}/{named['model']}")
    with hub.reading() as connection:
        return answered(request, model.told(hub, connection, ref))


@get(
    f"{VERSION}/evidence", tags=["models"], **Reads("evidence.read", shapes.EvidenceList).declared()
)
def list_evidence(request: Asking) -> Response[bytes]:
    """List the evidence about a version: what each piece says, and which machine signed it."""
    ref, hub = _version(request), served_by(request).app.hub
    found = hub.reading_blobs(lambda asking, state: versions.forms(asking, state, ref))
    return answered(request, evidence.told(ref, found))


@get(f"{VERSION}/evidence/{{sha256:str}}", tags=["models"], **_signed("evidence.read"))
def fetch_evidence(request: Asking) -> Response[bytes]:
    """Fetch a piece of evidence about a version, as a machine signed it."""
    ref, sha256 = _version(request), request.path_params["sha256"]
    with served_by(request).app.hub.reading() as connection:
        found = documents.evidence(connection, ref, sha256)
    return tagged(request, found, ENVELOPE)


@get(
    f"{API}/promotions/{{promotion:str}}/documents/{{sha256:str}}",
    tags=["promotions"],
    **_signed("promotion.read", places.of_promotion),
)
def fetch_promotion_document(request: Asking) -> Response[bytes]:
    """Fetch what a promotion consists of: its request, an approval, an objection, its evidence."""
    number = parse_promotion(request.path_params["promotion"])
    with served_by(request).app.hub.reading() as connection:
        found = documents.of_promotion(connection, number, request.path_params["sha256"])
    return tagged(request, found, ENVELOPE)


@get(
    f"{API}/transfers/{{transfer:str}}/document",
    tags=["sites"],
    **_signed("transfer.read", places.of_transfer),
)
def fetch_transfer(request: Asking) -> Response[bytes]:
    """Fetch a transfer's transfer.json, as its dispatcher signed it."""
    with served_by(request).app.hub.reading() as connection:
        found = documents.transfer(connection, request.path_params["transfer"])
    return tagged(request, found, ENVELOPE)


@get(
    f"{API}/receipts",
    tags=["sites"],
    **Reads("receipt.read", shapes.Receipts, places.site_asked, SITE).declared(),
)
def list_receipts(
    request: Asking,
    *,
    site: Site = None,
    limit: Limit = page_sizes.USUAL,
    beyond: Beyond = None,
    newest_first: NewestFirst = False,
) -> Response[bytes]:
    """List receipts that came home: of the sites that one may see."""
    return listed(request, "receipts", PagePlace(limit, beyond, newest_first), of_site=site)


@get(
    f"{API}/sites/{{site:str}}/receipts/{{sha256:str}}",
    tags=["sites"],
    **_signed("receipt.read"),
)
def fetch_receipt(request: Asking) -> Response[bytes]:
    """Fetch a receipt, as its site signed it."""
    named = request.path_params
    with served_by(request).app.hub.reading() as connection:
        found = documents.receipt(connection, named["site"], named["sha256"])
    return tagged(request, found, ENVELOPE)


@get(
    f"{API}/sites/{{site:str}}/answer",
    tags=["sites"],
    **_signed("site.read"),
)
def fetch_site_answer(request: Asking) -> Response[bytes]:
    """Fetch the answer that is carried to a site, as a fleet administrator signed it."""
    with served_by(request).app.hub.reading() as connection:
        found = documents.site_answer(connection, request.path_params["site"])
    return tagged(request, found, ENVELOPE)


def _version(request: Asking) -> VersionRef:
    named = request.path_params
    return VersionRef.parse(f"{named['team']}/{named['model']}/{named['number']}")


ROUTES: tuple[Any, ...] = (
    *(list_models, show_model, list_evidence, fetch_evidence, fetch_promotion_document),
    *(fetch_transfer, list_receipts, fetch_receipt, fetch_site_answer),
)
"""All of them."""
