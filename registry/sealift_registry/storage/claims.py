"""Claims: what one process alone works at for long, such as writing to a medium.

`Database.claim` gives them, and each kind of database has its own way: a lock file in the home,
where all processes share that; beside it a lock at the server, where they share a database alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from sealift_signing import locks
from sealift_signing.errors import FailedError
from sealift_sync import durable

T = TypeVar("T")

PAUSE = 0.1
FORGOTTEN = 24 * 60 * 60.0
"""Seconds after which nobody goes on with a transfer whose process was killed."""
MOVING = "migrate"
"""The name of the claim of whoever moves the hub elsewhere."""
MEDIUM = "medium-"
"""How the name of a claim to a medium begins."""


class Claim(Protocol):
    """A claim that is held, until it is let go of or its process ends, however it ends."""

    def was_kept(self) -> bool:
        """Whether it was held all the while since this was asked last; it is held now.

        Where it was not, somebody else may have had it meanwhile.

        Raises:
            FailedError: it was lost, and cannot be taken again.
        """
        ...

    def let_go(self) -> None:
        """Let others have it."""
        ...


class Claims(Protocol):
    """One way of having claims: lock files, or locks at a server."""

    def take(self, name: str, words: str) -> Claim | None:
        """The claim of this name, told to others in these `words`; None while another has it.

        Raises:
            FailedError: the lock could not be made.
        """
        ...

    def holder(self, name: str) -> str:
        """Who has it, in words; empty where that is not known."""
        ...

    def held(self, names: Collection[str]) -> set[str]:
        """Those that somebody has.

        Raises:
            FailedError: it could not be found out.
        """
        ...


class Claiming:
    """What every kind of database does about claims; `made` gives its way of having them."""

    def __init__(self, made: Callable[[], Claims]) -> None:
        self._made = made

    @cached_property
    def _claims(self) -> Claims:
        return self._made()

    def claim(self, name: str, words: str, patience: float = 0.0) -> Claim | None:
        """Be the only process of the hub that works at `name`, or None while another does.

        Raises:
            FailedError: the lock could not be made.
        """
        return within(patience, lambda: self._claims.take(name, words))

    def holder(self, name: str) -> str:
        """Who works at `name`, in words; empty where that is not known."""
        return self._claims.holder(name)

    def held(self, names: Collection[str]) -> set[str]:
        """Those of these claims that somebody has.

        Raises:
            FailedError: it could not be found out.
        """
        return self._claims.held(names)


class FileClaim:
    """A lock file: the system takes it from nobody who lives."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def was_kept(self) -> bool:
        """It was."""
        return True

    def let_go(self) -> None:
        """Remove the file, and unlock it."""
        locks.let_go(self._path, self._file)


class FileClaims:
    """Claims as lock files in `folder`, which comes and goes with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, name: str, words: str) -> FileClaim | None:
        """The claim of this name, told to others in these `words`; None while another has it.

        Raises:
            FailedError: the lock could not be made.
        """
        path = self._path(name)
        if name.startswith(MEDIUM):
            self._sweep()
        try:
            file = locks.take(path, words)
        except OSError as bad:
            raise durable.unwritable(path, bad) from bad
        return None if file is None else FileClaim(path, file)

    def holder(self, name: str) -> str:
        """Who has it, in words; empty where that is not known."""
        return locks.holder(self._path(name))

    def held(self, names: Collection[str]) -> set[str]:
        """Those that somebody has; the files of the others, which were killed, are taken away.

        Raises:
            FailedError: a lock could not be looked at.
        """
        found = set[str]()
        for path in map(self._path, names):
            try:
                if path.exists():
                    file = locks.take(path, "looks who lives")
                    if file is None:
                        found.add(path.name.removesuffix(".lock"))
                    else:
                        locks.let_go(path, file)
            except OSError as bad:
                raise durable.unwritable(path, bad) from bad
        return found

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"

    def _sweep(self) -> None:
        """Take away what killed exports left: a medium may never come back under that identity.

        The lock of a transfer only after a day: until then another export may be about to take it,
        and would believe while we look that somebody has it.
        """
        forgotten = time.time() - FORGOTTEN
        for path in self._folder.glob("*.lock"):
            with suppress(OSError):
                if not path.name.startswith(MEDIUM) and path.stat().st_mtime > forgotten:
                    continue
                with locks.abandoned(path) as free:
                    if free:
                        path.unlink(missing_ok=True)


def within(patience: float, attempt: Callable[[], T | None]) -> T | None:
    """What `attempt` gives once it gives something, within so many seconds; else None."""
    until = time.monotonic() + patience
    while (found := attempt()) is None:
        if time.monotonic() >= until:
            return None
        time.sleep(PAUSE)
    return found


def lost(where: str, words: str) -> FailedError:
    """The error for a claim that was lost, and that another has by now."""
    return FailedError(
        "claim-lost",
        f"The connection to the database {where} was lost meanwhile, and with it the lock "
        f"{words}; another process has it now.",
        subject=where,
        next_step="Nothing was recorded. Run the command again when the other process is done.",
    )
