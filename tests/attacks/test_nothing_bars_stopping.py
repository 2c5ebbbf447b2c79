"""Whatever is wrong at a site: rollback, activation and a recall work.

One table. A row of `WRONG` is something that is wrong, an act of `ACTS` is something that stops a
model or brings one back; what comes to either later joins it with one line.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from sealift_signing.errors import SealiftError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_sync.bundle import layout
from sealift_sync.bundle import medium as reading
from sealift_sync.cli import commands
from sealift_sync.cli.run import run
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.running import model_tree
from sealift_sync.site.setup.home_folder import find_home
from sealift_sync.site.setup.home_locks import one_medium, only_one
from tests.attacks.test_fast_forward import ONLINE, fast_forward
from tests.attacks.test_log_far_ahead import far_ahead
from tests.hub_on_paper import Changes, HubOnPaper, Release
from tests.offline_sync.databases import OLDER, change
from tests.site_on_paper import SiteOnPaper

FAR = 10**15 - 1
DIGITS = "the weights of catalog/vision/digits/{}/cpu-x86_64"
MODEL = "vision/digits"


@dataclass
class Plant:
    """A site where digits 2 runs, 1 is its fallback, and an old bundle lies about.

    Attributes:
        old: an old bundle, that was imported long ago.
        run: how a command is run here; its exit code.
    """

    hub: HubOnPaper
    site: SiteOnPaper
    folder: Path
    releases: tuple[Release, Release]
    old: Path
    run: Callable[..., int] = field(init=False)

    def __post_init__(self) -> None:
        self.run = lambda *words: run(["--home", str(self.site.root), *words])

    @property
    def version(self) -> int:
        """What consumers read; 0 if nothing."""
        found = {DIGITS.format(number).encode(): number for number in (1, 2, 3)}
        return found.get(self.site.running() or b"", 0)

    def told(self, kind: str) -> int:
        """How many entries of this type the site's log holds."""
        return [entry.type for entry in self.site.entries()].count(kind)

    def signed(self, size: int, root: bytes = b"\0" * 32) -> str:
        """A checkpoint of this site's log, by whoever has its key."""
        with self.site.opened() as opened:
            return checkpoint.sign(Checkpoint(opened.origin, size, root), opened.signer()).decode()

    def bundle(self, name: str, **changes: Changes) -> Path:
        return self.hub.export(self.folder / name, **changes)

    def refused(self, folder: Path) -> str:
        with pytest.raises(SealiftError) as caught:
            self.site.take(folder)
        return caught.value.code

    def _copy(self, stick: Path) -> None:
        """Whatever lies in the old bundle, and be it no file."""
        subprocess.run(["cp", "-R", "-T", self.old, stick], check=True)

    def recall(self) -> Path:
        """A stick with an old bundle, to which somebody added what an officer signed since."""
        self.hub.recall(self.releases[1].sha256)
        stick = self.folder / "recall" / layout.SEALIFT / self.old.name
        stick.parent.mkdir(parents=True, exist_ok=True)
        self._copy(stick)
        newest = self.hub.repository.current["recall"].signed.version
        (stick / layout.target_file("recall.json")).write_bytes(self.hub.documents["recall.json"])
        name = f"{newest}.recall.json"
        (stick / layout.METADATA / name).write_bytes(self.hub.repository.files[name])
        return stick


