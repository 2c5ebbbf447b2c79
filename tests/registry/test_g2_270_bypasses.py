"""The ways past a decision that others' registries have had, each played against a served hub.

Each test is named after one. Whatever is tried is refused by a code that stays, changes nothing,
and is an entry of the log: of whoever tried it, or of those whom nobody knows.
"""

from __future__ import annotations

from dataclasses import replace

import pyotp
import pytest
from sqlalchemy import insert

from sealift_registry.access import accounts, granting, tables, tokens
from sealift_registry.access.calling import Grant
from sealift_registry.app import App
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing import drafts
from sealift_signing.acts.material import Ask
from sealift_signing.approvals import approve
from sealift_signing.drafts import Draft
from tests.registry.access_served import PASSWORD, at_server, goes_by, person
from tests.registry.accounts_fixture import signed_in, stands
from tests.registry.bypasses import (
    asked_for,
    binding,
    body,
    decided,
    ends,
    entitling,
    forged,
    kept,
    labelled,
    refused,
    sends,
    together,
    under,
)
from tests.registry.desks_of_server import API, Desk
from tests.registry.hub_fixture import (
    APPROVERS,
    GROUP,
    MODEL,
    REQUESTER,
    SITE,
    STAGE,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
)
from tests.registry.test_g2_16_held_offices import without
from tests.registry.test_g2_190_writing import KEY, REQUEST, WORDS, approval, desks
from tests.registry.test_g2_217_own_things_served import bound as binds
from tests.registry.test_g2_230_unknown_and_many import told as failures

CARLA, EMIL = APPROVERS
ANNA = STEWARDS[0]
WHY = {"reason": ("It is better.",)}
SECOND = Ask("request", (f"{MODEL}/2", STAGE), WHY)
FILE = "application/octet-stream"
NO_WAY = "method-not-allowed no-such-resource"
UNCOUNTED = "approval-not-counted bad-signature"
ADMINISTRATOR = Grant("administrator")


# ---------------------------------------------------------------------- decisions


def test_g2_270_promotion_that_ignores_a_pending_decision(ready: Acme) -> None:
    """Version 2 waits for a second approval: nobody has it listed, assigned, or said to be."""
    with desks(ready, REQUESTER, *APPROVERS, "dispatcher-1", ANNA) as people:
        dora, carla, emil, dispatcher, anna = people
        waits, listed = asked_for(dora, SECOND), ready.rows()["listing"]
        assert carla.hands_in(carla.signed(approval(waits))).status_code == 200
        assert ready.rows()["listing"] == listed
        at = f"/promotions/{waits}"
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            said = {"listed": True, "need": 1}
            refused(ready, REQUESTER, "method-not-allowed", sends, dora, method, at, json=said)
        for beyond in ("/listing", "/approvals", "/force", f"/stages/{STAGE}"):
            refused(ready, REQUESTER, "no-such-resource", sends, dora, "POST", at + beyond)
        to_site = Ask("assign", (SITE, f"{MODEL}/2"), {"for": (f"{GROUP}={TARGET}",)})
        refused(ready, "dispatcher-1", "not-listed", dispatcher.asks, to_site)
        catalog = Ask("renew", (f"catalog.{TEAM}",))
        refused(ready, ANNA, "not-renewable", anna.asks, catalog)
        assert decided(emil, waits) == (1, False)


def test_g2_270_a_decision_consumed_twice(hub: Acme) -> None:
    with desks(hub, REQUESTER, *APPROVERS) as (dora, carla, emil):
        one = asked_for(dora, REQUEST)
        other = asked_for(dora, Ask("request", REQUEST.object, {"reason": ("It is faster.",)}))
        signed = carla.signed(approval(one))
        assert carla.hands_in(signed).json()["new"] is True
        before, log = kept(hub), hub.types()
        for again in (signed, labelled(signed, "approve", other)):
            for who in (carla, emil, dora):
                said = who.hands_in(again).json()
                assert (said["new"], said["data"]["promotion"]) == (False, one)
        assert (kept(hub), hub.types()) == (before, log), "it counted once, for one promotion"
        anew = Ask("approve", (one,), {**WORDS, "reason": ("I looked twice.",)})
        refused(hub, CARLA, "approved-twice", carla.hands_in, carla.signed(anew))
        as_emil = forged(hub, signed, CARLA, person=EMIL, reason="So say I.")
        for attack in (
            as_emil,
            under(as_emil, hub.public(EMIL).keyid),
            forged(hub, emil.signed(approval(other)), CARLA),
        ):
            refused(hub, EMIL, UNCOUNTED, emil.hands_in, attack)
        assert decided(emil, one) == (1, False)
        assert decided(emil, other) == (0, False)


