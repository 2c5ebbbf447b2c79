"""The server itself: what holds for every request, whatever is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest
from litestar import get

from sealift_registry.web import api, request_ids
from sealift_registry.web.guarding import allowed
from sealift_signing import events
from sealift_signing.errors import FailedError
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import Doorkeeper, served, signed_in

OPEN = {
    "/health/live",
    "/health/ready",
    "/api/v1/openapi.json",
    "/api/v1/session",
    "/api/v1/invitations/seed",
    "/api/v1/invitations/take",
    "/docs",
    "/docs/errors",
    "/docs/style.css",
}
"""What anybody may ask: nothing there tells of what the hub holds."""


class Heard:
    """Hears what happens."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def tell(self, level: str, logger: str, event: str, fields: object) -> None:
        del level, logger
        assert isinstance(fields, dict)
        self.told.append((event, fields))

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


def test_g2_50_it_lives_and_is_ready(acme: Acme) -> None:
    with served(acme) as client:
        assert client.get("/health/live").json() == {"live": True}
        answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert set(answer.json()["checks"].values()) == {"ok"}


def test_g2_50_it_is_not_ready_where_the_log_would_take_nothing(acme: Acme) -> None:
    before = acme.app.hub.now() - timedelta(days=3000)
    acme.app.hub.log.clock = lambda: before
    with served(acme) as client:
        answer = client.get("/health/ready")
        assert client.get("/health/live").status_code == 200
    assert answer.status_code == 503
    assert answer.json()["checks"]["log"] == "clock-not-set"
    assert answer.json()["checks"]["database"] == "ok"


def test_g2_50_it_is_not_ready_where_the_disk_is_full(acme: Acme) -> None:
    with (
        mock.patch("sealift_registry.web.health.shutil.disk_usage") as usage,
        served(acme) as client,
    ):
        usage.return_value.free = 1 << 20
        answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["disk"]) == (503, "disk-full")


def test_g2_51_every_answer_is_named_and_safe_in_a_browser(acme: Acme) -> None:
    with served(acme) as client:
        answers = [
            client.get("/health/live"),
            client.get("/nowhere"),
            client.post("/health/live"),
            client.get("/metrics"),
            client.get("/docs"),
        ]
    names = {one.headers[request_ids.HEADER] for one in answers}
    assert len(names) == len(answers)
    for one in answers:
        assert one.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in one.headers["content-security-policy"]
        assert one.headers["cache-control"] == "no-store"


def test_g2_51_what_is_wrong_is_a_problem_with_a_code_and_a_next_step(acme: Acme) -> None:
    with served(acme) as client:
        nowhere, wrong = client.get("/nowhere\u202e"), client.delete("/health/live")
    assert nowhere.headers["content-type"] == "application/problem+json"
    said = nowhere.json()
    assert (said["status"], said["code"]) == (nowhere.status_code, "no-such-resource")
    assert said["request"] == nowhere.headers[request_ids.HEADER]
    assert said["next"]
    assert "\u202e" not in said["title"]
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")
    assert wrong.headers["allow"] == "GET, OPTIONS"


@get("/boom", opt=allowed("team.read"), sync_to_thread=True)
def boom() -> None:
    """Break."""
    secret = "not to be told"
    raise ValueError(secret)


@get("/full", opt=allowed("team.read"), sync_to_thread=True)
def full() -> None:
    """Have no room."""
    raise FailedError("database-full", "There is no room.")


def test_g2_51_a_fault_of_ours_says_nothing_but_the_request(acme: Acme, heard: Heard) -> None:
    keeper = Doorkeeper()
    with (
        mock.patch.object(api, "ROUTES", (*api.ROUTES, boom, full)),
        served(acme, keeper) as client,
    ):
        answer = client.get("/boom", headers=signed_in(keeper))
        no_room = client.get("/full", headers=signed_in(keeper))
    assert answer.status_code == 500
    assert answer.json()["code"] == "server-unexpected"
    assert "not to be told" not in answer.text
    assert "Traceback" not in answer.text
    assert no_room.status_code == 507
    (broken,) = [fields for event, fields in heard.told if event == "request-broken"]
    assert broken["request"] == answer.headers[request_ids.HEADER]
    assert "boom" in json.dumps(broken)
    assert "not to be told" not in json.dumps(broken)


def test_g2_52_no_server_starts_with_a_route_that_says_not_who_may_use_it(acme: Acme) -> None:
    @get("/open", sync_to_thread=False)
    def forgotten() -> None:
        """Say nothing."""

    with (
        mock.patch.object(api, "ROUTES", (*api.ROUTES, forgotten)),
        pytest.raises(RuntimeError, match="/open says neither"),
        served(acme),
    ):
        pass


def test_g2_52_nobody_is_let_in_without_a_secret_that_is_known(acme: Acme) -> None:
    keeper = Doorkeeper()
    known = signed_in(keeper)
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sls_bert"},
        {"authorization": "Basic sls_anna"},
        {"authorization": "Bearer anna"},
    )
    with served(acme, keeper) as client:
        for headers in wrong:
            answer = client.get("/metrics", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "signed-out")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics", headers=known).status_code == 200
        keeper.may = lambda _caller, _action, _where: False
        assert client.get("/metrics", headers=known).status_code == 403


def test_g2_53_the_page_of_the_api_asks_nobody_else(acme: Acme) -> None:
    with served(acme) as client:
        page = client.get("/docs").text
        described = client.get("/api/v1/openapi.json").json()
    leads = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert leads
    assert all(one.startswith(("/", "#")) and not one.startswith("//") for one in leads)
    assert "<script" not in page
    assert described["openapi"].startswith("3.1")
    for path, item in described["paths"].items():
        for method, said in item.items():
            assert f"{method.upper()} {path}" in page
            assert said["description"], path
            assert {"500", "503"} <= said["responses"].keys()
            secured = bool(said.get("security"))
            assert not secured or {"401", "403"} <= said["responses"].keys()
            assert secured or path in OPEN, path


def test_g2_54_what_is_counted_is_never_what_somebody_typed(acme: Acme) -> None:
    keeper = Doorkeeper()
    with served(acme, keeper) as client:
        client.get('/nowhere-"%0A-typed')
        client.request("BREW", "/health/live")
        client.get("/health/live")
        text = client.get("/metrics", headers=signed_in(keeper)).text
    assert "typed" not in text
    assert "BREW" not in text
    live = 'sealift_http_requests_total{method="GET",route="/health/live",status="200"} 1'
    assert live in text.splitlines()
    assert 'route="none",status="404"} 1' in text
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .*|[a-z_]+(\{[^{}]*\})? [0-9.e+-]+", line), line


def test_g2_54_each_request_is_told_with_who_asked_and_no_secret(acme: Acme, heard: Heard) -> None:
    keeper = Doorkeeper()
    headers = {**signed_in(keeper), "x-request-id": "ci-17"}
    with served(acme, keeper) as client:
        client.get("/metrics?code=4711", headers=headers)
        client.get("/metrics", headers={"x-request-id": "a b"})
    first, second = [fields for event, fields in heard.told if event == "request-answered"]
    assert (first["account"], first["client_request"]) == ("anna", "ci-17")
    assert (first["route"], first["status"]) == ("/metrics", 400)
    assert "client_request" not in second
    assert "4711" not in json.dumps(first)
    assert "sls_" not in json.dumps(first)
