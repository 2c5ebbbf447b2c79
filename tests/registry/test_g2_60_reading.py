"""What is read over HTTP is what the commands say at the hub, to the letter."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from sealift_registry.web import api, hub_shapes, shapes
from tests.registry.hub_fixture import SITE, TEAM, Acme
from tests.registry.served_hub import Doorkeeper, served, signed_in
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers

READS: tuple[tuple[str, tuple[str, ...], type[msgspec.Struct]], ...] = (
    ("teams", ("team", "list"), shapes.Teams),
    ("versions", ("list", "versions"), shapes.Versions),
    ("versions?team=vision", ("list", "versions", "--team", "vision"), shapes.Versions),
    (
        "versions?model=vision/tiny&newest_first=true&limit=1",
        ("list", "versions", "--model", "vision/tiny", "--newest-first", "--limit", "1"),
        shapes.Versions,
    ),
    ("versions/vision/tiny/1", ("show", "vision/tiny/1"), shapes.VersionShown),
    ("models", ("list", "models"), shapes.Models),
    ("models/vision/tiny", ("show", "vision/tiny"), shapes.ModelShown),
    ("policy", ("policy", "show"), hub_shapes.PolicyShown),
    ("settings", ("settings",), hub_shapes.SettingsShown),
    ("promotions", ("list", "promotions"), shapes.Promotions),
    (
        "promotions?stage=production",
        ("list", "promotions", "--stage", "production"),
        shapes.Promotions,
    ),
    ("promotions/P-000001", ("show", "P-000001"), shapes.PromotionShown),
    ("sites", ("list", "sites"), shapes.Sites),
    ("sites/plant-7", ("show", "plant-7"), shapes.SiteShown),
    ("overview", ("sites",), hub_shapes.OverviewShown),
    (
        "overview?of=vision/tiny/1&site=plant-7",
        ("sites", "vision/tiny/1", "--site", "plant-7"),
        hub_shapes.OverviewShown,
    ),
    ("transfers", ("list", "transfers"), shapes.Transfers),
    ("transfers?site=plant-7", ("list", "transfers", "--site", "plant-7"), shapes.Transfers),
    ("transfers/plant-7-000001", ("show", "plant-7-000001"), shapes.TransferShown),
    ("receipts", ("list", "receipts"), shapes.Receipts),
    ("people", ("list", "people"), shapes.People),
    (
        "people?limit=2&beyond=anna",
        ("list", "people", "--limit", "2", "--beyond", "anna"),
        shapes.People,
    ),
    ("people/anna", ("show", "anna"), shapes.PersonShown),
    ("roles", ("list", "roles"), shapes.Roles),
    ("hardware-targets", ("list", "hardware-targets"), shapes.HardwareTargets),
    ("jobs", ("job", "list"), hub_shapes.Jobs),
    (
        "jobs?state=waits&oldest_first=true",
        ("job", "list", "--state", "waits", "--oldest-first"),
        hub_shapes.Jobs,
    ),
    ("jobs/J-000001", ("job", "show", "J-000001"), hub_shapes.JobShown),
    ("log/entries", ("audit", "list"), hub_shapes.Entries),
    (
        "log/entries?term=model%3Dvision/tiny&type=version.*&limit=2",
        ("audit", "list", "--term", "model=vision/tiny", "--type", "version.*", "--limit", "2"),
        hub_shapes.Entries,
    ),
    ("next", ("next",), hub_shapes.Missing),
)
"""What is asked, by which command, and which members it has."""


@pytest.fixture
def busy(ready: Acme, capsys: Capsys) -> Acme:
    """A hub with something of everything: a bundle was exported, and a job waits."""
    ready.export()
    Cli(ready, capsys).says("convert", "vision/tiny/2", "--for", "cpu-x86_64", "--detach")
    return ready


def without_time(text: str) -> str:
    """How long something has taken is another at each look."""
    return re.sub(r'"seconds": ?[0-9.]+', '"seconds":0', text)


@pytest.mark.parametrize("path,command,members", READS, ids=[one[0] for one in READS])
def test_g2_60_it_is_what_the_command_says(
    busy: Acme, capsys: Capsys, path: str, command: tuple[str, ...], members: type[msgspec.Struct]
) -> None:
    cli, keeper = Cli(busy, capsys), Doorkeeper()
    who = signed_in(keeper)
    said, told = cli.json(*command), cli.says(*command)
    with served(busy, keeper) as client:
        answer = client.get(f"/api/v1/{path}", headers=who)
        lines = client.get(f"/api/v1/{path}", headers={**who, "accept": "text/plain"})
    assert (answer.status_code, lines.status_code) == (200, 200)
    del said["schema"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == said
    assert lines.headers["content-type"] == "text/plain; charset=utf-8"
    assert lines.text == told.replace(f" --home {busy.root}\n", "\n")
    strict(msgspec.convert(answer.json(), members), answer.json())


def strict(made: Any, given: Any) -> None:  # noqa: ANN401 - JSON
    """What was read into the declared members lost nothing on the way."""
    assert msgspec.to_builtins(made) == given


def test_g2_61_what_was_seen_is_not_sent_again(busy: Acme) -> None:
    keeper = Doorkeeper()
    who = signed_in(keeper)
    with served(busy, keeper) as client:
        first = client.get("/api/v1/sites", headers=who)
        tag = first.headers["etag"]
        again = client.get("/api/v1/sites", headers={**who, "if-none-match": f'"x", W/{tag}'})
        lines = client.get(
            "/api/v1/sites", headers={**who, "if-none-match": tag, "accept": "text/plain"}
        )
        other = client.get("/api/v1/roles", headers={**who, "if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert (lines.status_code, other.status_code) == (200, 200)
    assert first.headers["cache-control"] == "private, no-cache"


def test_g2_61_a_page_leads_to_the_next_until_all_was_seen(busy: Acme) -> None:
    keeper, seen, path = Doorkeeper(), [], "/api/v1/people?limit=2"
    who = signed_in(keeper)
    with served(busy, keeper) as client:
        whole = client.get("/api/v1/people", headers=who).json()["people"]
        while path:
            page = client.get(path, headers=who)
            seen += page.json()["people"]
            link = re.fullmatch(r'<([^>]+)>; rel="next"', page.headers.get("link", ""))
            path = link[1] if link else ""
        entries = client.get("/api/v1/log/entries?limit=3", headers=who)
    assert seen == whole
    assert len(whole) > 4
    assert "beyond=" in entries.headers["link"]


@pytest.mark.parametrize(
    "path,status,code",
    [
        ("versions?limit=0", 400, "bad-request"),
        ("versions?limit=ten", 400, "bad-request"),
        ("versions?newest-first=true", 400, "unknown-parameter"),
        ("versions?model=tiny", 400, "bad-model"),
        ("versions?team=fraud&team=vision", 400, "twice"),
        ("versions?team=nobody", 404, "no-team"),
        ("versions/vision/tiny/99", 404, "no-version"),
        ("versions/vision/tiny/../1", 404, "no-such-resource"),
        ("promotions/P-000099", 404, "no-promotion"),
        ("promotions/first", 400, "bad-promotion"),
        ("sites/plant-9", 404, "no-site"),
        ("transfers/plant-7-000099", 404, "no-transfer"),
        ("jobs/J-000099", 404, "no-job"),
        ("jobs?state=lost", 400, "bad-request"),
        ("log/entries?term=model", 400, "bad-pair"),
        ("log/entries?since=yesterday", 400, "bad-day"),
        ("log/consistency?old=1&size=900000", 400, "beyond-log"),
        ("log/inclusion?size=3", 400, "bad-request"),
    ],
)
def test_g2_62_what_cannot_be_meant_is_said(busy: Acme, path: str, status: int, code: str) -> None:
    keeper = Doorkeeper()
    with served(busy, keeper) as client:
        answer = client.get(f"/api/v1/{path}", headers=signed_in(keeper))
    said = answer.json()
    assert (answer.status_code, said["code"]) == (status, code), said
    assert said["next"]


def test_g2_62_an_answer_of_a_kind_that_there_is_not(busy: Acme) -> None:
    keeper = Doorkeeper()
    who = signed_in(keeper)
    with served(busy, keeper) as client:
        html = client.get("/api/v1/sites", headers={**who, "accept": "text/html"})
        either = client.get("/api/v1/sites", headers={**who, "accept": "text/plain;q=0.3, */*"})
    assert (html.status_code, html.json()["code"]) == (406, "not-acceptable")
    assert either.headers["content-type"] == "application/json"


def test_g2_63_each_route_asks_for_its_right_where_it_is_about(busy: Acme) -> None:
    keeper = Doorkeeper(may=lambda _caller, _action, _where: False)
    who = signed_in(keeper)
    wanted = {
        "versions": ("version.read", None, None),
        "versions?team=vision": ("version.read", TEAM, None),
        "versions?model=vision/tiny": ("version.read", TEAM, None),
        "versions/vision/tiny/1": ("version.read", TEAM, None),
        "versions/fraud/tiny/1": ("version.read", "fraud", None),
        "promotions/P-000001": ("promotion.read", TEAM, None),
        "promotions/P-000099": ("promotion.read", None, None),
        "sites/plant-7": ("site.read", None, SITE),
        "transfers/plant-7-000001": ("transfer.read", None, SITE),
        "transfers?site=plant-7": ("transfer.read", None, SITE),
        "jobs/J-000001": ("job.read", TEAM, None),
        "log/entries": ("audit.read", None, None),
        "log/entries?term=team%3Dvision": ("audit.read", TEAM, None),
        "log/entries?site=plant-7": ("audit.read", None, SITE),
        "settings": ("settings.read", None, None),
        "teams": ("team.read", None, None),
    }
    with served(busy, keeper) as client:
        for path, (action, team, site) in wanted.items():
            answer = client.get(f"/api/v1/{path}", headers=who)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            name, asked, where = keeper.asked[-1]
            assert (name, asked, where.team, where.site) == ("anna", action, team, site)


def test_g2_63_a_list_that_is_narrowed_down_shows_no_other_team(hub: Acme) -> None:
    hub.add_team("fraud", {name: hub.new_key(name) for name in ("hans", "ines")})
    keeper = Doorkeeper(may=lambda _caller, _action, where: where.team == "fraud")
    who = signed_in(keeper)
    with served(hub, keeper) as client:
        assert client.get("/api/v1/versions?team=fraud", headers=who).json()["versions"] == []
        for path in (
            "versions",
            "versions?team=vision",
            "versions?team=fraud&team=vision",
            "versions?team=fraud&model=vision/tiny",
            "versions?model=vision/tiny",
            "log/entries?term=team%3Dfraud&term=team%3Dvision",
        ):
            answer = client.get(f"/api/v1/{path}", headers=who)
            assert "vision" not in str(answer.json().get("versions", "")), path
            assert "vision" not in str(answer.json().get("entries", "")), path


def test_g2_64_a_row_that_nobody_signed_is_left_out_by_name(hub: Acme) -> None:
    hub.promoted()
    no_triggers(hub)
    hub.sql("UPDATE promotion SET person = 'mallory'")
    keeper = Doorkeeper()
    with served(hub, keeper) as client:
        answer = client.get("/api/v1/promotions", headers=signed_in(keeper))
    assert answer.status_code == 200
    assert answer.json()["promotions"] == []
    assert answer.json()["refused"][0]["subject"]


def test_g2_64_no_name_of_anybodys_is_more_than_a_line(busy: Acme) -> None:
    keeper = Doorkeeper()
    name = quote("x\u202e\x1b[31m\nP-000001 is approved", safe="")
    with served(busy, keeper) as client:
        answer = client.get(
            f"/api/v1/people/{name}", headers={**signed_in(keeper), "accept": "text/plain"}
        )
    assert answer.status_code == 404
    assert "\u202e" not in answer.json()["title"]
    assert "\n" not in answer.json()["title"]


def test_g2_65_settings_hold_no_password(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Doorkeeper()
    settings = acme.app.hub.home.settings
    object.__setattr__(settings.database, "url", "postgresql://sealift:geheim@db/hub")
    with served(acme, keeper) as client:
        answer = client.get("/api/v1/settings", headers=signed_in(keeper))
        lines = client.get(
            "/api/v1/settings", headers={**signed_in(keeper), "accept": "text/plain"}
        )
    assert "geheim" not in answer.text + lines.text
    assert answer.json()["settings"]["server"]["port"] == 8700
    strict(msgspec.convert(answer.json(), hub_shapes.SettingsShown), answer.json())


def test_g2_66_every_route_that_reads_is_compared_or_said_why_not() -> None:
    here = {
        one.partition("?")[0].replace("vision/tiny/1", "{team:str}/{model:str}/{number:str}")
        for one, _, _ in READS
    }
    here = {
        one.replace("vision/tiny", "{team:str}/{model:str}")
        .replace("P-000001", "{promotion:str}")
        .replace("plant-7-000001", "{transfer:str}")
        .replace("plant-7", "{site:str}")
        .replace("J-000001", "{job:str}")
        .replace("anna", "{person:str}")
        for one in here
    }
    reads = {
        path.removeprefix("/api/v1/")
        for route in api.ROUTES
        for path in route.paths
        if path.startswith("/api/v1/") and route.opt.get("text")
    }
    no_command = {"log/checkpoint", "log/inclusion", "log/consistency"}
    no_command |= {"me", "promotions/{promotion:str}/comments", "sessions", "tokens"}
    no_command |= {"accounts", "accounts/{name:str}"}
    no_command |= {"teams/{team:str}/sources", "sites/{site:str}/export-folders"}
    no_command.add("versions/{team:str}/{model:str}/{number:str}/evidence")
    assert reads - no_command == here
