"""Hooks and health checks, links that follow committed state, and what consumers see."""

import os
import stat
from pathlib import Path
from typing import IO

import pytest

from sealift_signing.errors import FailedError
from sealift_signing.transparency.entry import Entry
from sealift_sync.site.running import programs
from sealift_sync.site.running.activation import activate
from sealift_sync.site.setup.open_site import OpenSite
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper

DIGITS_1 = b"the weights of catalog/vision/digits/1/cpu-x86_64"
DIGITS_2 = b"the weights of catalog/vision/digits/2/cpu-x86_64"


def configure(site: SiteOnPaper, hook: str = "", check: str = "", seconds: int = 20) -> None:
    """Let `hook` and `check`, lines of shell, run for the host group cpu."""
    lines = [f"[groups.cpu]\ntimeout_seconds = {seconds}"]
    for name, script in (("hook", hook), ("health_check", check)):
        if script:
            file = site.root / f"{name}.sh"
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)
            lines.append(f'{name} = ["{file}"]')
    (site.root / "settings.toml").write_text("\n".join(lines))


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


def two_versions(hub: HubOnPaper, medium: Path, site: SiteOnPaper) -> Path:
    """Version 1 runs; the bundle in the returned folder brings version 2."""
    first = hub.promote(1)
    hub.assign(first)
    site.take(hub.export(medium))
    hub.assign(hub.promote(2), first)
    return hub.export(medium)


def test_the_hook_and_the_check_know_what_was_switched(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, trace: Path
) -> None:
    say = f'echo "$0 $SEALIFT_GROUP $SEALIFT_MODEL $SEALIFT_VERSION" >> {trace}'
    configure(site, hook=f"{say}; cat $SEALIFT_PATH/model.onnx >> {trace}", check=say)
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    said = trace.read_text()
    assert "hook.sh cpu vision/digits 1" in said
    assert "health_check.sh cpu vision/digits 1" in said
    assert DIGITS_1.decode() in said


def test_the_sites_passphrase_is_none_of_a_hooks_business(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    trace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEALIFT_PASSPHRASE_SITE", "very secret")
    configure(site, hook=f"env > {trace}")
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    assert "secret" not in trace.read_text()


@pytest.mark.parametrize("part", ["hook", "check"])
def test_a_failure_switches_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, trace: Path, part: str
) -> None:
    folder = two_versions(hub, medium, site)
    script = f"""echo $SEALIFT_VERSION >> {trace}
        if [ "$SEALIFT_VERSION" = 2 ]; then echo "wrong labels"; exit 3; fi"""
    configure(site, hook=script if part == "hook" else "", check=script if part == "check" else "")
    done = site.take(folder)
    (told,) = done.activations
    assert told.outcome == "switched-back"
    assert "ended with 3: “wrong labels”." in told.words
    assert "switched back to version 1" in told.words
    assert site.running() == DIGITS_1
    assert site.entries()[-1].type == "model.activation-failed"
    if part == "hook":
        assert trace.read_text().split() == ["2", "1"]  # what was loaded is unloaded again
    again = site.take(folder)  # not tried again by itself
    assert again.activations == ()
    assert site.running() == DIGITS_1


def test_a_first_version_that_fails_leaves_nothing_running(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site, check="exit 1")
    hub.assign(hub.promote(1))
    (told,) = site.take(hub.export(medium)).activations
    assert "nothing runs there" in told.words
    assert site.running() is None


def test_a_check_that_hangs_is_ended_with_all_its_children(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, trace: Path
) -> None:
    configure(site, check=f"(sleep 3; touch {trace}) & sleep 60", seconds=1)
    hub.assign(hub.promote(1))
    (told,) = site.take(hub.export(medium)).activations
    assert "took longer than 1 seconds" in told.words
    assert not trace.exists()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="held in memory on Linux")
