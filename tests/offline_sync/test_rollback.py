"""Acceptance 6: back within a second, whatever has expired, and it holds."""

import time
from pathlib import Path

import pytest

from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_sync.site.rollback import roll_back
from tests.hub_on_paper import HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper

DIGITS_1 = b"the weights of catalog/vision/digits/1/cpu-x86_64"
DIGITS_2 = b"the weights of catalog/vision/digits/2/cpu-x86_64"
DIGITS_3 = b"the weights of catalog/vision/digits/3/cpu-x86_64"


@pytest.fixture
def releases(hub: HubOnPaper) -> list[Release]:
    return [hub.promote(number) for number in (1, 2, 3)]


@pytest.fixture
def bundle(hub: HubOnPaper, site: SiteOnPaper, medium: Path, releases: list[Release]) -> Path:
    """Version 3 runs, 2 and 1 are its fallbacks."""
    first, second, third = releases
    hub.assign(third, second, first)
    folder = hub.export(medium)
    site.take(folder)
    assert site.running() == DIGITS_3
    return folder


def test_a1_06_a_rollback_takes_under_a_second_with_every_role_expired(
    site: SiteOnPaper, bundle: Path
) -> None:
    site.later(days=4000)
    began = time.monotonic()
    done = site.roll_back()
    taken = time.monotonic() - began
    assert (done.before, done.after) == (3, 2)
    assert site.running() == DIGITS_2
    assert taken < 1, taken


def test_a1_06_it_holds_when_the_same_bundle_is_imported_again(
    site: SiteOnPaper, bundle: Path
) -> None:
    site.roll_back()
    assert site.take(bundle).already
    assert site.running() == DIGITS_2


def test_a1_06_it_holds_when_the_same_assignment_comes_in_a_newer_bundle(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path
) -> None:
    site.roll_back()
    hub.assign(hub.promote(1, model="letters"))  # another model's assignment is no reason either
    assert not site.take(hub.export(medium)).already
    assert site.running() == DIGITS_2
    assert site.running("vision/letters")


def test_a1_06_it_ends_when_the_hub_assigns_something_else(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, releases: list[Release]
) -> None:
    site.roll_back()
    fourth = hub.promote(4)
    hub.assign(fourth, *releases)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/4/cpu-x86_64"


def test_a1_06_it_is_logged_with_its_reason(site: SiteOnPaper, bundle: Path) -> None:
    site.roll_back(reason="Wrong on dim images.")
    rolled, activated = site.entries()[-2:]
    assert rolled.type == "model.rolled-back"
    assert rolled.data == {"from": 3, "to": 2, "reason": "Wrong on dim images."}
    assert activated.type == "model.activated"


def test_a_second_rollback_goes_further_back_and_a_third_has_nowhere_to_go(
    site: SiteOnPaper, bundle: Path
) -> None:
    site.roll_back()
    site.roll_back()
    assert site.running() == DIGITS_1
    with pytest.raises(RefusedError, match="no fallback after version 1"):
        site.roll_back()


def test_a_recalled_fallback_is_passed_over(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, releases: list[Release]
) -> None:
    hub.recall(releases[1].sha256)
    site.take(hub.export(medium))
    site.roll_back()
    assert site.running() == DIGITS_1


def test_a_withdrawn_fallback_is_passed_over(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, releases: list[Release]
) -> None:
    hub.withdraw(sha256=releases[1].sha256)
    site.take(hub.export(medium))
    site.roll_back()
    assert site.running() == DIGITS_1


def test_a_recall_of_what_was_rolled_back_to_goes_further_back_never_forward(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, releases: list[Release]
) -> None:
    site.roll_back()
    hub.recall(releases[1].sha256)
    site.take(hub.export(medium))
    assert site.running() == DIGITS_1


def test_a_fallback_that_fails_its_health_check_is_not_gone_back_to(
    site: SiteOnPaper, bundle: Path
) -> None:
    (site.root / "settings.toml").write_text('[groups.cpu]\nhealth_check = ["/bin/false"]')
    done = site.roll_back()
    assert done.outcome == "switched-back"
    assert site.running() == DIGITS_3
    with site.opened() as opened:
        assert opened.state.rollbacks() == {}


def test_what_does_not_run_cannot_be_rolled_back(site: SiteOnPaper, bundle: Path) -> None:
    with pytest.raises(NotFoundError, match="vision/faces does not run here"):
        site.roll_back("vision/faces")


def test_a_model_in_two_groups_needs_its_group_named(
    hub: HubOnPaper, tmp_path: Path, medium: Path
) -> None:
    site = SiteOnPaper(tmp_path / "two", hub.now)
    site.enrol(hub, groups={"cpu": "cpu-x86_64", "line": "cpu-x86_64"})
    first, second = hub.promote(1), hub.promote(2)
    for group in ("cpu", "line"):
        hub.assign(second, first, group=group)
    site.take(hub.export(medium))
    with pytest.raises(UsageError, match="runs in the host groups cpu, line"):
        site.roll_back()
    with site.opened() as opened:
        roll_back(opened, "vision/digits", "line", "Only there.")
    assert site.running(group="line") == DIGITS_1
    assert site.running(group="cpu") == DIGITS_2