def test_g2_270_bulk_and_batch_paths(hub: Acme) -> None:
    """One file, one act, one promotion: what holds several is none."""
    with desks(hub, REQUESTER, *APPROVERS) as (dora, carla, emil):
        one, two = asked_for(dora, REQUEST), asked_for(dora, SECOND)
        first, second = (carla.signed(approval(each)) for each in (one, two))
        objection = carla.signed(Ask("object", (two,), {"reason": ("No.",)}))
        files = {
            first + second: "json-unreadable",
            first + b"\n" + second: "json-unreadable",
            b"[" + first + b"," + second + b"]": "bad-shape",
            together([first, second]): "bad-shape",
            together([first, objection]): "draft-says-more",
            b"": "json-unreadable",
        }
        for file, code in files.items():
            refused(hub, CARLA, code, carla.hands_in, file)
        for said in (
            [{"act": "approve", "object": [one]}, {"act": "approve", "object": [two]}],
            {"act": ["approve", "approve"], "object": [one, two]},
            {"act": "approve", "object": [one, two], "details": WORDS},
            {"act": "approve", "object": [f"{one},{two}"], "details": WORDS},
            {"act": "approve", "object": ["*"], "details": WORDS},
        ):
            refused(hub, CARLA, "bad-body bad-act bad-promotion", carla.post, "/drafts", body(said))
        for path in (f"/promotions/{one},{two}", "/promotions", "/submissions/batch", "/batch"):
            refused(hub, CARLA, NO_WAY, sends, carla, "PATCH", path)
        parts = "multipart/form-data; boundary=x"
        refused(hub, CARLA, "wrong-media-type", carla.post, "/submissions", first, parts)
        keys = [("idempotency-key", f"{KEY}-{number}") for number in range(2)]
        many = [*carla.headers.items(), *keys, ("content-type", FILE)]
        path = f"{API}/submissions"
        asks = carla.client.post
        refused(hub, CARLA, "once-key-needed", asks, path, content=first, headers=many)
        assert decided(emil, one) == decided(emil, two) == (0, False)


PLACES = (
    f"/versions/{MODEL}/1",
    f"/versions/{MODEL}/1/",
    f"/versions//{MODEL}/1",
    f"/versions/{MODEL.replace('/', '%2F')}/1",
    f"/versions/nowhere/../{MODEL}/1",
    f"/Versions/{MODEL}/1",
    f"/versions/{MODEL.upper()}/1",
    f"/versions/{MODEL}/1/{TARGET}/manifest",
    f"/versions/{MODEL}/1/{TARGET}/blobs/{'0' * 64}",
    f"/versions/{MODEL}/1/evidence",
    f"/versions/{MODEL}/1/stages/{STAGE}",
    f"/versions/{MODEL}/1/aliases/champion",
    f"/models/{MODEL}",
    "/promotions/P-000001",
)


def test_g2_270_delete_overwrite_or_re_tag_of_a_promoted_artifact(ready: Acme) -> None:
    """Whoever may do most with it finds no way, however it is spelled."""
    with desks(ready, ANNA) as (anna,):
        for role in ("viewer", "publisher", "operator", "auditor"):
            granting.grant(ready.app.hub, ANNA, Grant(role), "root")
        for path in PLACES:
            for method in ("DELETE", "PUT", "PATCH", "POST", "MOVE", "delete"):
                refused(ready, ANNA, NO_WAY, sends, anna, method, path)
        for header in ("x-http-method-override", "x-http-method", "x-method-override"):
            said = {header: "DELETE"}
            refused(ready, ANNA, NO_WAY, sends, anna, "POST", PLACES[0], headers=said)
        for model in ("tiny/1", "tiny@1", "../audio/tiny", "Tiny", ""):
            again = {"model": model, "source": "lab", "reference": "models:/tiny/1"}
            codes = "bad-name bad-model bad-reference bad-body no-source"
            path = f"/teams/{TEAM}/versions"
            refused(ready, ANNA, codes, anna.post, path, body(again))


