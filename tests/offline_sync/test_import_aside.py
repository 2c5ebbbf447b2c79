"""While an import copies for hours, others work: nobody waits with a rollback for a medium."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from sealift_signing import locks
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import moment
from sealift_sync.bundle import medium as reading
from sealift_sync.bundle.medium import Medium
from sealift_sync.cli import showing
from sealift_sync.cli.run import run
from sealift_sync.site.importing import copying, importer
from sealift_sync.site.importing.importer import Import, import_bundle, verify_bundle
from sealift_sync.site.reports.integrity import examine
from sealift_sync.site.setup import home_locks
from sealift_sync.site.setup.home_folder import make_home
from sealift_sync.site.setup.home_locks import Hold, at_a_medium, no_medium, one_medium, only_one
from sealift_sync.site.setup.open_site import OpenSite
from tests.hub_on_paper import GROUP, HubOnPaper
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
        return import_bundle(opened, Medium(folder), replace(site.watch, begin_phase=meanwhile))


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
        "from sealift_sync.site.importing import importer\n"
        "from sealift_sync.cli.run import run\n"
        "importer.copy_blobs = lambda *_: (print('copying', flush=True), sys.stdin.read())\n"
        "run(sys.argv[1:])\n"
    )
    words = [sys.executable, "-c", script, "--home", installed.root, "import", folder]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes, text=True) as importing:  # type: ignore[call-overload]
        assert "copying\n" in iter(importing.stdout.readline, "")
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
        (installed.root / home_locks.MEDIUM_LOCK).write_text("")  # as on a full disk
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
        watch = replace(installed.watch, begin_phase=meanwhile)
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


def found_lost_and_put_back(site: SiteOnPaper, blob: Path) -> None:
    """As by a disk that comes and goes: what the state knows to be lost is whole."""
    data = blob.read_bytes()
    damage(blob)
    assert [one.sha256 for one in site.examined().damages] == [blob.name]
    blob.chmod(0o644)
    blob.write_bytes(data)


@pytest.mark.parametrize("before", ["whole", "lost"])
@pytest.mark.parametrize("carried", [True, False])
def test_a_blob_that_fsck_finds_damaged_meanwhile_is_not_believed_for_having_been_whole(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path, before: str, *, carried: bool
) -> None:
    """What was found out later is what is true, though its size is right, and it was hashed.

    What `fsck` finds of a blob that was lost before is no news to the state.
    """
    hub.assign(hub.promote(3, content=digits(2)))
    edit = without() if carried else without(digits(2))
    folder = hub.export(medium, edit=edit, base=() if carried else ("plant-7-000001",))
    blob = stored(installed, sha256(digits(2)).hexdigest())
    if before == "lost":
        found_lost_and_put_back(installed, blob)

    def rot() -> None:
        damage(blob)
        assert [one.sha256 for one in installed.examined().damages] == [blob.name]

    done = take(installed, folder, Meanwhile(rot))
    outcome = {one.artifact: one.code for one in done.receipt.artifacts}
    told = "installed" if carried else "base-missing"
    assert outcome["catalog/vision/digits/3/cpu-x86_64"] == told
    assert done.receipt.lost == (() if carried else (blob.name,))
    assert (blob.read_bytes() == digits(2)) is carried


@pytest.mark.parametrize("before", ["whole", "lost"])
def test_a_blob_that_an_import_finds_damaged_during_a_check_is_not_called_mended(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path, before: str
) -> None:
    """The check had hashed it a moment before, when it was whole."""
    hub.assign(hub.promote(3, content=digits(2)))
    folder = hub.export(medium, edit=without(digits(2)), base=("plant-7-000001",))
    blob = stored(installed, sha256(digits(2)).hexdigest())
    if before == "lost":
        found_lost_and_put_back(installed, blob)
    opened = 0

    @contextmanager
    def opener() -> Iterator[OpenSite]:
        nonlocal opened
        opened += 1
        if opened == 2:
            damage(blob)
            assert installed.take(folder).receipt.lost == (blob.name,)
        with installed.opened("fsck") as site:
            yield site

    found = examine(opener, lambda _name, _size: lambda _done: None)
    assert ([one.sha256 for one in found.damages], found.mended) == ([blob.name], ())
    with installed.opened() as site:
        assert site.state.lost() == {blob.name}


@pytest.fixture
def narrow(installed: SiteOnPaper, monkeypatch: pytest.MonkeyPatch) -> SiteOnPaper:
    """A disk with room for 8 MB, what is staged included."""
    (installed.root / "settings.toml").write_text("[limits]\nleast_free_mib = 0\n")

    def told(_path: object) -> SimpleNamespace:
        staged = (installed.root / "store/incoming").iterdir()
        free = 8_000_000 - sum(file.stat().st_size for file in staged)
        return SimpleNamespace(free=free)

    (installed.root / "store/incoming").mkdir(exist_ok=True)
    monkeypatch.setattr(shutil, "disk_usage", told)
    return installed


LARGE = bytes(5_000_000)


def test_what_is_staged_needs_no_further_room_in_a_second_round(
    hub: HubOnPaper, narrow: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3, content=LARGE), hub.promote(4, content=digits(2)))
    folder = hub.export(medium)
    blob = stored(narrow, sha256(digits(2)).hexdigest())
    meanwhile = Meanwhile(blob.unlink)
    take(narrow, folder, meanwhile)
    assert meanwhile.stages.count(COPY) == 2
    assert narrow.running() == LARGE


def test_what_a_cut_import_staged_needs_no_further_room(
    hub: HubOnPaper, narrow: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(3, content=LARGE))
    folder = hub.export(medium)
    with monkeypatch.context() as patched:
        patched.setattr(importer, "commit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            narrow.take(folder)
    assert any(
        file.stat().st_size == 5_000_000 for file in (narrow.root / "store/incoming").iterdir()
    )
    narrow.take(folder)
    assert narrow.running() == LARGE
    with pytest.raises(FailedError, match="bytes free and the import needs"):
        copying.check_room({"a": 8_000_001}, make_home(narrow.root, {}))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_nothing_expires_because_a_medium_is_slow(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """TUF 5.1: the time at which an update begins is the time of all of it."""
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    began = installed.now
    done = take(installed, folder, Meanwhile(lambda: installed.later(days=4000)))
    assert installed.running() == digits(3)
    assert done.receipt.trusted_time == moment(began)
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

    def look() -> None:
        assert command(installed, "status") == 0

    done = take(installed, bundle, Meanwhile(look))
    assert (done.already, done.mended) == (True, 1)


def groups(site: SiteOnPaper, words: str) -> None:
    (site.root / "settings.toml").write_text(words)


def test_a_health_check_that_is_set_meanwhile_is_the_one_that_counts(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3), hub.promote(2))
    words = f'[groups.{GROUP}]\nhealth_check = ["/bin/false"]\n'
    done = take(installed, hub.export(medium), Meanwhile(lambda: groups(installed, words)))
    assert [one.outcome for one in done.activations] == ["switched-back"]
    assert installed.running() == digits(2)


def test_settings_that_are_spoiled_meanwhile_are_told_before_anything_is_changed(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    entries = len(installed.entries())
    with pytest.raises(SealiftError, match=r"settings\.toml"):
        take(installed, folder, Meanwhile(lambda: groups(installed, "[groups")))
    groups(installed, "")
    assert (installed.running(), len(installed.entries())) == (digits(2), entries)
    assert not installed.take(folder).already
    assert installed.running() == digits(3)


class Watching:
    """`os`, which notes at every call on the medium whether the home's lock was free."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.seen: list[bool] = []

    def __getattr__(self, name: str) -> object:
        found = getattr(os, name)
        if name not in {"open", "stat", "fstat", "scandir"}:
            return found

        def watched(*args: object, **more: object) -> object:
            with (self._root / "lock").open("rb") as file:
                self.seen.append(locks.try_lock(file))
            return found(*args, **more)

        return watched