@pytest.fixture
def plant(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Plant:
    monkeypatch.setenv("SEALIFT_LIMITS__LOCK_SECONDS", "0")
    now = SimpleNamespace(now=lambda _zone: site.now)
    monkeypatch.setattr(commands, "datetime", now)
    first, second = hub.promote(1), hub.promote(2)
    hub.assign(second, first)
    old = hub.export(tmp_path / "old")
    site.take(old)
    made = Plant(hub, site, tmp_path, (first, second), old)
    assert made.version == 2
    return made


# -- what is wrong: nothing of it is imported any more, or not now


@contextmanager
def restored(plant: Plant) -> Iterator[None]:
    """Yesterday's backup took the database's place; the hub knows more of its log."""
    backup = (plant.site.root / "sealift.db").read_bytes()
    plant.site.take(plant.bundle("today"))
    with plant.site.opened() as opened:
        note = SiteLogReader(opened.state.connection).checkpoint().note.decode()
    for file in plant.site.root.glob("sealift.db*"):
        file.unlink()
    (plant.site.root / "sealift.db").write_bytes(backup)
    assert plant.refused(plant.bundle("tomorrow", site_log=note)) == "log-restored"
    yield


@contextmanager
def stolen_key(plant: Plant) -> Iterator[None]:
    """A thief signed a log of any length with this site's key, and the hub acknowledged it."""
    ahead = plant.bundle("ahead", site_log=plant.signed(FAR))
    assert plant.refused(ahead) == "log-restored"
    yield


@contextmanager
def stolen_key_on_the_recall(plant: Plant) -> Iterator[None]:
    """As `stolen_key`, and it lies beside every stick that comes: nothing was noticed before."""
    note = plant.signed(FAR)
    for name in ("recall", "medium"):
        file = plant.folder / name / layout.SEALIFT / layout.RETURNS / "plant-7" / str(FAR)
        (file / layout.LOG).mkdir(parents=True)
        (file / layout.SITE_CHECKPOINT).write_text(note)
    yield


@contextmanager
def floors(plant: Plant) -> Iterator[None]:
    """A thief of the hub's online keys counted far ahead."""
    plant.site.take(fast_forward(plant.hub, plant.folder / "thief", *ONLINE))
    assert plant.refused(plant.bundle("later")) in {"role-went-back", "role-forked"}
    yield


@contextmanager
def hub_log(plant: Plant) -> Iterator[None]:
    """A thief of the hub's log key counted far ahead."""
    plant.site.take(far_ahead(plant.hub, plant.folder / "thief"))
    assert plant.refused(plant.bundle("later")) == "hub-log-went-back"
    yield


@contextmanager
def expired(plant: Plant) -> Iterator[None]:
    folder = plant.bundle("late")
    plant.site.later(days=4000)
    assert plant.refused(folder) == "role-expired"
    yield


def clock(moment: datetime) -> Callable[[Plant], AbstractContextManager[None]]:
    @contextmanager
    def wrong(plant: Plant) -> Iterator[None]:
        plant.site.now = moment
        yield

    return wrong


@contextmanager
def at_a_medium(plant: Plant) -> Iterator[None]:
    """Another command is at its medium, for hours."""
    with one_medium(find_home(plant.site.root, {}), "import"):
        yield


@contextmanager
def at_work(plant: Plant) -> Iterator[None]:
    """Another command is at work here, for as long as its health check takes."""
    inside = threading.Event()

    def other() -> None:
        with only_one(find_home(plant.site.root, {}), "import"):
            inside.set()
            time.sleep(1.5)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    yield
    thread.join()


@contextmanager
def spoiled(plant: Plant) -> Iterator[None]:
    """Whatever comes has something among its files that is none, and no list."""
    metadata = plant.old / layout.METADATA
    (metadata / "0.root.json").symlink_to("1.root.json")
    os.mkfifo(metadata / "0.targets.json")
    (metadata / "1.recall.json").write_bytes(b"{")
    (plant.old / layout.TRANSFER).write_bytes(b"{")
    yield


@contextmanager
def stuffed(plant: Plant) -> Iterator[None]:
    """Whatever comes has more among its files than anybody would hold, and first in every order."""
    for number in range(1, 6):
        with (plant.old / layout.METADATA / f"{10**14 + number}.recall.json").open("wb") as junk:
            junk.truncate(layout.LARGEST_SMALL_FILE)
    for number in range(50):
        (plant.old / f"junk-{number}").touch()
        (plant.old / layout.METADATA / f"{10**14 + number}.root.json").touch()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "MOST_ENTRIES", 40)
        yield


