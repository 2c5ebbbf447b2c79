"""Signing in over HTTP: a desk's secret, a browser's cookie; and what neither of them opens."""

from __future__ import annotations

import json

import pytest

from sealift_registry.access import checking, granting, sessions, throttling
from sealift_registry.access.calling import Grant
from sealift_registry.web import door
from tests.registry.access_served import (
    HERE,
    PASSWORD,
    SERVER,
    at_server,
    code_of,
    person,
)
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.served_hub import served

VIEWER = Grant("viewer", team=TEAM)


def test_g2_210_a_desk_signs_in_and_out(acme: Acme) -> None:
    anna = person(acme, "anna", VIEWER)
    with at_server(acme) as server:
        answer = server.client.post("/api/v1/session", json=anna.says())
        assert answer.status_code == 201, answer.text
        said = answer.json()
        assert said.keys() == {"account", "name", "ends", "id", "session", "device"}
        assert said["name"] == "anna"
        assert said["session"].startswith("sls_")
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        shows = {"authorization": f"Bearer {said['session']}"}
        me = server.ask("GET", "/me", shows)
        assert me.headers["cache-control"] == "no-store"
        found = me.json()
        assert (found["account"], found["by"], found["credential"], found["ends"]) == (
            "anna",
            "desk",
            said["id"],
            said["ends"],
        )
        assert found["person"] is None
        assert found["offices"] == []
        assert "csrf" not in found
        may = {one["action"]: one for one in found["may"]}
        assert may["version.read"]["teams"] == [TEAM]
        assert not may["version.read"]["hub"]
        assert may["session.manage-own"]["own"]
        assert "account.read" not in may
        lines = server.ask("GET", "/me", {**shows, "accept": "text/plain"}).text
        assert f"  read about models: team {TEAM}\n" in lines
        assert "  cancel jobs: one's own\n" in lines
        assert "  choose another password\n" in lines
        assert said["session"] not in lines
        assert server.ask("DELETE", "/session", shows).status_code == 204
        for again in ("GET", "DELETE"):
            path = "/me" if again == "GET" else "/session"
            assert code_of(server.ask(again, path, shows), 401) == "signed-out"
    assert sessions.CLOSED in acme.types()


def test_g2_211_a_browser_keeps_a_cookie_and_no_script_reads_it(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        answer = server.client.post("/api/v1/session", json=anna.says("browser"), headers=HERE)
        first, second = answer.headers.get_list("set-cookie")
        name, _, rest = first.partition("=")
        assert name == "__Host-sealift"
        assert second.startswith("__Host-sealift-device=sld_")
        assert {"Path=/", "HttpOnly", "Secure"} < set(second.split("; ")[1:])
        assert set(rest.split("; ")[1:]) == {"Path=/", "HttpOnly", "Secure", "SameSite=Strict"}
        assert "session" not in answer.json()
        secret = rest.partition(";")[0]
        server.client.cookies.clear()
        shows = {"cookie": f"theme=dark; __Host-sealift={secret}"}
        me = server.ask("GET", "/me", shows).json()
        assert me["csrf"] == answer.json()["csrf"]
        assert me["by"] == "browser"
        bearer = {"authorization": f"Bearer {secret}"}
        assert code_of(server.ask("GET", "/me", bearer), 401) == "signed-out"
        both = {**shows, **server.desk(person(acme, "ben"))}
        assert code_of(server.ask("GET", "/me", both), 400) == "two-sign-ins"
        twice = {"cookie": f"{shows['cookie']}; __Host-sealift=sls_other"}
        assert code_of(server.ask("GET", "/me", twice), 401) == "signed-out"
        ours = HERE | shows | {"x-sealift-csrf": me["csrf"]}
        gone = server.ask("DELETE", "/session", ours)
        assert gone.status_code == 204
        assert gone.headers["set-cookie"].startswith("__Host-sealift=; ")
        assert "Max-Age=0" in gone.headers["set-cookie"]


def test_g2_211_without_tls_a_cookie_is_for_this_machine_alone(acme: Acme) -> None:
    anna = person(acme, "anna")
    url = "http://127.0.0.1:8700"
    with at_server(acme, url) as server:
        here = {"origin": url}
        answer = server.client.post("/api/v1/session", json=anna.says("browser"), headers=here)
        assert answer.headers["set-cookie"].startswith("sealift=sls_")
        assert "Secure" not in answer.headers["set-cookie"]
    with at_server(acme, "http://hub.example") as server:
        here = {"origin": "http://hub.example"}
        answer = server.client.post("/api/v1/session", json=anna.says("browser"), headers=here)
        assert code_of(answer, 403) == "browser-needs-tls"


@pytest.mark.parametrize(
    "changed",
    [
        {"x-sealift-csrf": ""},
        {"x-sealift-csrf": "x" * 43},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"{SERVER}.evil.example"},
        {"origin": "http://hub.example"},
        {"origin": "", "sec-fetch-site": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "", "sec-fetch-site": "none"},
    ],
)
def test_g2_212_no_other_site_has_a_browser_change_anything(
    acme: Acme, changed: dict[str, str]
) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        ours = server.browser(anna)
        theirs = {name: value for name, value in (ours | changed).items() if value}
        assert code_of(server.ask("DELETE", "/session", theirs), 403) == "cross-site"
        assert acme.types()[-1] == "access.refused"
        assert server.ask("GET", "/me", ours).status_code == 200
        if "x-sealift-csrf" not in changed:
            wanted = {name: theirs[name] for name in HERE if name in theirs}
            said = anna.says("browser")
            answer = server.client.post("/api/v1/session", json=said, headers=wanted)
            assert code_of(answer, 403) == "cross-site", "nor signs anybody in"
        for header in HERE:
            either = {name: value for name, value in ours.items() if name != header}
            if header == "origin":
                assert server.ask("DELETE", "/session", either).status_code == 204