@pytest.mark.parametrize("what", ["import", "verify", "refused", "again", "another name"])
def test_the_medium_is_never_read_with_the_home_in_hand(
    hub: HubOnPaper,
    installed: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    """It may answer never."""
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    if what == "refused":
        damage(folder / "blobs/sha256" / sha256(digits(3)).hexdigest())
    if what == "again":
        installed.take(folder)
        stored(installed, sha256(digits(3)).hexdigest()).unlink()
    if what == "another name":
        folder = medium
    watching = Watching(installed.root)
    monkeypatch.setattr(reading, "os", watching)
    code = command(installed, "verify" if what == "verify" else "import", str(folder))
    assert code == (1 if what == "refused" else 0)
    assert len(watching.seen) > 50
    assert all(watching.seen)


def test_a_refusal_is_logged_without_another_look_at_the_medium(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """A device may answer never; whoever stops it then must not have kept the log from it."""
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    name = folder.name
    damage(folder / "blobs/sha256" / sha256(digits(3)).hexdigest())
    there = Medium(folder)

    def gone() -> None:
        (folder / "transfer.json").unlink()
        os.mkfifo(folder / "transfer.json")

    with installed.opened("import", reads_medium=True) as opened, pytest.raises(RefusedError):
        import_bundle(opened, there, replace(installed.watch, begin_phase=Meanwhile(gone)))
    entry = installed.entries()[-1]
    assert (entry.type, entry.terms) == ("transfer.refused", (Term("transfer", name),))


# -------------------------------------------------------------------- Ctrl-C


def test_whoever_is_stopped_meanwhile_does_not_wait_for_others(hold: Hold, tmp_path: Path) -> None:
    """A rollback's hook may take a minute."""
    home = make_home(tmp_path / "home", {})
    other = only_one(home, "rollback")
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), hold.taken(), hold.aside():  # noqa: PT012 - in order
        other.__enter__()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < locks.PATIENT
    assert "rollback" in (home.root / "lock").read_text()
    other.__exit__(None, None, None)


class Stopping(Meanwhile):
    """Ctrl-C, once the others have done what they do."""

    def __call__(self, name: str, size: int) -> Callable[[int], None]:
        super().__call__(name, size)
        if name == COPY:
            raise KeyboardInterrupt
        return lambda _: None


def test_what_others_did_meanwhile_is_not_said_to_be_done_by_what_is_stopped(
    hub: HubOnPaper,
    installed: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.assign(hub.promote(3))
    folder = hub.export(medium)
    watch = replace(installed.watch, begin_phase=Stopping(installed.roll_back))
    monkeypatch.setattr(showing, "watch", lambda *_, **__: watch)
    assert command(installed, "import", str(folder)) == 130
    assert "Stopped. Nothing was changed. Run the command again." in capsys.readouterr().err
    assert installed.running() == digits(1)
    assert command(installed, "status") == 0
    assert installed.take(folder).already is False


def test_whoever_is_stopped_while_waiting_does_not_speak_for_the_one_who_works(
    hold: Hold, tmp_path: Path
) -> None:
    home, words = make_home(tmp_path / "home", {}), list[str]()

    def interrupted(descriptor: int, kind: int) -> None:
        words.append((home.root / "lock").read_text())
        if kind == fcntl.LOCK_EX:
            raise KeyboardInterrupt
        flock(descriptor, kind)

    flock = fcntl.flock
    other = only_one(home, "rollback")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(locks, "PATIENT", 0.0)
        with pytest.raises(KeyboardInterrupt), hold.taken(), hold.aside():  # noqa: PT012 - in order
            other.__enter__()
            patched.setattr(fcntl, "flock", interrupted)
    assert "rollback" in words[-1]
    assert "rollback" in (home.root / "lock").read_text()
    other.__exit__(None, None, None)


# -------------------------------------------------------------------- the lock itself


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    home = make_home(tmp_path / "home", {})
    return Hold(home, home.root / "lock", "import")


def test_whoever_came_meanwhile_is_waited_for_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENT", 0.05)
    home, order, told = make_home(tmp_path / "home", {}), list[str](), list[str]()
    hold = Hold(home, home.root / "lock", "import", told.append)
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
    (said,) = told
    assert said.startswith("Waiting until sealift-site rollback (process ")


def test_several_may_look_whether_a_medium_is_read_and_none_of_them_is_taken_for_it(
    tmp_path: Path,
) -> None:
    home = make_home(tmp_path / "home", {})
    with no_medium(home) as free:  # before there is such a file
        assert free
    with one_medium(home, "import"):
        assert at_a_medium(home).startswith("sealift-site import (process ")
    with no_medium(home) as free, no_medium(home) as free_too:
        assert free
        assert free_too
        assert at_a_medium(home) == ""


def test_what_goes_wrong_aside_is_told_with_the_lock_in_hand(hold: Hold, tmp_path: Path) -> None:
    (tmp_path / "home/settings.toml").write_text("[limits]\nlock_seconds = 0\n")
    home = make_home(tmp_path / "home", {})
    with hold.taken():
        with pytest.raises(FailedError, match="the medium"), hold.aside():
            raise FailedError("medium-unreadable", "It was the medium.")
        with pytest.raises(FailedError, match=r"sealift-site import \(process"):
            home_locks.only_one(home, "status").__enter__()
