"""A site whose key signed more than its log holds: it notices, and takes in nothing more.

Restored from yesterday's backup, mostly; what goes on there is tested in
tests/attacks/test_nothing_bars_stopping.py.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_signing.errors import SealiftError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_sync.cli.calling import Call
from sealift_sync.cli.run import run
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.log.restored_site import AHEAD, MARK, MARK_TERM, RestoredError
from sealift_sync.site.reports.homebound import write_home
from tests.hub_on_paper import SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper

DIGITS_1 = b"the weights of catalog/vision/digits/1/cpu-x86_64"
RETURNS = f"sealift/returns/{SITE}"


def database(site: SiteOnPaper) -> Path:
    return site.root / "sealift.db"


def restore(site: SiteOnPaper, backup: bytes) -> None:
    for file in site.root.glob("sealift.db*"):
        file.unlink()
    database(site).write_bytes(backup)


def go_home(site: SiteOnPaper, medium: Path) -> Path:
    with site.opened() as opened:
        return write_home(opened, medium, everything=False)[0]


@pytest.fixture
def yesterday(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> bytes:
    """The backup; what was done since, version 2 and its return, lies on the medium."""
    first = hub.promote(1)
    hub.assign(first)
    site.take(hub.export(medium))
    backup = database(site).read_bytes()
    hub.assign(hub.promote(2), first)
    site.take(hub.export(medium))
    go_home(site, medium)
    return backup


def takes_in_nothing(site: SiteOnPaper, folder: Path, elsewhere: Path) -> None:
    """Whatever would begin a second history; and the sentence says what to do."""
    entries = len(site.entries())
    before = site.picture()
    elsewhere.mkdir(exist_ok=True)
    for act in (
        lambda: site.take(folder),
        lambda: site.verify(folder),
        lambda: go_home(site, elsewhere),
    ):
        with pytest.raises(RestoredError, match="restored from a backup") as caught:
            act()
        assert "newer backup" in caught.value.next_step
        assert "enrol anew" in caught.value.next_step
    assert (len(site.entries()), site.picture()) == (entries, before)
    assert list(elsewhere.iterdir()) == []


def test_its_own_return_on_the_medium_gives_it_away(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path, yesterday: bytes
) -> None:
    folder = hub.export(medium)
    restore(site, yesterday)
    entries = len(site.entries())
    with pytest.raises(RestoredError):
        site.take(folder)
    assert len(site.entries()) == entries
    plain = hub.export(tmp_path / "without returns")
    takes_in_nothing(site, plain, tmp_path / "stick")  # from now on, on any medium


def test_verify_notices_and_remembers_nothing(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, yesterday: bytes
) -> None:
    folder = hub.export(medium)
    restore(site, yesterday)
    before = site.picture()
    with pytest.raises(RestoredError):
        site.verify(folder)
    assert site.picture() == before


def test_no_number_of_a_strangers_returns_hides_its_own(
    site: SiteOnPaper, medium: Path, yesterday: bytes, tmp_path: Path
) -> None:
    (mine,) = (medium / RETURNS).iterdir()
    for number in range(10**14, 10**14 + 500):
        lay(medium, str(number), b"no note")
    mine.rename(mine.with_name("1"))
    restore(site, yesterday)
    with pytest.raises(RestoredError):
        go_home(site, medium)
    takes_in_nothing(site, medium, tmp_path / "elsewhere")


def test_a_return_is_never_written_beside_one_that_knows_more(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, yesterday: bytes
) -> None:
    kept = {path: path.read_bytes() for path in medium.rglob("*") if path.is_file()}
    restore(site, yesterday)
    for _ in range(2):
        with pytest.raises(RestoredError):
            go_home(site, medium)
    assert {path: path.read_bytes() for path in medium.rglob("*") if path.is_file()} == kept


def test_a_second_history_of_the_same_length_gives_itself_away(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path, yesterday: bytes
) -> None:
    """Nobody noticed, and it wrote on: now the medium with the first history comes by."""
    size = len(site.entries())
    restore(site, yesterday)
    with site.opened() as opened:
        while len(site.entries()) < size + 3:
            with opened.state.transaction():
                opened.record(opened.entry("model.stopped", {}))
    with pytest.raises(RestoredError):
        site.take(hub.export(medium))


def test_what_the_hub_accepted_gives_it_away_before_a_recall_is_logged_and_that_says_so(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path, yesterday: bytes
) -> None:
    with site.opened() as opened:
        note = SiteLogReader(opened.state.connection).checkpoint().note.decode()
    restore(site, yesterday)
    hub.recall("d" * 64)
    folder = hub.export(tmp_path / "other", site_log=note)
    entries = len(site.entries())
    with pytest.raises(RestoredError):
        site.take(folder)
    (honoured,) = site.entries()[entries:]
    assert (honoured.type, honoured.data[MARK]) == ("recall.honoured", note)
    assert MARK_TERM in honoured.terms


@pytest.mark.parametrize("known", ["before", "by the same medium"])
def test_what_was_recalled_is_not_shown_again_by_a_backup_that_does_not_know(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    yesterday: bytes,
    known: str,
) -> None:
    """The links are of today, and the database says that 1 runs: so 1 takes its place."""
    with site.opened() as opened:
        (running,) = opened.state.current().values()
    folder = hub.export(medium)
    restore(site, yesterday)
    if known == "before":
        with pytest.raises(RestoredError):
            site.take(folder)
    hub.recall(running.sha256)
    folder = hub.export(medium)
    entries = len(site.entries())
    for _ in range(2):
        with pytest.raises(RestoredError):
            site.take(folder)
        assert site.running() == DIGITS_1
    with Call(site.root, {}, site.clock).site("status"):
        pass
    assert site.running() == DIGITS_1
    told = site.entries()[entries:]
    assert [entry.type for entry in told] == ["recall.honoured"]
    assert all(MARK in entry.data for entry in told)


def test_status_and_audit_and_models_go_on(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    yesterday: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = hub.export(medium)
    restore(site, yesterday)
    with pytest.raises(RestoredError):
        site.take(folder)
    home = ["--home", str(site.root)]
    assert run([*home, "status"]) == 0
    assert "restored from a backup" in capsys.readouterr().out
    assert run([*home, "audit", "list"]) == 0
    capsys.readouterr()
    for question in ("verify", "fsck"):
        assert run([*home, "audit", question]) == 1
        told = capsys.readouterr().err
        assert "Rollback, activation and recalls go on here" in " ".join(told.split())
        assert "Write nothing more" not in told
    assert run([*home, "fsck"]) == 1
    assert "restored from a backup" in capsys.readouterr().out
    assert site.running() == DIGITS_1


def test_with_the_newest_backup_it_goes_on(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, yesterday: bytes
) -> None:
    today = database(site).read_bytes()
    folder = hub.export(medium)
    restore(site, yesterday)
    with pytest.raises(RestoredError):
        site.take(folder)
    restore(site, today)
    assert not site.take(folder).already


def test_a_site_that_was_not_restored_takes_its_own_returns_for_granted(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, yesterday: bytes
) -> None:
    before = len(site.entries())
    for _ in range(2):
        assert not site.take(hub.export(medium)).already
        go_home(site, medium)
    types = [entry.type for entry in site.entries()[before:]]
    assert types.count("transfer.imported") == 2
    assert "transfer.refused" not in types


# -- what a stranger may lay there


def forged(hub: HubOnPaper, site: SiteOnPaper, by: str) -> bytes:
    with site.opened() as opened:
        said = Checkpoint(opened.origin, 99, b"\0" * 32)
    return checkpoint.sign(said, hub.keys[by])


def lay(medium: Path, name: str, note: bytes) -> Path:
    file = medium / RETURNS / name / "log/site.checkpoint"
    file.parent.mkdir(parents=True)
    file.write_bytes(note)
    return file


@pytest.mark.parametrize("by", ["hub-log", "dora", "mallory"])
def test_a_return_that_another_key_signed_is_none_of_ours(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, by: str
) -> None:
    hub.assign(hub.promote(1))
    lay(medium, "99", forged(hub, site, by))
    site.take(hub.export(medium))
    assert site.running() == DIGITS_1
    go_home(site, medium)


def test_a_return_of_another_enrolment_of_the_same_name_is_none_of_ours(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path, yesterday: bytes
) -> None:
    """The site was enrolled anew: another home, another key, and a log that begins again."""
    anew = SiteOnPaper(tmp_path / "anew", hub.now)
    anew.enrol(hub)
    anew.take(hub.export(medium))
    assert len(anew.entries()) < len(site.entries())
    go_home(anew, medium)


def a_flipped_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)


def as_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def as_a_link(file: Path) -> None:
    file.rename(file.with_name("aside"))
    file.symlink_to("aside")


def as_something_endless(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(1 << 40)


@pytest.mark.parametrize("spoil", [a_flipped_bit, as_a_pipe, as_a_link, as_something_endless])
def test_what_is_no_checkpoint_is_passed_over(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    yesterday: bytes,
    spoil: Callable[[Path], None],
) -> None:
    """Whoever can spoil the return could have taken it away: nothing is lost, nothing hangs."""
    (file,) = (medium / RETURNS).glob("*/log/site.checkpoint")
    spoil(file)
    folder = hub.export(medium)
    restore(site, yesterday)
    assert not site.take(folder).already


def test_a_link_in_the_place_of_all_returns_is_not_followed(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path, yesterday: bytes
) -> None:
    (medium / "sealift/returns").rename(tmp_path / "outside")
    (medium / "sealift/returns").symlink_to(tmp_path / "outside")
    folder = hub.export(medium)
    restore(site, yesterday)
    assert not site.take(folder).already


@pytest.mark.parametrize("kind", ["transfer.imported", "store.mended", "anything.else"])
def test_nothing_new_is_recorded_by_any_road(site: SiteOnPaper, kind: str) -> None:
    """The one place where entries are written refuses, whoever asks."""
    with site.opened() as opened:
        note = SiteLogReader(opened.state.connection).checkpoint().note
        with opened.state.transaction():
            opened.state.set_fact(AHEAD, note)
        with pytest.raises(SealiftError, match="restored"), opened.state.transaction():
            opened.record(opened.entry(kind, {}))


def test_what_is_read_out_and_what_fsck_says_own_up_to_it(
    site: SiteOnPaper, medium: Path, yesterday: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    restore(site, yesterday)
    home = ["--home", str(site.root)]
    assert run([*home, "import", str(medium)]) == 1
    capsys.readouterr()
    assert run([*home, "return", "--print"]) == 0
    assert "Behind         this log is not all" in capsys.readouterr().out
    assert run([*home, "fsck"]) == 1
    assert "The log is the one that was signed" not in capsys.readouterr().out
