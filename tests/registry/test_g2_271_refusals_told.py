"""What the log is told of changes that signed-in people asked for, and that were refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sealift_registry.access import told_refusals
from sealift_registry.access.calling import Grant
from sealift_registry.web.limits import Limits
from tests.registry.access_served import at_server, goes_by, person
from tests.registry.accounts_fixture import signed_in
from tests.registry.bypasses import REQUEST, asked_for, forged, labelled, refused, sends
from tests.registry.desks_of_server import Desk
from tests.registry.hub_fixture import APPROVERS, MODEL, REQUESTER, Acme
from tests.registry.test_g2_190_writing import REQUEST as ASKED
from tests.registry.test_g2_190_writing import an_operator, approval, desks, entries
from tests.registry.test_g2_230_unknown_and_many import told as failures

ONE = f"/versions/{MODEL}/1"


@pytest.fixture
def omar(acme: Acme) -> Iterator[Desk]:
    with an_operator(acme) as desk:
        yield desk


def told(acme: Acme) -> list[str]:
    """What the log says that somebody asked for, and was refused."""
    return [str(one.data["asked"]) for one in entries(acme) if one.type == REQUEST]


def test_g2_271_a_refusal_says_who_what_why_and_by_which_request(acme: Acme, omar: Desk) -> None:
    answer = omar.post("/jobs/J-000099/cancel")
    (entry,) = [one for one in entries(acme) if one.type == REQUEST]
    assert entry.actor == "omar"
    assert (entry.data["code"], entry.data["subject"]) == ("no-job", "J-000099")
    words = {(one.kind, one.value) for one in entry.terms}
    assert {("account", "omar"), ("request", answer.json()["request"])} <= words


def test_g2_271_the_same_is_told_once_in_ten_minutes(acme: Acme, omar: Desk) -> None:
    for _ in range(3):
        sends(omar, "DELETE", ONE)
    sends(omar, "PUT", ONE)
    assert told(acme) == [f"DELETE /api/v1{ONE}", f"PUT /api/v1{ONE}"]
    goes_by(acme, minutes=11)
    sends(omar, "DELETE", ONE)
    assert len(told(acme)) == 3


def test_g2_271_nobody_fills_the_log(
    acme: Acme, omar: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_refusals, "MOST_A_DAY", 5)
    for number in range(9):
        sends(omar, "DELETE", f"/nothing/{number}\u202e{'x' * 500}")
    assert len(told(acme)) == 5
    assert all(len(one) <= 200 and "\u202e" not in one for one in told(acme))
    goes_by(acme, days=1)
    omar.secret = signed_in(acme, "omar").secret
    sends(omar, "DELETE", "/nothing")
    assert len(told(acme)) == 6


def more(acme: Acme) -> list[dict[str, int]]:
    """How many refusals the log says there were besides, by their kinds."""
    return [one.data["counts"] for one in entries(acme) if one.type == told_refusals.MORE]


def test_g2_302_nobody_hides_behind_refusals_of_what_does_no_harm(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_refusals, "MOST_A_DAY", 4)
    with an_operator(acme) as omar:
        for number in range(12):
            sends(omar, "DELETE", f"/x{number}")
        assert len(told(acme)) == 4
        assert more(acme) == [{"another address": 1}], "that the bound was met, at once"
        for path in ("/accounts/anna/grants", "/accounts/anna/disable", "/teams/vision/versions"):
            sends(omar, "DELETE", path)
        sends(omar, "DELETE", ONE)
        assert told(acme)[4:] == [
            *(f"DELETE /api/v1/accounts/anna/{one}" for one in ("grants", "disable")),
            "DELETE /api/v1/teams/vision/versions",
            f"DELETE /api/v1{ONE}",
        ]
        goes_by(acme, minutes=50)
        sends(omar, "DELETE", "/y")
        assert len(more(acme)) == 1, "one an hour"
        goes_by(acme, minutes=15)
        sends(omar, "DELETE", "/z")
        assert more(acme)[1:] == [{"another address": 9}]
        sends(omar, "DELETE", "/zz")
        sends(omar, "DELETE", ONE)
        sends(omar, "DELETE", ONE)
    assert more(acme)[2:] == [{"another address": 1, "DELETE versions": 1}], "as the server ended"


def test_g2_302_what_the_log_does_not_take_is_told_later(acme: Acme, omar: Desk) -> None:
    for _ in range(5):
        sends(omar, "DELETE", ONE)
    goes_by(acme, minutes=61)
    omar.secret = signed_in(acme, "omar").secret
    acme.refuses("log_entry", "no room")
    sends(omar, "DELETE", ONE)
    acme.takes_again("log_entry")
    assert more(acme) == []
    sends(omar, "DELETE", ONE)
    sends(omar, "DELETE", ONE)
    assert more(acme) == [{"DELETE versions": 5}]


def test_g2_271_who_asks_too_much_is_refused_and_not_told(acme: Acme) -> None:
    with at_server(acme) as server:
        shows = server.desk(person(acme, "omar"))
        server.served.limits = Limits(3)
        said = [server.ask("DELETE", f"/nothing/{one}", shows).status_code for one in range(6)]
        assert said == [404] * 6
        assert len(told(acme)) == 3


def test_g2_271_where_the_log_takes_nothing_it_is_refused_and_told_later(
    acme: Acme, omar: Desk
) -> None:
    acme.refuses("log_entry", "no room")
    assert sends(omar, "DELETE", ONE).status_code == 405
    assert told(acme) == []
    acme.takes_again("log_entry")
    assert sends(omar, "DELETE", ONE).status_code == 405
    assert len(told(acme)) == 1


def test_g2_271_who_reads_or_is_nobody_is_no_matter_of_the_log(acme: Acme, omar: Desk) -> None:
    assert sends(omar, "GET", "/jobs/J-000099").status_code == 404
    assert sends(omar, "OPTIONS", ONE).status_code in {204, 404, 405}
    omar.client.delete(f"/api/v1{ONE}")
    omar.client.post("/api/v1/session", json={"account": "x"})
    assert told(acme) == []
    assert failures(acme) == []
    assert omar.client.delete(ONE, headers={"authorization": "Bearer sls_x"}).status_code == 404
    assert failures(acme) == [("credential", 1)]


def test_g2_271_a_page_of_another_site_accuses_nobody(acme: Acme) -> None:
    with at_server(acme) as server:
        page = server.browser(person(acme, "anna", Grant("viewer")))
        elsewhere = {**page, "origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert server.ask("DELETE", ONE, elsewhere).status_code == 405
        assert told(acme) == []
        assert server.ask("DELETE", ONE, page).status_code == 405
        assert told(acme) == [f"DELETE /api/v1{ONE}"]


def test_g2_271_nobody_hands_in_for_another_team_by_a_label(hub: Acme) -> None:
    """What a statement is about it says by itself; what stands beside it anybody writes."""
    hub.new_key("zoe")
    hub.add_team("audio", {one: hub.public(one) for one in ("zoe", "anna")})
    with desks(hub, REQUESTER, APPROVERS[0], "zoe") as (dora, carla, zoe):
        waits = asked_for(dora, ASKED)
        signed = carla.signed(approval(waits))
        for file in (
            signed,
            labelled(signed, "approve", "P-000099"),
            labelled(signed, "renew", "team.audio"),
            labelled(signed, "add-requester", "audio", "zoe"),
            labelled(signed, "request", "audio/tiny/1", "production"),
            forged(hub, signed, "zoe", person="zoe"),
        ):
            refused(hub, "zoe", "forbidden", zoe.hands_in, file)
        assert carla.hands_in(signed).json()["new"] is True
