"""An assignment that says less than the one before: nothing but a recall stops what runs.

The hub fills the drafts that an honest dispatcher signs every week. What is left out of one, or is
lower than before, must change nothing at a site unless it is said by name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealift_signing.documents import GoneBack, Retired
from sealift_signing.errors import RefusedError
from sealift_sync.site.reports.site_status import site_status
from sealift_sync.site.running.reactivation import activate_assigned
from tests.hub_on_paper import GROUP, MODEL, SITE, TEAM, HubOnPaper
from tests.site_on_paper import SiteOnPaper

FULL_MODEL = f"{TEAM}/{MODEL}"
RETIRED = Retired(GROUP, FULL_MODEL, 2, "It misreads sevens.")
BACK = GoneBack(GROUP, FULL_MODEL, 2, "The new one misreads sevens.")


def weights(version: int, model: str = MODEL) -> bytes:
    return f"the weights of catalog/{TEAM}/{model}/{version}/cpu-x86_64".encode()


@pytest.fixture
def running(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    """The site runs version 2 of the model, with version 1 behind it."""
    hub.assign(hub.promote(2), hub.promote(1))
    site.take(hub.export(medium))
    assert site.running() == weights(2)
    return site


@pytest.mark.parametrize("groups", [{}, {GROUP: {}}], ids=["no group", "no model"])
def test_t1_02_an_emptied_assignment_stops_nothing(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path, groups: dict[str, dict[str, object]]
) -> None:
    hub.assigned[SITE] = dict(groups)  # type: ignore[arg-type]
    done = running.take(hub.export(medium))
    assert running.running() == weights(2)
    assert done.activations == ()


def test_t1_02_an_assignment_that_leaves_a_model_out_stops_nothing(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    hub.assigned[SITE] = {}
    hub.assign(hub.promote(1, model="letters"))
    done = running.take(hub.export(medium))
    assert running.running() == weights(2)
    assert running.running(f"{TEAM}/letters") == weights(1, "letters")
    assert [one.place.model for one in done.activations] == [f"{TEAM}/letters"]


def test_t1_02_a_lower_version_is_held(hub: HubOnPaper, running: SiteOnPaper, medium: Path) -> None:
    """Version 1 lies there, installed as a fallback: nothing but the rule keeps it from running."""
    hub.assign(hub.promote(1))
    done = running.take(hub.export(medium))
    assert running.running() == weights(2)
    assert done.activations == ()


def test_t1_02_a_lower_version_that_was_never_here_is_held(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3))
    site.take(hub.export(medium))
    hub.assign(hub.promote(2))
    site.take(hub.export(medium))
    assert site.running() == weights(3)


def test_t1_02_an_older_digest_of_the_same_path_is_held(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """Whoever holds the catalog's key lists the first build of a version again."""
    first = hub.promote(1, content=b"the first build")
    hub.assign(first)
    site.take(hub.export(medium))
    hub.assign(hub.promote(1, content=b"the build that mended it"))
    hub.publish_assignment(back=(replace(BACK, version=1),), requires=("back",))
    site.take(hub.export(medium, publish=False))
    assert site.running() == b"the build that mended it"
    again = hub.promote(1, content=b"the first build")
    assert again.sha256 == first.sha256
    hub.assign(again)
    done = site.take(hub.export(medium))
    assert [one.code for one in done.receipt.artifacts] == ["goes-back"]
    assert site.running() == b"the build that mended it"


@pytest.mark.parametrize("name", ["retire", "back"])
def test_t1_02_what_is_said_by_name_is_required_to_be_read(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path, name: str
) -> None:
    """Software that does not know the member would pass it over: the bundle is refused there."""
    said: dict[str, Any] = {name: (RETIRED if name == "retire" else BACK,)}
    if name == "retire":
        hub.assigned[SITE] = {}
    hub.publish_assignment(**said)
    refusal = running.refuses(hub.export(medium, publish=False))
    assert refusal.code == "bad-assignment"
    assert running.running() == weights(2)


