"""Recalls are read first and honoured even when everything else is wrong."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing.documents import Recall
from sealift_signing.errors import SealiftError
from sealift_sync.cli.calling import Call
from sealift_sync.site.importing import stopping_recalled
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


def lose(hub: HubOnPaper, site: SiteOnPaper, release: Release) -> None:
    """The disk of the site lost an artifact's weights, and the folder that showed them."""
    weights = sha256(f"the weights of {release.path}".encode()).hexdigest()
    (site.root / "store/sha256" / weights).unlink()
    for shown in (site.root / "models").glob(f"*/*/*/{release.path.version}-{release.sha256}"):
        shown.chmod(0o755)
        (shown / "model.onnx").unlink()


def check_refuses(site: SiteOnPaper, version: int) -> None:
    """The health check of the host group finds fault with this version."""
    check = site.root / "check.sh"
    check.write_text(f'#!/bin/sh\ntest "$SEALIFT_VERSION" != {version}\n')
    check.chmod(0o755)
    (site.root / "settings.toml").write_text(f'[groups.cpu]\nhealth_check = ["{check}"]')


def test_nothing_is_switched_back_to_what_was_recalled(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    """The fallback is not healthy: then nothing runs, rather than what must stop."""
    check_refuses(site, 1)
    hub.recall(two[1].sha256)
    site.take(hub.export(medium))
    assert site.running() is None
    failed = [entry for entry in site.entries() if entry.type == "model.activation-failed"]
    assert "nothing runs there" in str(failed[0].data["words"])
    site.take(hub.export(medium))
    assert site.running() is None


def test_a_fallback_that_is_damaged_does_not_keep_the_recalled_one_running(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    lose(hub, site, two[0])
    hub.recall(two[1].sha256)
    site.take(hub.export(medium, edit=lambda full: replace(full, blobs=frozenset())))
    assert site.running() is None


def test_a_fallback_that_the_same_medium_mends_takes_the_place_of_the_recalled_one(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    lose(hub, site, two[0])
    hub.recall(two[1].sha256)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_where_the_first_fallback_is_not_healthy_the_second_takes_its_place(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    third = hub.promote(3)
    hub.assign(third, two[1], two[0])
    site.take(hub.export(medium))
    check_refuses(site, 2)
    hub.recall(third.sha256)
    done = site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    assert done.activations == ()  # all of it was done while the recall was honoured
    kinds = [entry.type for entry in site.entries()][-4:]
    assert kinds[:3] == ["recall.honoured", "model.activation-failed", "model.activated"]


def test_a_recall_that_was_cut_before_anything_stopped_stops_with_the_same_bundle_again(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    two: tuple[Release, Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the bundle is refused for another reason, and brings nothing new."""
    hub.recall(two[1].sha256)
    folder = hub.export(medium)
    site.later(days=4000)

    def cut(*_: object, **_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stopping_recalled, "activate", cut)
        with pytest.raises(KeyboardInterrupt):
            site.take(folder)
    with pytest.raises(SealiftError, match="expired"):
        site.take(folder)
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    kinds = [entry.type for entry in site.entries()][-3:]
    assert kinds == ["recall.honoured", "model.activated", "transfer.refused"]


def test_a_model_that_cannot_be_shown_does_not_keep_another_recalled_one_running(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    """`anchors` comes before `digits` in every order, and its folder takes no new version."""
    blocked = site.root / "models/cpu/vision/anchors"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way")
    hub.assign(hub.promote(1, model="anchors"))
    with pytest.raises(SealiftError):
        site.take(hub.export(medium))
    hub.recall(two[1].sha256)
    with pytest.raises(SealiftError):
        site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a_link_to_what_was_recalled_is_never_put_right_again(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    """A crash between the recall and the switch: the next command shows nothing of it."""
    with site.opened() as opened, opened.state.transaction():
        opened.state.add_recall(Recall("r-1", two[1].sha256, "It hallucinates.", hub.ago(hours=1)))
    call = Call(site.root, site.environment, site.clock)
    with call.site("status"):
        pass
    assert site.running() is None
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a_rollback_that_could_not_be_done_holds_nothing_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    lose(hub, site, two[0])
    done = site.roll_back()
    assert done.outcome == "switched-back"
    assert "is not in" in done.words
    assert list((site.root / "models").rglob("*.partial")) == []
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"
    with site.opened() as opened:
        assert opened.state.rollbacks() == {}


def test_a_second_rollback_that_fails_does_not_end_the_first(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    """Else the next import would go forward again to what people here went away from."""
    third = hub.promote(3)
    hub.assign(third, two[1], two[0])
    site.take(hub.export(medium))
    assert site.roll_back().after == 2
    check_refuses(site, 1)
    assert site.roll_back(away_from=2).outcome == "switched-back"
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"
