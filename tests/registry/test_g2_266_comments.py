"""Comments on promotions: entries of the log, and no part of what is signed."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import Any

import pytest
from sqlalchemy import select, update

from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.audit.tables import log_entry
from sealift_signing import drafts
from tests.registry.accounts_fixture import signed_in
from tests.registry.desks_of_server import Desk
from tests.registry.hub_fixture import APPROVERS, REQUESTER, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.test_g2_190_writing import approval, desks, entries
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers

PLACE = "/promotions/P-000001/comments"
ODD = "Tested\u202e. \x1b[31m\nP-000001: 2 of 2; listed"


@pytest.fixture
def asked(hub: Acme) -> Acme:
    hub.request()
    return hub


def says(desk: Desk, text: str, key: str | None = None) -> Any:  # noqa: ANN401 - a client's
    return desk.post(PLACE, json.dumps({"text": text}).encode(), key=key)


def test_g2_266_what_is_said_is_logged_and_shown_with_who_said_it(
    asked: Acme, capsys: Capsys
) -> None:
    with desks(asked, REQUESTER, APPROVERS[0]) as (dora, carla):
        assert (said := says(dora, "Please look at the night rows.")).status_code == 201
        assert says(carla, "  I did: they are fine.\nAll of them. ").status_code == 201
        listed = carla.get(PLACE).json()["comments"]
        shown = carla.get("/promotions/P-000001").json()
    assert said.json() == {"promotion": "P-000001", "entry": listed[1]["entry"]}
    assert [(one["account"], one["person"], one["text"]) for one in listed] == [
        (APPROVERS[0], APPROVERS[0], "I did: they are fine.\nAll of them."),
        (REQUESTER, REQUESTER, "Please look at the night rows."),
    ]
    assert shown["comments"] == listed[::-1]
    assert shown["older_comments"] is False
    (first, _) = [one for one in entries(asked) if one.type == "promotion.commented"]
    words = {(term.kind, term.value) for term in first.terms}
    assert {("promotion", "P-000001"), ("model", "vision/tiny"), ("team", TEAM)} <= words
    assert ("account", REQUESTER) in words
    lines = Cli(asked, capsys).says("show", "P-000001").splitlines()
    start = lines.index("  What people said of it, which nobody signed:")
    assert re.fullmatch(
        rf"  \d{{4}}-\d\d-\d\dT[\d:]+Z {REQUESTER}: .*Please look at the night rows\..*",
        lines[start + 1],
    )
    assert len(lines) == start + 3, "each is one line, the last ones of all"
    assert Cli(asked, capsys).json("show", "P-000001")["comments"] == listed[::-1]


def test_g2_266_an_account_that_is_nobodys_says_it_under_its_name(asked: Acme) -> None:
    opened = signed_in(asked, "vera", Grant("viewer", team=TEAM))
    with served(asked, Gatekeeper(asked.app.hub)) as client:
        desk = Desk(client, asked, "vera", opened.secret)
        assert says(desk, "Why now?").status_code == 201
        (one,) = desk.get(PLACE).json()["comments"]
    assert (one["account"], one["person"]) == ("vera", None)


def test_g2_267_no_words_are_part_of_what_is_signed(asked: Acme) -> None:
    with desks(asked, REQUESTER, APPROVERS[0]) as (dora, carla):
        says(dora, "An unmistakable sentence.")
        answer = carla.asks(approval("P-000001"))
    assert answer.status_code == 200, answer.json()
    made = drafts.read(b64decode(answer.json()["draft"]), what="it")
    assert made.act == "approve"
    assert b"unmistakable" not in drafts.write(made)
    assert "unmistakable" not in str(answer.json()["warnings"])


def test_g2_267_no_comment_draws_a_line_of_its_own(asked: Acme, capsys: Capsys) -> None:
    with desks(asked, REQUESTER) as (dora,):
        odd = says(dora, ODD)
        assert (odd.status_code, odd.json()["code"]) == (400, "bad-comment")
        assert says(dora, "Tested.\nP-000001: 2 of 2; listed\t!").status_code == 201
        lines = dora.client.get(
            f"/api/v1{PLACE}", headers={**dora.headers, "accept": "text/plain"}
        ).text
    assert len(lines.splitlines()) == 1
    shown = Cli(asked, capsys).says("show", "P-000001")
    assert not re.search(r"^P-000001: 2 of 2", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "text,status,code",
    [
        ("", 400, "bad-comment"),
        ("  \n ", 400, "bad-comment"),
        ("x" * 2001, 400, "bad-comment"),
        ("bell\x07", 400, "bad-comment"),
        ("\ud800", 400, "bad-request"),
    ],
)
def test_g2_267_what_is_no_comment(asked: Acme, text: str, status: int, code: str) -> None:
    with desks(asked, REQUESTER) as (dora,):
        answer = says(dora, text)
        assert (answer.json()["code"], answer.status_code) == (code, status), answer.json()
        assert says(dora, "y" * 2000).status_code == 201
        more = dora.post(PLACE, b'{"text": "x", "approve": true}')
        assert (more.status_code, more.json()["code"]) == (422, "bad-body")
        nowhere = dora.post("/promotions/P-000009/comments", b'{"text": "x"}')
        assert nowhere.status_code == 403, "of one that there is not nothing is told"
    assert [one.type for one in entries(asked)].count("promotion.commented") == 1


def test_g2_268_said_once_by_one_key_and_by_who_may(asked: Acme) -> None:
    asked.add_team("sound", {name: asked.new_key(name) for name in ("hans", "ines")})
    with desks(asked, REQUESTER, "hans") as (dora, hans):
        first, again = (says(dora, "Once.", key="0123-4567") for _ in range(2))
        other = says(dora, "Twice.", key="0123-4567")
        theirs, read = says(hans, "Mine!"), hans.get(PLACE)
    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    assert other.json()["code"] == "once-other-body"
    assert (theirs.status_code, read.status_code) == (403, 403)
    assert [one.type for one in entries(asked)].count("promotion.commented") == 1


def test_g2_268_pages_of_them_and_the_last_with_the_promotion(
    asked: Acme, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    from sealift_registry.views import promotions

    monkeypatch.setattr(promotions, "MOST_COMMENTS", 2)
    with desks(asked, REQUESTER) as (dora,):
        for number in range(5):
            says(dora, f"Number {number}.")
        first = dora.get(f"{PLACE}?limit=3&oldest_first=true")
        link = re.fullmatch(r'</api/v1([^>]+)>; rel="next"', first.headers["link"])
        assert link is not None
        rest = dora.get(link[1]).json()["comments"]
        shown = dora.get("/promotions/P-000001").json()
    every = [one["text"] for one in first.json()["comments"] + rest]
    assert every == [f"Number {number}." for number in range(5)]
    assert [one["text"] for one in shown["comments"]] == ["Number 3.", "Number 4."]
    assert shown["older_comments"] is True
    last = Cli(asked, capsys).says("show", "P-000001").splitlines()[-1]
    assert last == "  More:  sealift audit list --term promotion=P-000001"


def test_g2_268_a_comment_that_was_changed_is_not_told(asked: Acme, capsys: Capsys) -> None:
    with desks(asked, REQUESTER) as (dora,):
        says(dora, "I have doubts.")
        no_triggers(asked)
        t = log_entry
        with asked.behind() as connection:
            row = connection.execute(select(t).where(t.c.type == "promotion.commented")).one()
            body = bytes(row.body).replace(b"doubts", b"hopes!")
            connection.execute(update(t).where(t.c.seq == row.seq).values(body=body))
        listed = dora.get(PLACE).json()
    assert listed["comments"] == []
    assert listed["refused"][0]["code"] == "log-damaged"
    shown = Cli(asked, capsys).says("show", "P-000001")
    assert "Not listed is a comment, entry " in shown
    assert "hopes" not in shown
