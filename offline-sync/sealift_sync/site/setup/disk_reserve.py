"""Room on a disk that is kept for what stops a model.

On a full disk no entry can be written, and so nothing would happen. So a home holds a file that
nobody reads, and a folder of empty ones, for a disk may also run out of files: whoever rolls back,
activates or brings a recall gives them up first, and takes back afterwards what is left. They lie
beside the database, and beside the models where those are on a disk of their own.

What is given up is emptied, not only unlinked: a backup may have it open, and another user a link
to it. While somebody who gave it up waits for a medium or a hook, it is taken back, for something
else may be filling the disk all the time. What is empty was given up by a command that was cut, and
the next one takes back what is left of it.

It is no help on a file system that shares or compresses what is equal, and none where something
else takes the room in the same second.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sealift_signing import disk, file_access
from sealift_sync.site.setup.home_folder import Home

NAME = "reserve"
MIB = 1024 * 1024
LEAST = 64 * 1024
"""Bytes that are still worth keeping."""
FILES = 32
"""More than what a switch makes: SQLite's two, a link, and the folders of a version."""
PLENTY = 4
"""How many times its size is free where a reserve is made: to make one must not fill a disk."""
A_HOOKS = 0.5
"""What stays given up while a hook runs, which may have something to write as well."""


class _Part(Protocol):
    def keep(self) -> None:
        """Have it there, where there is plenty of it."""

    def give_up(self) -> None:
        """Give it to whoever writes now."""

    def take_back(self, share: float) -> None:
        """Have what is left of this share of what was given up."""


class Reserve:
    """The reserve of one home, for one command. Nothing here ever fails."""

    def __init__(self, home: Home) -> None:
        wanted = home.settings.limits.reserve_mib * MIB
        self._parts: list[_Part] = []
        for file in _files(home):
            names = file.with_name(f"{file.name}.names")
            self._parts += [_Room(file, wanted), _Names(names, FILES if wanted else 0)]
        self._given = False

    def keep(self) -> None:
        """Have it there, as it is set, where the disk has plenty of room."""
        for part in self._parts:
            with suppress(OSError):
                part.keep()

    def give_up(self) -> None:
        """Give its room to whoever writes now."""
        self._given = True
        for part in self._parts:
            with suppress(OSError):
                part.give_up()

    def take_back(self, share: float = 1.0) -> None:
        """Have what is left of what was given up, or of a share of it."""
        for part in self._parts if self._given else ():
            with suppress(OSError):
                part.take_back(share)
        self._given = False

    @contextmanager
    def resting(self, share: float = 1.0) -> Iterator[None]:
        """Have it there meanwhile, if it was given up: nothing is written, and it may take long.

        Whoever is stopped meanwhile needs it no more.
        """
        given = self._given
        self.take_back(share)
        try:
            yield
        except Exception:
            self._give_up_again(given=given)
            raise
        self._give_up_again(given=given)

    def _give_up_again(self, *, given: bool) -> None:
        if given:
            self.give_up()


class _Room:
    """A file that takes up `wanted` bytes."""

    def __init__(self, file: Path, wanted: int) -> None:
        self._file = file
        self._wanted = wanted
        self._given = 0

    def keep(self) -> None:
        if not self._wanted:
            self._file.unlink(missing_ok=True)
        elif self._was_given_up():
            self._take(self._wanted)
        elif self._held() < self._wanted and _free(self._file) >= PLENTY * self._wanted:
            _allocate(self._file, self._wanted)

    def give_up(self) -> None:
        self._given = max(self._given, self._held())
        try:
            descriptor = disk.open_regular(self._file, os.O_WRONLY | os.O_NOFOLLOW)
        except OSError:  # a link, say, or another user's
            self._file.unlink(missing_ok=True)
            return
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def take_back(self, share: float) -> None:
        self._take(int(self._given * share))

    def _held(self) -> int:
        """The bytes of the disk that it takes up: a copy of it may be all holes."""
        found = _found(self._file)
        if found is None or not stat.S_ISREG(found.st_mode):
            return 0
        return min(found.st_size, found.st_blocks * 512)

    def _was_given_up(self) -> bool:
        found = _found(self._file)
        return found is not None and stat.S_ISREG(found.st_mode) and not found.st_size

    def _take(self, wanted: int) -> None:
        """As much of it as the disk still has."""
        size = min(wanted, _free(self._file))
        while size >= LEAST:
            try:
                _allocate(self._file, size)
            except OSError:
                self._file.unlink(missing_ok=True)
                size //= 2
            else:
                return
        self._file.unlink(missing_ok=True)


class _Names:
    """A folder of `wanted` empty files, for a disk that counts them."""

    def __init__(self, folder: Path, wanted: int) -> None:
        self._folder = folder
        self._wanted = wanted
        self._given = 0

    def keep(self) -> None:
        there = self._there()
        if there is None:
            if self._wanted and self._is_plenty():
                self._folder.unlink(missing_ok=True)
                self._take(self._wanted)
        elif not self._wanted:
            shutil.rmtree(self._folder)
        elif not there or (len(there) < self._wanted and self._is_plenty()):
            self._take(self._wanted)

    def give_up(self) -> None:
        there = self._there() or []
        self._given = max(self._given, len(there))
        for file in there:
            file.unlink(missing_ok=True)

    def take_back(self, share: float) -> None:
        self._take(int(self._given * share))

    def _there(self) -> list[Path] | None:
        """What is in it; None where it is no folder of ours."""
        found = _found(self._folder)
        if found is None or not stat.S_ISDIR(found.st_mode):
            return None
        return list(self._folder.iterdir())

    def _is_plenty(self) -> bool:
        """Whether so many are free, on a disk that counts them."""
        return os.statvfs(self._folder.parent).f_favail >= PLENTY * self._wanted

    def _take(self, wanted: int) -> None:
        """As many of them as the disk still has."""
        with suppress(OSError):
            if wanted:
                self._folder.mkdir(file_access.FOLDER, exist_ok=True)
            for number in range(wanted):
                file_access.make_file(self._folder / str(number))
        with suppress(OSError):  # nothing is left: nobody is to think that a command was cut
            self._folder.rmdir()


def _files(home: Home) -> tuple[Path, ...]:
    beside = home.root / NAME
    with suppress(OSError):
        if home.models.stat().st_dev != home.root.stat().st_dev:
            return beside, home.models / f".{NAME}"
    return (beside,)


def _found(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _free(file: Path) -> int:
    found = os.statvfs(file.parent)
    return found.f_bavail * found.f_frsize


def _allocate(file: Path, size: int) -> None:
    """Have `file` take up `size` bytes of the disk.

    Raises:
        OSError: it could not; some of it may have been taken up.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
    try:
        descriptor = disk.open_regular(file, flags)
    except OSError:  # a link, say, or another user's
        file.unlink(missing_ok=True)
        descriptor = disk.open_regular(file, flags)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:  # macOS
            os.pwrite(descriptor, bytes(size), 0)
    finally:
        os.close(descriptor)
