"""The folder of each job on this host, for as long as the job has not ended.

Beside it lies a file that whoever works there holds a lock on, as in `storage.workspace`. A process
that is killed leaves both, and the next attempt goes on with what is there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sealift_registry.storage.workspace import LOCK
from sealift_signing import locks
from sealift_signing.errors import FailedError
from sealift_sync import durable

FOLDER = "jobs"
"""Below the home's folder of work."""
PATIENCE = 30.0
"""Seconds until a process that was killed has ended, with all that it started."""
_PAUSE = 0.1


@contextmanager
def held(work: Path, key: str) -> Iterator[Path]:
    """The folder of the job `key`, which nobody else works in; there from now on.

    Raises:
        FailedError: another process works there, or it could not be made.
    """
    folder = work / FOLDER / key
    until = time.monotonic() + PATIENCE
    try:
        while (file := locks.take(_lock(folder), key)) is None:
            if time.monotonic() > until:
                raise _occupied(folder)
            time.sleep(_PAUSE)
        folder.mkdir(exist_ok=True)
    except OSError as bad:
        raise durable.unwritable(folder, bad) from bad
    try:
        yield folder
    finally:
        file.close()  # its name stays: nothing is known yet of how the job ended


def kept(work: Path) -> frozenset[str]:
    """The keys of the jobs that have a folder here."""
    with suppress(OSError):
        return frozenset(one.name.removesuffix(LOCK) for one in (work / FOLDER).iterdir())
    return frozenset()


def abandoned(work: Path, keys: Collection[str]) -> list[Path]:
    """Of these jobs, which have ended, the folders that `remove` would remove."""
    found = []
    for folder in (work / FOLDER / key for key in sorted(keys)):
        with suppress(OSError):
            if folder.is_dir() and (not _lock(folder).exists() or _is_free(folder)):
                found.append(folder)
    return found


def _is_free(folder: Path) -> bool:
    with locks.abandoned(_lock(folder)) as free:
        return free


def remove(work: Path, keys: Collection[str]) -> None:
    """Remove the folders of these jobs, which have ended; where somebody works, it stays for now.

    What cannot be removed is left to the next one: it is in nobody's way.
    """
    for key in keys:
        folder = work / FOLDER / key
        with suppress(OSError):
            _lock(folder).touch()
            with locks.abandoned(_lock(folder)) as free:
                if free:
                    shutil.rmtree(folder, ignore_errors=True)
                if free and not folder.exists():
                    _lock(folder).unlink(missing_ok=True)


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK)


def _occupied(folder: Path) -> FailedError:
    who = locks.holder(_lock(folder))
    return FailedError(
        "job-folder-held",
        f"An earlier attempt at this job still works in {folder}" + (f" ({who})." if who else "."),
        subject=str(folder),
        next_step="It is tried again later; if it stays so, look for a process that hangs.",
    )
