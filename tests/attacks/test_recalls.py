"""Recalls are read first and honoured even when everything else is wrong."""

from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing.documents import Recall
from tests.hub_on_paper import HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper


@pytest.fixture
def two(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> tuple[Release, Release]:
    """Version 2 runs, version 1 is its fallback."""
    first, second = hub.promote(1), hub.promote(2)
    hub.assign(second, first)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"
    return first, second


def test_a1_05_recalled_stops_and_the_next_fallback_takes_its_place(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.recall(two[1].sha256)
    held = site.held(hub.export(medium))
    assert held[str(two[1].path)][0] == "recalled"
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a1_05_everything_recalled_stops_everything(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.recall(two[0].sha256)
    hub.recall(two[1].sha256)
    site.held(hub.export(medium))
    assert site.running() is None
    assert not (site.root / "models/cpu/vision/digits/current").is_symlink()


def test_a1_05_a_recall_is_honoured_when_everything_has_expired(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.recall(two[1].sha256)
    folder = hub.export(medium)
    site.later(days=4000)
    with pytest.raises(Exception, match="expired"):
        site.take(folder)
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    kinds = [entry.type for entry in site.entries()][-3:]
    assert kinds == ["recall.honoured", "model.activated", "transfer.refused"]
    assert f"recalled {two[1].sha256}" in site.told
    site.refuses(folder)  # the second time it brings nothing new


@pytest.mark.parametrize("spoil", ["timestamp.json", "snapshot", "targets"])
def test_a1_05_a_carrier_who_spoils_the_bundle_does_not_stop_its_recall(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release], spoil: str
) -> None:
    hub.recall(two[1].sha256)
    folder = hub.export(medium)
    for file in (folder / "metadata").iterdir():
        if spoil in file.name:
            file.unlink()
    with pytest.raises(Exception, match="missing"):
        site.take(folder)
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a1_05_a_recall_that_no_safety_officer_signed(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.repository.holders["recall"] = (1, ("hub-snapshot",))
    hub.recall(two[1].sha256)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "no-key"
    assert refusal.subject == "recall"
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"


def test_a1_05_a_recall_is_not_forgotten_when_the_list_is(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.recall(two[1].sha256)
    site.take(hub.export(medium))
    hub.recalls = ()
    hub.publish_recalls()
    assert site.held(hub.export(medium))[str(two[1].path)][0] == "recalled"
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a1_05_two_recalls_of_one_artifact_are_two_and_new_once(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.recall(two[1].sha256)
    hub.recall(two[1].sha256, "And it leaks.")
    for _ in range(2):
        site.take(hub.export(medium))
    assert [e.type for e in site.entries()].count("recall.honoured") == 1


def test_a1_05_a_recall_of_very_much_in_very_many_words_still_fits_the_log(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    hub.recalls = tuple(
        Recall(f"r-{n}", sha256(b"%d" % n).hexdigest(), "\U0001f525" * 2000, hub.ago(hours=1))
        for n in range(600)
    )
    hub.recall(two[1].sha256)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
