"""A folder for one piece of long work, gone when it ends; what a killed process left is swept.

Beside each folder lies a file that its process holds a lock on. The system lets go of the lock when
the process ends, however it ends, so whoever gets it knows that nobody works there any more.
"""

from __future__ import annotations

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sealift_sync import durable

LOCK = ".lock"


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """An empty folder below `parent` of the caller's own.

    Raises:
        FailedError: it could not be made.
    """
    folder = parent / uuid.uuid4().hex
    lock = folder.with_suffix(LOCK)
    with _begin(folder, lock):
        try:
            yield folder
        finally:
            _remove(lock)


def _begin(folder: Path, lock: Path) -> BinaryIO:
    """Make the folder, after its lock; whoever holds the lock works there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        held = lock.open("xb")
        fcntl.flock(held, fcntl.LOCK_EX)
        folder.mkdir()
    except OSError as bad:
        raise durable.unwritable(folder, bad) from bad
    return held


def _sweep(parent: Path) -> None:
    for lock in parent.glob(f"*{LOCK}"):
        try:
            with lock.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock)
        except OSError:
            continue  # somebody works there, or has just finished


def _remove(lock: Path) -> None:
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    lock.unlink(missing_ok=True)
