"""Tokens of programs' accounts, made by an administrator at a desk: no more than was granted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sealift_registry.access import accounts, granting, tokens
from sealift_registry.access.calling import Grant
from tests.registry.access_served import Headers, Site, at_server, code_of, goes_by, person
from tests.registry.bypasses import body, refused
from tests.registry.desks_of_server import Desk
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.test_g2_190_writing import entries

PUBLISHER = Grant("publisher", TEAM)
PATH = "/accounts/ci/tokens"
ASKED = {"scopes": ["upload.write", "version.ingest"], "note": "nightly", "days": 7}


@pytest.fixture
def server(acme: Acme) -> Iterator[Site]:
    """A server with a program's account, `ci`, that publishes for one team."""
    accounts.invite(acme.app.hub, "ci", "service", [PUBLISHER], "root")
    with at_server(acme) as made:
        yield made


@pytest.fixture
def root(server: Site) -> Desk:
    shows = server.desk(person(server.acme, "root", Grant("administrator")))
    return Desk(server.client, server.acme, "root", shows["authorization"].removeprefix("Bearer "))


def makes(desk: Desk, said: object = ASKED, key: str | None = None) -> dict[str, object]:
    made = desk.post(PATH, body(said), key=key, headers=desk.matching("/accounts/ci"))
    assert made.status_code == 201, made.text
    return dict(made.json())


def shows(made: dict[str, object]) -> Headers:
    return {"authorization": f"Bearer {made['secret']}"}


def test_g2_280_it_is_told_once_does_what_it_is_for_and_ends(server: Site, root: Desk) -> None:
    made = makes(root)
    its = shows(made)
    assert server.ask("GET", f"/teams/{TEAM}/uploads", its).status_code == 200
    assert code_of(server.ask("GET", "/jobs", its), 403) == "token-without-scope"
    (listed,) = root.get("/accounts/ci").json()["tokens"]
    assert (listed["token"], listed["note"]) == (made["token"], "nightly")
    assert listed["used"], "when it was used last"
    assert "secret" not in listed
    assert str(made["secret"]) not in repr(server.acme.rows())
    (entry,) = [one for one in entries(server.acme) if one.type == tokens.TOKEN_MADE]
    assert entry.actor == "root"
    goes_by(server.acme, days=7, minutes=1)
    assert code_of(server.ask("GET", f"/teams/{TEAM}/uploads", its), 401) == "signed-out"


def test_g2_280_it_is_revoked_at_once(server: Site, root: Desk) -> None:
    made = makes(root)
    assert server.ask("GET", f"/teams/{TEAM}/uploads", shows(made)).status_code == 200
    assert root.delete(f"{PATH}/{made['token']}").status_code == 200
    answer = server.ask("GET", f"/teams/{TEAM}/uploads", shows(made))
    assert code_of(answer, 401) == "signed-out"
    assert root.get("/accounts/ci").json()["tokens"] == []


def test_g2_281_nobody_makes_one_for_more_than_was_granted(server: Site, root: Desk) -> None:
    acme = server.acme
    there = root.matching("/accounts/ci")
    for scope in ("audit.read", "export.ask", "metrics.read", "site.read"):
        asked = body({"scopes": ["version.read", scope]})
        refused(acme, "root", "scope-not-granted", root.post, PATH, asked, headers=there)
    for scope in ("submission.make", "account.invite", "token.make-program", "token.manage-own"):
        refused(
            acme, "root", "bad-scope", root.post, PATH, body({"scopes": [scope]}), headers=there
        )
    for days in (0, -1, 367, 10**9):
        long = body({"scopes": ["version.read"], "days": days})
        refused(acme, "root", "bad-days", root.post, PATH, long, headers=there)
    made = makes(root)
    granting.revoke(acme.app.hub, "ci", PUBLISHER, "another")
    answer = server.ask("GET", f"/teams/{TEAM}/uploads", shows(made))
    assert code_of(answer, 403) == "forbidden", "what is taken from the account is gone from it"


def test_g2_281_of_a_person_and_of_a_state_that_was_not_read_none(server: Site, root: Desk) -> None:
    acme = server.acme
    person(acme, "anna", Grant("viewer"))
    asked = body({"scopes": ["version.read"]})
    for name in ("anna", "root"):
        there = root.matching(f"/accounts/{name}")
        path = f"/accounts/{name}/tokens"
        refused(acme, "root", "own-token-alone", root.post, path, asked, headers=there)
    refused(acme, "root", "if-match-needed", root.post, PATH, asked)
    stale = root.matching("/accounts/ci")
    granting.grant(acme.app.hub, "ci", Grant("auditor"), "another")
    refused(acme, "root", "changed-since", root.post, PATH, asked, headers=stale)
    accounts.disable(acme.app.hub, "ci", "another")
    there = root.matching("/accounts/ci")
    refused(acme, "root", "account-not-open", root.post, PATH, asked, headers=there)


def test_g2_282_a_repeat_does_not_tell_the_secret_again(server: Site, root: Desk) -> None:
    there, key = root.matching("/accounts/ci"), "0123-4567-89"
    made, again = (root.post(PATH, body(ASKED), key=key, headers=there) for _ in range(2))
    assert made.json()["secret"].startswith("slt_")
    assert again.json() == made.json() | {"secret": None}
    assert len(root.get("/accounts/ci").json()["tokens"]) == 1
    other = body({**ASKED, "scopes": ["version.read"]})
    refused(server.acme, "root", "once-other-body", root.post, PATH, other, key=key, headers=there)


def test_g2_282_a_token_makes_no_tokens_and_nobody_else_does(server: Site, root: Desk) -> None:
    acme = server.acme
    ci = Desk(server.client, acme, "ci", str(makes(root)["secret"]))
    anna = person(acme, "anna", *(Grant(one) for one in ("viewer", "publisher", "operator")))
    secret = server.desk(anna)["authorization"].removeprefix("Bearer ")
    hers = Desk(server.client, acme, "anna", secret)
    there = root.matching("/accounts/ci")
    for path in (PATH, "/tokens"):
        refused(acme, "ci", "token-without-scope", ci.post, path, body(ASKED), headers=there)
    refused(acme, "anna", "forbidden", hers.post, PATH, body(ASKED), headers=there)
