"""Reading a folder that a stranger may have prepared: no link followed, no file but a regular one.

Every part of a path is opened by itself, relative to the folder before it and without following
links (POSIX `openat`, O_NOFOLLOW), so nothing on the medium can point outside it; sizes and counts
are capped while reading, because a file's length is what it turns out to be.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from sealift_signing import file_access
from sealift_signing.drawing import word
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    shown,
)
from sealift_signing.vocabulary import MEDIUM_PATH
from sealift_sync import durable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

DEEPEST = 16
MOST_HELD = 32
"""Folders of a medium that are held open: a bundle's files lie in a few."""
MOST_ENTRIES = 200_000
MOST_NAMED = 50
"""Foreign files that a warning names one by one."""

_NEXT = "Do not use this medium; have the bundle exported again."
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
# O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NOTHING_THERE = {errno.ENOENT, errno.ENAMETOOLONG}
_NO_FILE_THERE = {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR}


class Medium:
    """A folder on a medium, read only.

    It is held open from the first look on. Whatever is mounted or linked in its place afterwards is
    not read, and a medium that is pulled answers with errors rather than with an empty folder,
    which would look like a bundle with everything missing.

    Args:
        root: the folder as somebody named it, through links of their own if they like.
        inside: the path below it, on the medium: no part of it may be a link.
    """

    def __init__(self, root: Path, inside: str = "") -> None:
        self.root = root
        self.inside = inside
        self._held: int | None = None
        self._folders: dict[tuple[str, ...], int] = {}
        self._one_at_a_time = Lock()

    @property
    def folder(self) -> Path:
        """Where it is, to be told to people."""
        return self.root / self.inside

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name

    def open(self, path: str) -> BinaryIO:
        """The regular file at `path`, at its beginning; whoever asks for it closes it.

        Raises:
            NotFoundError: there is none.
            RefusedError: a link, a device, a pipe or a folder; or a path that is not a plain one.
            FailedError: it could not be read, now or later.
        """
        _check_plain(path)
        return self.open_named(path)

    def size(self, path: str) -> int:
        """The bytes of the regular file at `path`, which is not opened.

        Raises:
            SealiftError: as `open`.
        """
        _check_plain(path)
        with self._telling(path), self._folder_of(path) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            _check_regular(found, name)
        return found.st_size

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of `path`.

        Raises:
            RefusedError: there are more than `limit`; and as `open`.
        """
        with self.open(path) as file:
            return _all(file, path, limit)

    def has(self, path: str) -> bool:
        """Whether something is called `path`, whatever it is; nothing is opened."""
        try:
            with self._folder_of(path) as (folder, name):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as bad:
            if bad.errno in _NOTHING_THERE | _NO_FILE_THERE:
                return False
            raise self._refused(path, bad) from bad
        return True

    def folders(self, folder: str = "") -> list[str]:
        """The names of the folders in `folder`, in order; none if it is not there.

        Raises:
            RefusedError: it is a link or a file, or holds more than any medium does.
            FailedError: it could not be listed.
        """
        return [name for name, is_folder in self._entries(folder, [MOST_ENTRIES]) if is_folder]

    def names(self, entered: Collection[str]) -> Iterator[str]:
        """What lies at the top and in the folders `entered`, in order; other folders as `path/`.

        A folder that nobody asked for is not entered: it may be unreadable, or hold anything.

        Raises:
            RefusedError: more entries, or deeper folders, than any bundle has.
            FailedError: the medium could not be read.
        """
        yield from self._walk("", entered, [MOST_ENTRIES])

    def each_in(self, folder: str) -> Iterator[str]:
        """What lies in `folder` and is no folder, one name after the other, however many there are.

        Raises:
            NotFoundError: it is not there.
            RefusedError: it is a link or a file.
            FailedError: it could not be listed.
        """
        with self._telling(folder), self._at(folder.split("/")) as here, os.scandir(here) as found:
            for one in found:
                if not one.is_dir(follow_symlinks=False):
                    yield one.name

    def _walk(self, folder: str, entered: Collection[str], left: list[int]) -> Iterator[str]:
        if folder.count("/") >= DEEPEST:
            raise self._too_many(folder)
        for name, is_folder in self._entries(folder, left):
            path = f"{folder}/{name}" if folder else name
            if not is_folder:
                yield path
            elif path in entered:
                yield from self._walk(path, entered, left)
            else:
                yield f"{path}/"

    def _entries(self, folder: str, left: list[int]) -> list[tuple[str, bool]]:
        """The names in `folder` in order, each with whether it is a folder; at most left[0]."""
        try:
            with self._at(folder.split("/") if folder else []) as here, os.scandir(here) as listing:
                some = islice(listing, left[0] + 1)
                found = sorted((one.name, one.is_dir(follow_symlinks=False)) for one in some)
        except FileNotFoundError:
            return []
        except OSError as bad:
            raise self._refused(folder or str(self.folder), bad) from bad
        left[0] -= len(found)
        if left[0] < 0:
            raise self._too_many(folder)
        return found

    def open_named(self, path: str) -> BinaryIO:
        """As `open`; `path` may be any that this system knows, since somebody here gave it."""
        with self._telling(path), self._folder_of(path) as (folder, name):
            descriptor = _open_regular(name, folder)
        return io.BufferedReader(_File(descriptor, lambda bad: self._refused(path, bad)))

    @contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        """What fails within is told of `path`."""
        try:
            yield
        except OSError as bad:
            if bad.errno not in _NOTHING_THERE:
                raise self._refused(path, bad) from bad
            raise NotFoundError(
                "file-missing",
                f"{path} is missing from {word(str(self.folder))}.",
                subject=path,
                next_step="Copy the whole bundle again.",
            ) from bad

    @contextmanager
    def _folder_of(self, path: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that holds `path`, and the name it has there.

        The first few folders are held open: what is mounted or linked in the place of one later is
        not read either.
        """
        *folders, name = path.split("/")
        held = self._folders.get(tuple(folders))
        if held is not None:
            yield held, name
            return
        with self._at(folders) as here:
            self._keep(tuple(folders), here)
            yield here, name

    def _keep(self, folders: tuple[str, ...], descriptor: int) -> None:
        with self._one_at_a_time:
            if folders not in self._folders and len(self._folders) < MOST_HELD:
                self._folders[folders] = kept = os.dup(descriptor)
                weakref.finalize(self, os.close, kept)

    @contextmanager
    def _at(self, parts: list[str]) -> Iterator[int]:
        """A descriptor of the folder below this one, none of whose parts is a link."""
        here = os.open(".", _FOLDER, dir_fd=self._hold())
        try:
            for part in parts:
                inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = inner
            yield here
        finally:
            os.close(here)

    def _hold(self) -> int:
        with self._one_at_a_time:
            return self._top()

    def _top(self) -> int:
        if self._held is None:
            try:
                here = os.open(self.root, _FOLDER)
            except NotADirectoryError as bad:
                raise FileNotFoundError(errno.ENOENT, "not a folder", str(self.root)) from bad
            for part in filter(None, self.inside.split("/")):
                try:
                    inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
                finally:
                    os.close(here)
                here = inner
            self._held = here
            weakref.finalize(self, os.close, here)
        return self._held

    def _refused(self, path: str, reason: OSError) -> RefusedError | FailedError:
        if reason.errno in _NO_FILE_THERE:
            return RefusedError(
                "not-a-file",
                f"{path} on the medium is a link, a folder or a device, where something else "
                "belongs.",
                subject=path,
                next_step=_NEXT,
            )
        return FailedError(
            "medium-unreadable",
            f"{path} could not be read from {word(str(self.folder))}: {reason.strerror or reason}.",
            subject=path,
            next_step="Check that the medium is in place, and run the command again.",
        )

    def _too_many(self, folder: str) -> RefusedError:
        return RefusedError(
            "too-many-files",
            f"{word(str(self.folder))} holds more files, or deeper folders, than any medium of "
            "ours does.",
            subject=folder,
            next_step="Take away what is not Sealift's, or have the bundle exported again.",
        )


