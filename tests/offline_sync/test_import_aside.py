"""While an import copies for hours, others work: nobody waits with a rollback for a medium."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError, RefusedError
from sealift_sync.bundle.medium import Medium
from sealift_sync.cli.run import run
from sealift_sync.site import home as homes
from sealift_sync.site.home import Hold, make_home, only_one
from sealift_sync.site.importer import Import, import_bundle, verify_bundle
from tests.hub_on_paper import HubOnPaper
from tests.offline_sync.test_missing_base import damage, stored, without
from tests.site_on_paper import SiteOnPaper

DIGITS = "the weights of catalog/vision/digits/{}/cpu-x86_64"
LETTERS = "vision/letters"
COPY, STORE, VERIFY = "copy", "check the store", "verify"


def digits(version: int) -> bytes:
    return DIGITS.format(version).encode()


class Meanwhile:
    """What others do when a stage of an import begins; told of every stage."""

    def __init__(self, does: Callable[[], object], at: str = COPY) -> None:
        self._does = does
        self._at = at
        self.stages: list[str] = []

    def __call__(self, name: str, _size: int) -> Callable[[int], None]:
        self.stages.append(name)
        if name == self._at and self.stages.count(name) == 1:
            self._does()
        return lambda _: None


def take(site: SiteOnPaper, folder: Path, meanwhile: Meanwhile) -> Import:
    with site.opened("import", reads_medium=True) as opened:
        return import_bundle(opened, Medium(folder), replace(site.watch, stage=meanwhile))


def command(site: SiteOnPaper, *words: str) -> int:
    return run(["--home", str(site.root), *words])


@pytest.fixture
def installed(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    """Digits 2 runs, and 1 is its fallback."""
    hub.assign(hub.promote(2), hub.promote(1))
    site.take(hub.export(medium))
    assert site.running() == digits(2)
    return site


def test_a_rollback_during_the_copy_happens_at_once_and_holds_afterwards(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1, model="letters"))  # another model is no reason to end a rollback

    def go_back() -> None:
        assert installed.roll_back().after == 1
        assert installed.running() == digits(1)

    take(installed, hub.export(medium), Meanwhile(go_back))
    assert installed.running() == digits(1)
    assert installed.running(LETTERS) is not None
    told = [entry.type for entry in installed.entries()]
    assert told[-4:] == [
        "model.rolled-back",
        "model.activated",
        "transfer.imported",
        "model.activated",
    ]
    assert installed.examined().log.ok


def test_a_rollback_during_the_copy_ends_where_another_version_comes(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3), hub.promote(1))
    take(installed, hub.export(medium), Meanwhile(installed.roll_back))
    assert installed.running() == digits(3)


@pytest.mark.parametrize("at", [COPY, STORE])
def test_every_other_command_works_meanwhile_and_sweeps_nothing_of_the_imports(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path, tmp_path: Path, at: str
) -> None:
    hub.assign(hub.promote(3))

    def work() -> None:
        left = installed.root / "store/incoming/half.partial"
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"half of what the import copies")
        quarantined = sorted((installed.root / "quarantine").rglob("*"))
        assert quarantined
        assert command(installed, "status") == 0
        assert command(installed, "fsck") == 0
        assert command(installed, "audit", "verify") == 0
        assert command(installed, "return", "--to", str(tmp_path)) == 0
        assert sorted((installed.root / "quarantine").rglob("*")) == quarantined
        assert left.exists()

    take(installed, hub.export(medium), Meanwhile(work, at))
    assert installed.running() == digits(3)


def test_what_is_left_over_is_swept_when_no_import_is_under_way(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """A process that ended, however it ended, holds nothing."""
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from sealift_sync.site import importer\n"
        "from sealift_sync.cli.run import run\n"
        "importer.stage_blobs = lambda *_: (print('copying', flush=True), sys.stdin.read())\n"
        "run(sys.argv[1:])\n"
    )
    words = [sys.executable, "-c", script, "--home", installed.root, "import", folder]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes, text=True) as importing:  # type: ignore[call-overload]
        said = iter(importing.stdout.readline, "copying\n")
        assert [line for line in said if not line.strip()] == []
        assert command(installed, "status") == 0
        assert (installed.root / "quarantine").exists()
        importing.send_signal(signal.SIGKILL)
    assert command(installed, "status") == 0
    assert not (installed.root / "quarantine").exists()


def test_status_says_what_is_under_way(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.assign(hub.promote(3))
    said = f"sealift-site import (process {os.getpid()})"

    def under_way() -> object:
        command(installed, "status", "--json")
        return json.loads(capsys.readouterr().out)["under_way"]

    def look() -> None:
        command(installed, "status")
        assert f"Under way      {said}; what it brings" in capsys.readouterr().out
        assert under_way() == said
        (installed.root / homes.MEDIUM_LOCK).write_text("")  # as on a full disk
        assert under_way() == "another command"

    take(installed, hub.export(medium), Meanwhile(look))
    assert under_way() is None


@pytest.mark.parametrize("other", ["import", "verify"])
def test_two_media_at_once_are_one_too_many(
    hub: HubOnPaper,
    installed: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    other: str,
) -> None:
    (installed.root / "settings.toml").write_text("[limits]\nlock_seconds = 0\n")
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    take(installed, folder, Meanwhile(lambda: assert_busy(capsys, installed, other, str(folder))))
    assert installed.running() == digits(3)


def assert_busy(capsys: pytest.CaptureFixture[str], site: SiteOnPaper, *words: str) -> None:
    assert command(site, *words) == 4
    said = capsys.readouterr().err
    assert f"sealift-site import (process {os.getpid()}) is working in {site.root}" in said


def test_others_work_while_a_bundle_is_only_verified(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3))
    meanwhile = Meanwhile(installed.roll_back, VERIFY)
    with installed.opened("verify", reads_medium=True) as opened:
        watch = replace(installed.watch, stage=meanwhile)
        verify_bundle(opened, Medium(hub.export(medium)), watch)
    assert installed.running() == digits(1)


def test_a_blob_that_the_store_lost_meanwhile_is_copied_after_all(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """It was hashed and whole when it was looked at; what counts is what is there at the end."""
    hub.assign(hub.promote(3, content=digits(2)))
    blob = stored(installed, sha256(digits(2)).hexdigest())

    def lose() -> None:
        blob.parent.chmod(0o755)
        blob.unlink()

    meanwhile = Meanwhile(lose)
    take(installed, hub.export(medium), meanwhile)
    assert meanwhile.stages.count(COPY) == 2
    assert installed.running() == digits(2)
    assert blob.read_bytes() == digits(2)


def test_a_blob_that_is_lost_meanwhile_and_not_carried_holds_what_needs_it(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3, content=digits(2)))
    folder = hub.export(medium, edit=without(digits(2)), base=("plant-7-000001",))
    blob = stored(installed, sha256(digits(2)).hexdigest())
    done = take(installed, folder, Meanwhile(blob.unlink))
    outcome = {one.artifact: one.code for one in done.receipt.artifacts}
    assert outcome["catalog/vision/digits/3/cpu-x86_64"] == "base-missing"
    assert done.receipt.lost == (blob.name,)


def test_a_blob_that_was_found_damaged_is_not_believed_at_the_second_look(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """Its size and its name are right: only its hash tells, and that is not taken twice."""
    hub.assign(hub.promote(3, content=digits(2)))
    damage(stored(installed, sha256(digits(2)).hexdigest()))
    meanwhile = Meanwhile(lambda: None)
    take(installed, hub.export(medium), meanwhile)
    assert meanwhile.stages.count(STORE) == 1
    assert installed.running() == digits(2)


def test_nothing_expires_because_a_medium_is_slow(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """TUF 5.1: the time at which an update begins is the time of all of it."""
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    take(installed, folder, Meanwhile(lambda: installed.later(days=4000)))
    assert installed.running() == digits(3)
    hub.assign(hub.promote(4))
    with pytest.raises(RefusedError, match="expired"):
        installed.take(hub.export(medium))


def test_a_medium_that_turns_out_damaged_is_refused_and_others_were_not_kept_waiting(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    damage(folder / "blobs/sha256" / sha256(digits(3)).hexdigest())
    with pytest.raises(RefusedError, match="damaged"):
        take(installed, folder, Meanwhile(installed.roll_back))
    assert installed.running() == digits(1)
    assert installed.entries()[-1].type == "transfer.refused"
    assert not list((installed.root / "store/incoming").iterdir())


def test_lost_blobs_are_brought_back_while_others_work(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    (bundle,) = (medium / "sealift").iterdir()
    stored(installed, sha256(digits(1)).hexdigest()).unlink()
    done = take(installed, bundle, Meanwhile(lambda: command(installed, "status")))
    assert (done.already, done.mended) == (True, 1)


# -------------------------------------------------------------------- the lock itself


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    home = make_home(tmp_path / "home", {})
    return Hold(home, home.root / "lock", "import")


def test_whoever_came_meanwhile_is_waited_for(hold: Hold, tmp_path: Path) -> None:
    home, order = make_home(tmp_path / "home", {}), list[str]()
    inside = threading.Event()

    def other() -> None:
        with only_one(home, "rollback"):
            inside.set()
            time.sleep(0.2)
            order.append("rollback")

    thread = threading.Thread(target=other)
    with hold.taken():
        with hold.aside():
            thread.start()
            assert inside.wait(10)
        order.append("import")
        assert "import" in (home.root / "lock").read_text()
    thread.join()
    assert order == ["rollback", "import"]


def test_what_goes_wrong_aside_is_told_with_the_lock_in_hand(hold: Hold, tmp_path: Path) -> None:
    (tmp_path / "home/settings.toml").write_text("[limits]\nlock_seconds = 0\n")
    home = make_home(tmp_path / "home", {})
    with hold.taken():
        with pytest.raises(FailedError, match="the medium"), hold.aside():
            raise FailedError("medium-unreadable", "It was the medium.")
        with pytest.raises(FailedError, match=r"sealift-site import \(process"):
            homes.only_one(home, "status").__enter__()
