"""A server whose owner has all of the hub's keys and may answer anything: what a desk signs of it.

Each way is tried against the command as it is typed. It is refused, and nothing leaves the desk; or
what is signed stands before the person as what it is, and not as what the server calls it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.trust.hub_drafts import Drafted
from sealift_registry.wanting import Asked, draft
from sealift_signing import drafts, dsse, statements
from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import LABEL
from sealift_signing.drafts import Draft, decoded, encoded
from sealift_signing.statements import Check, Evidence, KeyCard, Request, Signed
from sealift_signing.vocabulary import instant, moment
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.http_answers import Asked as AskedOverHttp
from tests.registry.hub_fixture import MODEL, REQUESTER, STAGE, TEAM, Acme

pytestmark = pytest.mark.socket
BIDI, CYRILLIC = "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}"
THEIRS = "ben-of-theirs"
WORDS = {"meaning": ("validated",), "reason": ("It was tested.",)}
Lies = Callable[[Acme, Draft], Draft]
"""What is offered in the place of what was asked for, and would be honest."""


@pytest.fixture
def at(hub: Acme) -> Iterator[AtServer]:
    with at_server(hub) as made:
        yield made


def drafted(
    acme: Acme, act: str, *about: str, cards: tuple[str, ...] = (), **details: tuple[str, ...]
) -> Draft:
    """What the hub drafts of another act than the person names."""
    ask = Ask(act, about, details)
    made = draft(acme.app, Asked(ask, tuple(acme.card(one)[1] for one in cards)))
    assert isinstance(made, Drafted), made
    return made.draft


def requested(number: int = 1, stage: str = STAGE, reason: str = "It is better.") -> Lies:
    about = (f"{MODEL}/{number}", stage)
    return lambda acme, _: drafted(acme, "request", *about, reason=(reason,))


def renamed(lies: Lies) -> Lies:
    """The same under the name of what was asked for."""
    return lambda acme, honest: replace(lies(acme, honest), object=honest.object, act=honest.act)


# ---------------------------------------------------------------------- what is carried


def evidence(made: Draft, kind: str) -> tuple[int, Signed[Evidence]]:
    """The first piece of a kind that is about a variant, and its place."""
    for place, text in enumerate(made.statements):
        data = decoded(text)
        if statements.predicate_type(data, what="it") == Evidence.PREDICATE_TYPE:
            one = statements.read(Evidence, data, what="it")
            if one.predicate.kind == kind:
                return place, one
    raise AssertionError(kind)


def with_statement(made: Draft, place: int, data: bytes) -> Draft:
    found = list(made.statements)
    found[place] = encoded(data)
    return replace(made, statements=tuple(found))


def forged(kind: str, by: str, change: Callable[[Evidence], Evidence]) -> Lies:
    """A piece of evidence that says something else, signed with a key that the hub has."""

    def lies(acme: Acme, honest: Draft) -> Draft:
        place, one = evidence(honest, kind)
        signer = acme.app.hub.online.signer(by)
        data = statements.sign(change(one.predicate), one.subjects, signer)
        return with_statement(honest, place, data)

    return lies


def damaged(kind: str) -> Lies:
    """A piece of evidence whose words are others than those that were signed."""

    def lies(_acme: Acme, honest: Draft) -> Draft:
        place, one = evidence(honest, kind)
        envelope = json.loads(decoded(honest.statements[place]))
        said = b64decode(envelope["payload"]).replace(b"pass", b"fail")
        assert said != b64decode(envelope["payload"]), one
        envelope["payload"] = b64encode(said).decode()
        data = json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode()
        return with_statement(honest, place, data)

    return lies


def without(kind: str) -> Lies:
    def lies(_acme: Acme, honest: Draft) -> Draft:
        place, _ = evidence(honest, kind)
        return replace(
            honest, statements=tuple(s for n, s in enumerate(honest.statements) if n != place)
        )

    return lies


def failed(one: Evidence) -> Evidence:
    return replace(one, verdict="fail")


def spelled_anyhow(words: str) -> Lies:
    """Evidence with words in it that no statement may have, signed all the same."""

    def lies(acme: Acme, honest: Draft) -> Draft:
        place, one = evidence(honest, "parity")
        said = statements.payload(told("WORDS")(one.predicate), one.subjects)
        data = said.replace(b"WORDS", words.encode())
        made = dsse.sign(dsse.IN_TOTO, data, acme.app.hub.online.signer("builder"))
        return with_statement(honest, place, made)

    return lies


def told(words: str) -> Callable[[Evidence], Evidence]:
    def change(one: Evidence) -> Evidence:
        return replace(one, checks=(*one.checks, Check("proof-too", "pass", words)))

    return change


def facts(**given: tuple[str, ...]) -> Lies:
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return lambda _, honest: replace(honest, facts={**honest.facts, **named})


def artifact_of_another(acme: Acme, honest: Draft) -> Draft:
    """The other version's artifact, under the name of the one that was asked for."""
    other = requested(2)(acme, honest)
    names = ("artifact", "source-record", "artifact-policy")
    swapped = {name: other.facts[name] for name in names if name in other.facts}
    return replace(honest, facts={**honest.facts, **swapped}, statements=other.statements)