STAGES = ("Production", "production ", "prod", "", "moon", "pr\u043eduction", "production\u200b")


def test_g2_270_a_misspelt_or_new_stage_that_has_no_rule(hub: Acme) -> None:
    """Neither drafted, nor taken in from tools that check nothing; nobody is entitled for one."""
    with desks(hub, REQUESTER, CARLA, ANNA) as (dora, carla, anna):
        signed = dora.signed(REQUEST)
        for stage in STAGES:
            ask = Ask("request", (f"{MODEL}/1", stage), WHY)
            refused(hub, REQUESTER, "no-stage", dora.asks, ask)
        asked_so = forged(hub, signed, REQUESTER, stage="moon")
        refused(hub, REQUESTER, "no-stage no-rule", dora.hands_in, asked_so)
        waits = asked_for(dora, REQUEST)
        approved = carla.signed(approval(waits))
        for stage in ("moon", "staging"):
            other = forged(hub, approved, CARLA, stage=stage)
            refused(hub, CARLA, UNCOUNTED, carla.hands_in, other)
        hub.new_key("gina")
        card = drafts.encoded(hub.card("gina", hub.public("gina"))[1])
        for stage in STAGES:
            entitled = Ask("add-approver", (TEAM, "gina"), {"stage": (stage,)})
            refused(hub, ANNA, "no-stage bad-act", anna.asks, entitled, cards=[card])
        assert decided(carla, waits) == (0, False)


# ---------------------------------------------------------------------- who decides


def test_g2_270_a_bot_or_token_that_approves(hub: Acme) -> None:
    """It hands in what a person signed, has it drafted, becomes a person, or makes a way."""
    told = person(hub, EMIL)
    with desks(hub, REQUESTER, *APPROVERS) as (dora, carla, emil):
        waits = asked_for(dora, REQUEST)
        signed = emil.signed(approval(waits))
        accounts.invite(hub.app.hub, "ci", "service", [Grant("publisher", TEAM)], "root")
        for_reading = ["promotion.read", "version.read"]
        made = tokens.make(hub.app.hub, "ci", for_reading, "", "root")
        ci = Desk(carla.client, hub, "ci", made.secret)
        mine = emil.post("/tokens", body({"scopes": for_reading, "note": "mine"}))
        own = Desk(carla.client, hub, EMIL, mine.json()["secret"])
        for bot in (ci, own):
            may_not = (hub, bot.person, "token-without-scope")
            refused(*may_not, bot.hands_in, signed)
            refused(*may_not, bot.asks, approval(waits))
            refused(*may_not, bot.post, "/me/binding/draft")
            refused(*may_not, bot.post, "/me/binding", signed, FILE)
            refused(*may_not, bot.post, "/tokens", body({"scopes": for_reading, "note": "more"}))
            refused(*may_not, bot.post, f"/promotions/{waits}/comments", body({"text": "Yes"}))
        for scope in ("submission.make", "draft.make", "me.bind", "*", "Submission.make"):
            said = body({"scopes": [scope], "note": "wide"})
            refused(hub, EMIL, "bad-scope", emil.post, "/tokens", said)
        bearer = f"Bearer {own.secret}"
        for shown in (
            [("cookie", f"__Host-sealift={own.secret}; sealift={own.secret}")],
            [("authorization", f"Basic {emil.secret}")],
            [("authorization", bearer), ("authorization", f"Bearer {emil.secret}")],
            [("authorization", bearer.replace("slt_", "sls_"))],
            [("x-authorization", f"Bearer {emil.secret}")],
        ):
            given = [*shown, ("idempotency-key", KEY), ("content-type", FILE)]
            before = kept(hub)
            path = f"{API}/submissions"
            assert carla.client.post(path, content=signed, headers=given).status_code == 401
            assert kept(hub) == before
        signs_in = told.says(account="ci", password=PASSWORD)
        refused(hub, "", "sign-in-failed", carla.client.post, f"{API}/session", json=signs_in)
        assert {"sign-in", "credential"} == {one for one, _ in failures(hub)}
        assert decided(emil, waits) == (0, False)


