"""What is one's own over HTTP: sessions, tokens, a password, and whose account it is."""

from __future__ import annotations

import base64

import pyotp
import pytest

from sealift_registry.access import checking, standing, tables, throttling
from sealift_registry.access.calling import Grant
from sealift_signing import drafts, gate
from sealift_signing.acts.material import Ask
from sealift_signing.public_key import PublicKey
from tests.registry.access_served import (
    PASSWORD,
    SERVER,
    Headers,
    Person,
    Site,
    at_server,
    code_of,
    goes_by,
    person,
)
from tests.registry.accounts_fixture import invited, stands
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.signing_people import sign

VIEWER = Grant("viewer", team=TEAM)
NEW = "another horse, of which nobody heard"


def test_g2_217_who_is_invited_chooses_what_they_sign_in_with(acme: Acme) -> None:
    told = invited(acme, "anna", VIEWER)
    with at_server(acme) as server:
        shows = {"invitation": told.secret}
        given = server.client.post("/api/v1/invitations/seed", json=shows)
        assert given.headers["cache-control"] == "no-store"
        seed = given.json()["seed"]
        assert given.json()["account"] == "anna"
        assert "anna" in given.json()["uri"]
        code = pyotp.TOTP(seed).at(acme.app.hub.now())
        said = shows | {"password": PASSWORD, "seed": seed, "code": code}
        weak = server.client.post("/api/v1/invitations/take", json=said | {"password": "x"})
        assert code_of(weak, 409) == "weak-password"
        wrong = server.client.post("/api/v1/invitations/take", json=said | {"code": "ü"})
        assert code_of(wrong, 409) == "wrong-code"
        taken = server.client.post("/api/v1/invitations/take", json=said)
        assert taken.status_code == 200, taken.text
        assert taken.json()["state"] == "open"
        assert PASSWORD not in taken.text
        for path in ("seed", "take"):
            again = server.client.post(
                f"/api/v1/invitations/{path}", json=shows if path == "seed" else said
            )
            assert code_of(again, 401) == "no-invitation"
        assert server.ask("GET", "/me", server.desk(Person(acme, "anna", seed))).status_code == 200


def test_g2_218_sessions_are_listed_and_ended_by_whose_they_are(acme: Acme) -> None:
    anna, ben = person(acme, "anna"), person(acme, "ben")
    with at_server(acme) as server:
        first = server.desk(anna)
        page, bens = server.browser(anna), server.desk(ben)
        listed = server.ask("GET", "/sessions", page)
        assert listed.headers["cache-control"] == "no-store"
        found = listed.json()["sessions"]
        assert [(one["way"], one["current"]) for one in found] == [
            ("browser", True),
            ("desk", False),
        ]
        lines = server.ask("GET", "/sessions", {**page, "accept": "text/plain"}).text.splitlines()
        assert len(lines) == 2
        assert lines[0].endswith("(this one)")
        other = server.ask("GET", "/me", bens).json()["credential"]
        assert code_of(server.ask("DELETE", f"/sessions/{other}", page), 404) == "no-session"
        for odd in ("x", "session-%00", "session-00112233445566ZZ"):
            assert code_of(server.ask("DELETE", f"/sessions/{odd}", page), 404) == "no-session"
        ended = server.ask("DELETE", f"/sessions/{found[1]['session']}", page)
        assert ended.json() == {"account": "anna", "session": found[1]["session"]}
        assert code_of(server.ask("GET", "/me", first), 401) == "signed-out"
        assert server.ask("GET", "/me", bens).status_code == 200


def test_g2_219_a_token_is_told_once_and_does_what_it_is_for(acme: Acme) -> None:
    anna = person(acme, "anna", VIEWER)
    with at_server(acme) as server:
        shows = server.desk(anna)
        asked = {"scopes": ["version.read"], "note": "a notebook", "days": 7}
        key = {**shows, "idempotency-key": "the-same-key"}
        made = server.ask("POST", "/tokens", key, json=asked)
        assert made.status_code == 201, made.text
        assert made.headers["cache-control"] == "no-store"
        secret = made.json()["secret"]
        again = server.ask("POST", "/tokens", key, json=asked)
        assert again.json() == made.json() | {"secret": None}
        assert again.headers["idempotent-replay"] == "true"
        token = {"authorization": f"Bearer {secret}"}
        assert server.ask("GET", f"/versions?team={TEAM}", token).status_code == 200
        assert code_of(server.ask("GET", "/promotions", token), 403) == "token-without-scope"
        for path in ("/tokens", "/sessions"):
            assert code_of(server.ask("GET", path, token), 403) == "token-without-scope"
        wrong: list[dict[str, object]] = [
            {"scopes": []},
            {"scopes": ["account.invite"]},
            {"scopes": ["x"], "days": 0},
        ]
        for bad in wrong:
            answer = server.ask("POST", "/tokens", shows, json=bad)
            assert code_of(answer, 400) in {"scope-needed", "bad-scope", "bad-days"}
        listed = server.ask("GET", "/tokens", shows)
        (one,) = listed.json()["tokens"]
        assert one["used"]
        assert secret not in listed.text
        gone = server.ask("DELETE", f"/tokens/{one['token']}", shows)
        assert gone.json() == {"account": "anna", "token": one["token"]}
        assert code_of(server.ask("GET", f"/versions?team={TEAM}", token), 401) == "signed-out"
        assert secret not in repr(acme.rows())


