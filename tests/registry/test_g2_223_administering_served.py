"""What administrators do over HTTP: accounts and rights of others, and nothing besides."""

from __future__ import annotations

import json

import pytest

from sealift_registry.access import accounts, granting
from sealift_registry.access.calling import Grant
from tests.registry.access_served import Headers, Site, at_server, code_of, person
from tests.registry.accounts_fixture import stands
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.test_hub_cli import Capsys, Cli

ADMINISTRATOR = Grant("administrator")


def changed(server: Site, shows: Headers, name: str) -> dict[str, str]:
    """What somebody sends who has read an account, and changes it."""
    read = server.ask("GET", f"/accounts/{name}", shows)
    assert read.status_code == 200, read.text
    assert read.headers["cache-control"] == "no-store"
    return {**shows, "if-match": read.headers["etag"]}


def test_g2_223_an_administrator_invites_grants_and_revokes(acme: Acme, capsys: Capsys) -> None:
    with at_server(acme) as server:
        root = server.desk(person(acme, "root", ADMINISTRATOR))
        asked = {"account": "anna", "grants": [f"viewer:team={TEAM}"]}
        key = {**root, "idempotency-key": "invites-anna"}
        made = server.ask("POST", "/accounts", key, json=asked)
        assert made.status_code == 201, made.text
        assert made.json()["secret"].startswith("sli_")
        assert made.json()["invited_by"] == "root"
        again = server.ask("POST", "/accounts", key, json=asked)
        assert again.json() == made.json() | {"secret": None}
        assert code_of(server.ask("POST", "/accounts", root, json=asked), 409) == "account-there"
        program = {"account": "ci", "kind": "service"}
        ci = server.ask("POST", "/accounts", root, json=program)
        assert ci.json()["secret"] is None
        grant = {"grant": f"publisher:team={TEAM}"}
        said = changed(server, root, "anna")
        done = server.ask("POST", "/accounts/anna/grants", said, json=grant)
        assert done.json() == {"account": "anna", "grant": f"publisher:team={TEAM}", "new": True}
        stale = server.ask("POST", "/accounts/anna/grants", said, json={"grant": "auditor"})
        assert code_of(stale, 412) == "changed-since"
        without = server.ask("POST", "/accounts/anna/grants", root, json=grant)
        assert code_of(without, 428) == "if-match-needed"
        said = changed(server, root, "anna")
        same = server.ask("POST", "/accounts/anna/grants", said, json=grant)
        assert same.json()["new"] is False
        for bad in ("bishop", "viewer:team=", "operator:team=vision", "viewer:team=nobodys"):
            answer = server.ask("POST", "/accounts/anna/grants", said, json={"grant": bad})
            assert answer.status_code in {400, 404}, answer.text
        path = f"/accounts/anna/grants/publisher:team={TEAM}"
        gone = server.ask("DELETE", path, said)
        assert gone.json()["new"] is True
        assert [str(one) for one in stands(acme, "anna").grants.values()] == [
            f"viewer of team {TEAM}"
        ]
        cli = Cli(acme, capsys)
        printed = json.loads(cli("account", "list", "--json")[1])
        assert server.ask("GET", "/accounts", root).json()["accounts"] == printed["accounts"]
        shown = json.loads(cli("account", "show", "anna", "--json")[1])
        shown.pop("schema")
        assert server.ask("GET", "/accounts/anna", root).json() == shown
        text = {**root, "accept": "text/plain"}
        assert server.ask("GET", "/accounts/anna", text).text == cli("account", "show", "anna")[1]
        assert (
            "whoever takes the invitation has it; root invited them"
            in cli("account", "show", "anna")[1]
        )