def test_g2_270_the_trigger_of_a_run_that_approves_it(hub: Acme) -> None:
    """Who asked may approve as well, by their office: not this, by no name, key or account."""
    hub.entitle(REQUESTER, "request", approve(STAGE))
    with desks(hub, REQUESTER, *APPROVERS) as (dora, carla, emil):
        waits = asked_for(dora, REQUEST)
        approved = carla.signed(approval(waits))
        by_asker = forged(hub, approved, REQUESTER, person=REQUESTER)
        for file in (
            by_asker,
            forged(hub, approved, REQUESTER),
            forged(hub, approved, CARLA, person=REQUESTER),
            under(by_asker, hub.public(CARLA).keyid),
        ):
            for who in (dora, carla):
                refused(hub, who.person, UNCOUNTED, who.hands_in, file)
        accounts.invite(hub.app.hub, "nightly", "person", [], "root")
        second = Desk(dora.client, hub, REQUESTER, signed_in(hub, "nightly").secret)
        refused(hub, "nightly", "not-bound", second.hands_in, by_asker)
        assert decided(emil, waits) == (0, False)
        assert dora.hands_in(approved).json()["new"] is True, "who asked may carry others' word"


def test_g2_270_approval_of_something_that_changed_after_it_was_shown(hub: Acme) -> None:
    with desks(hub, REQUESTER, *APPROVERS) as (dora, carla, emil):
        waits = asked_for(dora, REQUEST)
        shown = carla.signed(approval(waits))
        draft = drafts.read(shown)
        (part,) = draft.parts
        for before, after in ((b"validated", b"invented!"), (b"It was tested.", b"It was tasted.")):
            assert before in part.data
            payload = drafts.encoded(part.data.replace(before, after))
            other = drafts.write(replace(draft, parts=(replace(part, payload=payload),)))
            refused(hub, CARLA, "bad-signature", carla.hands_in, other)
        for words in ({"version": 2}, {"request": "ab" * 32}):
            moved = forged(hub, shown, CARLA, **words)
            refused(hub, CARLA, f"{UNCOUNTED} no-such-request", carla.hands_in, moved)
        hub.ingest(1, hub.goldens(7))  # the rows by which it was measured are others now
        refused(hub, CARLA, "gate", carla.hands_in, shown)
        refused(hub, EMIL, "gate", emil.asks, approval(waits))
        assert decided(emil, waits) == (0, False)


def test_g2_270_an_administrators_shortcut(acme: Acme) -> None:
    """Nobody gives themselves anything, and an administrator has nothing else by being one."""
    with at_server(acme) as server:
        shows = server.desk(person(acme, "root", ADMINISTRATOR))
        root = Desk(server.client, acme, "root", shows["authorization"].removeprefix("Bearer "))
        there = root.matching("/accounts/root")

        def tries(codes: str, path: str, said: object) -> None:
            sent = body(said)
            refused(acme, "root", codes, root.post, f"/accounts{path}", sent, headers=there)

        for grant in ("publisher", "viewer", f"publisher:team={TEAM}", "operator"):
            tries("own-right", "/root/grants", {"grant": grant})
        for grant in ("approver", "requester", "steward", "root", f"approver:team={TEAM}"):
            tries("bad-grant", "/root/grants", {"grant": grant})
        refused(acme, "root", "own-account", root.post, "/accounts/root/disable", headers=there)
        tries("own-account", "/root/recover", {})
        bot = {"account": "bot", "kind": "service", "grants": ["administrator"]}
        tries("service-administrator", "", bot)
        for again in ("root", "ROOT", "root ", "../root"):
            tries("account-there bad-account bad-name", "", {"account": again})
        for path in (f"/versions?team={TEAM}", "/promotions", "/log/entries", "/sites"):
            refused(acme, "root", "forbidden", root.get, path)
        renewal = Ask("renew", (f"team.{TEAM}",))
        refused(acme, "root", "not-bound", root.asks, renewal)
        accounts.invite(acme.app.hub, "second", "person", [], "root")
        other = Desk(server.client, acme, "second", signed_in(acme, "second").secret)
        refused(acme, "second", "not-bound", other.asks, renewal)
    assert list(stands(acme, "root").grants.values()) == [ADMINISTRATOR]


# ---------------------------------------------------------------------- again


