"""Files that are there whole, or not there: written aside, flushed, renamed, the folder flushed.

A rename is atomic, and durable only once its folder was flushed too (POSIX `fsync`, rationale).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from sealift_signing.errors import FailedError

CHUNK = 1024 * 1024
PARTIAL = ".partial"
"""The end of every temporary name: what bears it is unfinished and may be thrown away."""

_ASIDE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK

Progress = Callable[[int], None]
"""Told the number of further bytes that were handled."""


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `path`, in place of what is there, durably and at once.

    Raises:
        FailedError: it could not be written; what was there is still there.
    """
    aside = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_free(aside)
        descriptor = os.open(aside, _ASIDE, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        flush_folder(path.parent)
    except OSError as bad:
        raise unwritable(path, bad) from bad


def _check_free(aside: Path) -> None:
    """Check that nothing but a file lies at `aside`: a medium may have been prepared.

    Raises:
        OSError: something does. To open a device is to use it, and a pipe waits for a reader.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(aside.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, f"{aside.name} is in the way, and is no file")


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_hashed(
    source: BinaryIO, into: BinaryIO, progress: Progress | None = None, *, most: int | None = None
) -> tuple[str, int]:
    """Copy `source` to its end and flush it to the disk; (sha256, size) of what was read.

    It stops soon after `most` bytes: a file may grow while it is read.
    """
    digest = sha256()
    size = 0
    for chunk in _chunks(source, most):
        digest.update(chunk)
        into.write(chunk)
        size += len(chunk)
        if progress:
            progress(len(chunk))
    into.flush()
    os.fsync(into.fileno())
    return digest.hexdigest(), size


def hash_file(
    source: BinaryIO, progress: Progress | None = None, *, most: int | None = None
) -> tuple[str, int]:
    """(sha256, size) of what `source` still holds, or of its first part if that is above `most`."""
    digest = sha256()
    size = 0
    for chunk in _chunks(source, most):
        digest.update(chunk)
        size += len(chunk)
        if progress:
            progress(len(chunk))
    return digest.hexdigest(), size


def _chunks(source: BinaryIO, most: int | None) -> Iterator[bytes]:
    size = 0
    while (most is None or size <= most) and (chunk := source.read(CHUNK)):
        size += len(chunk)
        yield chunk


def drop_cache(file: BinaryIO) -> None:
    """Have the next read of `file` ask the medium, where the system knows how to be asked."""
    with suppress(AttributeError, OSError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def unwritable(path: Path, reason: OSError) -> FailedError:
    """The error for a file that could not be written."""
    return FailedError(
        "unwritable",
        f"{path} could not be written: {reason.strerror or reason}.",
        subject=str(path),
        next_step="Make room, or mend the permissions, and run the command again.",
    )