def test_g2_224_what_is_changed_is_what_was_read_also_within_the_commit(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_server(acme) as server:
        root = server.desk(person(acme, "root", ADMINISTRATOR))
        person(acme, "anna")
        said = changed(server, root, "anna")
        real = granting.grant

        def meanwhile(*given: object) -> bool:
            monkeypatch.setattr(granting, "grant", real)
            granting.grant(acme.app.hub, "anna", Grant("auditor"), "somebody")
            return real(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(granting, "grant", meanwhile)
        answer = server.ask("POST", "/accounts/anna/grants", said, json={"grant": "viewer"})
        assert code_of(answer, 412) == "changed-since"
        assert list(stands(acme, "anna").grants.values()) == [Grant("auditor")]


def test_g2_226_a_disabled_account_is_out_and_a_recovered_one_is_nobodys(acme: Acme) -> None:
    with at_server(acme) as server:
        root = server.desk(person(acme, "root", ADMINISTRATOR))
        anna = person(acme, "anna")
        hers = server.desk(anna)
        token = server.ask("POST", "/tokens", hers, json={"scopes": ["me.read"]}).json()["secret"]
        done = server.ask("POST", "/accounts/anna/disable", changed(server, root, "anna"))
        assert done.json() == {"account": "anna", "new": True}
        for shows in (hers, {"authorization": f"Bearer {token}"}):
            assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
        again = server.ask("POST", "/accounts/anna/disable", changed(server, root, "anna"))
        assert again.json() == {"account": "anna", "new": False}
        said = changed(server, root, "anna")
        back = server.ask("POST", "/accounts/anna/recover", said, json={"hours": 2})
        assert back.status_code == 200, back.text
        assert back.json()["state"] == "invited"
        assert back.json()["secret"].startswith("sli_")
        assert stands(acme, "anna").invited_by == "root"
        assert stands(acme, "anna").person is None
        nobody = server.ask("GET", "/accounts/nobody", root)
        assert code_of(nobody, 404) == "no-account"
        odd = server.ask("GET", "/accounts/a%00b", root)
        assert code_of(odd, 404) == "no-account"


def test_g2_227_anybodys_sessions_and_tokens_are_ended(acme: Acme) -> None:
    with at_server(acme) as server:
        root = server.desk(person(acme, "root", ADMINISTRATOR))
        hers = server.desk(person(acme, "anna"))
        token = server.ask("POST", "/tokens", hers, json={"scopes": ["me.read"]}).json()["secret"]
        shown = server.ask("GET", "/accounts/anna", root).json()
        revoked = f"/accounts/anna/tokens/{shown['tokens'][0]['token']}"
        assert server.ask("DELETE", revoked, root).status_code == 200
        shows = {"authorization": f"Bearer {token}"}
        assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
        ended = f"/accounts/anna/sessions/{shown['sessions'][0]['session']}"
        assert server.ask("DELETE", ended, root).status_code == 200
        assert code_of(server.ask("GET", "/me", hers), 401) == "signed-out"
        own = server.ask("GET", "/accounts/root", root).json()["sessions"][0]["session"]
        other = server.ask("DELETE", f"/accounts/anna/sessions/{own}", root)
        assert code_of(other, 404) == "no-session"


def test_g2_228_nobody_else_administers(acme: Acme) -> None:
    grants = [Grant(one) for one in ("viewer", "publisher", "auditor", "operator")]
    with at_server(acme) as server:
        person(acme, "ben")
        shows = {**server.desk(person(acme, "anna", *grants)), "if-match": '"x"'}
        asked = [
            ("GET", "/accounts"),
            ("GET", "/accounts/ben"),
            ("POST", "/accounts"),
            ("POST", "/accounts/ben/recover"),
            ("POST", "/accounts/ben/disable"),
            ("POST", "/accounts/ben/grants"),
            ("DELETE", "/accounts/ben/grants/viewer"),
            ("DELETE", "/accounts/ben/sessions/session-0011223344556677"),
            ("DELETE", "/accounts/ben/tokens/token-0011223344556677"),
        ]
        before = acme.types().count("access.refused")
        for method, path in asked:
            body = {"account": "x", "grant": "viewer"} if method == "POST" else None
            answer = server.ask(method, path, shows, json=body)
            assert code_of(answer, 403) == "forbidden", path
        refused = acme.types().count("access.refused") - before
        assert refused == len({"read", "invite", "disable", "grant", "revoke", "end", "token"})


def test_g2_229_a_right_that_ended_a_second_ago(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check at the door and the commit somebody takes the right away."""
    with at_server(acme) as server:
        root = server.desk(person(acme, "root", ADMINISTRATOR))
        real = accounts.invite

        def meanwhile(*given: object) -> accounts.Invited:
            granting.revoke(acme.app.hub, "root", ADMINISTRATOR, "another")
            return real(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(accounts, "invite", meanwhile)
        answer = server.ask("POST", "/accounts", root, json={"account": "anna"})
        assert code_of(answer, 403) == "forbidden"
        assert "anna" not in repr(acme.rows()["account"])
    assert acme.types()[-1] == "access.refused"
