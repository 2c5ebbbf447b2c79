"""Blobs: bytes addressed by their SHA-256. Where a hub keeps them, and a folder of them.

A folder has them under `sha256/`, as an OCI image layout has. A hub may keep its artifacts in one,
a site its store, and a bundle is one. A blob in it was hashed while written and flushed to disk.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from sealift_signing import locks
from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_signing.vocabulary import SHA256
from sealift_sync import stream
from sealift_sync.durable import PARTIAL, Progress, flush, flush_folder, unwritable

SMALL = 64 * 1024 * 1024
"""Bytes of a blob that is held in memory as a whole: callers say less where their kind has less."""
_NOTHING_THERE = (FileNotFoundError, NotADirectoryError)
Fault = Literal["", "missing", "damaged", "unreadable"]
"""What is wrong with a blob; empty if it was hashed and is whole."""


@dataclass(frozen=True)
class Blob:
    """Bytes by their digest; `size` in bytes."""

    sha256: str
    size: int


class Relied(Protocol):
    """Told of blobs before a store looks whether it has them: from then on they are relied upon."""

    def __call__(self, digests: Collection[str], /) -> Collection[str]:
        """Those of them of which nothing that is there may be relied upon: they are put anew.

        Raises:
            FailedError: it could not be noted, so nothing is looked at.
        """


class BlobStore(Protocol):
    """Where a hub keeps its blobs. What is taken in is there whole, and durable, or not at all.

    Whether it is still what it was, only those methods say that hash. `open` and `each` do not:
    whoever copies from them hashes what comes. Each method that takes a digest refuses what is none
    (`bad-digest`); each but `fault` raises a FailedError where the store cannot be read or written:
    that it cannot be asked never means that something is not there.
    """

    @property
    def where(self) -> str:
        """The store as people know it, for messages: a folder, or an address."""

    def has(self, digest: str) -> bool:
        """Whether the blob is here; that it is undamaged, only `check` says."""

    def size(self, digest: str) -> int:
        """The blob's size in bytes, as the store has it; NotFoundError if it is not here."""

    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """Of those that are here the sizes, all asked together: for many this is cheaper."""

    def rely_on(self, digests: Collection[str]) -> Collection[str]:
        """Say that these will be relied upon, before it is looked whether they are here.

        Whatever takes in a blob says so itself, of each: for many it is cheaper beforehand.

        Returns:
            Those of which nothing that is here may be relied upon: they are to be put anew.
        """

    def put(
        self,
        source: BinaryIO,
        *,
        expect: str | None = None,
        progress: Progress | None = None,
        anew: bool = False,
    ) -> Blob:
        """Take in `source`, read to its end and hashed.

        Args:
            source: at its beginning.
            expect: the digest that it must have.
            progress: told of every chunk.
            anew: what is here of it is damaged or doubtful, and is to be replaced.

        Raises:
            RefusedError: the bytes are not those of `expect`; nothing was kept.
            FailedError: they could not be read or written.
        """

    def put_bytes(self, data: bytes) -> Blob:
        """Take in `data`; nothing is written where it is here already."""

    def put_file(
        self,
        path: Path,
        progress: Progress | None = None,
        *,
        expect: str | None = None,
        anew: bool = False,
    ) -> Blob:
        """Take in a regular file, never through a link; `expect` and `anew` as for `put`."""

    def prepare(self, files: Mapping[str, Path]) -> Callable[[], None]:
        """Get ready to take in files, by digest, that were just hashed and flushed.

        What is returned takes them in, and is quick: it may be called within a transaction. They
        lie in the hub's own folder of work, and may be gone from there afterwards. Where it is
        never called nothing refers to them, though they may be here.
        """

    def open(self, digest: str, start: int = 0) -> BinaryIO:
        """The blob from byte `start` on, to be read once; NotFoundError if not here."""

    def each(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, BinaryIO]]:
        """Each of these blobs as `open` gives it, until the next is asked for: small ones first.

        Args:
            sizes: the bytes that each should have, by its digest.
        """

    def read(self, digest: str, most: int = SMALL) -> bytes:
        """The bytes of a small blob, hashed again while they are read.

        RefusedError if it is damaged, or has more than `most` bytes: no more are read.
        """

    def read_all(self, digests: Collection[str], most: int) -> dict[str, bytes]:
        """The bytes, hashed, of small blobs that are here, whole, and no more than `most` bytes.

        What is missing, damaged or larger is not in it. A store that fails is no such thing: it is
        an error, for nobody knows what it has.
        """

    def check(self, digest: str, progress: Progress | None = None) -> None:
        """Hash the whole blob again; RefusedError if it was damaged."""

    def fault(self, digest: str, progress: Progress | None = None) -> Fault:
        """What is wrong with the blob, found by hashing it. A store that fails is a finding."""

    def remove(self, digest: str) -> None:
        """Forget a blob; it is no error if it is not here."""

    def digests(self) -> Iterator[str]:
        """Every blob that is here, in order."""

    def listed(self) -> Iterator[tuple[str, int]]:
        """The same, each with its size in bytes: of very many, read once and part by part."""

    def sweep(self) -> int:
        """Throw away what processes that have ended left unfinished; returns how much that was."""

    def missing(self, digest: str) -> NotFoundError:
        """The error for a blob that is not here."""


