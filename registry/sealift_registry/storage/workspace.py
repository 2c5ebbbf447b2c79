"""A folder for one piece of long work, gone when it ends; what a killed process left is swept.

Beside each folder lies a file that its process holds a lock on, made before the folder and removed
after it.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sealift_signing import locks
from sealift_sync import durable

LOCK = ".lock"
_OURS = re.compile(r"[0-9a-f]{32}(\.lock)?")
"""The names that are given here; whatever else lies there is not touched."""


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """An empty folder below `parent` of the caller's own.

    Raises:
        FailedError: it could not be made.
    """
    folder = parent / uuid.uuid4().hex
    with _begin(folder):
        try:
            yield folder
        finally:
            _remove(folder)


def sweep(parent: Path) -> None:
    """Remove what processes that have ended left below `parent`; where one works, it stays.

    What cannot be removed is left to the next one: it is in nobody's way.
    """
    names = {one.name for one in parent.iterdir()} if parent.is_dir() else set()
    for name in {name.removesuffix(LOCK) for name in names if _OURS.fullmatch(name)}:
        with suppress(OSError):
            _sweep_one(parent / name)


def abandoned(parent: Path) -> list[Path]:
    """What `sweep` would remove there."""
    found = []
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        if _OURS.fullmatch(folder.name) and folder.is_dir():
            with suppress(OSError):
                if not _lock(folder).exists() or _is_free(folder):
                    found.append(folder)
    return found


def _is_free(folder: Path) -> bool:
    with locks.abandoned(_lock(folder)) as free:
        return free


def _begin(folder: Path) -> BinaryIO:
    """Make the folder, after its lock; whoever holds the lock works there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        held = locks.claim(_lock(folder))
        folder.mkdir()
    except OSError as bad:
        raise durable.unwritable(folder, bad) from bad
    return held


def _sweep_one(folder: Path) -> None:
    if not _lock(folder).exists():  # a folder is never older than its lock, so it has no owner
        _remove(folder)
        return
    with locks.abandoned(_lock(folder)) as free:
        if free:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder and then its lock; the lock stays while anything of the folder does."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _lock(folder).unlink(missing_ok=True)


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK)
