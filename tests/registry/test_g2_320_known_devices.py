"""Whoever guesses at an account from many places keeps out nobody who signed in before."""

from __future__ import annotations

import pytest

from sealift_registry.access import accounts, devices, sealing, throttling
from sealift_registry.access.standing import standing
from tests.registry.access_served import HERE, PASSWORD, Site, at_server, code_of, person
from tests.registry.hub_fixture import Acme

CROWD = throttling.FREE + 3


def guessed_at(server: Site, name: str) -> None:
    """A crowd guesses at somebody's password until nobody is judged any more."""
    wrong = {"account": name, "password": "a guess of no worth", "code": "000000", "for": "desk"}
    codes = [server.client.post("/api/v1/session", json=wrong).status_code for _ in range(CROWD)]
    assert codes[-1] == 429


def test_g2_320_whoever_signed_in_before_is_let_in_while_others_guess(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        mark = server.client.post("/api/v1/session", json=anna.says()).json()["device"]
        guessed_at(server, "anna")
        new_desk = server.client.post("/api/v1/session", json=anna.says())
        assert new_desk.status_code == 201, "a minute went by"
        said = anna.says(device=mark)
        guessed_at(server, "anna")
        answer = server.client.post("/api/v1/session", json=said)
        assert answer.status_code == 201, answer.text
        assert answer.json()["device"] == mark, "the same again"
        still = {**said, "device": ""}
        assert code_of(server.client.post("/api/v1/session", json=still), 429)


def test_g2_320_so_does_a_browser_by_a_cookie(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        answer = server.client.post("/api/v1/session", json=anna.says("browser"), headers=HERE)
        kept = answer.headers.get_list("set-cookie")[1].partition(";")[0]
        server.client.cookies.clear()
        said = anna.says("browser")
        guessed_at(server, "anna")
        shows = HERE | {"cookie": kept}
        answer = server.client.post("/api/v1/session", json=said, headers=shows)
        assert answer.status_code == 201, answer.text


def test_g2_320_whoever_is_invited_again_while_others_guess_signs_in(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        told = accounts.recover(acme.app.hub, "anna", "root")
        seed = server.client.post("/api/v1/invitations/seed", json={"invitation": told.secret})
        anna.seed = seed.json()["seed"]
        taken = {"invitation": told.secret, "password": PASSWORD, "seed": anna.seed}
        taken["code"] = anna.says()["code"]
        answer = server.client.post("/api/v1/invitations/take", json=taken)
        assert answer.status_code == 200, answer.text
        said = anna.says(device=answer.json()["device"])
        guessed_at(server, "anna")
        assert server.client.post("/api/v1/session", json=said).status_code == 201


def test_g2_320_whoever_is_signed_in_changes_the_password_while_others_guess(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        shows = server.desk(anna)
        said = {"old": PASSWORD, "new": "another horse that nobody knows"}
        said["code"] = anna.says()["code"]
        guessed_at(server, "anna")
        assert server.ask("POST", "/me/password", shows, json=said).status_code == 200


def test_g2_321_whoever_stole_a_mark_guesses_no_faster(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        mark = server.client.post("/api/v1/session", json=anna.says()).json()["device"]
        wrong = anna.says(device=mark, password="a guess of no worth")
        codes = [
            server.client.post("/api/v1/session", json=wrong).status_code for _ in range(CROWD)
        ]
        assert codes[:5] == [401] * 5
        assert codes[-1] == 429
        unmarked = server.client.post("/api/v1/session", json={**wrong, "device": ""})
        assert unmarked.status_code == 401, "they are counted apart"
        assert server.client.get("/api/v1/me", headers={"authorization": f"Bearer {mark}"}).is_error


@pytest.mark.parametrize("how", ["another's", "of before", "disabled", "made up", "a seed", "long"])
def test_g2_321_a_mark_of_no_worth_is_none(acme: Acme, how: str) -> None:
    """Whoever shows one waits with all others: by none of their own choice are they counted."""
    anna, ben, hub = person(acme, "anna"), person(acme, "ben"), acme.app.hub
    with at_server(acme) as server:
        answered = {
            who.name: server.client.post("/api/v1/session", json=who.says()).json()
            for who in (anna, ben)
        }
        mark = answered["anna"]["device"]
        if how == "another's":
            mark = answered["ben"]["device"]
        elif how == "of before":
            accounts.recover(hub, "anna", "root")
        elif how == "disabled":
            accounts.disable(hub, "anna", "root")
        elif how == "made up":
            mark = mark[:-4] + ("AAAA" if mark[-4:] != "AAAA" else "BBBB")
        elif how == "a seed":
            sealed, seal_id = sealing.seal(hub.home, b"x" * 16, answered["anna"]["account"])
            mark = f"sld_{seal_id}_{sealed.rstrip('=')}"
        else:
            mark = "sld_../../../../../../etc/passwd"
        said = anna.says(device=mark)
        guessed_at(server, "anna")
        assert code_of(server.client.post("/api/v1/session", json=said), 429)
        with hub.reading() as connection:
            of = standing(connection, "anna")
        assert of is not None
        assert devices.known(hub.home, of, mark) is None
