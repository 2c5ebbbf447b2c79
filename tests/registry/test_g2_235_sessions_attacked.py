"""Sessions that ended and are shown again, and what the log file is told of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from sealift_registry.access import checking, tables
from sealift_registry.access.calling import Grant
from sealift_signing import events
from tests.registry.access_served import (
    PASSWORD,
    SERVER,
    at_server,
    code_of,
    goes_by,
    person,
)
from tests.registry.hub_fixture import Acme


class Heard:
    """Hears what happens."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, level: str, logger: str, event: str, fields: object) -> None:
        del level, logger
        self.told.append((event, repr(fields)))

    def reopen(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing more comes."""


@pytest.fixture
def heard() -> Iterator[Heard]:
    hearer = Heard()
    events.hear(hearer)
    yield hearer
    events.end()


@pytest.mark.parametrize("way", ["desk", "browser"])
def test_g2_235_a_session_is_not_shown_again_after_signing_out(acme: Acme, way: str) -> None:
    """Nor where whoever has the database puts its row back, and another process is asked."""
    anna = person(acme, "anna")
    with at_server(acme) as server:
        shows = server.desk(anna) if way == "desk" else server.browser(anna)
        with acme.behind() as connection:
            row = dict(connection.execute(tables.session.select()).mappings().one())
        assert server.ask("DELETE", "/session", shows).status_code == 204
        assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
        with acme.behind() as connection:
            connection.execute(insert(tables.session).values(**row))
        assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
    with at_server(acme) as another:
        assert code_of(another.ask("GET", "/me", shows), 401) == "signed-out"
        assert code_of(another.ask("DELETE", "/session", shows), 401) == "signed-out"
    with acme.app.hub.reading() as connection:
        assert any(row["id"] in one.sentence for one in checking.check(connection))


def test_g2_236_a_session_ends_by_itself(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        idle = server.desk(anna)
        goes_by(acme, minutes=61)
        assert code_of(server.ask("GET", "/me", idle), 401) == "signed-out"
        used = server.browser(anna)
        for _ in range(14):
            assert server.ask("GET", "/me", used).status_code == 200
            goes_by(acme, minutes=50)
        goes_by(acme, minutes=25)
        assert code_of(server.ask("GET", "/me", used), 401) == "signed-out"


def test_g2_237_no_secret_is_told_to_the_log_file(acme: Acme, heard: Heard) -> None:
    anna = person(acme, "anna", Grant("administrator"))
    with at_server(acme) as server:
        said = anna.says()
        shows = {
            "authorization": "Bearer "
            + server.client.post("/api/v1/session", json=said).json()["session"]
        }
        page = server.browser(anna)
        server.client.post("/api/v1/session", json=said)  # its code is used
        token = server.ask("POST", "/tokens", shows, json={"scopes": ["me.read"]}).json()["secret"]
        invitation = server.ask("POST", "/accounts", shows, json={"account": "ben"}).json()[
            "secret"
        ]
        server.client.post("/api/v1/invitations/seed", json={"invitation": invitation})
        server.ask("GET", "/me", {"authorization": f"Bearer {token}"})
        server.ask("DELETE", "/session", page)
    secrets = [PASSWORD, said["code"], shows["authorization"][7:], token, invitation]
    secrets += [page["cookie"].partition("=")[2], page["x-sealift-csrf"]]
    told = repr(heard.told)
    assert "request-answered" in told
    assert "sign-in-failed" in told
    kept = repr(acme.rows()) + repr(acme.types())
    for one in secrets:
        assert one not in told
        if one != said["code"] and one != page["x-sealift-csrf"]:
            assert one not in kept


def test_g2_239_who_opens_the_server_by_another_name_is_told_which_it_has(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        elsewhere = {"origin": "https://10.0.0.7", "sec-fetch-site": "same-origin"}
        said = anna.says("browser")
        answer = server.client.post("/api/v1/session", json=said, headers=elsewhere)
        assert code_of(answer, 403) == "cross-site"
        assert SERVER in answer.json()["next"]