def test_t1_02_what_was_retired_stops_also_by_a_later_bundle(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    """The bundle that first said so never came; the one after it says so again."""
    hub.assigned[SITE] = {}
    hub.assign(hub.promote(1, model="letters"))
    hub.publish_assignment(retire=(RETIRED,), requires=("retire",))
    done = running.take(hub.export(medium, publish=False))
    assert running.running() is None
    (told,) = [one for one in done.receipt.artifacts if one.code == "retired"]
    assert "It misreads sevens." in told.words
    stopped = [one for one in running.entries() if one.type == "model.stopped"]
    assert "It misreads sevens." in str(stopped[-1].data["reason"])


@pytest.mark.parametrize("version", [1, 2, 3])
def test_t1_02_going_back_is_followed_from_the_version_that_it_names(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path, version: int
) -> None:
    hub.assign(hub.promote(1))
    said = replace(BACK, version=version)
    hub.publish_assignment(back=(said,), requires=("back",))
    running.take(hub.export(medium, publish=False))
    assert running.running() == weights(2 if version < 2 else 1)


def test_t1_02_the_receipt_and_status_say_what_is_no_longer_assigned(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    hub.assigned[SITE] = {}
    done = running.take(hub.export(medium))
    (told,) = done.receipt.artifacts
    assert (told.outcome, told.code) == ("installed", "no-longer-assigned")
    with running.opened() as site:
        (row,) = site_status(site).runs
    assert (row.version, row.assigned, row.note) == (2, None, "no longer assigned; it runs on")


def test_t1_02_what_is_held_for_going_back_says_so(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    done = running.take(hub.export(medium))
    (told,) = done.receipt.artifacts
    assert (told.outcome, told.code) == ("held", "goes-back")
    assert "does not say that it goes back" in told.words
    with running.opened() as site:
        (row,) = site_status(site).runs
        with pytest.raises(RefusedError, match="does not say that it goes back"):
            activate_assigned(site, FULL_MODEL, None, "It should run.")
    assert row.note.startswith("held: ")
    assert row.note.removeprefix("held: ") in told.words


def test_t1_02_who_is_left_out_or_held_can_still_go_back(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    """And said again it is the same rollback; a bundle that assigns the same does not end it."""
    newest = hub.assigned[SITE][GROUP][FULL_MODEL]
    hub.assigned[SITE] = {}
    running.take(hub.export(medium))
    assert running.roll_back().outcome == "activated"
    assert running.roll_back().outcome == "already"
    assert running.running() == weights(1)
    hub.assigned[SITE] = {GROUP: {FULL_MODEL: newest}}
    running.take(hub.export(medium))
    assert running.running() == weights(1)


@pytest.mark.parametrize("change", ["left out", "lower"])
def test_t1_02_a_rollback_outlasts_what_changes_nothing(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, change: str
) -> None:
    newest = hub.promote(3)
    hub.assign(newest, hub.promote(2))
    site.take(hub.export(medium))
    site.roll_back()
    hub.assigned[SITE] = {}
    if change == "lower":
        hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.assign(newest)
    site.take(hub.export(medium))
    assert site.running() == weights(2)


def test_t1_02_a_recall_still_stops_what_is_left_out(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    digest = hub.assigned[SITE][GROUP][FULL_MODEL].current.sha256
    hub.assigned[SITE] = {}
    running.take(hub.export(medium))
    hub.recall(digest)
    running.take(hub.export(medium))
    assert running.running() is None


def test_t1_02_what_takes_the_place_of_a_recalled_version_needs_no_word(
    hub: HubOnPaper, running: SiteOnPaper, medium: Path
) -> None:
    hub.recall(hub.assigned[SITE][GROUP][FULL_MODEL].current.sha256)
    hub.assign(hub.promote(1))
    running.take(hub.export(medium))
    assert running.running() == weights(1)
