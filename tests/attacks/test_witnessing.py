"""A site whose key signed more than its log holds, and media that bring a recall meanwhile."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.transparency import checkpoint
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.site.importing.importer import import_bundle
from sealift_sync.site.log.restored_site import MARK, MARK_TERM
from sealift_sync.site.reports import homebound
from sealift_sync.site.setup import home_locks
from sealift_sync.site.setup.home_folder import find_home
from sealift_sync.site.setup.home_locks import one_return
from tests.attacks.test_nothing_bars_stopping import (
    FAR,
    MODEL,
    Plant,
    plant,
    restored,
    stolen_key,
)
from tests.hub_on_paper import SITE
from tests.offline_sync.test_import_aside import Meanwhile
from tests.site_on_paper import SiteOnPaper

__all__ = ["plant"]

Capture = pytest.CaptureFixture[str]
LOCAL = ("model.rolled-back", "model.activated", "model.tried-again", "recall.honoured")


def stop_and_go(plant: Plant) -> None:
    """What people do at night."""
    assert plant.run("rollback", MODEL, "--reason", "It is wrong.") == 0
    assert plant.run("activate", MODEL, "--reason", "It is mended.") == 0
    plant.run("import", str(plant.recall()))
    assert plant.version == 1


@pytest.mark.parametrize("wrong", [stolen_key, restored])
def test_t1_21_each_entry_says_that_its_log_is_not_all_that_was_signed(
    plant: Plant, wrong: Callable[[Plant], AbstractContextManager[None]], capsys: Capture
) -> None:
    """So whoever reads one, with the proof that it is in the log, has both histories' proof."""
    with wrong(plant):
        before = len(plant.site.entries())
        stop_and_go(plant)
    told = plant.site.entries()[before:]
    assert {entry.type for entry in told} == set(LOCAL)
    with plant.site.opened() as opened:
        for entry in told:
            assert isinstance(entry.data, dict)
            said = checkpoint.verify(str(entry.data[MARK]).encode(), opened.key, opened.origin)
            assert said.size >= before
            assert MARK_TERM in entry.terms
    capsys.readouterr()
    assert plant.run("audit", "list", "--term", "log=behind") == 0
    assert f"{len(told)} of these were written" in " ".join(capsys.readouterr().out.split())


def test_t1_21_what_would_take_something_in_is_refused_and_told(
    plant: Plant, tmp_path: Path, capsys: Capture
) -> None:
    """Import, verify and return; `status`, `fsck` and what is read out say it, too."""
    folder = plant.bundle("next")
    with stolen_key(plant):
        stop_and_go(plant)
        before = plant.site.entries()
        (tmp_path / "stick").mkdir()
        for words in (
            ("import", folder),
            ("verify", folder),
            ("return", "--to", tmp_path / "stick"),
        ):
            capsys.readouterr()
            assert plant.run(*map(str, words)) == 1
            told = capsys.readouterr().err
            assert f"once signed {FAR:,} entries" in told
            assert "or somebody else has the key" in told
            assert "enrol anew in a new home" in told
        assert list((tmp_path / "stick").iterdir()) == []
        assert plant.site.entries() == before
        assert plant.run("status") == 0
        assert "Rollback, activation and recalls go on here" in capsys.readouterr().out
        assert plant.run("return", "--print") == 0
        assert "not all that was signed" in capsys.readouterr().out
        assert plant.run("fsck") == 1
        assert "Write nothing more" not in capsys.readouterr().err
        assert plant.run("audit", "verify") == 1
        assert plant.site.entries() == before


def test_t1_21_enrolled_anew_it_imports_again(plant: Plant, tmp_path: Path) -> None:
    """With another key: what a thief signed with the old one is nothing to it."""
    with stolen_key(plant):
        old = plant.signed(FAR)
        anew = SiteOnPaper(tmp_path / "anew", plant.hub.now)
        anew.enrol(plant.hub)
        assert anew.refuses(plant.bundle("thief", site_log=old)).code == "checkpoint-by-another-key"
        anew.take(plant.bundle("honest"))
    assert anew.running() == plant.site.running()


def test_t1_21_a_stranger_without_the_key_marks_and_bars_nothing(plant: Plant) -> None:
    said = checkpoint.claimed(plant.signed(FAR).encode())
    forged = checkpoint.sign(said, plant.hub.keys["mallory"]).decode()
    with pytest.raises(SealiftError):
        plant.site.take(plant.bundle("forged", site_log=forged))
    plant.site.take(plant.bundle("honest"))
    plant.site.roll_back()
    assert not any(MARK in (entry.data or {}) for entry in plant.site.entries())