def test_what_prints_without_end_does_not_fill_memory(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check prints what a server answers, and that serves a model which nobody wants any more."""
    made, honest = list[int](), programs.output_file

    def output() -> IO[bytes]:
        made.append(os.dup((found := honest()).fileno()))
        return found

    monkeypatch.setattr(programs, "output_file", output)
    monkeypatch.setattr(programs, "MOST_OUTPUT", 1 << 20)
    script = "for _ in 1 2 3 4 5 6 7 8 9 10; do head -c 1000000 /dev/zero; sleep 0.2; done"
    configure(site, check=f"{script}; echo The end.; exit 1")
    hub.assign(hub.promote(1))
    (told,) = site.take(hub.export(medium)).activations
    assert "The end." in told.words
    held = [os.fstat(one).st_blocks * 512 for one in made]
    for one in made:
        os.close(one)
    assert 0 < max(held) < 4_000_000


def test_a_hook_that_is_not_there_is_named(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    (site.root / "settings.toml").write_text('[groups.cpu]\nhook = ["/no/such/hook"]')
    hub.assign(hub.promote(1))
    (told,) = site.take(hub.export(medium)).activations
    assert "The hook /no/such/hook could not be started: No such file" in told.words


def test_a_link_that_somebody_changed_is_put_right_by_the_next_command(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    site.take(two_versions(hub, medium, site))
    link = site.root / "models/cpu/vision/digits/current"
    folder = link.resolve()
    link.unlink()
    link.symlink_to("/etc")
    folder.chmod(0o755)
    (folder / "model.onnx").unlink()
    with site.opened() as opened:
        assert activate(opened, "test") == ()
    assert site.running() == DIGITS_2
    assert link.resolve() == folder


def test_an_activation_that_cannot_be_logged_did_not_happen(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = two_versions(hub, medium, site)
    record = OpenSite.record  # the import's own entry is written, the activation's is not

    def fail(self: OpenSite, entry: Entry) -> None:
        if entry.type.startswith("model."):
            raise FailedError("log-damaged", "The log could not be written.")
        record(self, entry)

    with monkeypatch.context() as patched:
        patched.setattr(OpenSite, "record", fail)
        with pytest.raises(FailedError):
            site.take(folder)
    assert site.running() == DIGITS_1
    site.take(folder)
    assert site.running() == DIGITS_2


def test_consumers_see_original_names_without_a_second_copy_and_cannot_change_them(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    current = site.root / "models/cpu/vision/digits/current"
    assert current.is_symlink()
    assert os.listdir(current) == ["model.onnx"]  # noqa: PTH208 - names as a consumer sees them
    file = current / "model.onnx"
    assert file.stat().st_nlink == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert stat.S_IMODE(current.resolve().stat().st_mode) == 0o555


@pytest.mark.parametrize("given, kept", [(0o750, 0o750), (0o710, 0o710), (0o700, 0o755)])
def test_t1_77_models_that_are_one_groups_stay_so(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, given: int, kept: int
) -> None:
    """Whose models are confidential gives them to the model server's group alone."""
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    (site.root / "models").chmod(given)
    hub.assign(hub.promote(2))
    site.take(hub.export(medium))
    assert site.running() == DIGITS_2
    assert stat.S_IMODE((site.root / "models").stat().st_mode) == kept
    assert stat.S_IMODE((site.root / "models/cpu").stat().st_mode) == 0o755


def test_where_links_are_not_possible_files_are_copied(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    assert site.running() == DIGITS_1


def test_a_switch_is_one_rename(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at any moment finds version 1 or version 2, and never nothing."""
    folder = two_versions(hub, medium, site)
    seen = []
    replace = Path.replace

    def watching(self: Path, target: Path) -> Path:
        seen.append(site.running())
        found = replace(self, target)
        seen.append(site.running())
        return found

    monkeypatch.setattr(Path, "replace", watching)
    site.take(folder)
    assert set(seen) == {DIGITS_1, DIGITS_2}
