"""Small file systems in the places that can be full; needs a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096
"""Bytes: what a tmpfs gives out at a time."""
SIZE = 96 * 1024 * 1024
"""More than the 64 MiB that a site's settings keep free."""
FILLER = "filler"
MODES = {"medium": 755, "site": 711, "models": 755}
"""Of the file systems, as Sealift has the folders; what is open to others it would close."""


@dataclass(frozen=True)
class Place:
    """A folder of the case that is a small file system; those `besides` it in it have their own."""

    folder: str
    besides: tuple[str, ...] = ()


PLACES: Mapping[str, Place] = {
    "hub": Place("hub"),
    "hub-database": Place("hub", ("hub/blobs", "hub/work", "hub/metadata", "hub/keys")),
    "medium": Place("medium"),
    "store": Place("site/store"),
    "site": Place("site"),
    "site-database": Place("site", ("site/store", "site/models", "site/keys")),
}


class Case:
    """The folder in which commands run, laid out anew for each run, with one place that is small.

    Args:
        folder: where it lies.
        place: what is small there.
    """

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder = folder
        self._small = folder / place.folder
        self._mounted = [self._small, *(folder / one for one in place.besides)]

    def lay_out(self, kept: Path) -> None:
        """Have what is in `kept`, on new file systems."""
        self.clear()
        self.folder.mkdir()
        for one in self._mounted:
            one.mkdir(parents=True)
            options = f"size={SIZE},mode={MODES.get(one.name, 700)}"
            _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(one))
        # A site's models are hard links to its store, and copies where that lies elsewhere.
        links = [] if self.folder / "site/store" in self._mounted else ["--preserve=links"]
        _run("cp", "-PR", "--preserve=mode,timestamps", *links, f"{kept}/.", str(self.folder))

    def clear(self) -> None:
        """Take all of it away."""
        for one in reversed(self._mounted):
            if one.is_mount():
                _run("umount", "--lazy", str(one))
        _run("rm", "-rf", str(self.folder))

    def fill(self, pages: int) -> None:
        """Leave `pages` pages free in the small place."""
        there = os.statvfs(self._small)
        taken = there.f_bavail * there.f_frsize - pages * PAGE
        (self._small / FILLER).touch(0o600, exist_ok=False)
        with (self._small / FILLER).open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, taken)

    def make_room(self) -> None:
        """Take away what filled it."""
        (self._small / FILLER).unlink()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