@contextmanager
def outnumbered(plant: Plant) -> Iterator[None]:
    """On the stick lie newer transfers: one that is empty, and what hides what a medium holds."""
    beside = plant.folder / "recall" / layout.SEALIFT
    (beside / "plant-7-999998").mkdir(parents=True)
    (beside / "plant-7-999999").symlink_to("plant-7-000001")
    honest = plant.run

    def top(*words: str) -> int:
        return honest(
            *(str(plant.folder / "recall") if one.startswith("/") else one for one in words)
        )

    plant.run = top
    yield


@contextmanager
def misdirected(plant: Plant) -> Iterator[None]:
    """The stick has nothing for this site but the recall: a bundle for another one."""
    honest = plant.run

    def renamed(*words: str) -> int:
        beside = plant.folder / "recall" / layout.SEALIFT
        if beside.exists():
            (beside / plant.old.name).rename(beside / "plant-8-000001")
        return honest(*(str(beside.parent) if one.startswith("/") else one for one in words))

    plant.run = renamed
    yield


ON_A_FULL_DISK = """
set -e
home=$1; small=$2; full=$3; shift 3
mount -t tmpfs -o size=64M,nr_inodes=1000,mode=700 tmpfs "$small"
cp -a "$home/." "$small"
run="import sys; from sealift_sync.cli.run import run; sys.exit(run(sys.argv[1:]))"
site() { "$PYTHON" -c "$run" "$@"; }
site --home "$small" status > "$small/../said"
if [ -n "$OLDER" ]; then
    "$PYTHON" -c "from tests.offline_sync.databases import *; change(Path('$small'), OLDER)"
fi
mkdir -m 700 "$small/filler"
if [ "$full" = room ]; then
    dd if=/dev/zero of="$small/filler/1" bs=4096 2> "$small/../said" || true
    dd if=/dev/zero of="$small/filler/2" bs=1 count=1 2> "$small/../said" && exit 99
else
    seq 1000 | (cd "$small/filler" && xargs touch) 2> "$small/../said" && exit 99
fi
code=0
site --home "$small" "$@" || code=$?
rm -r "$small/filler"
rm -rf "$home"
cp -a "$small" "$home"
exit $code
"""


def on_a_full_disk(
    plant: Plant, *words: str, reserve: int = 8, full: str = "room", older: bool = False
) -> int:
    """A command of which the home lies on a file system that has no more of something."""
    small = plant.folder / "small"
    small.mkdir(exist_ok=True)
    given = {"PYTHON": sys.executable, "SEALIFT_LIMITS__RESERVE_MIB": str(reserve)}
    given |= {"OLDER": "1" if older else "", "PYTHONPATH": str(Path(__file__).parents[2])}
    apart = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    arguments = [str(plant.site.root), str(small), full, *words]
    shell = ["bash", "-c", ON_A_FULL_DISK, "bash", *arguments]
    return subprocess.run([*apart, *shell], check=False, env=os.environ | given).returncode


@contextmanager
def full_disk(plant: Plant) -> Iterator[None]:
    plant.run = lambda *words: on_a_full_disk(plant, *words)
    yield


@contextmanager
def no_more_files(plant: Plant) -> Iterator[None]:
    """Another user made as many empty ones as the file system has."""
    plant.run = lambda *words: on_a_full_disk(plant, *words, full="files")
    yield


@contextmanager
def older(plant: Plant) -> Iterator[None]:
    """An earlier release worked here last: a step of the schema is due."""
    change(plant.site.root, OLDER)
    yield


@contextmanager
def older_and_full(plant: Plant) -> Iterator[None]:
    """The same, and the disk is full: the step has the reserve, as the rollback has."""
    plant.run = lambda *words: on_a_full_disk(plant, *words, older=True)
    yield


@contextmanager
def older_and_no_more_files(plant: Plant) -> Iterator[None]:
    plant.run = lambda *words: on_a_full_disk(plant, *words, full="files", older=True)
    yield


