"""A medium that says "written" and keeps something else: found by reading back, and only by that.

The system answers reads from its memory of what it wrote until it is told to forget it. That moment
(`durable.drop_cache`) is when this medium shows what it kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest

from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import durable
from sealift_sync.bundle import writer
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper

SECTOR = 512
Fault = Callable[[Path, Random], None]


def lose_a_sector(file: Path, chance: Random) -> None:
    """A flushed sector that did not stick: zeros, as a stick without spare blocks gives them."""
    with file.open("r+b") as raw:
        raw.seek(chance.randrange(0, file.stat().st_size, SECTOR))
        begin, had = raw.tell(), raw.read(SECTOR)
        raw.seek(begin)
        raw.write(bytes(len(had)))


def flip_a_bit(file: Path, chance: Random) -> None:
    with file.open("r+b") as raw:
        raw.seek(chance.randrange(file.stat().st_size))
        (byte,) = raw.read(1)
        raw.seek(-1, os.SEEK_CUR)
        raw.write(bytes([byte ^ 1 << chance.randrange(8)]))


def lose_the_end(file: Path, chance: Random) -> None:
    os.truncate(file, chance.randrange(file.stat().st_size))


class LyingMedium:
    """Damages one of the files that are written to it, when its memory of them is dropped."""

    def __init__(self, which: int, fault: Fault) -> None:
        self._which = which
        self._fault = fault
        self._seen: list[str] = []

    def drop_cache(self, file: BinaryIO) -> None:
        name = str(Path(f"/proc/self/fd/{file.fileno()}").readlink())
        if name not in self._seen:
            self._seen.append(name)
            if len(self._seen) == self._which:
                self.show(Path(name))

    def show(self, file: Path) -> None:
        """What it kept of `file`."""
        chance = Random(self._which)  # noqa: S311 - chance that repeats is what a test wants
        self._fault(file, chance)


@pytest.fixture
def hub(tmp_path: Path) -> HubOnPaper:
    made = HubOnPaper(tmp_path)
    made.assign(made.promote())
    return made


def bundle_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


FAULTS = pytest.mark.parametrize("fault", [lose_a_sector, flip_a_bit, lose_the_end])


@FAULTS
def test_a3_a_medium_that_lies_is_found_out(
    fault: Fault, hub: HubOnPaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file it damages, transfer.json too: an error, and nothing has a bundle's name."""
    files = len(bundle_files(hub.export(tmp_path / "good")))
    for which in range(1, files + 1):
        medium = tmp_path / f"medium-{which}"
        monkeypatch.setattr(durable, "drop_cache", LyingMedium(which, fault).drop_cache)
        with pytest.raises(FailedError) as caught:
            hub.export(medium)
        assert caught.value.code == "read-back-differs"
        assert "use another" in caught.value.next_step
        assert list((medium / "sealift").iterdir()) == [], "a lying medium keeps nothing"


@FAULTS
def test_a3_without_reading_back_the_lie_reaches_the_site(
    fault: Fault, hub: HubOnPaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same faults with the read-back taken away: the export says "done", the site refuses."""
    plant = SiteOnPaper(tmp_path / "site", hub.now)
    plant.enrol(hub)
    monkeypatch.setattr(writer, "_read_back", lambda *_given: None)
    folder = hub.export(tmp_path / "medium")
    files = bundle_files(folder)
    for which, file in enumerate(files, start=1):
        kept = file.read_bytes()
        LyingMedium(which, fault).show(file)
        with pytest.raises(SealiftError):
            plant.verify(folder)
        file.write_bytes(kept)
    plant.verify(folder)
