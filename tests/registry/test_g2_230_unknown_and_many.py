"""Those whom nobody knows, and those who ask too much: what the log says of them, and who waits."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealift_registry.access import told_failures
from sealift_registry.access.told_failures import ToldFailures
from sealift_registry.storage.server_settings import ServerSettings, check_server
from sealift_registry.web import error_page, problems
from sealift_registry.web.limits import Limits
from sealift_registry.web.refusals import TooManyError
from sealift_signing.errors import SealiftError, UsageError
from tests.registry.access_served import at_server, code_of, goes_by, person
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import served


def told(acme: Acme) -> list[tuple[str, int]]:
    """Of which kind the log was told of failures, and of how many, oldest first."""
    with acme.behind() as connection:
        query = "SELECT body FROM log_entry WHERE type = 'access.failed' ORDER BY seq"
        bodies = [json.loads(bytes(one)) for one in connection.exec_driver_sql(query).scalars()]
    return [(one["data"]["kind"], one["data"]["count"]) for one in bodies]


def test_g2_230_who_fails_unknown_is_an_entry_an_hour(acme: Acme) -> None:
    anna = person(acme, "anna")
    with at_server(acme) as server:
        wrong = anna.says() | {"code": "1"}
        for _ in range(3):
            server.client.post("/api/v1/session", json=wrong)
        for number in range(20):
            shows = {"authorization": f"Bearer sls_{number}"}
            assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
        invitation = {"invitation": "sli_x"}
        server.client.post("/api/v1/invitations/seed", json=invitation)
        assert told(acme) == [("sign-in", 1), ("credential", 1), ("invitation", 1)]
        goes_by(acme, minutes=59)
        server.client.post("/api/v1/session", json=wrong)
        assert len(told(acme)) == 3
        goes_by(acme, minutes=2)
        server.client.post("/api/v1/session", json=wrong)
        assert told(acme)[3:] == [("sign-in", 4), ("credential", 19)]
        goes_by(acme, minutes=61)
        server.ask("GET", "/me")
        assert len(told(acme)) == 5, "who shows nothing has not failed"
    assert "sls_1" not in repr(acme.rows())


def test_g2_230_also_where_nobody_fails_any_more(acme: Acme) -> None:
    failures = ToldFailures(acme.app.hub)
    failures.note("sign-in")
    failures.note("sign-in")
    failures.tell()
    assert told(acme) == [("sign-in", 1)]
    goes_by(acme, minutes=61)
    failures.tell()
    assert told(acme) == [("sign-in", 1), ("sign-in", 1)]
    goes_by(acme, minutes=61)
    failures.tell()
    assert len(told(acme)) == 2


def test_g2_230_where_the_log_takes_nothing_they_are_told_the_same(acme: Acme) -> None:
    """And it is told to the log once it can be."""
    right = acme.app.hub.log.clock
    shows = {"authorization": "Bearer sls_guessed"}
    with at_server(acme) as server:
        acme.app.hub.log.clock = lambda: right() + timedelta(days=4000)
        with pytest.raises(SealiftError):
            acme.app.hub.commit_entry(acme.app.hub.entry("x.y", "nobody", {}))
        assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
        assert not told(acme)
        acme.app.hub.log.clock = right
        assert code_of(server.ask("GET", "/me", shows), 401) == "signed-out"
    assert told(acme) == [("credential", 2)]


def test_g2_231_of_several_servers_the_log_is_told_once_as_well(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):  # as if each had just been started
        ToldFailures(acme.app.hub).note("sign-in")
    assert told(acme) == [("sign-in", 1)]
    monkeypatch.setattr(told_failures, "MOST_A_DAY", 3)
    for _ in range(6):
        goes_by(acme, minutes=61)
        ToldFailures(acme.app.hub).note("credential")
    assert len(told(acme)) == 3


def test_g2_231_a_clock_that_was_set_back_keeps_nothing_back(acme: Acme) -> None:
    goes_by(acme, days=2)
    failures = ToldFailures(acme.app.hub)
    failures.note("sign-in")
    goes_by(acme, days=-1)
    failures.note("sign-in")
    assert len(told(acme)) == 2


def test_g2_232_who_asks_too_much_waits_and_nobody_else(acme: Acme) -> None:
    anna, ben = person(acme, "anna"), person(acme, "ben")
    with at_server(acme) as server:
        hers, his = server.desk(anna), server.desk(ben)
        server.served.limits = Limits(5)
        codes = [server.ask("GET", "/me", hers).status_code for _ in range(7)]
        assert codes[:5] == [200] * 5
        answer = server.ask("GET", "/me", hers)
        assert code_of(answer, 429) == "too-many-requests"
        assert 1 <= int(answer.headers["retry-after"]) <= 12
        assert server.ask("GET", "/me", his).status_code == 200
        guessed = {"authorization": "Bearer sls_guessed"}
        codes = [server.ask("GET", "/me", guessed).status_code for _ in range(7)]
        assert codes[0] == 401
        assert codes[-1] == 429
        assert code_of(server.client.get("/health/ready"), 429) == "too-many-requests"


def test_g2_232_what_was_asked_is_forgotten_as_time_goes_by() -> None:
    now = [0.0]
    limits = Limits(60, lambda: now[0])
    for _ in range(60):
        limits.take("account", "a")
    with pytest.raises(TooManyError) as caught:
        limits.take("account", "a")
    assert caught.value.retry_after == 1
    limits.take("address", "a")
    with pytest.raises(TooManyError):
        limits.check("account", "a")
    now[0] += 2
    limits.take("account", "a")
    limits.take("account", "a")
    with pytest.raises(TooManyError):
        limits.take("account", "a")
    unbounded = Limits(0)
    for _ in range(1000):
        unbounded.take("account", "a")


def test_g2_232_a_crowd_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from sealift_registry.web import limits as module

    monkeypatch.setattr(module, "MOST_KEPT", 10)
    now = [0.0]
    limits = Limits(2, lambda: now[0])
    for number in range(100):
        limits.take("address", str(number))
    assert len(vars(limits)["_callers"]) <= 10


def test_g2_233_each_problem_leads_to_its_code_on_a_page_of_the_server(acme: Acme) -> None:
    with served(acme) as client:
        problem = client.get("/api/v1/me").json()
        path, _, anchor = problem["type"].partition("#")
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        page = answer.text
        assert '<a href="/docs/errors">' in client.get("/docs").text
    assert f'<section id="{anchor}">' in page
    codes = {one.code for one in error_page.listed()}
    assert set(problems.BY_CODE) <= codes | {"unexpected"}
    assert all(f'<section id="{one}">' in page for one in codes)
    assert "<script" not in page
    leads = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert leads == ["/docs/style.css"]
    assert "*" not in re.sub(r"<[^>]*>", "", page).replace("…", "")[:2000]


GOOD = [
    "https://hub.example",
    "https://hub.example:8443/",
    "http://127.0.0.1:8700",
    "https://[2001:db8::1]:8443",
]
BAD = ["https://HUB.example", "https://hub_1.example", "http://hub.example"]


@pytest.mark.parametrize("url", [*GOOD, *BAD])
def test_g2_234_the_servers_address_is_one_that_people_can_sign(url: str) -> None:
    settings = replace(ServerSettings(), url=url)
    if url in GOOD:
        check_server(settings, Path("settings.toml"))
        return
    with pytest.raises(UsageError) as caught:
        check_server(settings, Path("settings.toml"))
    assert caught.value.subject == "server.url"