def test_g2_220_a_new_password_ends_the_other_sessions(acme: Acme) -> None:
    anna = person(acme, "anna", VIEWER)
    with at_server(acme) as server:
        other, mine = server.desk(anna), server.browser(anna)
        token = server.ask("POST", "/tokens", mine, json={"scopes": ["me.read"]}).json()["secret"]
        with acme.behind() as connection:
            rows = [dict(one) for one in connection.execute(tables.session.select()).mappings()]

        def changed(old: str, new: str, **other: str) -> dict[str, str]:
            return {"old": old, "new": new, "code": anna.says()["code"]} | other

        wrong = server.ask("POST", "/me/password", mine, json=changed("wrong", NEW))
        assert code_of(wrong, 403) == "wrong-password"
        wrong = server.ask("POST", "/me/password", mine, json=changed(PASSWORD, NEW, code="1"))
        assert code_of(wrong, 403) == "wrong-password"
        weak = server.ask("POST", "/me/password", mine, json=changed(PASSWORD, "anna"))
        assert code_of(weak, 409) == "weak-password"
        said = changed(PASSWORD, NEW)
        done = server.ask("POST", "/me/password", mine, json=said)
        assert done.status_code == 200, done.text
        assert len(done.json()["ended"]) == 1
        assert code_of(server.ask("GET", "/me", other), 401) == "signed-out"
        assert server.ask("GET", "/me", mine).status_code == 200
        shows = {"authorization": f"Bearer {token}"}
        assert server.ask("GET", "/me", shows).status_code == 200
        with acme.behind() as connection:
            connection.execute(tables.session.delete())
            for one in rows:
                connection.execute(tables.session.insert().values(**one))
        assert code_of(server.ask("GET", "/me", other), 401) == "signed-out", "put back"
        with acme.app.hub.reading() as connection:
            (fault,) = checking.check(connection)
        assert done.json()["ended"][0] in fault.sentence
        again = server.client.post("/api/v1/session", json=anna.says())
        assert code_of(again, 401) == "sign-in-failed", "the old one"
        anna.password = NEW
        assert server.ask("GET", "/me", server.desk(anna)).status_code == 200
        assert standing.PASSWORD in acme.types()
        assert PASSWORD not in repr(acme.rows())


def test_g2_220_whoever_has_a_session_does_not_guess_the_password(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        mine = server.desk(anna)
        said = {"old": "wrong", "new": NEW, "code": "000000"}
        codes = [
            server.ask("POST", "/me/password", mine, json=said).status_code
            for _ in range(throttling.FREE + 2)
        ]
        assert codes[0] == 403
        assert codes[-1] == 429


def bound(acme: Acme, server: Site, shows: Headers, by: str) -> tuple[int, dict[str, object]]:
    """Somebody signs at their desk that the account is theirs, and hands that in."""
    made = server.ask("POST", "/me/binding/draft", shows)
    assert made.status_code == 200, made.text
    draft = drafts.read(base64.b64decode(made.json()["draft"]))
    name = server.ask("GET", "/me", shows).json()["account"]
    ask = Ask("bind-account", (name, SERVER))
    key = PublicKey.from_tuf(acme.signer(by).public_key)
    shown = gate.examine(draft, ask, None, acme.app.hub.now(), key).words
    assert any(made.json()["words"] in line for line in shown), "the same at both places"
    signed = drafts.write(sign(draft, ask, [acme.signer(by)], acme.app.hub.now()))
    kind = {"content-type": "application/octet-stream"}
    answer = server.ask("POST", "/me/binding", {**shows, **kind}, content=signed)
    again = server.ask("POST", "/me/binding", {**shows, **kind}, content=signed)
    assert again.json()["code"] in {"binding-refused", "person-has-account"}
    return answer.status_code, answer.json()


def test_g2_221_an_account_is_bound_to_who_signs_for_it_at_their_desk(acme: Acme) -> None:
    with at_server(acme) as server:
        shows = server.desk(person(acme, "anna-at-acme"))
        status, said = bound(acme, server, shows, "anna")
        assert status == 200, said
        assert said["new"] is True
        assert stands(acme, "anna-at-acme").person == "anna"
        me = server.ask("GET", "/me", shows).json()
        assert me["person"] == "anna"
        assert me["offices"]
        may = {one["action"]: one for one in me["may"]}
        assert may["submission.make"]["hub"]
        assert TEAM in may["submission.make"]["teams"]
        kind = {"content-type": "text/plain"}
        answer = server.ask("POST", "/me/binding", {**shows, **kind}, content=b"x")
        assert code_of(answer, 415) == "wrong-media-type"
        answer = server.ask(
            "POST",
            "/me/binding",
            {**shows, "content-type": "application/octet-stream"},
            content=b"x",
        )
        assert answer.status_code == 400


def test_g2_222_the_same_person_by_two_accounts_is_refused_and_logged(acme: Acme) -> None:
    with at_server(acme) as server:
        assert bound(acme, server, server.desk(person(acme, "anna")), "anna")[0] == 200
        second = server.desk(person(acme, "anna-again"))
        status, said = bound(acme, server, second, "anna")
        assert (status, said["code"]) == (409, "person-has-account")
        assert "access.refused" in acme.types()
        assert stands(acme, "anna-again").person is None


@pytest.mark.parametrize("hours", [0, 1])
def test_g2_222_a_challenge_waits_half_an_hour(acme: Acme, hours: int) -> None:
    with at_server(acme) as server:
        shows = server.desk(person(acme, "anna"))
        made = server.ask("POST", "/me/binding/draft", shows)
        draft = drafts.read(base64.b64decode(made.json()["draft"]))
        ask = Ask("bind-account", ("anna", SERVER))
        signed = drafts.write(sign(draft, ask, [acme.signer("anna")], acme.app.hub.now()))
        goes_by(acme, minutes=31 * hours)
        kind = {"content-type": "application/octet-stream"}
        answer = server.ask("POST", "/me/binding", {**shows, **kind}, content=signed)
        assert answer.status_code == (409 if hours else 200)
