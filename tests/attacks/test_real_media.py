"""Real file systems on real block devices: NTFS and exFAT, pulled and failing. As root on Linux."""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.returned import find_returns, read_return
from sealift_sync.site.importing.accepting import Accepted
from sealift_sync.site.importing.finding_transfer import find_transfer
from sealift_sync.site.importing.importer import Watch, import_bundle
from sealift_sync.site.reports.homebound import write_home
from tests.hub_on_paper import SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper

pytestmark = pytest.mark.system

SIZE = 64 * 1024 * 1024
WEIGHTS = os.urandom(3 * 1024 * 1024)


@dataclass
class Stick:
    """A mounted file system; `driver` is the process that answers for it."""

    top: Path
    driver: subprocess.Popen[bytes]

    def pull(self) -> None:
        """As a stick that is pulled out: whoever still reads gets an error, and no end of file."""
        self.driver.kill()
        self.driver.wait()


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(params=["ntfs", "exfat"])
def stick(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stick]:
    """64 MiB, formatted and mounted."""
    image, top = tmp_path / "stick.image", tmp_path / "stick"
    with image.open("wb") as file:
        file.truncate(SIZE)
    top.mkdir()
    device = run("losetup", "--find", "--show", image).strip()
    try:
        if request.param == "ntfs":
            run("mkntfs", "--fast", "--quiet", device)
            command = ["ntfs-3g", "-o", "no_detach", device, str(top)]
        else:
            run("mkfs.exfat", device)
            command = ["mount.exfat-fuse", "-d", device, str(top)]
        driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(top)
        yield Stick(top, driver)
        subprocess.run(["umount", "--lazy", str(top)], check=False, capture_output=True)
        driver.wait(20)
    finally:
        run("losetup", "--detach", device)


def wait_for(top: Path) -> None:
    end = time.monotonic() + 20
    while f" {top} " not in Path("/proc/self/mounts").read_text():
        assert time.monotonic() < end, f"nothing was mounted at {top}"
        time.sleep(0.05)


@pytest.fixture
def hub(tmp_path: Path) -> HubOnPaper:
    made = HubOnPaper(tmp_path, datetime.now(UTC))
    made.assign(made.promote(1, content=WEIGHTS))
    return made


def test_there_and_back_on_another_systems_stick(
    hub: HubOnPaper, site: SiteOnPaper, stick: Stick
) -> None:
    """Written, imported, returned, and what Windows leaves there is named."""
    hub.export(stick.top)
    bundle = find_transfer(stick.top, SITE)
    (bundle.folder / "System Volume Information").mkdir()
    (bundle.folder / "System Volume Information/WPSettings.dat").write_bytes(b"x")
    (bundle.folder / "statements/Thumbs.db").write_bytes(b"x")
    site.verify(bundle.folder)
    site.told.clear()
    assert not site.take(bundle.folder).already
    assert site.told == ["ignored System Volume Information/", "ignored statements/Thumbs.db"]
    assert site.running() == WEIGHTS
    with site.opened() as opened:
        write_home(opened, stick.top, everything=True)
    ((found, *_),) = find_returns(stick.top)
    assert list(read_return(found).receipts) == [bundle.name]


def test_a_bundle_copied_over_another_systems_stick(
    hub: HubOnPaper, site: SiteOnPaper, stick: Stick, tmp_path: Path
) -> None:
    """From a Linux disk by hand to the stick, and from there to another Linux disk."""
    written = hub.export(tmp_path / "medium")
    shutil.copytree(written, stick.top / "carried")
    shutil.copytree(stick.top / "carried", tmp_path / "arrived")
    assert {stat.S_IMODE(p.stat().st_mode) for p in (stick.top / "carried").rglob("*")} == {0o777}
    site.verify(stick.top / "carried")
    assert not site.take(tmp_path / "arrived").already
    assert site.running() == WEIGHTS


