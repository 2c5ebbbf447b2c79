"""A tour of the server: one request of each operation that succeeds, and who may make it.

A new operation is added here, or tests of the whole fail: so there is none that nobody may use, and
none that nobody tried to use without the right.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from httpx import Response
from litestar.testing import TestClient

from sealift_registry.access import accounts, tokens
from sealift_registry.access.calling import ROLES, Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.jobs.job import Job
from sealift_registry.storage.named_places import ExportSettings, SourceSettings
from sealift_signing import drafts
from sealift_signing.acts.material import Ask
from sealift_signing.errors import NotFoundError
from tests.registry.access_served import person
from tests.registry.accounts_fixture import signed_in
from tests.registry.desks_of_server import API, Desk, bound
from tests.registry.hub_fixture import APPROVERS, MODEL, REQUESTER, SITE, STEWARDS, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.signing_people import sign
from tests.registry.test_delivery import carried, received
from tests.registry.test_g3_80_jobs_seen import asked
from tests.site_on_paper import SiteOnPaper

V = f"/versions/{MODEL}/1"
CARRIED, WAITS = f"{SITE}-000001", f"{SITE}-000002"
DISPATCHER = "dispatcher-1"
RENEWAL = Ask("renew", (f"team.{TEAM}",))
PAYLOAD = b"not a model, and long enough to be sent"
NARROW, NARROWER = "narrow", "narrower"
"""Tokens that are for reading one's own account alone, and for something else alone."""


@dataclass
class World:
    """A hub that is served, with something of everything, and whoever may ask it."""

    acme: Acme
    client: TestClient[Any]
    desks: dict[str, Desk]
    jobs: dict[str, Job]
    made: int = 0

    def upload(self) -> dict[str, Any]:
        """The declaration of a file that nobody declared before."""
        self.made += 1
        data = PAYLOAD + str(self.made).encode()
        digest = sha256(data).hexdigest()
        return {"kind": "onnx", "name": "a.onnx", "size": len(data), "sha256": digest}

    def begun(self, desk: Desk) -> str:
        """The address of an upload that somebody has begun; of nobody's, where they may not."""
        answer = desk.post(f"/teams/{TEAM}/uploads", json.dumps(self.upload()).encode())
        name = answer.json()["upload"] if answer.status_code == 201 else "0" * 32
        return f"/teams/{TEAM}/uploads/{name}"


Send = Callable[[World, Desk], Response]


@dataclass(frozen=True)
class Stop:
    """An operation: how it is asked for, by whom with success, and for whose own thing it is.

    Attributes:
        by: who succeeds.
        send: asks for it.
        own: what is asked about is whoever's that asks, so that nobody is refused for others'.
    """

    by: str
    send: Send
    own: bool = False


def reads(path: str, by: str = "viewer") -> Stop:
    return Stop(by, lambda _, desk: desk.get(path))


def heads(path: str, by: str = "viewer") -> Stop:
    def send(world: World, desk: Desk) -> Response:
        return world.client.head(f"{API}{path}", headers=desk.headers)

    return Stop(by, send)


def plain(path: str, by: str = "viewer") -> Stop:
    """What is outside of the API."""
    return Stop(by, lambda world, desk: world.client.get(path, headers=desk.headers))


def posts(path: str, by: str, body: Callable[[World], Any] = lambda _: None) -> Stop:
    def send(world: World, desk: Desk) -> Response:
        said = body(world)
        return desk.post(path, b"" if said is None else json.dumps(said).encode())

    return Stop(by, send)


