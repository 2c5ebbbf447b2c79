"""What others on this machine may open: of ours, nothing that is not made to be read by them.

Whoever can open a file, even only to read it, can also hold a lock on it for ever, and so stop
every command that waits for that lock. Programs run with a umask of their own; what an earlier
release, a restored backup or a user's umask left open is closed, and that is told.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sealift_signing.drawing import word

FOLDER, FILE = 0o700, 0o600
"""The modes of what is nobody else's."""
SHOWN_FOLDER, SHOWN_FILE = 0o755, 0o644
"""The modes of what others are to read: a medium, a card, what a model server loads."""
PASSABLE = 0o711
"""The mode of a folder in which others see nothing, and get to what they know by name."""

_OTHERS = 0o077
_NAMED = 10
"""Names that are told; of the others, how many."""
_ITSELF = "."
_NO_MODES = "its file system keeps no modes, so mount it for its user alone (umask=077)"
_callers: list[int] = []


@contextmanager
def closed_to_others() -> Iterator[None]:
    """Have everything that this process makes be its user's alone, where it says nothing else."""
    _callers.append(os.umask(_OTHERS))
    try:
        yield
    finally:
        os.umask(_callers.pop())


def callers_umask() -> int:
    """The umask of whoever started this program: for programs of theirs. -1: the one in force."""
    return _callers[0] if _callers else -1


def make_file(path: Path) -> None:
    """Make an empty file that is nobody else's, unless there is one.

    Raises:
        OSError: it could not be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE))


def show(path: Path | int, mode: int) -> None:
    """Give a file or folder exactly this mode, whatever the umask is.

    Not every file system of a medium has modes, and one that was mounted for somebody may refuse.
    """
    with suppress(OSError):
        os.chmod(path, mode)  # noqa: PTH101 - a descriptor as well


def shown_folder(path: Path) -> None:
    """Make a folder that others can read, in one that is there; it may be there already.

    Raises:
        OSError: it could not be made.
    """
    with suppress(FileExistsError):
        path.mkdir()
        show(path, SHOWN_FOLDER)


def shown_folders(path: Path) -> None:
    """Make a folder that others can read, and those above it; what is there stays as it is.

    Raises:
        OSError: one could not be made.
    """
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            shown_folder(folder)


def close_home(
    root: Path,
    *,
    most: int = FOLDER,
    shown: Collection[str] = (),
    ours: Callable[[str], bool] = lambda _: True,
) -> tuple[str, ...]:
    """Close to others what is open in the folder `root`; returns what is to be told, in sentences.

    Only where others get at something in it is anything else looked at: below a closed folder they
    get at nothing. `root` itself may be a link, which its user made to have the folder on another
    disk; a link in it is never followed, and what has a second name is left: the folder may have
    been open to be written in, and in it may lie what others want as it is.

    Args:
        root: a home, or a memory.
        most: what others may at most do with `root` itself.
        shown: folders in it that others read and do not change; where one ends in `/`, only what
            is in it, such as blobs, which have a second name where they are read.
        ours: whether what has this name in `root` is looked at.
    """
    asked, root = root, root.resolve()
    try:
        names = sorted(one.name for one in os.scandir(root) if ours(one.name))
        if not _is_open(root, most) and (
            most == FOLDER or not any(_is_open(root / one, _most(one, shown)) for one in names)
        ):
            return ()
    except OSError:
        return ()  # whoever opens it is told
    closed: set[str] = set()
    left: dict[str, str] = {}
    _close(None, str(root), most, (_ITSELF, closed, left))
    if left.get(_ITSELF) == _NO_MODES:  # of what is in it, too
        return (f"What lies in {asked} is open to others and stays so: {_NO_MODES}.",)
    with _opened(None, str(root)) as folder:
        for name in names:
            for inner in _everything(folder, name):
                _close(inner.folder, inner.name, _most(inner.path, shown), (name, closed, left))
    told = []
    if closed:
        what = f"Others on this machine could open what lies in {asked}."
        told.append(f"{what} Closed to them: {_listed(closed)}.")
    told += [_stays(asked, [one for one in left if left[one] == why], why) for why in _once(left)]
    return tuple(told)


def _once(left: dict[str, str]) -> list[str]:
    """Each reason once: where a file system has no modes, it is the same of all."""
    return list(dict.fromkeys(left.values()))


def _stays(root: Path, names: Collection[str], why: str) -> str:
    verb, stay = ("is", "stays") if len(names) == 1 else ("are", "stay")
    return f"In {root}, {_listed(names)} {verb} open to others and {stay} so: {why}."


def _most(inner: str, shown: Collection[str]) -> int:
    is_shown = any(inner == one or inner.startswith(f"{one.rstrip('/')}/") for one in shown)
    return SHOWN_FOLDER if is_shown else FOLDER


def _is_open(path: Path, most: int) -> bool:
    return _lets_in(path.lstat().st_mode, most)


def _lets_in(mode: int, most: int) -> bool:
    return not stat.S_ISLNK(mode) and bool(mode & _OTHERS & ~most)


class _Inner(NamedTuple):
    """What lies in a folder: the folder, held open; its name there, and its path in the home."""

    folder: int
    name: str
    path: str


def _everything(top: int | None, name: str) -> Iterator[_Inner]:
    """What is to be closed, each folder before what is in it; nothing where `top` is not open.

    Everything is reached from the folder that holds it, which is held open: whoever could write
    there, or has a folder of their own there still, may exchange what is on the way for a link.
    """
    if top is None:
        return
    yield _Inner(top, name, name)
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
            return
        for here, folders, files, descriptor in os.fwalk(name, dir_fd=top, follow_symlinks=False):
            yield from (_Inner(descriptor, one, f"{here}/{one}") for one in (*folders, *files))
    except (OSError, RecursionError):
        return  # gone; or thousands of folders deep, below one that is closed by now


@contextmanager
def _opened(folder: int | None, name: str) -> Iterator[int | None]:
    """A descriptor of what is called so in `folder`, be it no link; None where it cannot be had."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _close(
    folder: int | None, name: str, most: int, told: tuple[str, set[str], dict[str, str]]
) -> None:
    """Close one thing, and say so of the first part of its path; what it is, is asked of it alone.

    By name it would be asked twice, and could be another thing in between.
    """
    first, closed, left = told
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not _lets_in(found.st_mode, most):
            return
        with _opened(folder, name) as descriptor:
            if descriptor is None:
                left[first] = "it cannot be opened here"
                return
            found = os.fstat(descriptor)
            if not _lets_in(found.st_mode, most):
                return
            if most == FOLDER and not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
                left[first] = "it has a second name elsewhere"
                return
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & (most | FOLDER))
            # FAT mounted as `quiet`, and some shares, take any mode and keep none.
            if _lets_in(os.fstat(descriptor).st_mode, most):
                left[first] = _NO_MODES
            else:
                closed.add(first)
    except FileNotFoundError:
        return  # another command has just ended
    except OSError as bad:
        left[first] = bad.strerror or str(bad)


def _listed(names: Collection[str]) -> str:
    first = sorted(names)[:_NAMED]
    more = len(names) - len(first)
    return ", ".join(map(_called, first)) + (f" and {more} more" if more else "")


def _called(name: str) -> str:
    """What lies in a folder, as it is told: others may have put it there, and named it."""
    return "the folder itself" if name == _ITSELF else word(name)