class _File(io.FileIO):
    """A file of the medium, which says of what fails while it is read that it was the medium.

    And of nothing else: the disk that a copy goes to has its own sentences.
    """

    def __init__(self, descriptor: int, told: Callable[[OSError], SealiftError]) -> None:
        super().__init__(descriptor, "rb")
        self._told = told

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            return super().readinto(buffer) or 0
        except OSError as bad:
            raise self._told(bad) from bad

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except OSError as bad:
            raise self._told(bad) from bad


def read_named(file: Path, limit: int, *, next_step: str) -> bytes:
    """The bytes of a file that somebody named and that a medium may have brought.

    Args:
        file: it may be called anything, and lie behind links; it must not be one itself.
        limit: the most bytes it may have.
        next_step: what an error tells its reader to do.

    Raises:
        NotFoundError: there is none.
        RefusedError: it is a link, a device, a pipe or a folder, or larger than `limit`.
        FailedError: it could not be read.
    """
    try:
        with Medium(file.parent).open_named(file.name) as opened:
            return _all(opened, str(file), limit)
    except NotFoundError as bad:
        words = f"There is no file {file}."
        raise NotFoundError("no-file", words, subject=str(file), next_step=next_step) from bad
    except SealiftError as bad:
        bad.next_step = next_step
        raise


