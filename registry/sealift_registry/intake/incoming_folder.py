"""The folder in which an incoming model waits: how files get in, and what is let in at all.

Files are streamed (1 MiB at a time) and hashed on the way. Symbolic links, devices, pipes and
sockets are never followed or opened: the first would bring in what nobody asked for, the others
would hang.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.intake.source import SourceFile
from sealift_registry.workers.channel import Progress
from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_signing.vocabulary import unfit_for_media

CHUNK = 1024**2


@dataclass(frozen=True)
class Caps:
    """What one model may at most be.

    Attributes:
        files: how many.
        size: all of them together, in bytes.
        depth: parts of a path.
    """

    files: int = 10_000
    size: int = 1024**4
    depth: int = 8


LEFT_OUT = frozenset({".python-version"})
"""MLflow adds it where the training folder was a uv project; its name is not one that travels."""

CAPS = Caps()


def open_staging(into: Path) -> None:
    """Make the folder `into`, which must be new or empty: what lay there would be taken along.

    Raises:
        FailedError: it cannot be made, or something is in it.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        occupied = any(into.iterdir())
    except OSError as bad:
        raise _unwritable(into, bad) from bad
    if occupied:
        raise FailedError(
            "staging-not-empty",
            f"The staging folder {into} is not empty.",
            subject=str(into),
            next_step="Remove it and try again.",
        )


def copy_tree(source: Path, into: Path, progress: Progress, caps: Caps = CAPS) -> list[SourceFile]:
    """Copy the file `source`, or every file under the folder `source`, to `into`, hashing.

    Raises:
        NotFoundError: there is nothing at `source`.
        RefusedError: a link, a special file, a name or a size that is not let in.
        FailedError: a file could not be read or written.
    """
    found = list(walk(source, caps))
    return [copy_file(origin, into, path, progress) for path, origin in found]


def take_stock(folder: Path, progress: Progress, caps: Caps = CAPS) -> list[SourceFile]:
    """Every file under `folder`, which another process filled, hashed here.

    Raises:
        RefusedError: a link, a special file, a name or a size that is not let in.
        FailedError: a file could not be read.
    """
    return [_hash(origin, path, progress) for path, origin in walk(folder, caps)]


def walk(root: Path, caps: Caps = CAPS) -> Iterator[tuple[str, Path]]:
    """The files at or under `root` with their relative paths, sorted, caps and names checked.

    Raises:
        NotFoundError: there is nothing at `root`.
        RefusedError: a link, a special file, a name or a size that is not let in.
    """
    try:
        mode = root.lstat().st_mode
    except OSError as bad:
        raise NotFoundError(
            "source-not-found",
            f"There is nothing at {root}.",
            subject=str(root),
            next_step="Check the path.",
        ) from bad
    total = 0
    entries = _entries(root) if stat.S_ISDIR(mode) else [(root.name, root)]
    entries = [entry for entry in entries if entry[0] not in LEFT_OUT]
    for number, (path, origin) in enumerate(entries, start=1):
        total += _admitted_size(path, origin, caps)
        if number > caps.files:
            raise _too_big(root, f"more than {caps.files:,} files")
        if total > caps.size:
            raise _too_big(root, f"more than {caps.size:,} bytes")
        yield path, origin


def copy_file(origin: Path, into: Path, path: str, progress: Progress) -> SourceFile:
    """Copy one file to `into`/`path`, hashing what is written.

    Raises:
        RefusedError: it is a link or a special file.
        FailedError: it could not be read or written.
    """
    target = into / path
    digest, size = hashlib.sha256(), 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written:
            for piece in _read(origin, path, progress):
                written.write(piece)
                digest.update(piece)
                size += len(piece)
    except OSError as bad:
        raise _unwritable(target, bad) from bad
    return SourceFile(path, size, digest.hexdigest())


