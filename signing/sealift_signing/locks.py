"""Locks between processes: files that one process holds, and others can tell that it does.

The system lets go of a lock when its process ends, however it ends (flock(2)): nothing that was
killed keeps others out. This is the one module that asks for locks, and what it promises is

(1) a lock file is a file: no pipe is waited for, no device is used;
(2) one holder at a time, or many who only look (`shared`); who waits is queued by the kernel, or
    waits no longer than told, or not at all;
(3) who waits long is told so, and may be told who works there: that stands in the file;
(4) a file system without locks is named as such, and is not taken for one where somebody works;
(5) whoever only looks finds a lock also where nothing can be written;
(6) a lock whose file is removed when it is let go of is never held by two: a file without its name
    locks nothing, and is opened anew;
(7) what a killed process left is told from what is worked at, and is swept by one alone;
(8) a child that was forked while a lock was held keeps nobody out, once it is let go of.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from sealift_signing import disk, events
from sealift_signing.errors import FailedError
from sealift_signing.vocabulary import visible

PATIENT = 1.0
"""Seconds after which somebody who waits is told for what."""
PAUSE = 0.02
LEAST_TOLD = 0.1
"""Seconds of waiting that a log file tells: less is how commands take turns."""
LONGEST = 500
"""Characters that a lock file says of its holder."""
HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
"""What is said of a lock that another holds; EACCES by a network's file system."""
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

# ---------------------------------------------------------------------- a lock file that is open


def open_file(path: Path, *, looks: bool = False) -> BinaryIO:
    """The lock file at `path`, made if it is not there; for who only `looks`, perhaps to read.

    Raises:
        OSError: it could not be opened, or is none.
    """
    try:
        return _opened(path, "r+b", os.O_RDWR | os.O_CREAT)
    except OSError as bad:
        if not looks or bad.errno not in READ_ONLY:
            raise
    return _opened(path, "rb", os.O_RDONLY)


def _opened(path: Path, mode: str, flags: int) -> BinaryIO:
    opener: Callable[[str, int], int] = lambda *_: disk.open_regular(path, flags)  # noqa: E731
    return cast("BinaryIO", open(path, mode, buffering=0, opener=opener))


def try_lock(file: BinaryIO, *, shared: bool = False) -> bool:
    """Whether the lock is ours now; no one is waited for.

    Raises:
        OSError: there are no locks there, so that it never will be ours.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as bad:
        if bad.errno in HELD:
            return False
        raise
    return True


def lock_within(file: BinaryIO, seconds: float) -> bool:
    """Whether the lock is ours within so many seconds.

    Raises:
        OSError: there are no locks there.
    """
    if try_lock(file):
        return True
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(PAUSE)
        if try_lock(file):
            _tell_waited(file, began)
            return True
    return False


def lock(file: BinaryIO, waiting: Callable[[], None] | None = None) -> None:
    """Hold the lock, however long others do; `waiting` is called where that takes long.

    Raises:
        OSError: there are no locks there.
    """
    if try_lock(file) or (waiting is not None and lock_within(file, PATIENT)):
        return
    began = time.monotonic()
    if waiting is not None:
        waiting()
    fcntl.flock(file, fcntl.LOCK_EX)
    _tell_waited(file, began)


def _tell_waited(file: BinaryIO, began: float) -> None:
    seconds = round(time.monotonic() - began, 3)
    if seconds > LEAST_TOLD:
        path = os.path.abspath(str(file.name))  # noqa: PTH100 - as it is, without its links resolved
        events.tell("lock", "lock-waited", path=path, seconds=seconds)


def unlock(file: BinaryIO) -> None:
    """Let go of a lock, also where a forked child has its file open, which closing does not."""
    fcntl.flock(file, fcntl.LOCK_UN)


def say(file: BinaryIO, words: str) -> None:
    """Tell whoever waits who works here; on a full disk nobody is told, and work goes on."""
    with suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), words[:LONGEST].encode(), 0)


def holder(path: Path) -> str:
    """What the lock file at `path` says of its holder; empty where it says nothing."""
    try:
        return visible(disk.read(path, 4 * LONGEST).decode(errors="replace")).strip()
    except OSError:
        return ""


# ---------------------------------------------------------------------- for as long as a block


@contextmanager
def held(path: Path, told: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for it as long as it takes; `told` so where it does.

    Raises:
        OSError: the file cannot be made, or is none.
        FailedError: its file system has no locks.
    """

    def waiting() -> None:
        if told is not None:
            told(f"Waiting for another command, which holds {path}.")

    with open_file(path) as file:
        try:
            lock(file, waiting if told is not None else None)
        except OSError as bad:
            raise no_lock(path, bad) from bad
        try:
            yield
        finally:
            unlock(file)


@contextmanager
def at_once(path: Path) -> Iterator[bool]:
    """Whether nobody else holds the lock file at `path`: then it is the caller's in the block.

    Raises:
        OSError: the file cannot be made, or is none; or there are no locks there.
    """
    with open_file(path) as file:
        free = try_lock(file)
        try:
            yield free
        finally:
            if free:
                unlock(file)


def no_lock(path: Path, reason: OSError) -> FailedError:
    """The error for a file system that has no locks."""
    return FailedError(
        "no-lock",
        f"{path} could not be locked: {reason.strerror}.",
        subject=str(path),
        next_step=disk.step_after(reason),
    )


# ---------------------------------------------------------------------- a lock whose file goes


def take(path: Path, words: str) -> BinaryIO | None:
    """The lock at `path`, to be given to `let_go`; None if another holds it.

    Its folder is made, too. In the file stand the process and `words`.

    Raises:
        OSError: the lock could not be made.
    """
    while True:
        with ExitStack() as stack:
            file = stack.enter_context(_opened_in_folder(path))
            if not try_lock(file):
                return None
            # Its holder may have removed it just now, and a lock without a name locks nothing.
            if _is_at(path.stat, file):
                say(file, f"process {os.getpid()}, {words}")
                stack.pop_all()
                return file


def let_go(path: Path, file: BinaryIO) -> None:
    """Let go of a lock that was taken, its file first, while nobody else can hold it."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()  # unless others are locked
    file.close()


def claim(path: Path) -> BinaryIO:
    """Make the new file `path` and hold it, until it is closed.

    Raises:
        OSError: it is there already, or could not be made.
    """
    while True:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("x+b"))
            fcntl.flock(file, fcntl.LOCK_EX)
            # Somebody may have swept it away between the two calls, when nobody held it yet.
            if os.fstat(file.fileno()).st_nlink:
                stack.pop_all()
                return file


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
        # By now it may have another name, under which it is no longer unfinished.
        yield try_lock(file) and _is_at(path.lstat, file)


def _opened_in_folder(path: Path) -> BinaryIO:
    while True:
        with suppress(FileExistsError):
            path.parent.mkdir(parents=True)
        with suppress(FileNotFoundError):  # the last holder has just removed the folder, too
            return open_file(path)


def _is_at(there: Callable[[], os.stat_result], file: BinaryIO) -> bool:
    try:
        return os.path.samestat(there(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
