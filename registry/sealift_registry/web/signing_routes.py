"""Routes by which people sign: a draft goes out, what was signed comes in.

The server has nobody's key. A draft is nobody's word; whoever signs it examines it by themselves.
What comes in is counted by its signatures, by the rule that sites go by: who brings it, and for
whom, is in the log, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, post
from litestar.concurrency import sync_to_thread
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from sealift_registry.app import App
from sealift_registry.trust.returned_signatures import joined
from sealift_registry.trust.submitting import AcceptedSubmission, with_fingerprint
from sealift_registry.wanting import Asked, draft
from sealift_registry.web import guarding, writing
from sealift_registry.web.about import about_act, about_role, about_signed
from sealift_registry.web.answering import API, Asking, served_by
from sealift_registry.web.writing import Made, Writes
from sealift_signing import drafts
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.drafts import Draft, RoleVersion
from sealift_signing.errors import SealiftError

DRAFT = "application/octet-stream"
LARGEST_ASK = 16 << 20
"""Bytes of what a draft is asked by: versions to be set aside come with their documents."""


class SetAside(msgspec.Struct, forbid_unknown_fields=True):
    """A version of a role that is to be set aside, with the documents that it lists, by path."""

    role: str
    data: bytes
    documents: dict[str, bytes] = {}


class ActAsked(msgspec.Struct, forbid_unknown_fields=True):
    """An act of the closed list, as a person names it, and what they bring to it.

    Attributes:
        act: its name.
        object: what it is done to.
        details: its options, each with its values.
        cards: key cards, in base64.
        aside: versions that are to be set aside.
        request: a site's, in base64.
        any_software: go on though a site said that it cannot read, or try, what it would get.
        other_keys: make other keys than those of an earlier draft.
    """

    act: str
    object: list[str]
    details: dict[str, list[str]] = {}
    cards: list[bytes] = []
    aside: list[SetAside] = []
    request: bytes = b""
    any_software: bool = False
    other_keys: bool = False


class SubmissionMade(msgspec.Struct):
    """What became of something that was handed in.

    Attributes:
        new: it was published now; else it was there already.
        data: what it is.
        lines: the same for people.
        left_out: what is said of signatures that do not count.
    """

    new: bool
    data: dict[str, Any]
    lines: list[str]
    left_out: list[str]


class DraftMade(msgspec.Struct):
    """A draft to be signed, in base64, or what is published already, and just now.

    Attributes:
        draft: the file that `sealift-sign` reads.
        warnings: what is to be known before it is signed.
        unchanged: there is nothing to be signed: it stands.
    """

    draft: bytes | None
    warnings: list[str]
    unchanged: SubmissionMade | None


def _spec(shape: type[msgspec.Struct], words: str) -> Mapping[int, ResponseSpec]:
    return {200: ResponseSpec(shape, generate_examples=False, description=words)}


@post(
    f"{API}/drafts",
    tags=["signing"],
    status_code=200,
    request_max_body_size=LARGEST_ASK,
    responses=_spec(DraftMade, "The draft."),
    **Writes("draft.make", guarding.LATER, (404, 413, 422)).declared(),
)
async def make_draft(request: Asking, data: JSONBody[ActAsked]) -> Response[bytes]:
    """Have an act drafted, for whoever signs it at their desk.

    Of a request for a stage what was measured is compared first, which can take minutes.
    """
    hub = served_by(request).app.hub
    where = await sync_to_thread(about_act, hub, data.act, data.object)
    return await writing.once(request, lambda app: _drafted(app, data), where=where)


def _drafted(app: App, data: ActAsked) -> Made:
    aside = [SetAsideVersion(one.role, one.data, one.documents) for one in data.aside]
    ask = Ask(
        data.act,
        tuple(data.object),
        {name: tuple(given) for name, given in data.details.items()},
    )
    made = draft(
        app,
        Asked(
            ask=ask,
            cards=tuple(data.cards),
            aside=tuple(aside),
            request=data.request,
            any_software=data.any_software,
            other_keys=data.other_keys,
        ),
    )
    if isinstance(made, AcceptedSubmission):
        return Made(DraftMade(None, [], told(made, ())))
    return Made(DraftMade(drafts.write(made.draft), list(made.warnings), None))


@post(
    f"{API}/submissions",
    tags=["signing"],
    status_code=200,
    request_max_body_size=drafts.LARGEST,
    responses=_spec(SubmissionMade, "It counts."),
    **Writes("submission.make", guarding.LATER, (404, 413, 415), takes=DRAFT).declared(),
)
async def submit_signed(request: Asking) -> Response[bytes]:
    """Hand in what somebody signed: a draft's file, or a version that somebody remembered.

    Anybody's who may look at what it is about; whether it counts is decided by its signatures.
    """
    writing.check_kind(request, DRAFT)
    body = await request.body()
    hub = served_by(request).app.hub
    signed = drafts.read_any(body, what="what was handed in")
    if isinstance(signed, RoleVersion):
        where = about_role(signed.role)
        return await writing.once(request, lambda app: _taken_back(app, signed), where=where)
    where = await sync_to_thread(about_signed, hub, signed)
    return await writing.once(request, lambda app: _submitted(app, signed), where=where)


def _taken_back(app: App, version: RoleVersion) -> Made:
    return Made(told(app.take_back(version), ()))


def _submitted(app: App, signed: Draft) -> Made:
    with app.hub.reading() as connection:
        whole, said = joined(connection, [("what was handed in", signed)])
    try:
        done = app.submit(whole, at_hub=False)
    except SealiftError as bad:
        bad.what = " ".join((*said, bad.what))
        raise
    return Made(told(with_fingerprint(app.hub, done), said))


def told(done: AcceptedSubmission, left_out: tuple[str, ...] | list[str]) -> SubmissionMade:
    """What became of something that was handed in."""
    return SubmissionMade(done.new, dict(done.data), list(done.lines), list(left_out))


ROUTES: tuple[Any, ...] = (make_draft, submit_signed)