def test_g2_212_what_another_session_was_told_is_not_good_for_this_one(acme: Acme) -> None:
    with at_server(acme) as server:
        anna, ben = server.browser(person(acme, "anna")), server.browser(person(acme, "ben"))
        mixed = anna | {"x-sealift-csrf": ben["x-sealift-csrf"]}
        assert code_of(server.ask("DELETE", "/session", mixed), 403) == "cross-site"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_g2_212_what_any_page_may_send_is_no_json(acme: Acme, kind: str) -> None:
    """A browser asks nobody before it sends text or a form."""
    anna = person(acme, "anna")
    with at_server(acme) as server:
        body = json.dumps(anna.says()).encode()
        sent = {"content-type": kind} if kind else {}
        answer = server.client.post("/api/v1/session", content=body, headers=sent)
        assert code_of(answer, 415) == "wrong-media-type"
        shows = server.desk(anna)
        answer = server.ask("POST", "/tokens", {**shows, **sent}, content=b'{"scopes":["me.read"]}')
        assert code_of(answer, 415) == "wrong-media-type"
        said = {**shows, "content-type": "application/json; charset=utf-8"}
        answer = server.ask("POST", "/tokens", said, content=b'{"scopes":["me.read"]}')
        assert answer.status_code == 201


def test_g2_213_a_browsers_session_ends_where_it_signs_in_anew(acme: Acme) -> None:
    """So nobody goes on with a session that was put into their browser, or left there."""
    anna, mallory = person(acme, "anna"), person(acme, "mallory")
    with at_server(acme) as server:
        planted = server.browser(mallory)
        hers = server.browser(anna, cookie=planted["cookie"])
        assert hers["cookie"] != planted["cookie"]
        assert code_of(server.ask("GET", "/me", planted), 401) == "signed-out"
        assert server.ask("GET", "/me", hers).json()["account"] == "anna"
        desk = server.desk(anna)
        odd = f"__Host-sealift={desk['authorization'].partition(' ')[2]}"
        server.browser(anna, cookie=odd)
        assert server.ask("GET", "/me", desk).status_code == 200, "a desk's is none of a browser's"
    with acme.app.hub.reading() as connection:
        assert not list(checking.check(connection))


def test_g2_214_who_fails_is_told_nothing_and_waits(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:

        def tried(**said: str) -> tuple[int, str]:
            answer = server.client.post("/api/v1/session", json=anna.says() | said)
            assert PASSWORD not in answer.text
            return answer.status_code, answer.json()["title"]

        answers = {tried(**one) for one in ({"code": "000000"}, {"password": "x"}, {"code": "ü"})}
        answers |= {tried(account=one) for one in ("nobody", "", "a\x00b", "x" * 200)}
        assert len(answers) == 1, answers
        ben = person(acme, "ben")
        wrong = ben.says() | {"code": "1"}
        codes = [
            server.client.post("/api/v1/session", json=wrong).status_code
            for _ in range(throttling.FREE + 2)
        ]
        assert codes[-1] == 429
        waits = server.client.post("/api/v1/session", json=wrong)
        assert code_of(waits, 429) == "sign-in-throttled"
        assert int(waits.headers["retry-after"]) >= 1
        too_long = anna.says() | {"password": "x" * 5000}
        assert code_of(server.client.post("/api/v1/session", json=too_long), 422) == "bad-body"
        for raw in (b"", b"{", b'{"account": "\xff"}', b'{"account":"a","password":"\\ud800"}'):
            sent = {"content": raw, "headers": {"content-type": "application/json"}}
            assert server.client.post("/api/v1/session", **sent).status_code in {400, 422}  # type: ignore[arg-type]


def test_g2_214_addresses_are_counted_as_their_owners_have_them() -> None:
    class From:
        def __init__(self, host: str) -> None:
            self.client = type("Client", (), {"host": host})()

    found = [
        door.address(From(one))  # type: ignore[arg-type]
        for one in ("10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:db8::ffff:2", "somewhere")
    ]
    assert found == ["10.0.0.1", "10.0.0.1", "2001:db8::/64", "2001:db8::/64", "somewhere"]


def test_g2_215_a_right_that_was_taken_is_gone_in_the_next_request(acme: Acme) -> None:
    anna = person(acme, "anna", VIEWER)
    with at_server(acme) as server:
        shows = server.desk(anna)
        assert server.ask("GET", f"/versions?team={TEAM}", shows).status_code == 200
        granting.revoke(acme.app.hub, "anna", VIEWER, "root")
        assert code_of(server.ask("GET", f"/versions?team={TEAM}", shows), 403) == "forbidden"
        may = {one["action"] for one in server.ask("GET", "/me", shows).json()["may"]}
        assert "version.read" not in may


def test_g2_216_nobody_is_signed_in_by_what_is_no_session(acme: Acme) -> None:
    with served(acme) as client:
        for given in ("", "Bearer", "Basic YTpi", "Bearer sls_", "bearer slt_x, Bearer sls_y"):
            answer = client.get("/api/v1/me", headers={"authorization": given})
            assert code_of(answer, 401) == "signed-out"