def other_document(path: str) -> Lies:
    """A document that the people of the organisation signed, changed."""

    def lies(_acme: Acme, honest: Draft) -> Draft:
        found = tuple(
            replace(one, data=encoded(decoded(one.data).replace(b"2", b"1")))
            if path in one.path
            else one
            for one in honest.documents
        )
        assert found != honest.documents, [one.path for one in honest.documents]
        return replace(honest, documents=found)

    return lies


def as_made(by: timedelta) -> Lies:
    return lambda _, honest: replace(honest, made=moment(instant(honest.made) + by))


def of_another_organisation(_acme: Acme, honest: Draft) -> Draft:
    return replace(honest, organisation="0" * 64)


def with_more(acme: Acme, honest: Draft) -> Draft:
    return replace(honest, statements=(*honest.statements, encoded(acme.card("carla")[1])))


# ---------------------------------------------------------------------- what is to be signed


def other_bytes(before: bytes, after: bytes) -> Lies:
    """The version that is to be signed says something else."""

    def lies(_acme: Acme, honest: Draft) -> Draft:
        (part,) = honest.parts
        assert before in part.data
        changed = replace(part, payload=encoded(part.data.replace(before, after)))
        return replace(honest, parts=(changed,))

    return lies


def with_another_role(acme: Acme, honest: Draft) -> Draft:
    """Another role's next version beside it, for the same signature."""
    other = drafted(acme, "add-team", "audio", "anna", "ben", cards=("anna", "ben"))
    return replace(honest, parts=(*honest.parts, *other.parts))


def another_right(acme: Acme, honest: Draft) -> Draft:
    """The list of members in which whose card it is may approve."""
    found = draft(acme.app, Asked(Ask("add-approver", (TEAM, "ben")), tuple(cards(honest))))
    assert isinstance(found, Drafted)
    return found.draft


def cards(made: Draft) -> list[bytes]:
    """Those that the person sent."""
    found = map(decoded, made.statements)
    kind = KeyCard.PREDICATE_TYPE
    return [one for one in found if statements.predicate_type(one, what="it") == kind]


def another_members_list(acme: Acme, honest: Draft) -> Draft:
    """The same under the name of what was asked for."""
    return replace(honest, parts=another_right(acme, honest).parts)


def a_card_of_the_servers(acme: Acme, _honest: Draft) -> Draft:
    """Ben's, but of a key that the server's owner made."""
    if not acme.key(THEIRS).exists():
        acme.new_key(THEIRS)
    _, card = acme.card("ben", acme.public(THEIRS))
    found = draft(acme.app, Asked(Ask("add-requester", (TEAM, "ben")), (card,)))
    assert isinstance(found, Drafted)
    return found.draft


# ---------------------------------------------------------------------- what is approved


def of_the_other_promotion(acme: Acme, honest: Draft) -> Draft:
    """The other request, as what the person calls P-000001."""
    other = drafted(acme, "approve", "P-000002", **WORDS)
    return replace(other, object=honest.object, facts={**other.facts, LABEL: honest.object})


def request_of_the_servers(acme: Acme, honest: Draft) -> Draft:
    """Dora's request, for another reason, signed with a key of the hub's."""
    for place, text in enumerate(honest.statements):
        data = decoded(text)
        if statements.predicate_type(data, what="it") == Request.PREDICATE_TYPE:
            one = statements.read(Request, data, what="it")
            said = replace(one.predicate, reason="Everybody agreed.")
            made = statements.sign(said, one.subjects, acme.app.hub.online.signer("builder"))
            return with_statement(honest, place, made)
    raise AssertionError


# ---------------------------------------------------------------------- each way


@dataclass(frozen=True)
class Way:
    """A way to have something else signed.

    Attributes:
        command: what the person types.
        lies: what they are offered.
        code: with which it is refused; or
        shown: what stands before them, where it is signed.
        hidden: and what never does.
    """

    command: str
    lies: Lies
    code: str = ""
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


PROMOTE, ENTITLE, APPROVE = "promote", "entitle", "approve"