def test_g2_270_replay_of_a_request(hub: Acme) -> None:
    """What was sent once is sent again: by whoever saw it, later, and for somebody else."""
    told = person(hub, "viewer", Grant("viewer", TEAM))
    with desks(hub, REQUESTER, CARLA, ANNA) as (dora, carla, anna):
        entitled = entitling(hub, anna, "gina")
        assert anna.hands_in(entitled).json()["new"] is True
        old = entitling(hub, anna, "hugo")
        hub.change_members(without("gina"))
        before = kept(hub)
        assert anna.hands_in(entitled).json()["new"] is False, "it was published, and is over"
        assert kept(hub) == before
        refused(hub, ANNA, "role-moved-on", anna.hands_in, old)
        waits = asked_for(dora, REQUEST)
        signed = carla.signed(approval(waits))
        viewer = Desk(dora.client, hub, "viewer", signed_in(hub, "viewer").secret)
        refused(hub, "viewer", "not-bound", viewer.hands_in, signed)
        asks, signs_in = dora.client.post, told.says()
        assert asks(f"{API}/session", json=signs_in).status_code == 201
        refused(hub, "", "sign-in-failed", asks, f"{API}/session", json=signs_in)
        taken = {"invitation": accounts.invite(hub.app.hub, "new", "person", [], "root").secret}
        seed = asks(f"{API}/invitations/seed", json=taken).json()["seed"]
        code = pyotp.TOTP(seed).at(hub.app.hub.now())
        taken |= {"password": PASSWORD, "seed": seed, "code": code}
        assert asks(f"{API}/invitations/take", json=taken).status_code == 200
        refused(hub, "", "no-invitation", asks, f"{API}/invitations/take", json=taken)
        assert decided(carla, waits) == (0, False)


def test_g2_270_replay_of_an_idempotency_key(acme: Acme) -> None:
    """By a key that was used, nothing else is had: no other thing, account, state or secret."""
    with at_server(acme) as server:
        desk, other = (
            Desk(server.client, acme, one, signed_in(acme, one, ADMINISTRATOR).secret)
            for one in ("root", "other")
        )
        invites = body({"account": "anna", "grants": ["viewer"]})
        made = desk.post("/accounts", invites, key=KEY)
        assert made.json()["secret"].startswith("sli_")
        again = desk.post("/accounts", invites, key=KEY)
        assert (again.json()["secret"], again.headers["idempotent-replay"]) == (None, "true")
        used = "once-other-body"
        for said in ({"account": "anna"}, {"account": "ben", "grants": ["operator"]}):
            refused(acme, "root", used, desk.post, "/accounts", body(said), key=KEY)
        refused(acme, "other", used, other.post, "/accounts", invites, key=KEY)
        there = desk.matching("/accounts/anna")
        grants = "/accounts/anna/grants"
        given = body({"grant": "auditor"})
        assert desk.post(grants, given, key=KEY, headers=there).status_code == 200
        refused(acme, "root", used, desk.post, grants, given, key=KEY, headers={"if-match": "*"})
        accounts.invite(acme.app.hub, "ben", "person", [], "root")
        at_ben = desk.matching("/accounts/ben")
        to_ben = "/accounts/ben/grants"
        refused(acme, "root", used, desk.post, to_ben, given, key=KEY, headers=at_ben)
        for key in ("", "short", f"{KEY}, {KEY}", f"{KEY} ", KEY * 20):
            refused(acme, "root", "once-key-needed", desk.post, "/accounts", invites, key=key)


@pytest.mark.parametrize("way", ["desk", "browser"])
def test_g2_270_replay_of_a_session_after_sign_out(acme: Acme, way: str) -> None:
    """Also where whoever has the database puts its row back, and for what changes something."""
    anna = person(acme, "anna", ADMINISTRATOR)
    with at_server(acme) as server:
        shows = server.desk(anna) if way == "desk" else server.browser(anna)
        assert server.ask("GET", "/me", shows).status_code == 200
        with acme.behind() as connection:
            row = dict(connection.execute(tables.session.select()).mappings().one())
        assert server.ask("DELETE", "/session", shows).status_code == 204
        invites = {"account": "ben", "grants": ["operator"]}
        for put_back in (False, True):
            if put_back:
                with acme.behind() as connection:
                    connection.execute(insert(tables.session).values(**row))
            ask = server.ask
            refused(acme, "", "signed-out", ask, "POST", "/accounts", shows, json=invites)
            refused(acme, "", "signed-out", ask, "GET", "/me", shows)
            refused(acme, "", "signed-out", ask, "DELETE", "/session", shows)
        goes_by(acme, minutes=61)
        refused(acme, "", "signed-out", server.ask, "GET", "/me", shows)
    assert sum(count for kind, count in failures(acme) if kind == "credential") == 7


