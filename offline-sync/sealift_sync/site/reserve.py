"""Room on a disk that is kept for what stops a model.

On a full disk no entry can be written, and so nothing would happen. So a home holds a file that
nobody reads: whoever rolls back, activates or brings a recall gives its room up first, and takes
back afterwards what is left of it. It lies beside the database, and beside the models where those
are on a disk of their own.

It is no help on a file system that shares or compresses what is equal, and none where something
else takes the room in the same second.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sealift_signing import disk
from sealift_sync.site.home import Home

NAME = "reserve"
MIB = 1024 * 1024
LEAST = 64 * 1024
"""Bytes that are still worth keeping."""
PLENTY = 4
"""How many times its size is free where a reserve is made: to make one must not fill a disk."""


class Reserve:
    """The reserve of one home, for one command. Nothing here ever fails."""

    def __init__(self, home: Home) -> None:
        self._files = _files(home)
        self._wanted = home.settings.limits.reserve_mib * MIB
        self._given: dict[Path, int] = {}

    def keep(self) -> None:
        """Have it there, as it is set, where the disk has plenty of room."""
        for file in self._files:
            with suppress(OSError):
                if not self._wanted:
                    file.unlink(missing_ok=True)
                elif _size(file) < self._wanted and _free(file) >= PLENTY * self._wanted:
                    _allocate(file, self._wanted)

    def give_up(self) -> None:
        """Give its room to whoever writes now."""
        for file in self._files:
            self._given[file] = max(self._given.get(file, 0), _size(file))
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def take_back(self) -> None:
        """Have what is left of what was given up."""
        for file, size in self._given.items():
            with suppress(OSError):
                _take_back(file, size)
        self._given.clear()


def _files(home: Home) -> tuple[Path, ...]:
    beside = home.root / NAME
    with suppress(OSError):
        if home.models.stat().st_dev != home.root.stat().st_dev:
            return beside, home.models / f".{NAME}"
    return (beside,)


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _free(file: Path) -> int:
    found = os.statvfs(file.parent)
    return found.f_bavail * found.f_frsize


def _take_back(file: Path, size: int) -> None:
    """As much of `size` as the disk still has."""
    size = min(size, _free(file))
    while size >= LEAST:
        try:
            _allocate(file, size)
        except OSError:
            file.unlink(missing_ok=True)
            size //= 2
        else:
            return


def _allocate(file: Path, size: int) -> None:
    """Have `file` take up `size` bytes of the disk, or nothing."""
    descriptor = disk.open_regular(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:  # macOS
            os.pwrite(descriptor, bytes(size), 0)
    finally:
        os.close(descriptor)
