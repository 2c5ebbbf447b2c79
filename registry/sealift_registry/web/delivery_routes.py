"""Routes of what goes to sites and comes home: bundles to folders with names, and returns.

A bundle is written by a job on the server's host, to a folder that settings.toml names. What its
dispatcher signs is a draft that waits here, and the bundle is finished where it lies once that is
handed in: no path of whoever asks is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from sqlalchemy import select

from sealift_registry.app import App
from sealift_registry.delivery import tables, unsigned_transfers
from sealift_registry.jobs.job import ORDINARY
from sealift_registry.kinds import ExportArguments, export_wanted
from sealift_registry.receiving import receive_sent
from sealift_registry.shown.told import Told
from sealift_registry.storage.named_places import export_folder
from sealift_registry.web import guarding, places, writing
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by, tagged
from sealift_registry.web.guarding import caller_of
from sealift_registry.web.intake_routes import Priority, ask_for, asks_for_jobs
from sealift_registry.web.signing_routes import DRAFT, SubmissionMade, told
from sealift_registry.web.writing import Made, Writes
from sealift_signing import drafts
from sealift_signing.drafts import Draft
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.vocabulary import site_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealift_registry.trust.hub import Hub

ONE = f"{API}/transfers/{{transfer:str}}"
LARGEST_RETURN = 64 << 20
"""Bytes of what is sent home; a longer return is taken in from its medium, at the hub."""


class ExportAsked(msgspec.Struct, forbid_unknown_fields=True):
    """A bundle that is to be written.

    Attributes:
        folder: the name of the folder in the hub's settings.
        full: leave out nothing, whatever the site has.
        any_software: whatever the site said of its software.
        anew: begin another transfer, though an earlier one is not finished.
        priority: 1 comes first.
    """

    folder: str
    full: bool = False
    any_software: bool = False
    anew: bool = False
    priority: Priority = ORDINARY


class ExportFolders(msgspec.Struct):
    """The names of the folders to which bundles for a site may be written."""

    folders: list[str]


class ReturnSent(msgspec.Struct, forbid_unknown_fields=True):
    """What a site sent home: its files, in base64.

    Attributes:
        extract: of its log, `log/extract.json`.
        receipts: each by the id of its transfer, as its file is called in `receipts/`.
    """

    extract: bytes
    receipts: dict[str, bytes] = {}


class ReturnTaken(msgspec.Struct):
    """What was taken in: the members that `sealift receive` prints."""

    returns: list[dict[str, Any]]
    refused: list[dict[str, Any]]


@get(
    f"{API}/sites/{{site:str}}/export-folders",
    tags=["sites"],
    **Reads("export.ask", ExportFolders).declared(),
)
def list_export_folders(request: Asking) -> Response[bytes]:
    """List the folders to which bundles for a site may be written."""
    site, there = request.path_params["site"], served_by(request).app.hub.home.settings.exports
    names = sorted(name for name, said in there.items() if said.is_for(site))
    return answered(request, Told({"folders": names}, names or ["The settings name none."]))


@post(f"{API}/sites/{{site:str}}/exports", **asks_for_jobs("export.ask", "sites"))
async def export_bundle(request: Asking, data: JSONBody[ExportAsked]) -> Response[bytes]:
    """Have a bundle written to a folder of the server's host, all but its signature."""
    site, by = request.path_params["site"], caller_of(request).name

    def act(app: App) -> Made:
        named = export_folder(app.hub.home.settings.exports, data.folder, site)
        asked = ExportArguments(
            site,
            named.folder,
            str(unsigned_transfers.draft_file(app.hub, site)),
            full=data.full,
            any_software=data.any_software,
            anew=data.anew,
            named=data.folder,
        )
        return ask_for(app, [export_wanted(app, asked, data.priority)], by)[0]

    return await writing.once(request, act)


