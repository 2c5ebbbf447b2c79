"""That one command at a time works in a home, at a medium, or at a return."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from sealift_signing import locks
from sealift_signing.errors import FailedError
from sealift_sync import durable
from sealift_sync.site.setup.home_folder import Home

MEDIUM_LOCK = "lock-medium"


RETURN_LOCK = "lock-return"


class HomeBusyError(FailedError):
    """Another command works here; `at_medium`: it takes something in from one."""

    at_medium = False


class Hold:
    """A lock file of a home that this process holds, and may let go of for a while."""

    def __init__(
        self,
        home: Home,
        path: Path,
        command: str,
        told: Callable[[str], None] = lambda _: None,
        *,
        patient: bool = False,
        looks: bool = False,
        next_step: str = "Wait until it has ended, then run this command again.",
    ) -> None:
        self._home = home
        self._path = path
        self._told = told
        self._held = False
        self._patient = patient
        self._next_step = next_step
        self._words = f"sealift-site {command} (process {os.getpid()})"
        with self._lockable():
            self._file = locks.open_file(path, looks=looks)

    @contextmanager
    def taken(self) -> Iterator[Self]:
        """Hold it, if whoever does lets go of it soon; who is patient, however late that is.

        Raises:
            HomeBusyError: another command holds it and did not end soon.
        """
        with self._file:
            if self._patient:
                self._wait()
            elif not self._is_free_within(self._home.settings.limits.lock_seconds):
                raise self._busy()
            self._take()
            try:
                yield self
            finally:
                self._leave()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others have it meanwhile; it is waited for, however long they take.

        Whoever is stopped meanwhile has nothing to do here any more, and does not wait.
        """
        self._leave()
        locks.unlock(self._file)
        try:
            yield
        except Exception:
            self._take_again()
            raise
        self._take_again()

    def _take_again(self) -> None:
        self._wait()
        self._take()

    def _wait(self) -> None:
        def waiting() -> None:
            self._told(f"Waiting until {_holder(self._path)} has ended.")

        with self._lockable():
            locks.lock(self._file, waiting)

    def _take(self) -> None:
        self._held = True
        locks.say(self._file, self._words)

    def _leave(self) -> None:
        """Say nothing in the place of others: whoever was stopped while waiting holds nothing."""
        if self._held:
            locks.say(self._file, "")
        self._held = False

    def _is_free_within(self, seconds: float) -> bool:
        with self._lockable():
            return locks.lock_within(self._file, seconds)

    @contextmanager
    def _lockable(self) -> Iterator[None]:
        """Where there are no locks nobody works, and the lock never will be ours."""
        try:
            yield
        except OSError as bad:
            raise durable.unwritable(self._path, bad) from bad

    def _busy(self) -> HomeBusyError:
        holder = _holder(self._path)
        busy = HomeBusyError(
            "home-busy",
            f"{holder} is working in {self._home.root}.",
            subject=str(self._home.root),
            next_step=self._next_step,
        )
        busy.at_medium = self._path.name == MEDIUM_LOCK
        return busy


def only_one(
    home: Home,
    command: str,
    told: Callable[[str], None] = lambda _: None,
    *,
    patient: bool = False,
    looks: bool = False,
) -> AbstractContextManager[Hold]:
    """Hold the home for `command`: two at once would judge by each other's half-truths.

    Args:
        home: the site's.
        command: as others are told who works here.
        told: for what it waits, where others are long.
        patient: it is there to stop something, and waits rather than fail.
        looks: it writes nothing; the home may lie where nothing can be written.

    Raises:
        HomeBusyError: another command holds it and did not end soon.
    """
    return Hold(home, home.root / "lock", command, told, patient=patient, looks=looks).taken()


def one_medium(home: Home, command: str) -> AbstractContextManager[Hold]:
    """Hold what `command` takes from a medium: the quarantine, and what is copied.

    It is held as long as the medium is read, for hours if need be, and comes before the home's own
    lock; others work in the home meanwhile.

    Raises:
        HomeBusyError: another command does, and did not end soon.
    """
    step = "Wait until it has ended, or stop it if this cannot wait; then run this command again."
    return Hold(home, home.root / MEDIUM_LOCK, command, next_step=step).taken()


def one_return(home: Home, command: str) -> AbstractContextManager[Hold]:
    """Hold what `command` writes to a medium; others work in the home meanwhile.

    Raises:
        HomeBusyError: another command writes a return, and did not end soon.
    """
    return Hold(home, home.root / RETURN_LOCK, command).taken()


@contextmanager
def no_medium(home: Home) -> Iterator[bool]:
    """Whether no command reads a medium, nor begins to within: what one left is left over then."""
    try:
        file = (home.root / MEDIUM_LOCK).open("rb")
    except FileNotFoundError:  # none ever did, and none begins while we hold the home's own lock
        yield True
        return
    except OSError:
        yield False
        return
    with file:
        yield _is_free(file)


def at_a_medium(home: Home) -> str:
    """The command that reads a medium now, as it says itself; empty if none does."""
    with no_medium(home) as free:
        return "" if free else _holder(home.root / MEDIUM_LOCK)


def _holder(path: Path) -> str:
    return locks.holder(path) or "another command"


def _is_free(file: BinaryIO) -> bool:
    """Whether nobody holds it but who only looks. A file system without locks does not tell."""
    try:
        return locks.try_lock(file, shared=True)
    except OSError:
        return False
