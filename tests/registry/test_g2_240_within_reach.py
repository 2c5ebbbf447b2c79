"""Lists show to each what they may read: rows of their teams and sites, page after page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import SITE, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.test_g2_16_held_offices import bound
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

OTHER, FAR = "sound", "plant-8"

LISTS: Mapping[str, str] = {
    "versions": "versions",
    "promotions": "promotions",
    "sites": "sites",
    "transfers": "transfers",
    "people": "people",
    "jobs": "jobs",
    "log/entries": "entries",
}
"""Each list that not everybody sees whole, and the member that its rows are in."""


@pytest.fixture
def two(ready: Acme, capsys: Capsys) -> Acme:
    """A hub of two teams and two sites, with something of everything for each."""
    people = {name: ready.new_key(name) for name in ("hans", "ines")}
    ready.add_team(OTHER, people)
    ready.export()
    ready.ingest(7, ready.goldens(7), model=f"{OTHER}/hum")
    ready.ingest(8, ready.goldens(8), model=f"{OTHER}/hiss")
    ready.enrol(SiteOnPaper(ready.folder / "far", datetime.now(UTC)), FAR)
    cli = Cli(ready, capsys)
    for version in ("vision/tiny/1", f"{OTHER}/hum/1", "vision/tiny/2"):
        cli.says("convert", version, "--for", "cpu-x86_64", "--detach")
    return ready


@contextmanager
def seen_by(acme: Acme, name: str, *grants: Grant) -> Iterator[Any]:
    """What somebody with these grants asks, and how it is answered."""
    who = signed_in(acme, name, *grants)
    headers = {"authorization": f"Bearer {who.secret}"}
    with served(acme, Gatekeeper(acme.app.hub)) as client:
        yield lambda path: client.get(
            path if path.startswith("/") else f"/api/v1/{path}", headers=headers
        )


def told(answer: Any) -> list[str]:  # noqa: ANN401 - a client's
    """The rows of a page, each as one text."""
    assert answer.status_code == 200, answer.json()
    (member,) = [one for one in answer.json() if one in LISTS.values()]
    return [str(one) for one in answer.json()[member]]


def test_g2_240_a_viewer_of_one_team_sees_its_rows_and_no_others(two: Acme) -> None:
    with seen_by(two, "vera", Grant("viewer", team=TEAM)) as ask:
        versions = told(ask("versions"))
        assert versions == told(ask(f"versions?team={TEAM}"))
        assert len(versions) > 1
        assert told(ask("promotions")) == told(ask(f"promotions?team={TEAM}"))
        assert {one["team"] for one in ask("teams").json()["people"]} == {TEAM}
        assert OTHER not in ask("teams").text
        offices = {one for row in ask("people").json()["people"] for one in row["offices"]}
        assert offices
        assert all(one.endswith(f"team {TEAM}") for one in offices)
        for path in ("sites", "transfers", "log/entries"):
            assert ask(path).status_code == 403, path
        assert ask(f"versions?team={OTHER}").status_code == 403
        assert ask("people/hans").status_code == 404, "an office in a team of others"
        assert "dispatcher" not in ask("people/anna").text


def test_g2_240_of_one_site_likewise(two: Acme) -> None:
    with seen_by(two, "sven", Grant("viewer", site=SITE)) as ask:
        assert [one["site"] for one in ask("sites").json()["sites"]] == [SITE]
        assert [one["site"] for one in ask("transfers").json()["transfers"]] == [SITE]
    with seen_by(two, "fred", Grant("viewer", site=FAR)) as ask:
        assert [one["site"] for one in ask("sites").json()["sites"]] == [FAR]
        assert told(ask("transfers")) == []
        assert ask("versions").status_code == 403


def test_g2_240_what_is_missing_next_is_told_of_what_one_may_see(two: Acme) -> None:
    whole = {one.sentence for one in two.app.missing()}
    assert any(OTHER in one for one in whole)
    with seen_by(two, "olga", Grant("viewer")) as ask:
        assert {one["sentence"] for one in ask("next").json()["missing"]} == whole
    with seen_by(two, "vera", Grant("viewer", team=TEAM)) as ask:
        mine = {one["sentence"] for one in ask("next").json()["missing"]}
        assert mine
        assert mine < whole
        assert not [one for one in mine if OTHER in one or FAR in one or SITE in one]
        assert any(TEAM in one for one in mine)
    with seen_by(two, "fred", Grant("viewer", site=FAR)) as ask:
        mine = {one["sentence"] for one in ask("next").json()["missing"]}
        assert mine == {one for one in whole if FAR in one}
    with seen_by(two, "nora") as ask:
        assert ask("next").json() == {"missing": []}
    with seen_by(two, "paul", Grant("publisher")) as ask:
        mine = {one["sentence"] for one in ask("next").json()["missing"]}
        assert mine == {one for one in whole if TEAM in one or OTHER in one} - {
            one for one in whole if SITE in one or FAR in one
        }


def test_g2_240_who_sees_all_sees_all(two: Acme) -> None:
    with seen_by(two, "olga", Grant("viewer"), Grant("auditor"), Grant("operator")) as ask:
        assert {one["version"].partition("/")[0] for one in ask("versions").json()["versions"]} == {
            TEAM,
            OTHER,
        }
        assert [one["site"] for one in ask("sites").json()["sites"]] == [SITE, FAR]
        assert len(told(ask("jobs"))) == 3
        assert len(told(ask("log/entries?limit=10000"))) == len(two.types())


def test_g2_241_pages_are_full_and_lead_through_all_that_is_theirs(two: Acme) -> None:
    """What is left out makes no page shorter, and is behind none."""
    both = (Grant("viewer", team=OTHER), Grant("auditor", team=OTHER))
    with seen_by(two, "vera", *both, Grant("publisher", team=OTHER)) as ask:
        for path, member in LISTS.items():
            if path in {"sites", "transfers", "promotions"}:
                continue
            whole, pages, at = told(ask(path)), [], f"/api/v1/{path}?limit=1"
            while at:
                answer = ask(at)
                pages.append(told(answer))
                link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
                at = link[1] if link else ""
            assert [one for page in pages for one in page] == whole, member
            assert whole, member
            assert all(len(page) == 1 for page in pages[:-1]), member


def test_g2_241_nothing_is_learned_by_asking_for_the_next_page(two: Acme) -> None:
    """Of a row of others, a page behind it is refused as behind one that there is not."""
    with seen_by(two, "vera", Grant("viewer", team=OTHER), Grant("viewer", site=FAR)) as ask:
        for path, there, nowhere in (
            ("versions", "vision/tiny/1", "vision/tiny/77"),
            ("versions?newest_first=true", "vision/tiny/1", "vision/tiny/77"),
            ("promotions", "P-000001", "P-000077"),
            ("sites", SITE, "plant-9"),
            ("transfers", f"{SITE}-000001", f"{SITE}-000077"),
            ("people", "carla", "nobody"),
            ("jobs", "J-000001", "J-000077"),
        ):
            join = "&" if "?" in path else "?"
            first, second = (ask(f"{path}{join}beyond={one}") for one in (there, nowhere))
            assert first.status_code == second.status_code == 404, (path, first.json())
            same = first.text.replace(there, "X"), second.text.replace(nowhere, "X")
            assert re.sub(r'"request":"[^"]*"', "", same[0]) == re.sub(
                r'"request":"[^"]*"', "", same[1]
            )


def test_g2_242_jobs_of_ones_team_and_ones_own(two: Acme) -> None:
    with seen_by(two, "paul", Grant("publisher", team=OTHER)) as ask:
        (one,) = ask("jobs").json()["jobs"]
        assert (one["job"], one["about"]) == ("J-000002", f"{OTHER}/hum/1 for cpu-x86_64")
        assert told(ask("jobs?mine=true")) == []
    with seen_by(two, "nora") as ask:
        assert told(ask("jobs")) == []
        assert ask("versions").status_code == 403


def test_g2_243_an_entry_that_is_found_by_a_false_word_is_not_told(two: Acme) -> None:
    """Somebody with the database lends an entry of one team to another."""
    no_triggers(two)
    hub = two.app.hub
    with hub.reading() as connection:
        (seq,) = connection.exec_driver_sql(
            "SELECT MAX(seq) FROM log_term WHERE kind = 'team' AND value = 'vision'"
        ).one()
    two.sql(f"UPDATE log_term SET value = '{OTHER}' WHERE kind = 'team' AND seq = {seq}")  # noqa: S608 - our own words
    with seen_by(two, "aron", Grant("auditor", team=OTHER)) as ask:
        answer = ask("log/entries?limit=1000")
        assert seq not in {one["seq"] for one in answer.json()["entries"]}
        assert str(seq) in str(answer.json()["refused"])
        assert all(
            {"kind": "team", "value": OTHER} in one["terms"] for one in answer.json()["entries"]
        )


def test_g2_244_a_fleet_administrator_sees_every_site(two: Acme) -> None:
    who, keeper = bound(two, "fleet-1"), Gatekeeper(two.app.hub)
    secret = signed_in(two, "fleet-1").secret
    assert keeper.reach(who, "site.read").all_sites
    assert not keeper.reach(who, "version.read").all_sites
    with served(two, keeper) as client:
        headers = {"authorization": f"Bearer {secret}"}
        sites = client.get("/api/v1/sites", headers=headers).json()["sites"]
        sent = client.get("/api/v1/transfers", headers=headers).json()["transfers"]
        refused = client.get("/api/v1/versions", headers=headers)
    assert [one["site"] for one in sites] == [SITE, FAR]
    assert [one["site"] for one in sent] == [SITE]
    assert refused.status_code == 403