def test_a_stick_that_is_pulled_changes_nothing(
    hub: HubOnPaper, site: SiteOnPaper, stick: Stick, tmp_path: Path
) -> None:
    """After the plan was shown, before the first big copy; then the same bundle from another."""
    hub.export(stick.top)
    bundle = find_transfer(stick.top, SITE)
    again = shutil.copytree(bundle.folder, tmp_path / "again")
    before, entries = site.picture(), len(site.entries())

    def pull(_accepted: Accepted, _ignored: tuple[str, ...]) -> None:
        stick.pull()

    watch = Watch(lambda _name, _size: lambda _done: None, pull, site.watch.recalled)
    with site.opened("import", reads_medium=True) as opened, pytest.raises(FailedError) as caught:
        import_bundle(opened, bundle, watch)
    assert caught.value.code == "medium-unreadable"
    assert "not connected" in caught.value.what
    assert (site.picture(), len(site.entries())) == (before, entries)
    assert not site.take(again).already
    assert site.running() == WEIGHTS


@pytest.mark.parametrize(
    "part, which", [("transfer.json", 1), ("statements", 1), ("index.json", 1), ("weights", 2)]
)
def test_an_io_error_is_a_sentence_and_the_same_command_works_again(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, part: str, which: int
) -> None:
    """The kernel says EIO to the `which`-th read of one file, half-way through the weights."""
    bundle = hub.export(tmp_path / "medium")
    file = bundle / part
    if part == "statements":
        file = sorted(file.iterdir())[3]
    elif part == "weights":
        file = max((bundle / "blobs/sha256").iterdir(), key=lambda one: one.stat().st_size)
    command = [str(Path(sys.executable).with_name("sealift-site")), "--home", str(site.root),
               "import", str(bundle)]  # fmt: skip
    failing = ["strace", "--follow-forks", "--quiet=all", f"--output={tmp_path / 'trace'}",
               "--trace=read", f"--trace-path={file}",
               f"--inject=read:error=EIO:when={which}"]  # fmt: skip
    before, entries = site.picture(), len(site.entries())
    done = subprocess.run([*failing, *command], capture_output=True, text=True, check=False)
    assert "EIO" in (tmp_path / "trace").read_text()
    assert done.returncode == 4, done.stderr
    assert f"{file.relative_to(bundle)} could not be read from {bundle}" in done.stderr
    assert "Next: Check that the medium is in place" in done.stderr
    assert "Traceback" not in done.stderr
    shutil.rmtree(site.root / "store/incoming", ignore_errors=True)  # staged, and kept
    assert (site.picture(), len(site.entries())) == (before, entries)
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert site.running() == WEIGHTS


def test_a_device_on_the_medium_is_not_opened(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open some devices is to use them: a tape rewinds, a watchdog begins to count."""
    bundle = hub.export(tmp_path / "medium")
    opened: list[object] = []
    real = os.open

    def watched(path: str, *arguments: int, **named: int) -> int:
        opened.append(path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", watched)
    for part in ("transfer.json", "log/hub.checkpoint"):
        whole = (bundle / part).read_bytes()
        (bundle / part).unlink()
        os.mknod(bundle / part, stat.S_IFCHR | 0o666, os.makedev(1, 5))
        opened.clear()
        assert site.refuses(bundle).code == "not-a-file"
        assert "metadata" in opened
        assert part.rpartition("/")[2] not in opened
        (bundle / part).unlink()
        (bundle / part).write_bytes(whole)
    assert not site.take(bundle).already


def test_a_medium_is_held_while_it_is_read_and_let_go_afterwards(
    hub: HubOnPaper, stick: Stick
) -> None:
    hub.export(stick.top)
    medium = Medium(find_transfer(stick.top, SITE).folder)
    medium.read("transfer.json", 10**6)
    busy = subprocess.run(["umount", str(stick.top)], check=False, capture_output=True)
    assert busy.returncode != 0
    del medium
    run("umount", stick.top)