def foreign(names: Sequence[str]) -> list[str]:
    """What is said of what lies on a medium and nobody signed for; not all of it, if it is much."""
    told = [
        f"{shown(name)} is on the medium and nobody signed for it; it was ignored."
        for name in names
    ]
    more = len(names) - MOST_NAMED
    if more > 0:
        told[MOST_NAMED:] = [f"{more:,} more are there, and were ignored like these."]
    return told


def _open_regular(name: str, folder: int) -> int:
    """A descriptor of the regular file `name` in `folder`.

    Its kind is asked for before it is opened, because to open some devices is to use them, and
    again afterwards, because a medium may answer otherwise each time.

    Raises:
        OSError: it could not be opened; ELOOP where it is no regular file.
    """
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), name)
    descriptor = os.open(name, _FILE, dir_fd=folder)
    try:
        _check_regular(os.fstat(descriptor), name)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_plain(path: str) -> None:
    if not MEDIUM_PATH.matches(path):
        raise MalformedError(
            "bad-path",
            f"{shown(path)} is not {MEDIUM_PATH.words}.",
            subject=path,
            next_step=_NEXT,
        )


def _check_regular(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "not a regular file", name)


def _all(file: BinaryIO, path: str, limit: int) -> bytes:
    """What `file` holds. Its size is asked first, so that an endless one is not begun."""
    said = file.seek(0, os.SEEK_END)
    file.seek(0)
    data = b"" if said > limit else file.read(said + 1)
    if len(data) > said:  # it grew since
        data += file.read(limit + 1 - len(data))
    if max(said, len(data)) > limit:
        raise RefusedError(
            "too-large",
            f"{path} is larger than the {limit} bytes it may have.",
            subject=path,
            next_step=_NEXT,
        )
    return data


def make_folder(top: Path, path: str) -> Path:
    """The folder at `path` below `top`, made where it is not there; no link is followed.

    Whoever prepared the medium must not choose where on this machine something is written.

    Raises:
        RefusedError: a part of it is a link or a file.
        FailedError: it could not be made.
    """
    here = top
    for part in path.split("/"):
        here /= part
        try:
            file_access.shown_folder(here)  # a file or a link may be there, which is told of below
        except OSError as bad:
            raise durable.unwritable(here, bad) from bad
        if here.is_symlink() or not here.is_dir():
            raise RefusedError(
                "not-a-folder",
                f"{here} is a link or a file, where a folder of the medium belongs.",
                subject=str(here),
                next_step="Use another medium; nothing was written.",
            )
    return here
