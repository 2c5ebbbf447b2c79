"""A site's schema, brought forward by a real process that ends at any of its writes and flushes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sealift_sync.cli.run import run
from tests.offline_sync.databases import Held, held
from tests.offline_sync.test_schema import SHAPES
from tests.older.test_older import unpacked
from tests.power.cutting import SIZES, Cut, failures
from tests.power.disk import lay_out
from tests.power.recording import Recording, record

__all__ = ["unpacked"]


def recorded(unpacked: Path, scratch: Path) -> tuple[Recording, Held, Held]:
    """`status` in an older home; and what its database held before and afterwards."""
    folder, before = scratch / "case", scratch / "before"
    folder.mkdir()
    subprocess.run(["cp", "-a", str(unpacked / "plant-7"), str(folder / "site")], check=True)
    subprocess.run(["cp", "-a", str(folder), str(before)], check=True)
    words = ("sealift-site", "--home", str(folder / "site"), "status")
    recording = record(folder, before, "nothing", *words)
    assert recording.marks[-1] == "exit 0"
    return recording, held(before / "site"), held(folder / "site")


def check(home: Path, before: Held, after: Held) -> bool:
    """Whether all steps are done; each is so wholly or not at all, and the next command does it."""
    found = held(home)
    assert found in (before, after) or found.shape == SHAPES[found.number]
    assert run(["--home", str(home), "status"]) == 0
    assert held(home) == after
    return found == after


@pytest.mark.system
def test_f1_69_killed_at_any_write_or_flush_the_step_is_done_or_not_begun(
    unpacked: Path, scratch: Path
) -> None:
    """What a killed process has written stays written: nothing more, and nothing less."""
    recording, before, after = recorded(unpacked, scratch)
    disk, done = recording.disk(), []
    for operation in recording.operations:
        disk.apply(operation)
        shutil.rmtree(recording.folder)
        lay_out(disk.tree(recording.folder), recording.folder)
        done.append(check(recording.folder / "site", before, after))
    assert done == sorted(done), "once it is done, it stays so"
    assert set(done) == {False, True}


@pytest.mark.parametrize("count", SIZES)
def test_f1_69_nor_is_it_half_done_after_a_power_cut(
    unpacked: Path, scratch: Path, count: int
) -> None:
    recording, before, after = recorded(unpacked, scratch)

    def whole(cut: Cut) -> None:
        check(cut.folder / "site", before, after)

    assert failures(recording, count, whole) == []
