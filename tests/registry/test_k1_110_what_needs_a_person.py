"""What came home that needs a person comes first, in words: at `receive`, `show` and `next`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from sealift_registry import fsck, guide
from sealift_registry.delivery import derived_rows, tables
from sealift_registry.delivery.site_state import Says
from sealift_registry.receiving import receive
from sealift_registry.shown.about import all_about
from sealift_signing import shape
from sealift_signing.transparency.entry import Entry, Term, new_entry
from tests.registry.hub_fixture import GROUP, MODEL, SITE, TARGET, Acme, copied
from tests.registry.test_delivery import carried, received
from tests.registry.test_k1_80_every_log import says, switched
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

REASON = "It misreads sevens.\nsealift: all is well"


@pytest.fixture(scope="module")
def runs_two(assigned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub whose site, in `site/`, runs version 2 and could go back to 1."""
    acme = copied(assigned, tmp_path_factory.mktemp("runs_two"))
    plant = SiteOnPaper(acme.folder / "site", datetime.now(UTC))
    carried(acme, plant)
    received(acme, acme.returned(plant))
    acme.promoted(2)
    acme.assign(2, fallbacks=(1,))
    carried(acme, plant)
    received(acme, acme.returned(plant))
    acme.close()
    return acme.folder


@pytest.fixture
def home(runs_two: Path, tmp_path: Path) -> Iterator[Acme]:
    """The same."""
    made = copied(runs_two, tmp_path)
    yield made
    made.close()


@pytest.fixture
def site(home: Acme) -> SiteOnPaper:
    return SiteOnPaper(home.folder / "site", datetime.now(UTC))


def first_of(acme: Acme) -> str:
    """The first that `show` tells after the site's name."""
    with acme.app.hub.reading() as connection:
        _, data, lines = all_about(acme.app.hub, connection, SITE)
    assert data["attention"] == [] or data["attention"][0] == lines[1].strip()
    return lines[1].strip()


def next_of(acme: Acme) -> list[str]:
    steps = guide.missing(acme.app.hub, acme.app.hardware_targets)
    return [one.sentence for one in steps if SITE in one.sentence]


def whole(acme: Acme) -> None:
    with acme.app.hub.reading() as connection:
        assert list(fsck.check(connection)) == []


def refused(at: Any, code: str, what: str, transfer: str) -> Entry:  # noqa: ANN401
    data = {"code": code, "what": what, "subject": ""}
    return new_entry("transfer.refused", "x", at, data, [Term("transfer", transfer)], site=SITE)


def test_k1_110_who_went_back_and_why_is_the_first_that_is_said(
    home: Acme, site: SiteOnPaper
) -> None:
    assert next_of(home) == []
    site.roll_back(MODEL, REASON)
    told, bad = receive(home.app, home.returned(site))
    assert not bad
    begin = f"{MODEL} in {GROUP} from version 2 to 1, by "
    assert "ROLLED BACK" in told.lines[1]
    assert begin in told.lines[1]
    assert told.lines[1].endswith("who says: “It misreads sevens.\\nsealift: all is well”")
    assert first_of(home) == told.lines[1].strip()
    (step,) = next_of(home)
    assert step.startswith(f"Site {SITE}: ROLLED BACK")
    assert "misreads sevens" in step
    whole(home)
    says(home, site, switched(site.now, SITE, 2))
    assert next_of(home) == []
    assert "enrolment" in first_of(home), "what is made good is no news"
    whole(home)


def test_k1_111_what_was_agreed_to_is_no_news(home: Acme, site: SiteOnPaper) -> None:
    """The dispatcher assigns what it went back to."""
    site.roll_back(MODEL, REASON)
    received(home, home.returned(site))
    home.assign(1, fallbacks=(), back=REASON.replace("\n", " "))
    assert "ROLLED BACK" not in first_of(home)


def test_k1_112_a_bundle_that_a_site_did_not_believe_is_said_until_it_believes_one(
    home: Acme, site: SiteOnPaper
) -> None:
    home.assign(1, fallbacks=(), back="older")
    home.export()
    (waits,) = next_of(home)
    assert "has not answered plant-7-000003 yet." in waits
    twice = "There are two different site.plant-7 files of version 3: somebody signed twice."
    says(home, site, refused(site.now, "role-forked", twice, "plant-7-000003"))
    assert first_of(home).startswith("SOMEBODY SIGNED TWICE: plant-7-000003 was REFUSED there, ")
    (step,) = next_of(home)
    assert step.startswith(f"Site {SITE}: SOMEBODY SIGNED TWICE: plant-7-000003 was REFUSED")
    says(home, site, refused(site.now, "blob-damaged", "It is damaged.", "plant-7-000003"))
    assert first_of(home).startswith("plant-7-000003 was REFUSED there, ")
    whole(home)
    carried(home, site)
    received(home, home.returned(site))
    assert "REFUSED" not in first_of(home)
    whole(home)


def test_k1_113_what_was_held_is_said_with_its_reason(ready: Acme, plant: SiteOnPaper) -> None:
    with plant.opened() as opened, opened.state.transaction():
        pins = opened.state.pins(opened.enrolment.pins)
        opened.state.set_fact("pins", shape.write(replace(pins, teams=("sound",))))
    carried(ready, plant)
    received(ready, ready.returned(plant))
    held = f"HELD in {GROUP}, catalog/{MODEL}/1/{TARGET}, the site says: “"
    assert first_of(ready).startswith(held)
    (step,) = next_of(ready)
    assert step.startswith(f"Site {SITE}: {held}")
    ready.promoted(2)
    ready.assign(2, fallbacks=())
    assert "HELD" not in first_of(ready), "it is assigned no more"


def test_k1_114_who_says_nothing_for_long_is_named_with_the_days(
    home: Acme, site: SiteOnPaper
) -> None:
    assert next_of(home) == []
    home.later(days=29)
    assert next_of(home) == []
    home.later(days=41)
    (step,) = next_of(home)
    assert step.startswith(f"Nothing was heard of site {SITE} for 4")
    home.assign(1, fallbacks=(), back="older")
    home.export()
    home.later(days=47)
    assert any("which was exported 6 days ago" in one for one in next_of(home))


def test_k1_115_a_row_that_says_other_than_the_log_is_named_and_made_anew(
    home: Acme, site: SiteOnPaper
) -> None:
    site.roll_back(MODEL, REASON)
    received(home, home.returned(site))
    t = tables.site_state
    no_triggers(home)
    with home.behind() as connection:
        connection.execute(delete(t).where(t.c.says == Says.BACK))
    with home.app.hub.reading() as connection:
        (found,) = list(fsck.check(connection))
    assert f"{MODEL} in {GROUP} was had go back to version 1 by entry" in found.sentence
    derived_rows.make_anew(home.app.hub)
    whole(home)
    assert "ROLLED BACK" in first_of(home)


def test_k1_116_a_hub_of_older_rows_is_whole_and_knows_more_once_it_is_opened(
    home: Acme, site: SiteOnPaper
) -> None:
    site.roll_back(MODEL, REASON)
    received(home, home.returned(site))
    t = tables.site_state
    no_triggers(home)
    with home.behind() as connection:
        connection.execute(delete(t).where(t.c.says == Says.BACK))
        connection.execute(delete(tables.derived_table))
    whole(home)
    assert "ROLLED BACK" not in first_of(home)
    derived_rows.fill(home.app.hub)
    assert "ROLLED BACK" in first_of(home)
