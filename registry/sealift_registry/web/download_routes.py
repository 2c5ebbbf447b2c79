"""Routes by which a form of a version is fetched: its manifest, and the blobs that it names.

The manifest is what people signed for, by its digest; whatever is fetched is compared with that by
whoever fetches it.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, route
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.discards import check_there
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.web import guarding
from sealift_registry.web.answering import API, served_by
from sealift_registry.web.sending import Conditions, SentBlob
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError
from sealift_signing.vocabulary import SHA256
from sealift_sync.artifact import LARGEST_MANIFEST, MANIFEST, read_manifest

FORM = f"{API}/versions/{{team:str}}/{{model:str}}/{{number:str}}/{{form:str}}"
BLOB = "application/octet-stream"


def _sent(kind: str) -> dict[int, ResponseSpec]:
    """What is answered, of this media type."""
    words = {200: "All of it.", 206: "The part that was asked for."}
    whole: Any = dict[str, Any] if kind == MANIFEST else bytes
    ends = {304: "Whoever asks has it.", 416: "It is not so long."}
    return {
        status: ResponseSpec(whole, generate_examples=False, description=said, media_type=kind)
        for status, said in words.items()
    } | {
        status: ResponseSpec(None, generate_examples=False, description=said)
        for status, said in ends.items()
    }


def _declared(kind: str) -> dict[str, Any]:
    return {
        "http_method": ["GET", "HEAD"],
        "opt": guarding.allowed("blob.read") | {"problems": (400, 404, 409, 412)},
        "sync_to_thread": True,
        "responses": _sent(kind),
        "tags": ["models"],
        "media_type": kind,
    }


@route(f"{FORM}/manifest", **_declared(MANIFEST))
def fetch_manifest(request: Request[Any, Any, State]) -> ASGIApp:
    """Fetch the OCI manifest of a form of a version."""
    served, digest = served_by(request), _digest(request)
    store = served.app.hub.home.blobs
    return SentBlob(store, digest, store.size(digest), _conditions(request), MANIFEST)


@route(f"{FORM}/blobs/{{sha256:str}}", **_declared(BLOB))
def fetch_blob(request: Request[Any, Any, State]) -> ASGIApp:
    """Fetch a blob that the manifest of a form names, whole or in part (`Range`)."""
    served, digest = served_by(request), _digest(request)
    store, wanted = served.app.hub.home.blobs, request.path_params["sha256"]
    named = read_manifest(store.read(digest, LARGEST_MANIFEST), what=digest).blobs
    if not SHA256.matches(wanted) or wanted not in named:
        raise NotFoundError(
            "no-blob-of-that",
            f"The manifest {digest[:12]} names no blob {word(wanted)}.",
            subject=wanted,
            next_step="See which it names: fetch the manifest.",
        )
    return SentBlob(store, wanted, named[wanted], _conditions(request))


def _digest(request: Request[Any, Any, State]) -> str:
    """The digest of the manifest of the form that the address names, as the log has it.

    Raises:
        NotFoundError: there is no such version, or no such form of it; or it was discarded.
    """
    named, hub = request.path_params, served_by(request).app.hub
    ref = VersionRef.parse(f"{named['team']}/{named['model']}/{named['number']}")
    with hub.reading() as connection:
        catalog = Catalog(connection)
        catalog.version(ref)
        path = ref.path(named["form"])
        for row in catalog.artifacts(ref):
            if row.path == path:
                check_there(catalog.discards(ref), path)
                return row.sha256
    raise NotFoundError(
        "no-form",
        f"{ref} has no form {word(named['form'])}.",
        subject=str(ref),
        next_step=f"See which it has: fetch what there is about {ref}.",
    )


def _conditions(request: Request[Any, Any, State]) -> Conditions:
    given = request.headers
    return Conditions(
        request.method,
        given.get("range"),
        given.get("if-range"),
        given.get("if-match"),
        given.get("if-none-match"),
    )


ROUTES: tuple[Any, ...] = (fetch_manifest, fetch_blob)
