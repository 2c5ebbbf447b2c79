"""What a wrong clock signed is refused at a site by a sentence that names the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealift_signing.clock import ClockError
from sealift_sync.cli.calling import Call
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.hub_on_paper import GROUPS, Changes, HubOnPaper
from tests.site_on_paper import SiteOnPaper, as_told

LONG_AGO = datetime(1970, 1, 1, 3, tzinfo=UTC)


def assigned(hub: HubOnPaper) -> None:
    hub.assign(hub.promote(1))


def test_t1_10_a_bundle_of_1970_names_the_hubs_clock(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """All of it has lapsed; to say so of any part would send people to renew what is in order."""
    assigned(hub)
    hub.now = LONG_AGO
    bad = site.refuses(hub.export(medium))
    assert bad.code == "hub-clock-wrong"
    assert "the clock of the hub said 1970-01-01" in bad.what
    assert "Have the hub's clock set, and the bundle exported again." in bad.next_step
    assert "Nobody needs to approve anything again." in bad.next_step


def test_t1_10_so_does_one_that_was_made_before_the_hubs_clock_was_set(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """The transfer is of today; the timestamp in it is of 1970."""
    assigned(hub)
    hub.publish_assignment()
    right = hub.now
    hub.now = LONG_AGO
    hub.repository.refresh()
    hub.now = right
    bad = site.refuses(hub.export(medium, publish=False, refresh=False))
    assert bad.code == "role-expired"
    assert "The clock of whoever signed it was wrong" in bad.next_step
    assert "newer bundle" not in bad.next_step


@pytest.mark.parametrize("kind", ["request", "approval"])
def test_t1_10_a_statement_of_1970_is_held_for_its_clock(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, kind: str
) -> None:
    made = "1970-01-01T00:00:00.000000Z"
    of: Changes = {"made": made} if kind == "approval" else {}
    release = hub.vouch(hub.build(1), **({} if of else {"made": made}))
    release.approvals = tuple(hub.approve(release, who, **of) for who in ("bert", "carla"))
    hub.list_artifact(release)
    hub.assign(release)
    ((_, words),) = site.held(hub.export(medium)).values()
    assert "before Sealift was made: the clock was wrong where it was signed" in words


def test_t1_10_what_expired_says_both_times(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    assigned(hub)
    folder = hub.export(medium)
    site.later(days=200)
    bad = site.refuses(folder)
    assert bad.code == "role-expired"
    assert f"here it is {site.now:%Y-%m-%d}" in bad.what
    assert "a clock is wrong: the hub's, or that of this machine" in bad.next_step


# ---------------------------------------------------------------------- a site's own clock


def test_t1_10_a_site_without_a_clock_is_not_enrolled(tmp_path: Path, hub: HubOnPaper) -> None:
    with pytest.raises(ClockError, match="1970-01-01"):
        begin_enrolment(tmp_path / "new", {}, "plant-9", GROUPS, lambda: LONG_AGO)
    assert not (tmp_path / "new").exists()
    plant = SiteOnPaper(tmp_path / "other", hub.now)
    request = begin_enrolment(plant.root, {}, "plant-7", GROUPS, plant.clock)
    plant.now = LONG_AGO
    answer = hub.answer(request)
    with pytest.raises(ClockError):
        finish_enrolment(plant.root, {}, answer, plant.clock, as_told)


def test_t1_10_a_site_whose_clock_stopped_is_told_to_set_it(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """Before its first bundle it knows of no time: all of them are dated ahead of 1970."""
    assigned(hub)
    folder = hub.export(medium)
    right, site.now = site.now, LONG_AGO
    bad = site.refuses(folder)
    assert bad.code == "transfer-dated-ahead"
    assert "here it is 1970-01-01" in bad.what
    assert bad.next_step == "Set the clock of this machine, and import the bundle again."
    site.now = right
    site.take(folder)


def test_t1_10_afterwards_it_goes_by_what_was_signed_and_every_command_says_so(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recall, a rollback and an import must not wait for a clock."""
    first = hub.promote(1)
    hub.assign(first)
    site.take(hub.export(medium))
    hub.assign(hub.promote(2), first)
    site.now = LONG_AGO
    site.take(hub.export(medium))
    site.roll_back()
    for command in ("status", "return", "rollback"):
        with Call(site.root, {}, site.clock).site(command):
            pass
        told = " ".join(capsys.readouterr().err.split())
        assert "The clock of this machine says 1970-01-01T03:00" in told
        assert f"this site has seen what was signed at {hub.now:%Y-%m-%d}" in told
    site.now = hub.now
    with Call(site.root, {}, site.clock).site("status"):
        pass
    assert "clock" not in capsys.readouterr().err


def test_t1_10_a_bundle_from_tomorrow_week_says_that_either_clock_may_be_wrong(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    assigned(hub)
    hub.now += timedelta(days=8)
    bad = site.refuses(hub.export(medium))
    assert bad.code == "transfer-dated-ahead"
    assert "One of the two clocks is wrong." in bad.next_step
