"""The plain runner: steps in this process, with no engine, for a command that somebody waits for.

Finished steps are recorded beside their folder. The same command after one that was killed goes on
where that was, as long as each step is made of the same (`Steps.step`).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from sealift_registry.jobs.steps import Made
from sealift_registry.storage.workspace import LOCK, workspace
from sealift_registry.workers.channel import Progress
from sealift_signing import canonical, locks
from sealift_signing.errors import SealiftError
from sealift_sync import durable

KEPT = 24 * 60 * 60.0
"""Seconds that the steps of a command that was killed are kept for the next one."""
FOLDER = "steps"
"""Below the folder of work."""
_RECORD = "record.json"


class PlainSteps:
    """Steps in this process.

    Args:
        folder: of this work; there.
        progress: told what is done.
        keeps: whether finished steps are recorded, for the same work again.
    """

    def __init__(self, folder: Path, progress: Progress, *, keeps: bool) -> None:
        self._folder = folder
        self._progress = progress
        self._keeps = keeps
        self._record = _read(folder / _RECORD) if keeps else {}

    @property
    def folder(self) -> Path:
        """Of this work."""
        return self._folder

    @property
    def keeps(self) -> bool:
        """As `Steps.keeps`."""
        return self._keeps

    def step(self, name: str, make: Callable[[], Made], *, of: str = "") -> Made:
        """As `Steps.step`."""
        known = self._record.get(name)
        if known is not None and of and known["of"] == of:
            said: Made = known["said"]
            return said
        said = make()
        if self._keeps and of:
            self._record[name] = {"of": of, "said": said}
            durable.write(self._folder / _RECORD, canonical.encode(self._record))
        return said

    def progress(self, subject: str, done: int, total: int) -> None:
        """As `Steps.progress`."""
        self._progress(subject, done, total)


@contextmanager
def in_foreground(work: Path, progress: Progress, same: str = "") -> Iterator[PlainSteps]:
    """Steps for a command that somebody waits for.

    Args:
        work: the home's folder of work.
        progress: told what is done.
        same: what makes two runs the same work; empty where nothing of one helps another.

    Raises:
        FailedError: no folder could be made.
    """
    if not same:
        with workspace(work) as folder:
            yield PlainSteps(folder, progress, keeps=False)
        return
    parent = work / FOLDER
    folder = parent / sha256(same.encode()).hexdigest()[:32]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        sweep(work)
        held = locks.take(_lock(folder), same)
    except OSError as bad:
        raise durable.unwritable(folder, bad) from bad
    if held is None:  # another process is at the same work: each does it alone
        with workspace(work) as own:
            yield PlainSteps(own, progress, keeps=False)
        return
    try:
        folder.mkdir(exist_ok=True)
        yield PlainSteps(folder, progress, keeps=True)
    except SealiftError:  # it said what was wrong; what is mended is made anew
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        locks.let_go(_lock(folder), held)


def _read(path: Path) -> dict[str, Any]:
    """What is recorded; nothing where it cannot be read: the steps then run again."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return found
    return {}


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK)


def sweep(work: Path) -> None:
    """Throw away what was left by commands that nobody has repeated for a day."""
    for folder in _forgotten(work):
        with suppress(OSError):
            _lock(folder).touch()  # it goes before its folder does, where a process was killed
            with locks.abandoned(_lock(folder)) as free:
                if free:
                    shutil.rmtree(folder, ignore_errors=True)
                    _lock(folder).unlink(missing_ok=True)


def abandoned(work: Path) -> list[Path]:
    """What `sweep` would remove there."""
    found = []
    for folder in _forgotten(work):
        with suppress(OSError):
            if not _lock(folder).exists() or _is_free(folder):
                found.append(folder)
    return found


def _forgotten(work: Path) -> list[Path]:
    forgotten, found = time.time() - KEPT, []
    with suppress(OSError):
        for folder in sorted((work / FOLDER).iterdir()):
            with suppress(OSError):
                if folder.is_dir() and folder.stat().st_mtime <= forgotten:
                    found.append(folder)
    return found


def _is_free(folder: Path) -> bool:
    with locks.abandoned(_lock(folder)) as free:
        return free