@contextmanager
def no_room_for_output(plant: Plant) -> Iterator[None]:
    """There is a hook that says something, and nowhere a folder for it."""
    (plant.site.root / "settings.toml").write_text(
        '[groups.cpu]\nhook = ["/bin/sh", "-c", "set -e; echo It is loaded again."]\n'
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(plant.folder / "nowhere"))
        yield


@contextmanager
def unswept(plant: Plant) -> Iterator[None]:
    """Among the models lies something unfinished that cannot be removed, such as a mount."""
    left = plant.site.root / "models/cpu/vision/digits/left.partial"
    left.mkdir()
    honest = model_tree._remove

    def remove(path: Path) -> None:
        if path == left:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        honest(path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(model_tree, "_remove", remove)
        yield


WRONG = {
    "the database was restored": restored,
    "the site's key was stolen": stolen_key,
    "the site's key was stolen, which every medium shows": stolen_key_on_the_recall,
    "floors far ahead": floors,
    "the hub's log far ahead": hub_log,
    "everything has expired": expired,
    "the clock is at 1970": clock(datetime(1970, 1, 1, tzinfo=UTC)),
    "the clock is at its end": clock(datetime.max.replace(tzinfo=UTC) - timedelta(seconds=1)),
    "another command is at a medium": at_a_medium,
    "another command is at work": at_work,
    "a medium is spoiled": spoiled,
    "a medium is stuffed": stuffed,
    "a medium has newer transfers": outnumbered,
    "a medium has no transfer for this site": misdirected,
    "the disk is full": full_disk,
    "the disk has no more files": no_more_files,
    "an earlier release worked here": older,
    "an earlier release worked here, and the disk is full": older_and_full,
    "an earlier release worked here, and the disk has no more files": older_and_no_more_files,
    "there is no room for a hook's output": no_room_for_output,
    "something cannot be swept": unswept,
}

NEEDS = {
    "the disk is full": pytest.mark.system,
    "the disk has no more files": pytest.mark.system,
    "an earlier release worked here, and the disk is full": pytest.mark.system,
    "an earlier release worked here, and the disk has no more files": pytest.mark.system,
}


# -- what works all the same


def roll_back(plant: Plant) -> Callable[[], None]:
    def act() -> None:
        assert plant.run("rollback", MODEL, "--reason", "It is wrong.") == 0
        assert plant.version == 1
        assert plant.told("model.rolled-back") == 1

    return act


def activate(plant: Plant) -> Callable[[], None]:
    plant.site.roll_back()
    assert plant.version == 1

    def act() -> None:
        assert plant.run("activate", MODEL, "--reason", "The camera is mended.") == 0
        assert plant.version == 2
        assert plant.told("model.tried-again") == 1

    return act


def recall(plant: Plant) -> Callable[[], None]:
    def act() -> None:
        plant.run("import", str(plant.recall()))  # what else becomes of it is not the question
        assert plant.version == 1
        assert plant.told("recall.honoured") == 1

    return act


ACTS = {"rollback": roll_back, "activate": activate, "recall": recall}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("wrong", [pytest.param(one, marks=NEEDS.get(one, ())) for one in WRONG])
def test_t1_03_whatever_is_wrong_what_stops_a_model_works(
    plant: Plant, wrong: str, act: str
) -> None:
    doing = ACTS[act](plant)
    with WRONG[wrong](plant):
        doing()
    with plant.site.opened() as opened:
        assert SiteLogReader(opened.state.connection).verify(opened.key, opened.origin).ok


@pytest.mark.system
def test_t1_24_without_its_reserve_a_full_disk_is_told_and_nothing_is_half_done(
    plant: Plant,
) -> None:
    before = plant.site.picture()
    words = ("rollback", MODEL, "--reason", "It is wrong.")
    assert on_a_full_disk(plant, *words, reserve=0) == 4
    assert plant.site.picture() == before
    assert on_a_full_disk(plant, *words) == 0
    assert plant.version == 1