def test_g2_270_if_match_ignored(acme: Acme) -> None:
    with at_server(acme) as server:
        root = Desk(server.client, acme, "root", signed_in(acme, "root", ADMINISTRATOR).secret)
        for name in ("anna", "ben"):
            accounts.invite(acme.app.hub, name, "person", [], "root")
        (now,) = root.matching("/accounts/anna").values()
        (bens,) = root.matching("/accounts/ben").values()
        granting.grant(acme.app.hub, "anna", Grant("viewer"), "another")
        (stale, now) = (now, *root.matching("/accounts/anna").values())
        granted = ("/accounts/anna/grants", body({"grant": "auditor"}))
        for path, sent in (granted, ("/accounts/anna/disable", b"")):
            missing: tuple[dict[str, str], ...] = (
                {},
                {"if-none-match": now},
                {"if-unmodified-since": "Wed, 02 Dec 2099 00:00:00 GMT"},
                {"x-if-match": now},
            )
            for said in missing:
                refused(acme, "root", "if-match-needed", root.post, path, sent, headers=said)
            for tag in ("*", "", stale, bens, f"W/{now}", now.strip('"'), now.upper(), '""'):
                said = {"if-match": tag}
                refused(acme, "root", "changed-since", root.post, path, sent, headers=said)
        taken = "/accounts/anna/grants/viewer"
        refused(acme, "root", "if-match-needed", root.delete, taken)
        refused(acme, "root", "changed-since", root.delete, taken, {"if-match": stale})
        assert root.post(*granted, headers={"if-match": f"{bens}, {now}"}).status_code == 200


ENDS = ("left", "compromised", "disabled", "signed out")


@pytest.mark.parametrize("how", ENDS)
def test_g2_270_a_decision_by_somebody_whose_right_ended_a_second_ago(
    hub: Acme, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It ends once the door let them in and before the decision is written."""
    genuine = App.submit
    with desks(hub, REQUESTER, *APPROVERS) as (dora, carla, emil):
        waits = asked_for(dora, REQUEST)
        signed = carla.signed(approval(waits))

        def late(app: App, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
            ends(hub, how, carla)
            return genuine(app, draft, at_hub=at_hub)

        with monkeypatch.context() as patch:
            patch.setattr(App, "submit", late)
            answer = carla.hands_in(signed)
        known = how in {"left", "compromised"}
        assert (answer.status_code, answer.json()["code"]) == (
            (403, "forbidden") if known else (401, "signed-out")
        )
        assert hub.types()[-1] == ("access.refused" if known else "access.failed")
        assert hub.rows()["approval"] == []
        if known:
            refused(hub, EMIL, UNCOUNTED, emil.hands_in, signed)
        assert decided(emil, waits) == (0, False)


def test_g2_270_the_same_person_by_two_accounts(acme: Acme) -> None:
    """Neither bound to both, nor by a second key, nor by way of an account that was disabled."""
    with at_server(acme) as server:
        first = server.desk(person(acme, "anna"))
        assert binds(acme, server, first, "anna")[0] == 200
        second = server.desk(person(acme, "anna-again"))
        asks = binding(server, second, "anna")
        refused(acme, "anna-again", "person-has-account", asks)
        acme.new_key("anna-2")
        asks = binding(server, second, "anna-2")
        refused(acme, "anna-again", "key-of-nobody", asks)
        made = server.ask("POST", "/drafts", second, json={"act": "renew", "object": [TEAM]})
        assert made.json()["code"] == "not-bound"
        accounts.disable(acme.app.hub, "anna", "root")
        assert binds(acme, server, second, "anna")[0] == 200
        refused(acme, "", "signed-out", server.ask, "GET", "/me", first)
        accounts.recover(acme.app.hub, "anna", "root")
        refused(acme, "", "signed-out", server.ask, "GET", "/me", first)
    assert [stands(acme, one).person for one in ("anna", "anna-again")] == [None, "anna"]
