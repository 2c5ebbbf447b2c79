"""Files that a process holds a lock on while it works, so that others can tell whether it does.

The system lets go of a lock when its process ends, however it ends: whoever gets the lock knows
that nobody works there any more, and that what lies there may be thrown away.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def claim(path: Path) -> BinaryIO:
    """Make the new file `path` and hold it, until it is closed.

    Raises:
        OSError: it is there already, or could not be made.
    """
    while True:
        file = path.open("x+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        # Somebody swept it away between the two calls, when nobody held it yet.
        file.close()


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Whether nobody works at `path` any more; then it is the caller's, until the end of `with`.

    Raises:
        OSError: it is there and could not be opened.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:  # its owner has just finished
        yield False
        return
    with file:
        yield _free(file, path)


def _free(file: BinaryIO, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # By now it may have another name, under which it is no longer unfinished.
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False