def typed(desk: Desk, command: str) -> list[str]:
    """A command with which somebody signs, once they agreed."""
    lines: Mapping[str, Callable[[], list[str]]] = {
        PROMOTE: lambda: [
            *("promote", f"{MODEL}/1", "--to", STAGE, "--reason", "It is better.", *desk.key)
        ],
        ENTITLE: lambda: ["team", "requester", TEAM, desk.card("ben"), *desk.keys("anna", "ben")],
        APPROVE: lambda: [
            *("approve", "P-000001", "--meaning", "validated", "--reason", "It was tested."),
            *desk.key,
        ],
    }
    return [*lines[command](), "--yes"]


WHO = {PROMOTE: REQUESTER, ENTITLE: "anna", APPROVE: "emil"}

WAYS: dict[str, Way] = {
    "another version": Way(PROMOTE, requested(2), "other-act"),
    "another version under its name": Way(PROMOTE, renamed(requested(2)), "other-object"),
    "another stage": Way(PROMOTE, requested(1, "staging"), "other-act"),
    "another act": Way(
        PROMOTE,
        lambda a, _: drafted(a, "add-requester", TEAM, "carla", cards=("carla",)),
        "other-act",
    ),
    "another act under its name": Way(
        PROMOTE,
        renamed(lambda a, _: drafted(a, "add-requester", TEAM, "carla", cards=("carla",))),
        "no-variant",
    ),
    "a version that looks the same": Way(
        PROMOTE,
        lambda _, d: replace(d, object=(MODEL.replace("i", CYRILLIC) + "/1", STAGE)),
        "other-act",
    ),
    "another reason": Way(
        PROMOTE,
        requested(reason="Everybody agreed."),
        shown=("It is better.",),
        hidden=("Everybody",),
    ),
    "another's artifact": Way(PROMOTE, artifact_of_another, "other-object"),
    "evidence that is left out": Way(PROMOTE, without("parity"), "gate"),
    "evidence that was changed": Way(PROMOTE, damaged("parity"), "bad-signature"),
    "evidence by another machine": Way(PROMOTE, forged("parity", "scanner", failed), "gate"),
    "evidence by a key that signs none": Way(PROMOTE, forged("scan", "catalog", failed), "gate"),
    "evidence that failed": Way(PROMOTE, forged("parity", "builder", failed), "gate"),
    "evidence that steers the terminal": Way(
        PROMOTE,
        spelled_anyhow(f"{BIDI}safe"),
        "bad-shape",
    ),
    "evidence with a letter that looks the same": Way(
        PROMOTE,
        forged("parity", "builder", told(f"d{CYRILLIC}g{CYRILLIC}ts")),
        shown=("proof-too",),
        hidden=("digits",),
    ),
    "another policy": Way(PROMOTE, other_document("policy"), "document-changed"),
    "another list of members": Way(PROMOTE, other_document("members"), "document-changed"),
    "another organisation": Way(PROMOTE, of_another_organisation, "not-trusted"),
    "an old draft": Way(PROMOTE, as_made(-timedelta(days=40)), "draft-old"),
    "a draft of tomorrow": Way(PROMOTE, as_made(timedelta(days=3)), "dated-ahead"),
    "a statement more": Way(PROMOTE, with_more, "draft-holds-more"),
    "a fact more": Way(PROMOTE, facts(challenge=("0" * 64,)), "draft-holds-more"),
    "a card of the server's": Way(ENTITLE, a_card_of_the_servers, "card-not-carried"),
    "another person": Way(
        ENTITLE,
        lambda a, _: drafted(a, "add-requester", TEAM, "emil", cards=("emil",)),
        "card-not-carried",
    ),
    "another right": Way(ENTITLE, another_right, "other-act"),
    "another right under its name": Way(ENTITLE, another_members_list, "draft-says-more"),
    "other bytes": Way(ENTITLE, other_bytes(b'"version":4', b'"version":9'), "draft-says-more"),
    "another role beside it": Way(ENTITLE, with_another_role, "draft-says-more"),
    "another promotion under its number": Way(
        APPROVE, of_the_other_promotion, shown=(f"{MODEL}/2",), hidden=(f"Approve {MODEL}/1",)
    ),
    "a request that nobody made": Way(APPROVE, request_of_the_servers, "not-entitled"),
}