def check_digest(digest: str) -> None:
    """Check that this is a SHA-256 digest, in lower case: no name of anything else gets further.

    Raises:
        RefusedError: it is none.
    """
    if not SHA256.matches(digest):
        raise RefusedError(
            "bad-digest",
            f"{digest!r} is not a SHA-256 digest.",
            subject=digest,
            next_step="Give the digest as 64 digits in lower case.",
        )


def open_regular(path: Path) -> BinaryIO:
    """A file that is to be taken in, opened never through a link.

    Raises:
        FailedError: it could not be read.
    """
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as bad:
        raise unreadable(str(path), bad) from bad


def unreadable(what: str, bad: OSError) -> FailedError:
    """The error for a file that could not be read."""
    return FailedError(
        "unreadable",
        f"{what} could not be read: {bad.strerror or bad}.",
        subject=what,
        next_step="Check that it is there and who may read it; if it is damaged, "
        "restore it from a backup.",
    )


def nobody_removes(_digests: Collection[str]) -> Collection[str]:
    """`Relied` of a store from which nobody else removes anything."""
    return ()


class BlobFolder:
    """Blobs in `root`/sha256; temporary files in `root`/incoming.

    `relied` is told what others may not remove from there.
    """

    def __init__(self, root: Path, relied: Relied = nobody_removes) -> None:
        self.root = root
        self.relied = relied
        self._final = root / "sha256"
        self._incoming = root / "incoming"

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.root)

    def path(self, digest: str) -> Path:
        """Where the blob with this digest is, or would be."""
        check_digest(digest)
        return self._final / digest

    def has(self, digest: str) -> bool:
        """Whether the blob is here; that it is undamaged, only `check` says."""
        about = self._about(digest)
        return about is not None and stat.S_ISREG(about.st_mode)

    def _about(self, digest: str) -> os.stat_result | None:
        """What lies where the blob belongs; None where nothing does.

        Raises:
            FailedError: the disk does not say.
        """
        path = self.path(digest)
        try:
            return path.stat()
        except _NOTHING_THERE:
            return None
        except OSError as bad:
            raise unreadable(str(path), bad) from bad

    def holds(self, digest: str, size: int) -> bool:
        """Whether a regular file of this size lies where the blob belongs; nothing is hashed."""
        try:
            found = self.path(digest).lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == size

    def size(self, digest: str) -> int:
        """The blob's size in bytes."""
        about = self._about(digest)
        if about is None:
            raise self.missing(digest)
        return about.st_size

    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """Of those that are here the sizes."""
        found = {}
        for digest in digests:
            about = self._about(digest)
            if about is not None and stat.S_ISREG(about.st_mode):
                found[digest] = about.st_size
        return found

    def rely_on(self, digests: Collection[str]) -> Collection[str]:
        """Say that these will be relied upon."""
        for one in digests:
            check_digest(one)
        return self.relied(digests)

    def put(
        self,
        source: BinaryIO,
        *,
        expect: str | None = None,
        progress: Progress | None = None,
        anew: bool = False,  # noqa: ARG002 - what is put always takes the place of what is there
    ) -> Blob:
        """Take in `source`, hashing while copying.

        Args:
            source: read to its end.
            expect: the digest that it must have.
            progress: told of every chunk.
            anew: as always here: what lies there is replaced.

        Raises:
            RefusedError: the bytes are not those of `expect`; nothing was kept.
            FailedError: they could not be read or written.
        """
        aside = self._incoming / f"{uuid.uuid4().hex}{PARTIAL}"
        try:
            self._make()
            self._incoming.mkdir(parents=True, exist_ok=True)
            with locks.claim(aside) as file:  # held until it has its name, or else it is swept
                found, size = stream.copy_hashed(source, file, progress)
                if expect is not None and found != expect:
                    raise damaged(expect)
                flush(file)
                self.relied([found])
                aside.chmod(0o444)
                aside.replace(self.path(found))
            flush_folder(self._final)
        except OSError as bad:
            raise unwritable(self._final, bad) from bad
        finally:
            aside.unlink(missing_ok=True)
        return Blob(found, size)

    def adopt(self, files: Mapping[str, Path]) -> None:
        """Take in files of the same file system, by digest; they were just hashed, and flushed.

        Raises:
            FailedError: one could not be renamed; those before it are here.
        """
        try:
            self._make()
            for digest, file in files.items():
                file.chmod(0o444)
                file.replace(self.path(digest))
            flush_folder(self._final)
        except OSError as bad:
            raise unwritable(self._final, bad) from bad

    def prepare(self, files: Mapping[str, Path]) -> Callable[[], None]:
        """As `adopt`, later: to rename some files is quick."""
        self.rely_on(files)
        return partial(self.adopt, files)

    def _make(self) -> None:
        """The folder itself must be as durable as what is flushed into it."""
        if not self._final.is_dir():
            self._final.mkdir(parents=True, exist_ok=True)
            flush_folder(self.root)
            flush_folder(self.root.parent)

    def put_bytes(self, data: bytes) -> Blob:
        """Take in `data`; nothing is written where it is here already."""
        digest = sha256(data).hexdigest()
        if digest not in self.relied([digest]) and self.has(digest):
            return Blob(digest, len(data))
        return self.put(BytesIO(data), expect=digest)

    def put_file(
        self,
        path: Path,
        progress: Progress | None = None,
        *,
        expect: str | None = None,
        anew: bool = False,
    ) -> Blob:
        """Take in a regular file, never through a link; `expect` and `anew` as for `put`."""
        with open_regular(path) as file:
            return self.put(file, expect=expect, progress=progress, anew=anew)

    def open(self, digest: str, start: int = 0) -> BinaryIO:
        """The blob, to be read from byte `start` on.

        Raises:
            NotFoundError: it is not here.
            FailedError: it could not be opened.
        """
        path = self.path(digest)
        try:
            file = path.open("rb")
            file.seek(start)
        except (*_NOTHING_THERE, IsADirectoryError) as bad:
            raise self.missing(digest) from bad
        except OSError as bad:
            raise unreadable(str(path), bad) from bad
        return file

    def each(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, BinaryIO]]:
        """Each of these blobs, until the next is asked for or soon after: small ones first."""
        return stream.read_ahead(sizes, self.open)

    def read_all(self, digests: Collection[str], most: int) -> dict[str, bytes]:
        """The bytes, hashed, of small blobs that are here, whole, and no more than `most` bytes."""
        found = {}
        for digest in digests:
            with suppress(NotFoundError, RefusedError):
                found[digest] = self.read(digest, most)
        return found

    def read(self, digest: str, most: int = SMALL) -> bytes:
        """The bytes of a small blob, hashed again while they are read.

        Raises:
            RefusedError: the blob was damaged, or has more than `most` bytes.
        """
        with self.open(digest) as file:
            try:
                data = file.read(most + 1)
            except OSError as bad:
                raise unreadable(str(self.path(digest)), bad) from bad
        if len(data) > most:
            raise too_large(digest, most)
        if sha256(data).hexdigest() != digest:
            raise damaged(digest)
        return data

    def check(self, digest: str, progress: Progress | None = None) -> None:
        """Hash the whole blob again.

        Raises:
            RefusedError: it was damaged.
        """
        with self.open(digest) as file:
            found, _ = stream.hash_file(file, progress)
        if found != digest:
            raise damaged(digest)

    def fault(self, digest: str, progress: Progress | None = None) -> Fault:
        """What is wrong with the blob, found by hashing it.

        A disk that fails is a finding like any other here, and no end of the work.
        """
        path = self.path(digest)
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return "damaged"
            with path.open("rb") as file:
                found, _ = stream.hash_file(file, progress)
        except FileNotFoundError:
            return "missing"
        except OSError:
            return "unreadable"
        return "" if found == digest else "damaged"

    def remove(self, digest: str) -> None:
        """Forget a blob; it is no error if it is not here."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Every blob that is here, in order."""
        if self._final.is_dir():
            yield from sorted(name for e in self._final.iterdir() if SHA256.matches(name := e.name))

    def listed(self) -> Iterator[tuple[str, int]]:
        """The same, each with its size in bytes."""
        for digest in self.digests():
            yield from self.sizes([digest]).items()

    def sweep(self, remove: Callable[[Path], object] = Path.unlink) -> int:
        """Throw away what processes that have ended left unfinished; returns how many files.

        Another process may be writing at this moment: what it writes stays. A file that cannot be
        removed is left to the next one. Whoever gives another `remove` is told of them.
        """
        swept = 0
        for path in self._incoming.glob(f"*{PARTIAL}") if self._incoming.is_dir() else ():
            with suppress(OSError), locks.abandoned(path) as free:
                if free:
                    remove(path)
                    swept += 1
        return swept

    def missing(self, digest: str) -> NotFoundError:
        """The error for a blob that is not here."""
        return NotFoundError(
            "no-blob",
            f"The blob {digest[:12]} is not in {self.root}.",
            subject=digest,
            next_step="Check that the folder was copied whole.",
        )


def too_large(digest: str, most: int) -> RefusedError:
    """The error for a blob that is larger than its kind may be."""
    return RefusedError(
        "blob-too-large",
        f"The blob {digest[:12]} has more than {most:,} bytes, and its kind has no more.",
        subject=digest,
        next_step="It is not what it is named as: find out what is damaged with the fsck of "
        "whoever holds it, and have it brought again.",
    )


def damaged(digest: str) -> RefusedError:
    """The error for bytes that are not those of their digest."""
    return RefusedError(
        "blob-damaged",
        f"The blob {digest[:12]} is damaged: its bytes are not those of its digest.",
        subject=digest,
        next_step="Copy the bundle again, or have it exported again.",
    )
