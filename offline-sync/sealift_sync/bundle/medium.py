"""Reading a folder that a stranger may have prepared: no link followed, no file but a regular one.

Every part of a path is opened by itself, relative to the folder before it and without following
links (POSIX `openat`, O_NOFOLLOW), so nothing on the medium can point outside it; sizes and counts
are capped while reading, because a file's length is what it turns out to be.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from sealift_signing.errors import FailedError, MalformedError, NotFoundError, RefusedError
from sealift_signing.vocabulary import MEDIUM_PATH
from sealift_sync import durable

DEEPEST = 16
MOST_ENTRIES = 200_000


class Medium:
    """The folder `root`, read only."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """The regular file at `path`, to be read.

        Raises:
            NotFoundError: there is none.
            RefusedError: a link, a device, a pipe or a folder; or a path that is not a plain one.
            FailedError: it could not be read.
        """
        descriptor = self._descriptor(path)
        try:
            found = os.fstat(descriptor).st_mode
        except OSError:
            os.close(descriptor)
            raise
        if not stat.S_ISREG(found):
            os.close(descriptor)
            raise self._not_regular(path)
        with os.fdopen(descriptor, "rb") as file:
            try:
                yield file
            except OSError as bad:
                raise self._unreadable(path, bad) from bad

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of `path`.

        Raises:
            RefusedError: there are more than `limit`; and as `open`.
        """
        with self.open(path) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise RefusedError(
                "too-large",
                f"{path} is larger than the {limit} bytes it may have.",
                subject=path,
                next_step="Do not use this medium; have the bundle exported again.",
            )
        return data

    def has(self, path: str) -> bool:
        """Whether there is a regular file at `path`."""
        try:
            with self.open(path):
                return True
        except NotFoundError:
            return False

    def files(self, folder: str = "") -> Iterator[str]:
        """The path of everything below `folder` that is not a folder, in order, links included.

        Raises:
            RefusedError: more entries, or deeper folders, than any bundle has.
        """
        left = [MOST_ENTRIES]
        yield from self._files(folder, 0, left)

    def _files(self, folder: str, depth: int, left: list[int]) -> Iterator[str]:
        entries = self._entries(folder, left[0] + 1)
        left[0] -= len(entries)
        if left[0] < 0 or depth > DEEPEST:
            raise RefusedError(
                "too-many-files", f"{self.root} holds more than any bundle does.", subject=folder
            )
        for name, is_folder in entries:
            path = f"{folder}/{name}" if folder else name
            if is_folder:
                yield from self._files(path, depth + 1, left)
            else:
                yield path

    def _entries(self, folder: str, most: int) -> list[tuple[str, bool]]:
        """Up to `most` names in `folder` in order, each with whether it is a folder itself."""
        descriptor = -1
        try:
            descriptor = self._folder(folder.split("/") if folder else [])
            with os.scandir(descriptor) as listing:
                found = islice(listing, most)
                return sorted((one.name, one.is_dir(follow_symlinks=False)) for one in found)
        except FileNotFoundError:
            return []
        except OSError as bad:
            raise self._refused(folder or str(self.root), bad) from bad
        finally:
            if descriptor != -1:
                os.close(descriptor)

    def _folder(self, parts: list[str]) -> int:
        """A descriptor of the folder below the root, none of whose parts is a link."""
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts:
            try:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            finally:
                os.close(here)
            here = inner
        return here

    def _descriptor(self, path: str) -> int:
        if not MEDIUM_PATH.matches(path):
            raise MalformedError(
                "bad-path",
                f"{path!r} is not {MEDIUM_PATH.words}.",
                subject=path,
                next_step="Do not use this medium; have the bundle exported again.",
            )
        *folders, name = path.split("/")
        here = -1
        try:
            here = self._folder(folders)
            # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
        except FileNotFoundError as bad:
            raise NotFoundError(
                "file-missing",
                f"{path} is missing from {self.root}.",
                subject=path,
                next_step="Copy the whole bundle again.",
            ) from bad
        except OSError as bad:
            raise self._refused(path, bad) from bad
        finally:
            if here != -1:
                os.close(here)

    def _refused(self, path: str, reason: OSError) -> RefusedError | FailedError:
        if reason.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO}:
            return self._not_regular(path)
        return self._unreadable(path, reason)

    def _not_regular(self, path: str) -> RefusedError:
        return RefusedError(
            "not-a-file",
            f"{path} on the medium is a link, a folder or a device, where something else belongs.",
            subject=path,
            next_step="Do not use this medium; have the bundle exported again.",
        )

    def _unreadable(self, path: str, reason: OSError) -> FailedError:
        return FailedError(
            "medium-unreadable",
            f"{path} could not be read from {self.root}: {reason.strerror or reason}.",
            subject=path,
            next_step="Check that the medium is in place, and run the command again.",
        )


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
            here.mkdir(exist_ok=True)
        except FileExistsError:
            pass  # a file or a dangling link, which is told of below
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
