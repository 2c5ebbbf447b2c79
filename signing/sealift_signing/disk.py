"""Files and folders as disks have them: no pipe is waited for, and each error has its own advice.

A name on a medium, in a shared folder or in a memory may lead to anything. To open a pipe is to
wait for whoever writes into it, and to open some devices is to use them.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from sealift_signing import file_access
from sealift_signing.errors import FailedError

PARTIAL = ".partial"
"""The end of every temporary name: what bears it is unfinished and may be thrown away."""

NO_SUCH_CALL = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system says that cannot flush a folder, such as a shared folder of VirtualBox."""
LEAST_ROOM = 1 << 16
"""Bytes below which a disk is called full: SQLite makes its files' index in steps of 32 KiB."""

_ASIDE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_STEPS = {
    errno.EROFS: "Its file system can only be read: have it mounted for writing too, or choose "
    "another folder.",
    errno.ENOLCK: "Its file system has no locks, so nothing there is safe from a second command: "
    "choose a folder on a disk of this machine.",
}
_STEPS[errno.ENOTSUP] = _STEPS[errno.EOPNOTSUPP] = _STEPS[errno.ENOLCK]


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file at `path`, or where links lead to from there.

    Raises:
        OSError: it could not be opened; EINVAL where it is no regular file.
    """
    with suppress(FileNotFoundError):  # O_CREAT may be asked for
        _check_regular(path, path.stat())
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, file_access.FILE)
    try:
        _check_regular(path, os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(path: Path, found: os.stat_result) -> None:
    for is_such, name in _KINDS:
        if is_such(found.st_mode):
            raise OSError(errno.EINVAL, f"it is {name}, not a file", str(path))


def read(path: Path, most: int = -1) -> bytes:
    """What the regular file at `path` holds, or the first `most` bytes of it.

    Raises:
        OSError: it could not be read, or is none.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(most)


def write(path: Path, data: bytes, mode: int) -> None:
    """Put `data` at `path` with this mode, in place of what is there, at once.

    It is durable once the folder was flushed, too (POSIX `fsync`, rationale).

    Raises:
        OSError: it could not be written; what was there is still there, and nothing half beside it.
    """
    aside = path.with_name(path.name + PARTIAL)
    _check_free(aside)
    descriptor = os.open(aside, _ASIDE, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file_access.show(descriptor, mode)
            file.write(data)
            flush(file)
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()  # on a full disk its room is needed
        raise


def _check_free(aside: Path) -> None:
    """Check that nothing but a file lies at `aside`: a medium may have been prepared.

    Raises:
        OSError: something does. To open a device is to use it, and a pipe waits for a reader.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(aside.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, f"{aside.name} is in the way, and is not a file")


def flush(file: BinaryIO) -> None:
    """Make what was written to `file` durable."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable, where its file system knows how to be asked.

    Raises:
        OSError: it could not.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as bad:
        if bad.errno not in NO_SUCH_CALL:
            raise  # the disk is full or broken
    finally:
        os.close(descriptor)


def unwritable(path: Path, reason: OSError) -> FailedError:
    """The error for a file that could not be written."""
    return FailedError(
        "unwritable",
        f"{path} could not be written: {reason.strerror or reason}.",
        subject=str(path),
        next_step=step_after(reason),
    )


def step_after(reason: OSError) -> str:
    """What to do where something could not be written or locked for this reason."""
    otherwise = "Make room, or mend the permissions, and run the command again."
    return _STEPS.get(reason.errno or 0, otherwise)


def is_full(folder: Path) -> bool:
    """Whether the disk of `folder` has no room: SQLite often calls that an I/O error.

    It is for the words about what failed already; what needs room tries to take it.
    """
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < LEAST_ROOM
