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
from sealift_sync.site import reserve
from sealift_sync.site.home import find_home
from sealift_sync.site.importer import import_bundle
from sealift_sync.site.opened import Site, open_site
from sealift_sync.site.reserve import Reserve
from tests.hub_on_paper import HubOnPaper
from tests.offline_sync.test_import_aside import Meanwhile
from tests.site_on_paper import SiteOnPaper

MIB = 1024 * 1024
ONE = {"SEALIFT_LIMITS__RESERVE_MIB": "1"}


@contextmanager
def opened(site: SiteOnPaper, *, stops: bool = False, reads_medium: bool = False) -> Iterator[Site]:
    with open_site(
        site.root, ONE, site.clock, "test", stops=stops, reads_medium=reads_medium
    ) as found:
        yield found


def kept(site: SiteOnPaper) -> Path:
    """The reserve, which one command has made."""
    with opened(site):
        pass
    return site.root / "reserve"


def test_t1_24_it_takes_up_room_and_is_nobody_elses(site: SiteOnPaper) -> None:
    found = kept(site).stat()
    assert found.st_size == MIB
    assert found.st_blocks * 512 >= MIB
    assert found.st_mode & 0o777 == 0o600


def test_t1_24_it_is_given_up_to_what_stops_something_and_taken_back(site: SiteOnPaper) -> None:
    file = kept(site)
    with opened(site, stops=True):
        assert not file.exists()
    assert file.stat().st_size == MIB


def test_t1_24_it_is_there_again_while_a_medium_is_copied(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """An import may take hours, and whoever goes back meanwhile needs it."""
    file, seen = kept(site), list[bool]()
    hub.assign(hub.promote(1))
    meanwhile = Meanwhile(lambda: seen.append(file.exists()))
    with opened(site, stops=True, reads_medium=True) as found:
        folder = Medium(hub.export(medium))
        import_bundle(found, folder, replace(site.watch, stage=meanwhile))
    assert seen == [True]


def test_t1_24_what_was_cut_before_it_was_taken_back_is_made_again(site: SiteOnPaper) -> None:
    file = kept(site)
    file.unlink()
    assert kept(site).stat().st_size == MIB


@pytest.mark.parametrize("free, left", [(0, 0), (MIB // 3, MIB // 3), (2 * MIB, MIB)])
def test_t1_24_what_is_left_is_taken_back(
    site: SiteOnPaper, monkeypatch: pytest.MonkeyPatch, free: int, left: int
) -> None:
    file = kept(site)
    there = SimpleNamespace(f_bavail=free, f_frsize=1)
    held = Reserve(find_home(site.root, ONE))
    held.give_up()
    monkeypatch.setattr(reserve.os, "statvfs", lambda _: there)  # type: ignore[attr-defined]
    held.take_back()
    assert (file.stat().st_size if file.exists() else 0) == left
    held.keep()  # to make more of it would take what others need
    assert (file.stat().st_size if file.exists() else 0) == left


def test_t1_24_none_is_kept_where_none_is_wanted(site: SiteOnPaper) -> None:
    file = kept(site)
    with site.opened():
        pass
    assert not file.exists()


def test_t1_24_what_a_link_in_its_place_leads_to_is_left_alone(
    site: SiteOnPaper, tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("needed")
    (site.root / "reserve").symlink_to(tmp_path / "theirs")
    for stops in (False, True):
        with opened(site, stops=stops):
            pass
    assert (tmp_path / "theirs").read_text() == "needed"


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
    assert (models / ".reserve").stat().st_size == MIB
    held.give_up()
    assert not (models / ".reserve").exists()
