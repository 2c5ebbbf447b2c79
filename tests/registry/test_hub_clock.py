"""A hub whose clock is wrong notices before it signs; and what was wrong once bars nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sealift_registry.cli.run import run
from sealift_registry.trust import founding, readiness
from sealift_signing import clock
from sealift_signing.clock import ClockError
from sealift_sync.bundle import writer
from tests.registry.hub_fixture import SITE, Acme, Loose, secrets
from tests.site_on_paper import SiteOnPaper

WRONG: dict[str, tuple[Callable[[datetime], datetime], str]] = {
    "1970": (lambda _now: datetime(1970, 1, 1, 3, tzinfo=UTC), "clock-not-set"),
    "before the release": (
        lambda _now: clock.EARLIEST - timedelta(microseconds=1),
        "clock-not-set",
    ),
    "two days behind": (lambda now: now - timedelta(days=2), "clock-behind"),
    "two years ahead": (lambda now: now + timedelta(days=730), "clock-ahead"),
    "the last day there is": (lambda _now: datetime.max.replace(tzinfo=UTC), "clock-ahead"),
}


@pytest.fixture(params=WRONG)
def wrong(request: pytest.FixtureRequest) -> tuple[datetime, str]:
    """A time that no honest clock shows now, and how that is called."""
    made, code = WRONG[request.param]
    return made(datetime.now(UTC)), code


def refused(act: Callable[[], object], code: str) -> ClockError:
    with pytest.raises(ClockError, match="The clock of this machine says") as caught:
        act()
    assert caught.value.code == code
    assert "clock" in caught.value.next_step
    assert "approve" not in caught.value.advice
    return caught.value


def test_t1_10_by_a_wrong_clock_a_hub_signs_nothing(
    ready: Acme, plant: SiteOnPaper, wrong: tuple[datetime, str]
) -> None:
    plant.take(ready.export().folder)
    home = ready.returned(plant)
    before, told = ready.rows(), ready.app.hub.now()
    now, code = wrong
    ready.app.hub.log.clock = lambda: now
    card = ready.card("emil")
    for act in (
        lambda: ready.export(to=ready.folder),
        lambda: ready.app.exports.plan(SITE, ready.folder),
        lambda: ready.request(2),
        lambda: ready.approve(1, "carla"),
        lambda: ready.assign(1, []),
        lambda: ready.renew("recall", "recall-1"),
        lambda: ready.ingest(3, ready.goldens(3)),
        lambda: ready.convert(2),
        lambda: ready.app.hub.log.commit_entry(ready.app.hub.entry("role.renewed", "hub", {})),
    ):
        refused(act, code)
    assert card
    assert ready.app.returns.receive(home)[1][0].code == code
    assert ready.rows() == before
    assert [one.code for one in readiness.problems(ready.app.hub)] == [code]
    (step,) = ready.app.missing()
    assert ("--today" in step.command) is (code != "clock-not-set"), "where the clock may be right"
    ready.app.hub.log.clock = lambda: told
    ready.export()


def test_t1_10_a_bundle_that_was_begun_is_not_signed_by_a_wrong_clock(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock fails between the first entry of an export and its last."""
    right = writer.write_bundle

    def late(*given: Loose) -> Loose:
        ready.app.hub.log.clock = lambda: datetime(1970, 1, 1, tzinfo=UTC)
        return right(*given)

    monkeypatch.setattr("sealift_registry.delivery.exports.write_bundle", late)
    refused(ready.export, "clock-not-set")
    assert "transfer.exported" not in ready.types()
    assert not list(ready.medium.glob(f"sealift/{SITE}-*"))


@pytest.mark.parametrize("solo", [False, True])
def test_t1_10_no_hub_is_founded_by_a_clock_that_was_never_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, solo: bool
) -> None:
    monkeypatch.setattr(founding, "utc_now", lambda: datetime(1970, 1, 1, tzinfo=UTC))
    root, offline = tmp_path / "hub", tmp_path / "offline"

    def found() -> object:
        if solo:
            return founding.found_solo(root, "Acme", "anna", {})
        return founding.found(root, "Acme", offline, secrets(), {})

    refused(found, "clock-not-set")
    assert list(tmp_path.iterdir()) == []


def test_t1_10_clocks_that_differ_by_hours_are_no_fault(ready: Acme) -> None:
    now = datetime.now(UTC)
    for hours in (23, -0.9, 22, 0):
        shown = now + timedelta(hours=hours)
        ready.app.hub.log.clock = partial(datetime.fromtimestamp, shown.timestamp(), UTC)
        ready.app.hub.log.commit_entry(ready.app.hub.entry("role.renewed", "hub", {}))


def test_t1_10_a_hub_that_nobody_used_for_a_year_goes_on(ready: Acme) -> None:
    shown = datetime.now(UTC) + clock.LONGEST_SILENCE - timedelta(days=1)
    ready.app.hub.log.clock = lambda: shown
    ready.app.hub.log.commit_entry(ready.app.hub.entry("role.renewed", "hub", {}))


def ahead_once(hub: Acme, days: int = 2000) -> None:
    """It was wrong for a while, and somebody said that it was right."""
    hub.later(days=days)
    hub.app.hub.log.commit_entry(hub.app.hub.entry("role.renewed", "hub", {}))
    hub.close()


def test_t1_10_a_clock_that_was_ahead_once_bars_nobody(
    ready: Acme, plant: SiteOnPaper, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the hub would be stopped for years by its own log, and it can take no entry back."""
    ahead_once(ready)
    home = ["--home", str(ready.root)]
    today = str(datetime.now(UTC).date())
    assert run([*home, "next"]) == 0
    told = capsys.readouterr()
    assert told.out.count("The clock of this machine says") == 1
    assert "sealift --today" in told.out
    assert told.err == ""
    assert run([*home, "list", "sites"]) == 0
    told = capsys.readouterr()
    assert SITE in told.out
    assert f"sealift --today {today}" in told.err
    assert run([*home, "key", "rotate", "scanner", "--draft", str(ready.folder / "d")]) == 1
    assert "was made 1999 days later" in capsys.readouterr().err.replace("\n", " ")
    refused(ready.export, "clock-behind")
    assert run([*home, "--today", today, "next"]) == 0
    assert "clock" not in capsys.readouterr().out
    ready.app.hub.log.stated = date.fromisoformat(today)
    ready.export()
    ready.close()
    plant.take(ready.export(to=ready.folder).folder)


def test_t1_10_a_stated_day_that_the_clock_does_not_show_is_refused(
    ready: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    """A date sets no clock: what would be signed bears the clock's."""
    for day in ("2027-01-30", "1970-01-01"):
        assert run(["--home", str(ready.root), "--today", day, "next"]) == 1
        told = " ".join(capsys.readouterr().err.split())
        assert f"and you say that it is {day}. Next: Set the clock" in told
    ready.app.hub.log.stated = date(1970, 1, 1)
    ready.app.hub.log.clock = lambda: datetime(1970, 1, 1, tzinfo=UTC)
    refused(ready.export, "clock-not-set")