@pytest.mark.parametrize("name", WAYS)
def test_g2_140_a_desk_signs_what_it_was_asked_for_or_nothing(at: AtServer, name: str) -> None:
    way, acme = WAYS[name], at.acme
    for number in (1, 2) if way.command == APPROVE else ():
        acme.request(number)
    desk = at.desk(WHO[way.command], bound=True)
    offered: list[Draft] = []

    def alters(asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        if not asked.path.endswith("/drafts"):
            return said
        honest = drafts.read(b64decode(said["draft"]), what="it")
        offered.append(way.lies(acme, honest))
        assert offered[-1] != honest
        return said | {"draft": b64encode(drafts.write(offered[-1])).decode()}

    at.alters = alters
    line = typed(desk, way.command)
    said = desk.types(*line)
    handed_in = [one.body for one in at.asked if one.path.endswith("/submissions")]
    assert len(offered) == 1, "it is asked for once: what is read is what is signed"
    if way.code:
        assert desk.types(*line, "--json").error == way.code, said.err
        assert said.code != 0
        assert "Next:" in said.err
        assert not handed_in
        known = desk.memory.known(offered[0].organisation)
        assert known is None or not known.signed, "nothing was signed"
        return
    for words in way.shown:
        assert words in said.out, said.out
    for words in way.hidden:
        assert words not in said.out + said.err
    (signed,) = [drafts.read(one, what="it") for one in handed_in]
    assert signed.is_signed


def test_g2_141_an_older_list_than_was_seen_here_is_not_signed_on(at: AtServer) -> None:
    """The newest root and every role are remembered: a server that restores a backup is found."""
    acme, anna = at.acme, at.desk("anna", bound=True)
    ask, card = Ask("add-requester", (TEAM, "ben")), Path(anna.card("ben")).read_bytes()
    old = draft(acme.app, Asked(ask, (card,)))
    assert isinstance(old, Drafted)
    newer = ["team", "requester", TEAM, anna.card("emil"), "--yes", *anna.keys("anna", "ben")]
    assert anna(*newer)["submitted"][0]["new"]
    before = len(at.asked)

    def restored(_asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        return said | {"draft": b64encode(drafts.write(old.draft)).decode()}

    at.alters = restored
    line = [*typed(anna, ENTITLE), "--json"]
    assert anna.types(*line).error == "second-content"
    assert not any(one.path.endswith("/submissions") for one in at.asked[before:])


def test_g2_141_a_draft_is_not_exchanged_while_it_is_read(at: AtServer) -> None:
    """What was shown is what is signed: nothing is asked again between the two."""
    dora, count = at.desk(REQUESTER, bound=True), 0

    def each_time_another(asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        nonlocal count
        if not asked.path.endswith("/drafts"):
            return said
        count += 1
        honest = drafts.read(b64decode(said["draft"]), what="it")
        made = honest if count == 1 else requested(2)(at.acme, honest)
        return said | {"draft": b64encode(drafts.write(made)).decode()}

    at.alters = each_time_another
    said = dora.types(*typed(dora, PROMOTE))
    assert said.code == 0, said.err
    (sent,) = [one.body for one in at.asked if one.path.endswith("/submissions")]
    (part,) = drafts.read(sent, what="it").parts
    assert f"{MODEL}/1".encode() in part.data
    assert count == 1


@pytest.mark.parametrize("lines", [["Approved.\x1b[2J\x1b]0;x\x07"], [f"d{BIDI}ne"], ["a\nb\rc"]])
def test_g2_142_what_a_server_says_became_of_it_is_drawn(at: AtServer, lines: list[str]) -> None:
    dora = at.desk(REQUESTER, bound=True)

    def steering(asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        return said | {"lines": lines} if asked.path.endswith("/submissions") else said

    at.alters = steering
    said = dora.types(*typed(dora, PROMOTE))
    assert said.code == 0, said.err
    for one in ("\x1b", BIDI, "\r", "\x07"):
        assert one not in said.out + said.err
    assert "\nb" not in said.out, "a line stays one"


def test_g2_142_that_nothing_is_to_be_signed_is_the_servers_word(at: AtServer) -> None:
    """It may keep somebody from signing, and is not to be taken for what was published."""
    dora = at.desk(REQUESTER, bound=True)
    stands = {"new": False, "data": {}, "lines": ["It is approved by everybody."], "left_out": []}

    def done_already(asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        return {"draft": None, "warnings": [], "unchanged": stands}

    at.alters = done_already
    said = dora.types(*typed(dora, PROMOTE))
    assert said.code == 0
    assert said.out.splitlines() == [
        "Nothing was signed. The server says that it stands already:",
        "  It is approved by everybody.",
    ]


def test_g2_143_a_server_that_hands_on_another_binding_is_found(at: AtServer) -> None:
    """The account of somebody else is not bound to whoever signs in here."""
    dora = at.desk(REQUESTER)
    mallory = at.desk("mallory")
    kept = mallory.sessions.at(at.address)
    assert kept is not None

    def for_mallory(asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        if not asked.path.endswith("/binding/draft"):
            return said
        honest = drafts.read(b64decode(said["draft"]), what="it")
        made = replace(honest, object=("mallory", str(at.address)))
        return said | {"draft": b64encode(drafts.write(made)).decode()}

    at.alters = for_mallory
    assert dora.refused("login", REQUESTER, "--bind", "--yes", *dora.key) == "other-act"
    assert not any(one.path.endswith("/me/binding") for one in at.asked)
