"""Acceptance 6: back within a second, whatever has expired, and it holds."""

import errno
import time
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError
from sealift_sync import durable
from sealift_sync.site.running.rollback import roll_back
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


def test_a1_06_it_holds_when_only_the_fallbacks_change(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, releases: list[Release]
) -> None:
    """Other fallbacks say nothing of the version that people here went away from."""
    site.roll_back()
    hub.assign(releases[2], releases[0])
    site.take(hub.export(medium))
    assert site.running() == DIGITS_2


def test_said_again_it_is_the_same_rollback(site: SiteOnPaper, bundle: Path) -> None:
    """Whoever runs it once more after a power cut must not end up one version further back."""
    site.roll_back()
    entries = len(site.entries())
    for away_from in (None, 3):
        again = site.roll_back(away_from=away_from)
        assert (again.outcome, again.before, again.after) == ("already", 3, 2)
        assert "To go further back, add: --from 2" in again.words
    assert site.running() == DIGITS_2
    assert len(site.entries()) == entries


def test_to_go_further_back_one_says_from_where_and_a_third_has_nowhere_to_go(
    site: SiteOnPaper, bundle: Path
) -> None:
    site.roll_back()
    site.roll_back(away_from=2)
    assert site.running() == DIGITS_1
    again = site.roll_back(away_from=2)
    assert (again.outcome, again.after) == ("already", 1)
    assert "To go further back" not in again.words  # it could not
    with pytest.raises(RefusedError, match="no fallback after version 1"):
        site.roll_back(away_from=1)


def test_going_back_from_what_does_not_run_is_refused(site: SiteOnPaper, bundle: Path) -> None:
    with pytest.raises(NotFoundError, match="runs version 3 in host group cpu, not version 2"):
        site.roll_back(away_from=2)
    assert site.running() == DIGITS_3


@pytest.mark.parametrize("again", ["rollback", "import"])
@pytest.mark.parametrize("point", ["switch", "link", "commit"])
def test_a_rollback_that_was_cut_is_finished_and_not_doubled(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch, point: str, again: str
) -> None:
    """Between its entry and the switch, and between the link and what commits it."""
    before = len(site.entries())
    with monkeypatch.context() as patched:
        cut_at(patched, point)
        with pytest.raises(PowerCutError):
            site.roll_back()
    if again == "rollback":
        assert site.roll_back().after == 2
    else:
        site.take(bundle)
    assert site.running() == DIGITS_2
    kinds = [entry.type for entry in site.entries()[before:]]
    assert kinds == ["model.rolled-back", "model.activated"]
    assert site.roll_back().outcome == "already"


@pytest.mark.parametrize("place", ["link", "commit"])
def test_a_rollback_that_met_a_full_disk_is_finished_and_not_doubled(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before = len(site.entries())

    def full(*_: object) -> None:
        raise durable.unwritable(bundle, OSError(errno.ENOSPC, "No space left on device"))

    where = "model_tree.ModelTree.switch" if place == "link" else "activation._commit"
    with monkeypatch.context() as patched:
        patched.setattr(f"sealift_sync.site.running.{where}", full)
        with pytest.raises(FailedError):
            site.roll_back()
    assert site.running() == DIGITS_3
    assert site.roll_back().after == 2
    assert site.running() == DIGITS_2
    kinds = [entry.type for entry in site.entries()[before:]]
    assert kinds == ["model.rolled-back", "model.activated"]


class PowerCutError(BaseException):
    """Nothing in the product may catch this: it stands for a process that is gone."""


def cut_at(patched: pytest.MonkeyPatch, point: str) -> None:
    """Let the process end at one point of a switch."""

    def cut(*_: object) -> None:
        raise PowerCutError

    where = {
        "switch": "sealift_sync.site.running.rollback.switch",
        "link": "sealift_sync.site.running.activation._run",
        "commit": "sealift_sync.site.running.activation._commit",
    }
    patched.setattr(where[point], cut)


def test_a_second_rollback_that_was_cut_and_then_fails_leaves_the_first_in_force(
    hub: HubOnPaper,
    site: SiteOnPaper,
    bundle: Path,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site.roll_back()
    with monkeypatch.context() as patched:
        cut_at(patched, "switch")
        with pytest.raises(PowerCutError):
            site.roll_back(away_from=2)
    (site.root / "settings.toml").write_text('[groups.cpu]\nhealth_check = ["/bin/false"]')
    assert site.roll_back(away_from=2).outcome == "switched-back"
    (site.root / "settings.toml").write_text("")
    site.take(hub.export(medium))
    assert site.running() == DIGITS_2


def test_after_a_recall_of_all_that_was_gone_back_to_nothing_goes_forward(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, releases: list[Release]
) -> None:
    """People went away from 3 and from 2; now 1 is recalled: neither of them comes back."""
    site.roll_back()
    site.roll_back(away_from=2)
    hub.recall(releases[0].sha256)
    for _ in range(2):
        site.take(hub.export(medium))
        assert site.running() is None


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
