"""`sealift-site activate`: the assigned version again, when people here say so."""

from pathlib import Path

import pytest

from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_sync.cli.run import run
from sealift_sync.site.running.activation import Activation
from sealift_sync.site.running.reactivation import activate_assigned
from tests.hub_on_paper import HubOnPaper, Release
from tests.offline_sync.test_rollback import PowerCutError
from tests.site_on_paper import SiteOnPaper

WEIGHTS_1 = b"the weights of catalog/vision/digits/1/cpu-x86_64"
WEIGHTS_2 = b"the weights of catalog/vision/digits/2/cpu-x86_64"


def check(site: SiteOnPaper, *, refuses: int = 0) -> None:
    """The health check of the host group finds fault with this version."""
    script = site.root / "check.sh"
    script.write_text(f'#!/bin/sh\ntest "$SEALIFT_VERSION" != {refuses}\n')
    script.chmod(0o755)
    (site.root / "settings.toml").write_text(f'[groups.cpu]\nhealth_check = ["{script}"]')


def again(site: SiteOnPaper, model: str = "vision/digits", group: str | None = None) -> Activation:
    with site.opened("activate") as opened:
        return activate_assigned(opened, model, group, "It is mended.")


@pytest.fixture
def two(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> tuple[Release, Release]:
    """Version 1 ran, 2 is assigned and failed its check."""
    first, second = hub.promote(1), hub.promote(2)
    hub.assign(first)
    site.take(hub.export(medium))
    check(site, refuses=2)
    hub.assign(second, first)
    site.take(hub.export(medium))
    assert site.running() == WEIGHTS_1
    return first, second


def test_what_failed_is_tried_again_once_it_is_mended(
    site: SiteOnPaper, two: tuple[Release, Release]
) -> None:
    assert again(site).outcome == "switched-back"
    assert site.running() == WEIGHTS_1
    check(site)
    assert again(site).outcome == "activated"
    assert site.running() == WEIGHTS_2
    kinds = [entry.type for entry in site.entries()][-4:]
    assert kinds[0] == kinds[2] == "model.tried-again"
    assert kinds[1::2] == ["model.activation-failed", "model.activated"]
    entries = len(site.entries())
    assert again(site).outcome == "already"
    assert len(site.entries()) == entries


def test_it_ends_a_rollback_and_one_that_fails_does_not(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release]
) -> None:
    check(site)
    again(site)
    site.roll_back()
    check(site, refuses=2)
    assert again(site).outcome == "switched-back"
    check(site)
    site.take(hub.export(medium))
    assert site.running() == WEIGHTS_1  # the rollback holds
    assert again(site).outcome == "activated"
    site.take(hub.export(medium))
    assert site.running() == WEIGHTS_2


def test_an_attempt_that_was_cut_is_finished_and_not_doubled(
    site: SiteOnPaper, two: tuple[Release, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(site)

    def cut(*_: object, **__: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr("sealift_sync.site.running.reactivation.switch", cut)
        with pytest.raises(PowerCutError):
            again(site)
    assert again(site).outcome == "activated"
    assert [entry.type for entry in site.entries()].count("model.tried-again") == 1


@pytest.mark.parametrize("bar", ["recall", "withdraw"])
def test_it_permits_nothing_that_is_barred(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, two: tuple[Release, Release], bar: str
) -> None:
    hub.recall(two[1].sha256) if bar == "recall" else hub.withdraw(sha256=two[1].sha256)
    site.take(hub.export(medium))
    check(site)
    with pytest.raises(RefusedError, match="recalled or withdrawn"):
        again(site)
    assert site.running() == WEIGHTS_1


def test_what_is_not_meant_or_not_assigned_is_said(
    hub: HubOnPaper, tmp_path: Path, medium: Path
) -> None:
    site = SiteOnPaper(tmp_path / "two", hub.now)
    site.enrol(hub, groups={"cpu": "cpu-x86_64", "line": "cpu-x86_64"})
    made = hub.promote(1)
    for group in ("cpu", "line"):
        hub.assign(made, group=group)
    site.take(hub.export(medium))
    with pytest.raises(UsageError, match="host groups cpu, line"):
        again(site)
    assert again(site, group="line").outcome == "already"
    with pytest.raises(NotFoundError, match="vision/faces is not assigned at this site"):
        again(site, "vision/faces")
    with pytest.raises(NotFoundError, match="not assigned to host group other"):
        again(site, group="other")


def test_the_command(
    site: SiteOnPaper, two: tuple[Release, Release], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--home", str(site.root), "activate", "vision/digits", "--reason"]
    assert run([*command, "mended?"]) == 1
    check(site)
    assert run([*command, "mended."]) == 0
    assert "runs version 2" in capsys.readouterr().out
    assert run([*command, "mended.", "--json"]) == 0
    assert '"outcome": "already"' in capsys.readouterr().out
    assert run([*command, "\x1b[2J"]) == 2
