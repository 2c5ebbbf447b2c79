"""What is tried against a served hub: each is refused, changes nothing, and stands in the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from httpx import Response

from sealift_registry.access import accounts
from sealift_signing import drafts, dsse, statements
from sealift_signing.acts.material import Ask
from sealift_signing.documents import Members
from sealift_signing.drafts import Draft, PartSignature
from sealift_signing.statements import Approval, Objection, Request
from sealift_signing.transparency.entry import Entry
from tests.registry.access_served import Headers, Site
from tests.registry.desks_of_server import API, Desk
from tests.registry.hub_fixture import STEWARDS, TEAM, Acme
from tests.registry.signing_people import sign
from tests.registry.test_g2_16_held_offices import without
from tests.registry.test_g2_190_writing import entries

RIGHT, REQUEST, NOBODY = "access.refused", "request.refused", "access.failed"
"""Of what kind the entry of a refusal is: a right, a rule, or nobody was known at all."""
BESIDE = {
    *("log_entry", "log_term", "log_checkpoint", "log_tile"),
    *("session", "api_token", "once_answer", "sign_in_failure", "one_time_code"),
}
"""Tables of what is no decision: how somebody is signed in, and what they were answered."""
OWN: dict[str, type[Request | Approval | Objection]] = {
    "request": Request,
    "approval": Approval,
    "objection": Objection,
}


def refused(
    acme: Acme, by: str, codes: str, act: Callable[..., Response], *given: object, **more: object
) -> Response:
    """An attack is refused by one of these codes, changes nothing, and the log says who tried it.

    Args:
        acme: the hub.
        by: the account that tries it; empty where nobody is known.
        codes: the code, or several.
        act: does it, with what is `given`.
    """
    before, known = kept(acme), len(entries(acme))
    answer = act(*given, **more)
    assert not answer.is_success, answer.text
    said = answer.json()
    assert said["code"] in codes.split(), answer.text
    assert said["next"], answer.text
    assert kept(acme) == before
    found = entries(acme)
    assert {one.type for one in found[known:]} <= {RIGHT, REQUEST, NOBODY}
    assert any(_says(one, answer, by) for one in found), (answer.text, found[known:])
    return answer


def kept(acme: Acme) -> dict[str, list[Any]]:
    """All that the hub has, but for its log and how people are signed in."""
    return {name: rows for name, rows in acme.rows().items() if name not in BESIDE}


def _says(entry: Entry, answer: Response, by: str) -> bool:
    """Whether an entry is of this refusal."""
    if answer.status_code == 401:
        return entry.type == NOBODY and not by
    if answer.status_code == 403 or answer.json()["code"] == "person-has-account":
        return (entry.type, entry.actor) == (RIGHT, by)
    asked = f"{answer.request.method} {answer.request.url.path}"
    return (entry.type, entry.actor) == (REQUEST, by) and (
        (entry.data["asked"], entry.data["code"]) == (asked, answer.json()["code"])
    )


def asked_for(requester: Desk, ask: Ask) -> str:
    """A promotion that waits for its decision."""
    made = requester.hands_in(requester.signed(ask))
    assert made.status_code == 200, made.text
    return str(made.json()["data"]["promotion"])


def decided(desk: Desk, promotion: str) -> tuple[int, bool]:
    """How many approvals of a promotion count, and whether it is listed."""
    shown = desk.get(f"/promotions/{promotion}").json()
    return shown["have"], shown["listed"]


def sends(desk: Desk, method: str, path: str, **more: Any) -> Response:  # noqa: ANN401 - httpx's
    """What is answered to a request as somebody types it, by whatever method."""
    headers = {**desk.headers, **more.pop("headers", {})}
    return desk.client.request(method, API + path, headers=headers, **more)


def body(said: object) -> bytes:
    """JSON, as it is sent."""
    return json.dumps(said).encode()


def forged(acme: Acme, file: bytes, by: str, **said: Any) -> bytes:  # noqa: ANN401 - of any shape
    """A statement that somebody drafted, with other words, signed by tools that check nothing."""
    draft = drafts.read(file)
    (part,) = draft.parts
    predicate, subjects = statements.read_payload(OWN[part.name], part.data, what="it")
    data = statements.payload(replace(predicate, **said), subjects)
    made = acme.signer(by).sign(dsse.encoding(dsse.IN_TOTO, data))
    signature = PartSignature(made.keyid, drafts.encoded(bytes.fromhex(made.signature)))
    part = replace(part, payload=drafts.encoded(data), signatures=(signature,))
    return drafts.write(replace(draft, parts=(part,)))


def under(file: bytes, *keyids: str) -> bytes:
    """A statement whose one signature stands there under other keys."""
    draft = drafts.read(file)
    (part,) = draft.parts
    signatures = tuple(replace(part.signatures[0], keyid=one) for one in sorted(keyids))
    return drafts.write(replace(draft, parts=(replace(part, signatures=signatures),)))


def labelled(file: bytes, act: str, *named: str) -> bytes:
    """A signed draft that says to be of another act."""
    return drafts.write(replace(drafts.read(file), act=act, object=named))


def together(files: Sequence[bytes]) -> bytes:
    """Several signed drafts as the parts of one."""
    read: list[Draft] = [drafts.read(one) for one in files]
    parts = tuple(part for one in read for part in one.parts)
    return drafts.write(replace(read[0], parts=parts))


def _lost(person: str) -> Callable[[Members], Members]:
    """A change of a team's people: somebody's keys were stolen."""

    def edit(said: Members) -> Members:
        people = (
            replace(one, status="compromised") if one.id == person else one for one in said.people
        )
        return replace(said, people=tuple(people))

    return edit


def binding(server: Site, shows: Headers, by: str) -> Callable[[], Response]:
    """What hands in that the account of whoever shows this is theirs, signed by a key."""
    acme = server.acme
    made = server.ask("POST", "/me/binding/draft", shows)
    draft = drafts.read(drafts.decoded(made.json()["draft"]))
    ask = Ask(draft.act, draft.object)
    signed = drafts.write(sign(draft, ask, [acme.signer(by)], acme.app.hub.now()))
    said = {**shows, "content-type": "application/octet-stream"}
    return lambda: server.ask("POST", "/me/binding", said, content=signed)


def ends(hub: Acme, how: str, desk: Desk) -> None:
    """What somebody may ends, in the hub's own words."""
    if how == "left":
        hub.change_members(without(desk.person))
    elif how == "compromised":
        hub.change_members(_lost(desk.person))
    elif how == "disabled":
        accounts.disable(hub.app.hub, desk.person, "root")
    else:
        assert sends(desk, "DELETE", "/session").status_code == 204


def entitling(hub: Acme, steward: Desk, name: str) -> bytes:
    """What the stewards signed, so that somebody new may ask for promotions."""
    hub.new_key(name)
    card = drafts.encoded(hub.card(name, hub.public(name))[1])
    return steward.signed(Ask("add-requester", (TEAM, name)), STEWARDS, cards=[card])
