"""Room on the disk that is kept for a rollback; that it is enough is tested on real, full disks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sealift_sync.bundle.medium import Medium
from sealift_sync.site.importing.importer import import_bundle
from sealift_sync.site.running.rollback import roll_back
from sealift_sync.site.setup import disk_reserve
from sealift_sync.site.setup.disk_reserve import Reserve
from sealift_sync.site.setup.home_folder import find_home
from sealift_sync.site.setup.open_site import OpenSite, open_site
from tests.hub_on_paper import HubOnPaper
from tests.offline_sync.test_import_aside import Meanwhile
from tests.site_on_paper import SiteOnPaper

MIB = 1024 * 1024
ONE = {"SEALIFT_LIMITS__RESERVE_MIB": "1"}


@contextmanager
def opened(
    site: SiteOnPaper, *, stops: bool = False, reads_medium: bool = False
) -> Iterator[OpenSite]:
    with open_site(
        site.root, ONE, site.clock, "test", stops=stops, reads_medium=reads_medium
    ) as found:
        yield found


def kept(site: SiteOnPaper) -> Path:
    """The reserve, which one command has made."""
    with opened(site):
        pass
    return site.root / "reserve"


def blocks(file: Path) -> int:
    """The bytes of the disk that a file takes up."""
    return file.lstat().st_blocks * 512


def names(site: SiteOnPaper) -> int:
    """How many files are kept besides."""
    folder = site.root / "reserve.names"
    return len([*folder.iterdir()]) if folder.exists() else -1


def test_t1_24_it_takes_up_room_and_is_nobody_elses(site: SiteOnPaper) -> None:
    found = kept(site).stat()
    assert found.st_size == MIB
    assert found.st_blocks * 512 >= MIB
    assert found.st_mode & 0o777 == 0o600


def test_t1_24_it_is_given_up_to_what_stops_something_and_taken_back(site: SiteOnPaper) -> None:
    file = kept(site)
    with opened(site, stops=True):
        assert blocks(file) == 0
        assert names(site) == 0
    assert blocks(file) >= MIB
    assert names(site) == disk_reserve.FILES


def test_t1_24_it_is_there_again_while_a_medium_is_copied(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """An import may take hours, and whoever goes back meanwhile needs it."""
    file, seen = kept(site), list[int]()
    hub.assign(hub.promote(1))
    meanwhile = Meanwhile(lambda: seen.append(blocks(file)))
    with opened(site, stops=True, reads_medium=True) as found:
        folder = Medium(hub.export(medium))
        import_bundle(found, folder, replace(site.watch, begin_phase=meanwhile))
    assert min(seen) >= MIB


def test_t1_24_it_is_there_while_somebody_waits_for_a_medium(site: SiteOnPaper) -> None:
    """Before its recalls are known, too: a stick may answer never, and something fill the disk."""
    file = kept(site)
    with opened(site, stops=True) as found:
        with found.aside():
            assert blocks(file) >= MIB
            assert names(site) == disk_reserve.FILES
        assert blocks(file) == 0
        with pytest.raises(RuntimeError), found.aside():
            raise RuntimeError
        assert blocks(file) == 0
    assert blocks(file) >= MIB


def test_t1_24_half_of_it_is_there_while_a_hook_runs(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """The outcome is still to be recorded; and a hook may have something to write, too."""
    file, seen = kept(site), site.root / "seen"
    hub.assign(hub.promote(2), hub.promote(1))
    site.take(hub.export(medium))
    hook = f'["/bin/sh", "-c", "stat -c %b {file} >> {seen}"]'
    (site.root / "settings.toml").write_text(f"[groups.cpu]\nhook = {hook}\n")
    kept(site)
    with opened(site, stops=True) as found:
        roll_back(found, "vision/digits", None, "It is wrong.")
        assert blocks(file) == 0
    assert [512 * int(line) for line in seen.read_text().split()] == [MIB // 2]
    assert blocks(file) >= MIB


def test_t1_24_what_was_cut_before_it_was_taken_back_is_made_again(site: SiteOnPaper) -> None:
    file = kept(site)
    file.unlink()
    assert blocks(kept(site)) >= MIB


def test_t1_24_what_was_cut_is_taken_back_from_a_disk_that_has_no_more(
    site: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a new one would not be made."""
    file = kept(site)
    Reserve(find_home(site.root, ONE)).give_up()  # and there it ends
    there = SimpleNamespace(f_bavail=2 * MIB, f_frsize=1, f_favail=0)
    monkeypatch.setattr(disk_reserve.os, "statvfs", lambda _: there)  # type: ignore[attr-defined]
    kept(site)
    assert blocks(file) >= MIB
    assert names(site) == disk_reserve.FILES


def test_t1_24_what_others_hold_of_it_holds_no_room(site: SiteOnPaper) -> None:
    """A backup that reads it, or another user's link to it, where such links are let."""
    file = kept(site)
    other = site.root / "link"
    os.link(file, other)
    with file.open("rb") as backup, opened(site, stops=True):
        assert os.fstat(backup.fileno()).st_blocks == 0
    assert blocks(file) >= MIB


def test_t1_24_a_copy_that_is_all_holes_is_filled(site: SiteOnPaper) -> None:
    """As a backup brings it back that leaves out what is zero."""
    file = kept(site)
    file.unlink()
    with file.open("wb") as copy:
        copy.truncate(MIB)
    assert blocks(file) == 0
    assert blocks(kept(site)) >= MIB


@pytest.mark.parametrize("free, left", [(0, 0), (MIB // 3, MIB // 3), (2 * MIB, MIB)])
def test_t1_24_what_is_left_is_taken_back(
    site: SiteOnPaper, monkeypatch: pytest.MonkeyPatch, free: int, left: int
) -> None:
    file = kept(site)
    there = SimpleNamespace(f_bavail=free, f_frsize=1, f_favail=disk_reserve.FILES)
    held = Reserve(find_home(site.root, ONE))
    held.give_up()
    monkeypatch.setattr(disk_reserve.os, "statvfs", lambda _: there)  # type: ignore[attr-defined]
    held.take_back()
    assert (file.stat().st_size if file.exists() else 0) == left
    held.keep()  # to make more of it would take what others need
    assert (file.stat().st_size if file.exists() else 0) == left


def test_t1_24_none_is_kept_where_none_is_wanted(site: SiteOnPaper) -> None:
    file = kept(site)
    with site.opened():
        pass
    assert not file.exists()
    assert names(site) == -1


def test_t1_24_what_a_link_in_its_place_leads_to_is_left_alone(
    site: SiteOnPaper, tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("needed")
    (site.root / "reserve").symlink_to(tmp_path / "theirs")
    for stops in (False, True):
        with opened(site, stops=stops):
            pass
    assert (tmp_path / "theirs").read_text() == "needed"
    assert blocks(site.root / "reserve") >= MIB


def test_t1_24_models_on_a_disk_of_their_own_have_their_own(
    site: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, honest = site.root / "models", os.stat

    def elsewhere(path: Path, **given: bool) -> object:
        found = honest(path, **given)
        if path != models:
            return found
        return SimpleNamespace(st_dev=found.st_dev + 1, st_mode=found.st_mode)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", elsewhere)
        held = Reserve(find_home(site.root, ONE))
    held.keep()
    assert blocks(models / ".reserve") >= MIB
    assert len([*(models / ".reserve.names").iterdir()]) == disk_reserve.FILES
    held.give_up()
    assert blocks(models / ".reserve") == 0
    assert [*(models / ".reserve.names").iterdir()] == []
