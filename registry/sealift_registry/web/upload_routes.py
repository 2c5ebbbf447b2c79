"""Routes by which files are sent, in as many pieces as it takes.

After the IETF's draft of resumable uploads (draft-ietf-httpbis-resumable-upload): `Upload-Offset`
says where a piece begins and how much is here, `Upload-Complete` whether that is all. What is sent
is declared first, with its digest: a file that is not what was declared is removed.

Each goes to a thread by itself: of two handlers at one address Litestar 2.25 wraps the first twice.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post, route
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from sealift_registry.intake import declared_files, uploads
from sealift_registry.intake.uploads import GIB, Adding, TooLongError, Upload, Uploads
from sealift_registry.jobs import records
from sealift_registry.jobs.job import parse_job
from sealift_registry.trust.hub import Hub
from sealift_registry.web import guarding, refusals, writing
from sealift_signing.errors import NotFoundError, SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

API = "/api/v1"
OF_TEAM = f"{API}/teams/{{team:str}}/uploads"
ONE = f"{OF_TEAM}/{{upload:str}}"
PIECE = "application/partial-upload"
GATHERED = 1 << 20
"""Bytes that are written at once."""
DIGITS = 16

Asking = Request[Any, Any, State]


class Declaration(msgspec.Struct, forbid_unknown_fields=True):
    """A file that is to be sent.

    Attributes:
        kind: `onnx`, a model; or `goldens`.
        name: of the file, without folders.
        size: in bytes.
        sha256: of all of it, in hexadecimal.
    """

    kind: str
    name: str
    size: int
    sha256: str


class UploadState(msgspec.Struct):
    """How far a file is.

    Attributes:
        offset: bytes of it that are here.
        complete: whether that is all; then its digest is the one that was declared.
    """

    upload: str
    team: str
    kind: str
    name: str
    size: int
    sha256: str
    offset: int
    complete: bool


class UploadList(msgspec.Struct):
    """All that whoever asks has on its way."""

    uploads: list[UploadState]


def _declared(*problems: int) -> dict[str, Any]:
    """For Litestar's decorator.

    A repeat needs no key: the same declaration finds what there is, a piece says where it begins.
    """
    return {
        "opt": guarding.allowed("upload.write")
        | writing.by_itself("what is sent is known by its digest, and a piece by its offset")
        | {"problems": problems},
        "tags": ["uploads"],
    }


@post(
    OF_TEAM,
    **_declared(400, 409, 415, 422, 507),
    responses={201: ResponseSpec(UploadState, generate_examples=False, description="Begun.")},
)
async def begin_upload(request: Asking, data: JSONBody[Declaration]) -> Response[UploadState]:
    """Declare a file that is to be sent; the same again is the one that there is."""
    return await sync_to_thread(_begin, request, data)


def _begin(request: Asking, data: Declaration) -> Response[UploadState]:
    account, team = guarding.caller_of(request).account, request.path_params["team"]
    hub = _served(request).app.hub
    now = hub.log.dated()  # by a wrong clock all others would be old, and go

    def is_over(job: str) -> bool:
        return _is_over(hub, job)

    uploads_of(hub).sweep_at_times(now, is_over)
    said = declared_files.declared(account, team, data.kind, data.name, data.size, data.sha256, now)
    found = _uploads(request).begin(said, is_over)
    headers = {**_headers(found), "location": f"{API}/teams/{team}/uploads/{found.id}"}
    return Response(_state(found), status_code=201, headers=headers)


@get(OF_TEAM, **_declared())
async def list_uploads(request: Asking) -> UploadList:
    """List what whoever asks has on its way for a team."""
    account = guarding.caller_of(request).account
    found = await sync_to_thread(_uploads(request).of, account)
    team = request.path_params["team"]
    return UploadList([_state(one) for one in found if one.declared.team == team])


@route(
    ONE,
    http_method=["GET", "HEAD"],
    **_declared(404),
    responses={200: ResponseSpec(UploadState, generate_examples=False, description="So far.")},
)
async def show_upload(request: Asking) -> Response[Any]:
    """Tell how far a file is."""
    found = await sync_to_thread(_found, request)
    body = None if request.method == "HEAD" else _state(found)
    return Response(body, headers=_headers(found))


@patch(
    ONE,
    **_declared(400, 404, 409, 413, 415, 507),
    request_max_body_size=None,
    responses={200: ResponseSpec(UploadState, generate_examples=False, description="So far.")},
)
async def add_to_upload(request: Asking) -> Response[UploadState]:
    """Add bytes to a file, from `Upload-Offset` on.

    What comes before a connection is cut off is kept. With the last of it the digest is compared;
    a file that is another, or longer, is removed.
    """
    writing.check_kind(request, PIECE)
    offset = _offset(request)
    there, found = await sync_to_thread(lambda: (_uploads(request), _found(request)))
    if offset != found.offset or found.is_whole:
        raise uploads.elsewhere(found, offset)
    try:
        await _added(request, there, found, offset)
    except TooLongError:
        await sync_to_thread(there.remove, found)
        raise
    now = await sync_to_thread(_found, request)
    if now.offset == now.declared.size:
        now = await sync_to_thread(there.finish, now)
    return Response(_state(now), headers=_headers(now))


@delete(ONE, **_declared(404))
async def remove_upload(request: Asking) -> None:
    """Remove a file, however much of it is here."""
    there, found = await sync_to_thread(lambda: (_uploads(request), _found(request)))
    await sync_to_thread(there.remove, found)


async def _added(request: Asking, there: Uploads, found: Upload, offset: int) -> None:
    """Write what comes, until no more does; whoever is cut off goes on behind what was written."""
    adding = there.adding(found, offset)
    one: Adding = await sync_to_thread(adding.__enter__)
    error: BaseException | None = None
    try:
        room = bytearray()
        with suppress(refusals.ClientGoneError):  # it went away: what came is kept
            async for piece in request.stream():
                room += piece
                if len(room) >= GATHERED:
                    await sync_to_thread(one.add, bytes(room))
                    room.clear()
        if room:
            await sync_to_thread(one.add, bytes(room))
        await sync_to_thread(one.end)
    except BaseException as bad:
        error = bad
        raise
    finally:
        kind = type(error) if error else None
        await sync_to_thread(adding.__exit__, kind, error, error.__traceback__ if error else None)


def _offset(request: Asking) -> int:
    given = request.headers.get("upload-offset", "")
    if not (given.isascii() and given.isdigit() and len(given) <= DIGITS):
        raise refusals.bad_request("Upload-Offset is not a number of bytes")
    return int(given)


def _found(request: Asking) -> Upload:
    """The upload that the address names, of whoever asks, and of this team."""
    named = request.path_params
    found = _uploads(request).get(named["upload"], guarding.caller_of(request).account)
    if found.declared.team != named["team"]:
        raise refusals.no_such_resource(request.url.path)
    return found


def _uploads(request: Asking) -> Uploads:
    return uploads_of(_served(request).app.hub)


def uploads_of(hub: Hub) -> Uploads:
    """The uploads of the hub's host."""
    server = hub.home.settings.server
    return Uploads(hub.home.root / "uploads", server.upload_gib * GIB, server.uploads_at_once)


def _is_over(hub: Hub, job: str) -> bool:
    """Whether a job has ended, or is none; what cannot be said is not over."""
    try:
        with hub.reading() as connection:
            number = parse_job(job)
            records.job(connection, number)
            return records.end(connection, number) is not None
    except NotFoundError:
        return True
    except SealiftError:
        return False


def _served(request: Asking) -> Served:
    found: Served = request.app.state.served
    return found


def _state(one: Upload) -> UploadState:
    said = one.declared
    return UploadState(
        one.id, said.team, said.kind, said.name, said.size, said.sha256, one.offset, one.is_whole
    )


def _headers(one: Upload) -> dict[str, str]:
    return {
        "upload-offset": str(one.offset),
        "upload-length": str(one.declared.size),
        "upload-complete": "?1" if one.is_whole else "?0",
        "cache-control": "no-store",
    }


ROUTES: tuple[Any, ...] = (begin_upload, list_uploads, show_upload, add_to_upload, remove_upload)
"""All of them."""