def receive(pieces: Iterable[bytes], into: Path, path: str, most: int) -> int:
    """Write what a remote source sends to `into`/`path`; the number of bytes.

    Args:
        pieces: of the file, in order; where reading fails, they raise errors of ours.
        into: the staging folder.
        path: below it, already found to be one that is let in.
        most: bytes; a server that sends more would fill the disk.

    Raises:
        RefusedError: it is longer.
        FailedError: it could not be written.
    """
    target, size = into / path, 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written:
            for piece in pieces:
                size += len(piece)
                if size > most:
                    raise _too_big(Path(path), f"more than {most:,} bytes")
                written.write(piece)
    except OSError as bad:
        raise _unwritable(target, bad) from bad
    return size


def check_name(path: str, caps: Caps = CAPS) -> None:
    """Refuse a relative `path` that could not travel on every medium, or that leads elsewhere.

    Raises:
        RefusedError: it is spelled otherwise, or too deep.
    """
    why = unfit_for_media(path)
    if why:
        raise RefusedError(
            "source-file-name",
            f"The file {path!r} cannot be taken in, by its name: {why}.",
            subject=path,
            next_step="Rename it at the source, and ingest again.",
        )
    if path.count("/") >= caps.depth:
        raise _too_big(Path(path), f"a path of more than {caps.depth} parts")


def _entries(root: Path) -> list[tuple[str, Path]]:
    """Everything under the folder `root` that is not itself a folder; links are not followed."""
    found = []
    for folder, folders, files in os.walk(root, onerror=_raise):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        origins = (Path(folder) / name for name in (*files, *links))
        found += [(origin.relative_to(root).as_posix(), origin) for origin in origins]
    return sorted(found)


def _raise(bad: OSError) -> None:
    raise _unreadable(Path(bad.filename), bad) from bad


def _admitted_size(path: str, origin: Path, caps: Caps) -> int:
    check_name(path, caps)
    found = origin.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise _special(path, found.st_mode)
    return found.st_size


def _hash(origin: Path, path: str, progress: Progress) -> SourceFile:
    digest, size = hashlib.sha256(), 0
    for piece in _read(origin, path, progress):
        digest.update(piece)
        size += len(piece)
    return SourceFile(path, size, digest.hexdigest())


def _read(origin: Path, path: str, progress: Progress) -> Iterator[bytes]:
    """The bytes of the regular file `origin`, in pieces; its own errors told as ours."""
    try:
        with os.fdopen(_open_no_link(origin), "rb", buffering=0) as data:
            found = os.fstat(data.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _special(path, found.st_mode)
            done = 0
            while piece := data.read(CHUNK):
                done += len(piece)
                progress(path, done, found.st_size)
                yield piece
    except OSError as bad:
        if bad.errno == errno.ELOOP:
            raise _special(path, stat.S_IFLNK) from bad
        raise _unreadable(origin, bad) from bad


def _open_no_link(path: Path) -> int:
    """Between looking and opening, the file may have been swapped for a link or a pipe."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _special(path: str, mode: int) -> RefusedError:
    is_link = stat.S_ISLNK(mode)
    what = "a symbolic link" if is_link else "not a regular file"
    # A snapshot of Hugging Face's is a folder of links to files elsewhere in its cache.
    copy = "Copy the folder with what its links lead to: cp -rL FOLDER COPY; and ingest the copy."
    return RefusedError(
        "source-file-kind",
        f"The file {path!r} is {what}, and only regular files are taken in.",
        subject=path,
        next_step=copy if is_link else "Put a regular file in its place, and ingest again.",
    )


def _too_big(what: Path, how: str) -> RefusedError:
    return RefusedError(
        "source-too-big",
        f"{what} has {how}.",
        subject=str(what),
        next_step="Ingest a folder that holds only the model.",
    )


def _unreadable(path: Path, bad: OSError) -> FailedError:
    return FailedError(
        "source-unreadable",
        f"{path} could not be read: {bad.strerror}.",
        subject=str(path),
        next_step="Check its permissions, and try again.",
    )


def _unwritable(path: Path, bad: OSError) -> FailedError:
    return FailedError(
        "staging-unwritable",
        f"{path} could not be written: {bad.strerror}.",
        subject=str(path),
        next_step="Check the free space and the permissions of Sealift's home.",
    )
