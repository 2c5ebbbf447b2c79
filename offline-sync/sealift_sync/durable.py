"""Files that are there whole, or not there: written aside, flushed, renamed, the folder flushed.

A rename is atomic, and durable only once its folder was flushed too (POSIX `fsync`, rationale).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from sealift_signing import disk, file_access

PARTIAL = disk.PARTIAL
flush, flush_folder, unwritable = disk.flush, disk.flush_folder, disk.unwritable
MOST_UNFLUSHED = 64
MOST_BYTES_UNFLUSHED = 64 * 1024 * 1024
"""Files, and bytes of them, that wait to be flushed together."""
WORTH_ALL = 8
"""Files for which the whole file system is flushed before each of them is."""

_SYNC_FILE_RANGE_WRITE = 2

Progress = Callable[[int], None]
"""Told the number of further bytes that were handled."""
BeginPhase = Callable[[str, int], Progress]
"""Begins a phase of so many bytes (`copy`, `read back`), and ends the one before; its progress."""


def write(path: Path, data: bytes, *, mode: int = file_access.FILE) -> None:
    """Put `data` at `path`, in place of what is there, durably and at once, with this mode.

    Raises:
        FailedError: it could not be written; what was there is still there.
    """
    try:
        if mode == file_access.SHOWN_FILE:
            file_access.shown_folders(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write(path, data, mode)
        flush_folder(path.parent)
    except OSError as bad:
        raise unwritable(path, bad) from bad


def flush_tree(folder: Path) -> None:
    """Make all that lies below `folder` durable: its files, then the names of each folder.

    Raises:
        OSError: it could not.
    """
    for at, _, names in os.walk(folder, topdown=False, onerror=_raised):
        for path in (Path(at, name) for name in names):
            if not path.is_symlink() and path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        flush_folder(Path(at))


def _raised(bad: OSError) -> None:
    raise bad


class Unflushed:
    """New files, flushed some dozens at a time: one by one, after the whole file system is.

    Nobody reads them again soon: they leave the page cache then. Each has the mode `mode`.

    Each stays open until then, because a descriptor that was open while the disk failed is sure to
    be told of it (fsync(2), "errors"). Where something goes wrong they are closed, and not flushed.
    """

    def __init__(self, mode: int = file_access.FILE) -> None:
        self._mode = mode
        self._files: list[BinaryIO] = []
        self._bytes = 0
        """Of all but the newest, which is still written."""

    def __enter__(self) -> Self:
        return self

    def new(self, path: Path) -> BinaryIO:
        """The new file `path`, to be written before the next one is asked for.

        Raises:
            OSError: it could not be made, or one before it could not be flushed.
        """
        if self._files:
            self._bytes += self._files[-1].tell()
        if len(self._files) >= MOST_UNFLUSHED or self._bytes >= MOST_BYTES_UNFLUSHED:
            self.flush()
        self._files.append(path.open("x+b"))
        file_access.show(self._files[-1].fileno(), self._mode)
        return self._files[-1]

    def flush(self) -> None:
        """Make all of them durable.

        Raises:
            OSError: one could not be flushed.
        """
        for file in self._files:
            file.flush()
        if len(self._files) >= WORTH_ALL:
            begin_all(self._files[0])
        for file in self._files:
            flush(file)
            let_go(file)
        self._bytes = 0
        self._close()

    def _close(self) -> None:
        while self._files:
            with suppress(OSError):  # of what was not flushed, the first error was told
                self._files.pop().close()

    def __exit__(
        self, kind: type[BaseException] | None, bad: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._close()


def drop_cache(file: BinaryIO) -> None:
    """Have the next read of `file` ask the medium, where the system knows how to be asked."""
    let_go(file)


def ask_for(file: BinaryIO, most: int) -> None:
    """Have the disk begin to read `file`, on Linux, up to so many bytes.

    Nobody waits for it, unless the disk has as much to do as it can take.
    """
    with suppress(AttributeError, OSError):
        os.posix_fadvise(file.fileno(), 0, most, os.POSIX_FADV_WILLNEED)


def let_go(file: BinaryIO, start: int = 0, end: int = 0) -> None:
    """Say that nobody needs these bytes of `file` soon, or any of it.

    On Linux, what of it is on the disk leaves the page cache, and the rest begins to be written;
    nobody waits for that.
    """
    with suppress(AttributeError, OSError):
        os.posix_fadvise(file.fileno(), start, end - start, os.POSIX_FADV_DONTNEED)


def begin(file: BinaryIO, start: int, end: int) -> None:
    """Have the disk begin to write these bytes of `file`, which stay in the page cache.

    By sync_file_range(2), on Linux; `let_go` begins it too, and what a fast disk has written by
    then leaves the page cache. Nobody waits for it, and it makes nothing durable.
    """
    begin_range = _called("sync_file_range")
    if begin_range is None:
        let_go(file, start, end)
        return
    with suppress(OSError):  # what is no file of the system's
        begin_range(file.fileno(), _long(start), _long(end - start), _SYNC_FILE_RANGE_WRITE)


def begin_all(file: BinaryIO) -> None:
    """Have the file system of `file` write all that it holds back, in one go (syncfs(2), on Linux).

    Files that are flushed after it, one by one, then have nothing to wait for: each would be a
    commit of the file system's own journal. It is a help and no promise: not every file system
    does it, nor says where it failed, and whether a file is durable only its own flush tells.
    """
    syncfs = _called("syncfs")
    if syncfs is not None:
        syncfs(file.fileno())


@cache
def _called(name: str) -> Callable[..., int] | None:
    """A call to the system that Python has no name for; None where there is none."""
    try:
        import ctypes

        return cast("Callable[..., int]", getattr(ctypes.CDLL(None), name))
    except (ImportError, OSError, TypeError, AttributeError):  # another system, or a bare Python
        return None


def _long(number: int) -> object:
    """An offset or a length in a file, as C has it."""
    import ctypes

    return ctypes.c_int64(number)