def _manifest(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.desks["viewer"].get(f"{V}/source/manifest").json()
    return found


def _blob(world: World) -> str:
    digest: str = _manifest(world)["layers"][0]["digest"]
    return f"{V}/source/blobs/{digest.removeprefix('sha256:')}"


def _upload(method: str) -> Stop:
    def send(world: World, desk: Desk) -> Response:
        headers = dict(desk.headers)
        content = b""
        if method == "PATCH":
            headers |= {"content-type": "application/partial-upload", "upload-offset": "0"}
            content = PAYLOAD[:7]
        path = world.begun(desk)
        return world.client.request(method, f"{API}{path}", headers=headers, content=content)

    return Stop("publisher", send)


def _submit(world: World, desk: Desk) -> Response:
    signed = world.desks[APPROVERS[0]].signed(Ask("object", ("P-000001",), WHY))
    return desk.hands_in(signed)


def _submit_transfer(world: World, desk: Desk) -> Response:
    draft = (
        drafts.read(desk.get(f"/transfers/{WAITS}/draft").content)
        if desk.person == DISPATCHER
        else None
    )
    signed = b"{}"
    if draft is not None:
        keys = [world.acme.signer(DISPATCHER)]
        ask = Ask("transfer", (WAITS,))
        signed = drafts.write(sign(draft, ask, keys, world.acme.app.hub.now()))
    path = f"/transfers/{WAITS}/submissions"
    return desk.post(path, signed, "application/octet-stream")


def _returned(world: World) -> dict[str, Any]:
    """What the site sent home, which is there already."""
    (extract,) = (world.acme.medium / "sealift" / "returns" / SITE).glob("*/log/extract.json")
    return {"extract": b64encode(extract.read_bytes()).decode()}


WHY = {"reason": ("It fails at night.",)}


def _log_size(world: World) -> int:
    size: int = world.desks["viewer"].get("/log/checkpoint").json()["size"]
    return size


def _proof(path: str) -> Stop:
    return Stop("viewer", lambda world, desk: desk.get(f"{path}&size={_log_size(world)}"))


def _first(path: str, *names: str) -> Callable[[World], str]:
    def found(world: World) -> str:
        at: Any = world.desks["viewer"].get(path).json()
        for name in names:
            at = at[int(name)] if isinstance(at, list) else at[name]
        return str(at)

    return found


def _document(path: str, digest: Callable[[World], str], by: str = "viewer") -> Stop:
    return Stop(by, lambda world, desk: desk.get(path.format(digest(world))))


def _json(said: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps(said).encode()


def _own_session(world: World, desk: Desk) -> Response:
    """Another one of the same account."""
    name = signed_in(world.acme, desk.account).session.id if desk.person in ROLES else "session-0"
    return desk.delete(f"/sessions/{name}")


def _own_token(world: World, desk: Desk) -> Response:
    made = desk.post("/tokens", _json({"scopes": ["me.read"]}))
    return desk.delete(f"/tokens/{made.json().get('token', 'token-0')}")


def _bind(world: World, desk: Desk) -> Response:
    """Somebody who is nobody's yet proves a key; others are told that theirs binds nothing."""
    answer = desk.post("/me/binding/draft")
    if answer.status_code != 200:
        return desk.post("/me/binding", b"{}", "application/octet-stream")
    draft = drafts.read(b64decode(answer.json()["draft"]))
    keys = [world.acme.signer(STEWARDS[0])]
    signed = sign(draft, Ask(draft.act, draft.object), keys, world.acme.app.hub.now())
    return desk.post("/me/binding", drafts.write(signed), "application/octet-stream")


def _administers(path: str, body: Callable[[World], Any] = lambda _: None) -> Stop:
    """What changes the account of somebody, as it was read."""

    def send(world: World, desk: Desk) -> Response:
        said, there = body(world), desk.matching("/accounts/somebody")
        return desk.post(f"/accounts/somebody{path}", _json(said) if said else b"", headers=there)

    return Stop("administrator", send)


def _revokes(world: World, desk: Desk) -> Response:
    there = desk.matching("/accounts/somebody")
    return desk.delete("/accounts/somebody/grants/viewer", headers=there)


def _ends(kind: str) -> Stop:
    def send(world: World, desk: Desk) -> Response:
        if kind == "sessions":
            name = signed_in(world.acme, "a-viewer").session.id
            return desk.delete(f"/accounts/a-viewer/sessions/{name}")
        hub = world.acme.app.hub
        token = tokens.make(hub, "ci", ["me.read"], "another", "root")
        try:
            return desk.delete(f"/accounts/ci/tokens/{token.token.id}")
        finally:
            with suppress(NotFoundError):
                tokens.revoke(hub, token.token.account, token.token.id, "root")

    return Stop("administrator", send)


def _program_token(_world: World, desk: Desk) -> Response:
    there = desk.matching("/accounts/ci")
    return desk.post("/accounts/ci/tokens", _json({"scopes": ["me.read"]}), headers=there)


def _new_account(world: World) -> dict[str, Any]:
    world.made += 1
    return {"account": f"new-{world.made}", "grants": ["viewer"]}


TOUR: Mapping[str, Stop] = {
    "live": plain("/health/live"),
    "ready": plain("/health/ready"),
    "openapi": plain("/api/v1/openapi.json"),
    "page": plain("/docs"),
    "errors": plain("/docs/errors"),
    "style": plain("/docs/style.css"),
    "metrics": plain("/metrics", "operator"),
    "fetch_manifest": reads(f"{V}/source/manifest"),
    "fetch_manifest_head": heads(f"{V}/source/manifest"),
    "fetch_blob": Stop("viewer", lambda world, desk: desk.get(_blob(world))),
    "fetch_blob_head": Stop(
        "viewer", lambda world, desk: world.client.head(API + _blob(world), headers=desk.headers)
    ),
    "list_teams": reads("/teams"),
    "list_versions": reads("/versions"),
    "show_version": reads(V),
    "list_promotions": reads("/promotions"),
    "show_promotion": reads("/promotions/P-000001"),
    "list_sites": reads("/sites"),
    "show_site": reads(f"/sites/{SITE}"),
    "show_overview": reads("/overview"),
    "list_transfers": reads("/transfers"),
    "show_transfer": reads(f"/transfers/{CARRIED}"),
    "list_people": reads("/people"),
    "show_person": reads(f"/people/{REQUESTER}"),
    "list_roles": reads("/roles"),
    "list_hardware_targets": reads("/hardware-targets"),
    "show_policy": reads("/policy"),
    "show_settings": reads("/settings", "auditor"),
    "show_next": reads("/next"),
    "list_jobs": Stop("operator", lambda _, desk: desk.get("/jobs"), own=True),
    "show_job": Stop("operator", lambda world, desk: desk.get(f"/jobs/{world.jobs['over'].id}")),
    "cancel_job": Stop(
        "operator", lambda world, desk: desk.post(f"/jobs/{world.jobs['over'].id}/cancel")
    ),
    "retry_job": Stop(
        "operator", lambda world, desk: desk.post(f"/jobs/{world.jobs['over'].id}/retry")
    ),
    "follow_job": Stop(
        "operator", lambda world, desk: desk.get(f"/jobs/{world.jobs['over'].id}/events")
    ),
    "list_entries": reads("/log/entries", "auditor"),
    "show_checkpoint": reads("/log/checkpoint"),
    "prove_inclusion": _proof("/log/inclusion?entry=0"),
    "prove_consistency": _proof("/log/consistency?old=1"),
    "list_uploads": reads(f"/teams/{TEAM}/uploads", "publisher"),
    "begin_upload": posts(f"/teams/{TEAM}/uploads", "publisher", World.upload),
    "show_upload": _upload("GET"),
    "show_upload_head": _upload("HEAD"),
    "add_to_upload": _upload("PATCH"),
    "remove_upload": _upload("DELETE"),
    "show_me": Stop("viewer", lambda _, desk: desk.get("/me"), own=True),
    "list_models": reads("/models"),
    "show_model": reads(f"/models/{MODEL}"),
    "list_evidence": reads(f"{V}/evidence"),
    "fetch_evidence": _document(
        f"{V}/evidence/{{}}", _first(f"{V}/evidence", "evidence", "0", "sha256")
    ),
    "fetch_promotion_document": _document(
        "/promotions/P-000001/documents/{}", _first("/promotions/P-000001", "request")
    ),
    "fetch_transfer": reads(f"/transfers/{CARRIED}/document"),
    "list_receipts": reads("/receipts"),
    "fetch_site_answer": reads(f"/sites/{SITE}/answer"),
    "fetch_receipt": _document(
        f"/sites/{SITE}/receipts/{{}}", _first(f"/transfers/{CARRIED}", "receipt")
    ),
    "list_sources": reads(f"/teams/{TEAM}/sources", "publisher"),
    "list_export_folders": reads(f"/sites/{SITE}/export-folders", "operator"),
    "ingest_version": posts(
        f"/teams/{TEAM}/versions",
        "publisher",
        lambda _: {"model": "tiny", "source": "lab", "reference": "models:/tiny/1"},
    ),
    "convert_version": posts(
        f"{V}/conversions", "publisher", lambda _: {"hardware_targets": ["cpu-x86_64"]}
    ),
    "list_comments": reads("/promotions/P-000001/comments"),
    "comment_on_promotion": posts(
        "/promotions/P-000001/comments", "viewer", lambda _: {"text": "Why now?"}
    ),
    "export_bundle": posts(f"/sites/{SITE}/exports", "operator", lambda _: {"folder": "gate"}),
    "fetch_transfer_draft": reads(f"/transfers/{WAITS}/draft", DISPATCHER),
    "submit_transfer": Stop(DISPATCHER, _submit_transfer),
    "take_return": posts(f"/sites/{SITE}/receipts", "operator", _returned),
    "list_own_sessions": Stop("viewer", lambda _, desk: desk.get("/sessions"), own=True),
    "end_own_session": Stop("viewer", _own_session, own=True),
    "list_own_tokens": Stop("viewer", lambda _, desk: desk.get("/tokens"), own=True),
    "make_own_token": Stop(
        "viewer", lambda _, desk: desk.post("/tokens", _json({"scopes": ["me.read"]})), own=True
    ),
    "revoke_own_token": Stop("viewer", _own_token, own=True),
    "draft_binding": Stop("viewer", lambda _, desk: desk.post("/me/binding/draft"), own=True),
    "bind_account": Stop("viewer", _bind, own=True),
    "list_accounts": reads("/accounts", "administrator"),
    "show_account": reads("/accounts/somebody", "administrator"),
    "invite_account": posts("/accounts", "administrator", _new_account),
    "recover_account": _administers("/recover", lambda _: {"hours": 1}),
    "grant_right": _administers("/grants", lambda _: {"grant": "viewer"}),
    "revoke_right": Stop("administrator", _revokes),
    "disable_account": _administers("/disable"),
    "end_session": _ends("sessions"),
    "make_token": Stop("administrator", _program_token),
    "revoke_token": _ends("tokens"),
    "make_draft": Stop(APPROVERS[0], lambda _, desk: desk.asks(RENEWAL)),
    "submit_signed": Stop(REQUESTER, _submit),
    "sign_out": Stop(
        "viewer",
        lambda world, desk: world.client.delete(f"{API}/session", headers=desk.headers),
        own=True,
    ),
}
"""One request of each operation, by its name."""
APART = dict.fromkeys(
    ("sign_in", "give_seed", "take_invitation", "change_password"),
    "g2_210 and g2_217 have the invitations, passwords and codes that these take",
)
"""Operations that are toured elsewhere."""


@contextmanager
def touring(acme: Acme, plant: SiteOnPaper) -> Iterator[World]:
    """A hub of which everything can be asked, and a desk for everybody."""
    hub = acme.app.hub
    carried(acme, plant)
    received(acme, acme.returned(plant))
    lab = SourceSettings("mlflow", "https://lab.example", teams=TEAM)
    vars(hub.home.settings)["sources"] = {"lab": lab}
    gate = acme.folder / "gate"
    gate.mkdir()
    vars(hub.home.settings)["exports"] = {"gate": ExportSettings(str(gate), SITE)}
    acme.app.exports.draft(
        SITE, gate, lambda *_: lambda _: None, full=True, any_software=False, anew=False
    )
    jobs = {"over": asked(hub), "waits": asked(hub)}
    accounts.invite(hub, "ci", "service", [Grant("publisher", TEAM)], "root")
    accounts.invite(hub, "somebody", "person", [], "root")
    with served(acme, Gatekeeper(hub)) as client:
        world = World(acme, client, {}, jobs)

        def has(name: str, secret: str) -> None:
            world.desks[name] = Desk(client, acme, name, secret)

        for role in ROLES:
            person(acme, f"a-{role}", Grant(role))
            has(role, signed_in(acme, f"a-{role}").secret)
            world.desks[role].account = f"a-{role}"
        for one in (REQUESTER, APPROVERS[0], DISPATCHER):
            has(one, bound(acme, one))
        person(acme, "stranger")
        has("stranger", signed_in(acme, "stranger").secret)
        for name, scope in ((NARROW, "me.read"), (NARROWER, "hardware-target.read")):
            has(name, tokens.make(hub, "ci", [scope], name, "root").secret)
        yield world