# -- a recall on a second stick


def importing(plant: Plant, folder: Path, meanwhile: Meanwhile) -> None:
    with plant.site.opened("import", reads_medium=True) as opened:
        import_bundle(opened, Medium(folder), replace(plant.site.watch, begin_phase=meanwhile))


def test_t1_22_a_recall_waits_for_no_other_mediums_import(plant: Plant, capsys: Capture) -> None:
    plant.hub.assign(plant.hub.promote(3, model="letters"))
    first, second = plant.bundle("first"), plant.recall()

    def meanwhile() -> None:
        for told in (
            "What this medium recalls was honoured all the same. Wait until",
            "This medium recalls nothing that this site did not know of. Wait until",
        ):
            assert plant.run("import", str(second)) == 4
            assert plant.version == 1
            assert told in " ".join(capsys.readouterr().err.split())
        assert plant.run("import", str(second), "--json") == 4
        error = json.loads(capsys.readouterr().err)["error"]
        assert error["code"] == "home-busy"

    importing(plant, first, Meanwhile(meanwhile))
    assert plant.version == 1
    assert plant.site.running("vision/letters") is not None
    assert plant.told("recall.honoured") == 1


def test_t1_22_what_is_recalled_meanwhile_is_not_installed_by_the_import_under_way(
    plant: Plant,
) -> None:
    third = plant.hub.promote(3)
    plant.hub.assign(third, *reversed(plant.releases))
    first = plant.bundle("first")
    plant.hub.recall(third.sha256)
    second = plant.bundle("second")
    importing(plant, first, Meanwhile(lambda: plant.run("import", str(second))))
    assert plant.version == 2
    (held,) = [one for one in plant.site.receipts()[-1].artifacts if one.outcome == "held"]
    assert (held.artifact, held.code) == (str(third.path), "recalled")


def test_t1_22_a_medium_that_fails_is_told_after_its_recall_was_honoured(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = plant.recall()
    honest = Medium.read

    def failing(self: Medium, path: str, limit: int) -> bytes:
        if path == layout.TRANSFER or path.startswith(f"{layout.METADATA}/1.targets"):
            raise FailedError("medium-unreadable", "It failed.", next_step="Check it.")
        return honest(self, path, limit)

    monkeypatch.setattr(Medium, "read", failing)
    with pytest.raises(FailedError, match="It failed"):
        plant.site.take(stick)
    assert plant.version == 1
    assert plant.told("recall.honoured") == 1


def test_t1_22_returns_beside_a_recall_that_cannot_be_read_do_not_keep_it_back(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = plant.recall()
    (stick.parent / layout.RETURNS / SITE).mkdir(parents=True)
    honest: Callable[[int | str], object] = os.scandir

    def failing(folder: int | str = ".") -> Iterator[os.DirEntry[str]]:
        if isinstance(folder, int) and Path(f"/proc/self/fd/{folder}").readlink().name == SITE:
            raise OSError(errno.EIO, "Input/output error")
        return honest(folder)  # type: ignore[return-value]

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", failing)
        with pytest.raises(FailedError, match="Input/output error"):
            plant.site.take(stick)
    assert plant.version == 1


# -- a stick that answers never


def test_t1_23_a_return_holds_up_nobody_while_it_writes(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stick").mkdir()
    for name in ("notes_beside", "write_return"):
        honest = getattr(homebound, name)

        def slow(*given: object, honest: Callable[..., object] = honest) -> object:
            with free(plant):
                pass
            return honest(*given)

        monkeypatch.setattr(homebound, name, slow)
    assert plant.run("return", "--to", str(tmp_path / "stick")) == 0


@contextmanager
def free(plant: Plant) -> Iterator[None]:
    """The home's own lock is anybody's."""
    home = find_home(plant.site.root, {"SEALIFT_LIMITS__LOCK_SECONDS": "0"})
    with home_locks.only_one(home, "test"):
        yield


def test_t1_23_two_returns_do_not_meet(plant: Plant, tmp_path: Path, capsys: Capture) -> None:
    """One sweeps what the other has not finished."""
    (tmp_path / "stick").mkdir()
    with one_return(find_home(plant.site.root, {}), "return"):
        assert plant.run("return", "--to", str(tmp_path / "stick")) == 4
        assert "sealift-site return (process" in capsys.readouterr().err
        assert plant.run("rollback", MODEL, "--reason", "It is wrong.") == 0
    assert plant.run("return", "--to", str(tmp_path / "stick")) == 0
