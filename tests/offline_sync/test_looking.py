"""Whoever only looks at a site needs no room on its disk, and no leave to write there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub_on_paper import HubOnPaper
from tests.offline_sync.databases import OLDER, change, held
from tests.site_on_paper import SiteOnPaper

APART = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
LOOKING = (
    ["status"],
    ["return", "--print"],
    ["audit", "list"],
    ["audit", "verify"],
    ["audit", "fsck"],
)
MAIN = "import sys; from sealift_sync.cli.run import run; sys.exit(run(sys.argv[1:]))"
ON_A_FULL_DISK = """
set -e
home=$1; shift
mount -t tmpfs -o size=16M,nr_inodes=1000,mode=700 tmpfs "$home.small"
cp -a "$home/." "$home.small"
mkdir -m 700 "$home.small/filler"
if [ "$FULL" = room ]; then
    dd if=/dev/zero of="$home.small/filler/1" bs=4096 2> "$home.said" || true
    dd if=/dev/zero of="$home.small/filler/2" bs=1 count=1 2> "$home.said" && exit 99
else
    seq 1000 | (cd "$home.small/filler" && xargs touch) 2> "$home.said" && exit 99
fi
exec "$@"
"""
TO_BE_READ = """
set -e
home=$1; shift
mkdir -p "$home.small"
mount --bind "$home" "$home.small"
mount -o remount,ro,bind "$home.small"
exec "$@"
"""


@dataclass(frozen=True)
class Place:
    """Where a home lies: what is mounted there, and what of it is used up."""

    script: str
    full: str = ""

    def run(self, home: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
        """A command of a site that lies there."""
        small = home.with_name(f"{home.name}.small")
        small.mkdir(exist_ok=True)
        command = [sys.executable, "-c", MAIN, "--home", str(small), *words, "--json"]
        return subprocess.run(
            [*APART, "bash", "-c", self.script, "bash", str(home), *command],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"FULL": self.full},
        )


PLACES = {
    "no room": Place(ON_A_FULL_DISK, "room"),
    "no more files": Place(ON_A_FULL_DISK, "files"),
    "read only": Place(TO_BE_READ),
}


@pytest.fixture
def looked_at(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    return site


def stripped(text: str) -> dict[str, Any]:
    """What was told, without the time, which is another whenever somebody asks."""
    told: dict[str, Any] = json.loads(text)
    return {name: value for name, value in told.items() if name != "trusted_time"}


@pytest.mark.system
@pytest.mark.parametrize("place", PLACES)
def test_f1_70_what_looks_works_there_and_says_the_same(looked_at: SiteOnPaper, place: str) -> None:
    before = looked_at.picture()
    for words in LOOKING:
        found = PLACES[place].run(looked_at.root, words)
        assert found.returncode == 0, (words, found.stderr)
        plain = [sys.executable, "-c", MAIN, "--home", str(looked_at.root), *words, "--json"]
        expected = subprocess.run(plain, capture_output=True, text=True, check=True)
        assert stripped(found.stdout) == stripped(expected.stdout)
    assert looked_at.picture() == before


@pytest.mark.system
@pytest.mark.parametrize(
    "place, code",
    [("no room", "state-full"), ("no more files", "state-"), ("read only", "state-read-only")],
)
def test_f1_71_where_a_step_is_due_that_is_told_and_nothing_is_half_done(
    looked_at: SiteOnPaper, place: str, code: str
) -> None:
    change(looked_at.root, OLDER)
    before = held(looked_at.root)
    found = PLACES[place].run(looked_at.root, ["status"])
    assert found.returncode == 4
    error = json.loads(found.stderr[found.stderr.index('{"') :])["error"]
    assert error["code"].startswith(code)
    assert error["next"].startswith("Nothing was changed.")
    assert held(looked_at.root) == before


@pytest.mark.system
@pytest.mark.parametrize("beside", ["wal", "journal"])
def test_f1_72_what_is_not_in_the_file_yet_is_not_passed_over(
    looked_at: SiteOnPaper, beside: str
) -> None:
    """A recall may be in the write-ahead log alone, or what nobody committed in the file."""
    (looked_at.root / f"sealift.db-{beside}").write_bytes(b"x" * 32)
    found = PLACES["read only"].run(looked_at.root, ["status"])
    assert found.returncode == 4
    error = json.loads(found.stderr[found.stderr.index('{"') :])["error"]
    assert error["code"] == "state-read-only"
    assert "Copy the whole folder" in error["next"]


@pytest.mark.system
def test_f1_72_what_writes_says_that_it_cannot(looked_at: SiteOnPaper, medium: Path) -> None:
    before = looked_at.picture()
    for words in (
        ["rollback", "vision/digits", "--reason", "wrong"],
        ["import", str(medium)],
        ["fsck"],
    ):
        found = PLACES["read only"].run(looked_at.root, words)
        assert found.returncode == 4, (words, found.stderr)
        assert "only be read" in found.stderr
    assert looked_at.picture() == before
