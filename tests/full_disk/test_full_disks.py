"""A disk that is full: a sentence, nothing half-done, and the same command works after that.

Real small file systems in a mount namespace of their own, real commands. Each is run at points that
are spread evenly below the room that it needs; those that ask how much is free also as if somebody
else had filled the disk after that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

POINTS = 20
MEMORY = Path("/dev/shm")  # noqa: S108 - made by mkdtemp, for nobody else
HUBS = ("ingest", "convert", "promote", "approve", "export", "receive")
COMMANDS = {
    "hub": HUBS,
    "hub-database": HUBS,
    "medium": ("export", "return"),
    "store": ("import",),
    "site": ("import", "rollback"),
    "site-database": ("import", "rollback", "return"),
}
"""Which commands write in which place."""
NEEDS_NONE = {"site-database:return"}
"""What works on a full disk, because it writes elsewhere."""
SAMPLE = ("hub:promote", "medium:export", "store:import", "site-database:import")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


def swept(stocked: Path, folder: Path, count: int, wanted: Sequence[str]) -> dict[str, Any]:
    apart = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    module = [sys.executable, "-m", "tests.full_disk.sweep"]
    command = [*apart, *module, str(stocked), str(folder), str(count), *wanted]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    for name, one in found.items():
        sys.stdout.write(f"{name}: needs {one['needs']} pages; {one['codes']}\n")
        sys.stdout.writelines(f"  {problem}\n" for problem in one["problems"])
    return found


def check(found: dict[str, Any], count: int) -> None:
    assert [problem for one in found.values() for problem in one["problems"]] == []
    for name, one in found.items():
        assert len(one["points"]) == min(count, one["needs"]), name
        met = set(one["codes"]) - {"done"}
        assert bool(met) == (name not in NEEDS_NONE), f"{name} ended with {one['codes']}"


@pytest.mark.system
def test_a4_full_at_some_points(stocked: Path, folder: Path) -> None:
    check(swept(stocked, folder, 3, SAMPLE), 3)


@pytest.mark.long
@pytest.mark.parametrize("place", COMMANDS)
def test_a4_full_at_twenty_points(place: str, stocked: Path, folder: Path) -> None:
    wanted = [f"{place}:{command}" for command in COMMANDS[place]]
    check(swept(stocked, folder, POINTS, wanted), POINTS)
