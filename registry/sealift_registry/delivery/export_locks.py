"""Who is exporting what: one export a medium, one process a transfer.

A lock is a file below the hub's work folder that its process holds locked, and in it stand the
process and what it does. The system lets go of it when the process ends, however it ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sealift_signing import locks
from sealift_signing.errors import FailedError
from sealift_sync import durable

PATIENCE = 10.0
"""Seconds that an export waits for another one that writes to the same medium."""
PAUSE = 0.1
FORGOTTEN = 24 * 60 * 60.0
"""Seconds after which nobody goes on with a transfer whose process was killed."""
MEDIUM = "medium-"
_BEGINNING = "a process that has just begun"
"""Who holds a lock that says nothing yet."""


def _take(path: Path, words: str) -> BinaryIO | None:
    """The lock at `path`; None if another holds it.

    Raises:
        FailedError: the lock could not be made.
    """
    try:
        return locks.take(path, words)
    except OSError as bad:
        raise durable.unwritable(path, bad) from bad


def hold(folder: Path, transfer_id: str, stack: ExitStack) -> bool:
    """Take a transfer's lock until `stack` ends; whether nobody else holds it."""
    path = transfer(folder, transfer_id)
    file = _take(path, f"for {transfer_id}")
    if file is not None:
        stack.callback(locks.let_go, path, file)
    return file is not None


@contextmanager
def medium(folder: Path, identity: tuple[int, int], where: Path, words: str) -> Iterator[None]:
    """Be the only export that writes to the medium of this identity; wait for another a little.

    Raises:
        FailedError: another export still writes to it; which, is said.
    """
    path = folder / f"{MEDIUM}{identity[0]:x}-{identity[1]:x}.lock"
    _sweep(folder)
    patient_until = time.monotonic() + PATIENCE
    while (held := _take(path, words)) is None:
        if time.monotonic() >= patient_until:
            raise FailedError(
                "medium-busy",
                f"Another export is writing to {where}: {locks.holder(path) or _BEGINNING}.",
                subject=str(where),
                next_step="Wait until it is done, and run the command again.",
            )
        time.sleep(PAUSE)
    try:
        yield
    finally:
        locks.let_go(path, held)


def _sweep(folder: Path) -> None:
    """Take away what killed exports left: a medium may never come back under that identity.

    The lock of a transfer only after a day: until then another export may be about to take it, and
    would believe while we look that somebody has it.
    """
    forgotten = time.time() - FORGOTTEN
    for path in folder.glob("*.lock"):
        with suppress(OSError):
            if not path.name.startswith(MEDIUM) and path.stat().st_mtime > forgotten:
                continue
            with locks.abandoned(path) as free:
                if free:
                    path.unlink(missing_ok=True)


def transfer(folder: Path, transfer_id: str) -> Path:
    """Where the lock of a transfer is."""
    return folder / f"{transfer_id}.lock"