@get(
    f"{ONE}/draft",
    tags=["sites"],
    opt=guarding.allowed("draft.make", places.of_transfer)
    | {"problems": (404, 409), "tagged": True},
    sync_to_thread=True,
    media_type=DRAFT,
    responses={
        200: ResponseSpec(
            bytes, generate_examples=False, description="The draft.", media_type=DRAFT
        )
    },
)
def fetch_transfer_draft(request: Asking) -> Response[bytes]:
    """Fetch the draft of a transfer that was written, for its dispatcher to sign."""
    name, hub = request.path_params["transfer"], served_by(request).app.hub
    waits = unsigned_transfers.kept(hub, name) if _is_begun(hub, name) else None
    if waits is None:
        raise _not_waiting(name)
    return tagged(request, drafts.write(waits.draft), DRAFT)


@post(
    f"{ONE}/submissions",
    tags=["sites"],
    status_code=200,
    request_max_body_size=drafts.LARGEST,
    responses={
        200: ResponseSpec(SubmissionMade, generate_examples=False, description="It is finished.")
    },
    **Writes("submission.make", places.of_transfer, (404, 413, 415), takes=DRAFT).declared(),
)
async def submit_transfer(request: Asking) -> Response[bytes]:
    """Hand in the signed draft of a transfer: its bundle is finished in the folder where it lies.

    What lies there is compared with what was signed for.
    """
    writing.check_kind(request, DRAFT)
    body, name = await request.body(), request.path_params["transfer"]

    def act(app: App) -> Made:
        signed = drafts.read_any(body, what="what was handed in")
        if not isinstance(signed, Draft) or (signed.act, *signed.object) != ("transfer", name):
            raise _of_another(name)
        return Made(told(app.finish(signed, _medium(app.hub, name), _untold), ()))

    return await writing.once(request, act)


@post(
    f"{API}/sites/{{site:str}}/receipts",
    tags=["sites"],
    status_code=200,
    request_max_body_size=LARGEST_RETURN,
    responses={200: ResponseSpec(ReturnTaken, generate_examples=False, description="Taken in.")},
    **Writes("receipt.take", problems=(404, 413, 422)).declared(),
)
async def take_return(request: Asking, data: JSONBody[ReturnSent]) -> Response[bytes]:
    """Take in what a site sent home, its receipts and its log: both are verified.

    A log that does not continue the one known so far is refused.
    """
    site = request.path_params["site"]
    return await writing.once(
        request,
        lambda app: Made(dict(receive_sent(app, site, data.extract, data.receipts).data)),
    )


def _is_begun(hub: Hub, name: str) -> bool:
    """Whether there is such a transfer: its name comes from an address."""
    t = tables.transfer.c
    with hub.reading() as connection:
        return connection.execute(select(t.id).where(t.id == name)).first() is not None


def _medium(hub: Hub, name: str) -> Path:
    """Where a transfer's bundle lies: in a folder that has a name, and may have its site's.

    Raises:
        NotFoundError: it is in none.
    """
    waits = unsigned_transfers.kept(hub, name) if _is_begun(hub, name) else None
    place = None if waits is None else str(waits.medium)
    if place is None:  # it was finished before: where, its row says, which is only compared
        b = tables.bundle.c
        with hub.reading() as connection:
            place = connection.execute(select(b.medium).where(b.transfer == name)).scalar()
    for one in hub.home.settings.exports.values():
        if one.folder == place and one.is_for(site_of(name)):
            return Path(one.folder)
    raise _not_waiting(name)


def _not_waiting(name: str) -> NotFoundError:
    return NotFoundError(
        "transfer-not-waiting",
        f"No bundle of {word(name)} waits here in a folder of the server's to be signed for.",
        subject=name,
        next_step="Have one written to a folder that the settings name; what was written to "
        "another medium is finished at the hub: sealift submit FILE --medium DIR",
    )


def _of_another(name: str) -> UsageError:
    return UsageError(
        "draft-of-another",
        f"What was handed in is no draft of the transfer {word(name)}.",
        subject=name,
        next_step="Sign the draft that the transfer has, and hand that in.",
    )


def _untold(_name: str, _total: int) -> Callable[[int], None]:
    """Nobody watches how far it is."""
    return lambda _more: None


ROUTES: tuple[Any, ...] = (
    *(list_export_folders, export_bundle, fetch_transfer_draft, submit_transfer, take_return),
)
"""All of them."""
