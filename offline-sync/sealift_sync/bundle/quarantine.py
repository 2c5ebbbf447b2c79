"""The copy that is judged: what decides trust is read from the medium once, and never again.

A medium can answer differently each time it is asked. So metadata, documents, statements, the index
and the manifests are copied here first, capped, and from then on only the copy is read.

What transfer.json lists is copied, and nothing else is read, with one exception: roots, and what a
recall stands on, are read wherever the medium has them, because a recall is honoured even if the
list of the bundle is spoiled, and a second root of one number is evidence.

What recalls stand on is read into memory besides, before anything is copied, and judged file by
file: it waits for no room on a disk and for no other medium's import.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath

from sealift_signing import roles, statements
from sealift_signing.documents import RECALL_PATH
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_sync import durable
from sealift_sync.artifact import LARGEST_MANIFEST, index_digests
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium

_FOR_RECALLS = re.compile(
    rf"[1-9][0-9]{{0,14}}\.(?:{roles.ROOT}|{roles.TARGETS}|{roles.RECALL})\.json"
)


class Quarantine:
    """The small files of a bundle, by their path in it.

    Args:
        folder: where they lie now.
        files: their paths.
        names: everything that lies on the medium, each unread folder as `path/`.
        problem: why not all of it could be copied; whoever asks for what is not here is told it.
    """

    def __init__(
        self,
        folder: Path,
        files: frozenset[str],
        names: tuple[str, ...] = (),
        problem: SealiftError | None = None,
    ) -> None:
        self._folder = folder
        self._files = files
        self.names = names
        self._problem = problem

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            NotFoundError: the bundle has no such file.
            SealiftError: what went wrong while the bundle was copied.
        """
        if path not in self._files:
            raise self._problem or NotFoundError(
                "file-missing",
                f"{path} is missing from the bundle.",
                subject=path,
                next_step="Copy the whole bundle again.",
            )
        return (self._folder / path).read_bytes()

    def get(self, path: str) -> bytes | None:
        """The bytes of a file, or None if the bundle has no such file."""
        return self.read(path) if path in self._files else None

    def below(self, folder: str) -> Iterator[str]:
        """The paths of the files below `folder`, in order."""
        return (path for path in sorted(self._files) if path.startswith(f"{folder}/"))

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all files."""
        return self._files

    def has(self, path: str) -> bool:
        """Whether the bundle has this file."""
        return path in self._files

    def check_listed(self, listed: Mapping[str, CarriedFile]) -> None:
        """Check every quarantined file against the list in transfer.json.

        Raises:
            RefusedError: a file differs from what is listed.
            NotFoundError: a small file that is listed is missing.
        """
        for path, file in listed.items():
            if layout.is_large(path) and path not in self._files:
                continue  # a large file: hashed while it is copied, or while it is verified
            data = self.read(path)
            if (len(data), sha256(data).hexdigest()) != (file.size, file.sha256):
                raise RefusedError(
                    "file-changed",
                    f"{path} is not the file that transfer.json lists: it was damaged or changed.",
                    subject=path,
                    next_step="Copy the bundle again, or have it exported again.",
                )

    def close(self) -> None:
        """Throw the copy away."""
        shutil.rmtree(self._folder, ignore_errors=True)


class ForRecalls:
    """What recalls on a medium stand on, and its transfer.json: each file by itself, into memory.

    Nothing is held here. Whoever judges one forgets it before the next is read, so no number of
    files that nobody signed keeps out the one that an officer signed. A file that cannot be read,
    or is none, is passed over: whoever laid it there could have taken the recall away, and did not.

    Attributes:
        failure: the medium's, where it failed.
    """

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self.failure: FailedError | None = None

    def get(self, path: str) -> bytes | None:
        """The bytes of a file, as they are now; None if it is not there or cannot be read."""
        try:
            return self._medium.read(path, layout.LARGEST_SMALL_FILE)
        except FailedError as bad:
            self.failure = bad
        except SealiftError:
            pass
        return None

    def below(self, folder: str) -> Iterator[str]:
        """The paths of what is called as a role's metadata below `folder`, in any order."""
        try:
            for name in self._medium.each_in(folder):
                if _FOR_RECALLS.fullmatch(name):
                    yield f"{folder}/{name}"
        except FailedError as bad:
            self.failure = bad
        except SealiftError:
            pass


def _is_for_recalls(path: str) -> bool:
    return bool(_FOR_RECALLS.fullmatch(path.removeprefix(f"{layout.METADATA}/")))


def quarantine(medium: Medium, into: Path) -> Quarantine:
    """Copy what decides trust from `medium` into the new folder `into`.

    Of a medium that is spoiled or fails, what its recalls stand on is there if it could be copied;
    transfer.json is not, and to read it raises what went wrong.
    """
    shutil.rmtree(into, ignore_errors=True)
    copy = _Copy(medium, into)
    problem = None
    try:
        copy.for_recalls()
        copy.listed()
    except SealiftError as bad:
        problem = bad
    return Quarantine(into, frozenset(copy.taken), copy.names, problem)


class _Copy:
    """The work of `quarantine`: `taken` are the paths that were copied so far."""

    def __init__(self, medium: Medium, into: Path) -> None:
        self._medium = medium
        self._into = into
        self._total = 0
        self.taken: set[str] = set()
        self.names: tuple[str, ...] = ()

    def for_recalls(self) -> None:
        """Roots, and what recalls are signed by, old ones too and listed or not."""
        for path in self._medium.names({layout.METADATA}):
            if _is_for_recalls(path):
                self._take(path, layout.LARGEST_SMALL_FILE)
        self._take(layout.target_file(RECALL_PATH), layout.LARGEST_SMALL_FILE)

    def listed(self) -> None:
        """What transfer.json lists but for the large files; itself last, when all went well."""
        transfer = self._medium.read(layout.TRANSFER, layout.LARGEST_SMALL_FILE)
        listed = _files_listed(transfer)
        large = {path for path in listed if layout.is_large(path)}
        for path in sorted(listed.keys() - large):
            self._take(path, layout.LARGEST_SMALL_FILE)
        for path in self._manifests():
            if path in large:
                self._take(path, LARGEST_MANIFEST)
        entered = {str(folder) for path in listed for folder in PurePosixPath(path).parents}
        self.names = tuple(self._medium.names(entered))
        self._keep(layout.TRANSFER, transfer)

    def _manifests(self) -> Iterator[str]:
        if layout.INDEX in self.taken:
            index = (self._into / layout.INDEX).read_bytes()
            yield from (layout.blob_file(digest) for digest in dict.fromkeys(index_digests(index)))

    def _take(self, path: str, limit: int) -> None:
        """Copy `path` if it is there: who needs it says best what it means that it is missing."""
        if path in self.taken:
            return
        try:
            data = self._medium.read(path, limit)
        except NotFoundError:
            return
        self._keep(path, data)

    def _keep(self, path: str, data: bytes) -> None:
        self._total += len(data)
        if self._total > layout.LARGEST_SMALL_TOTAL or len(self.taken) >= layout.MOST_SMALL_FILES:
            raise RefusedError(
                "too-much",
                "The bundle holds more than any bundle does.",
                subject=path,
                next_step="Do not use this medium; have the bundle exported again.",
            )
        target = self._into / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as bad:
            raise durable.unwritable(target, bad) from bad
        self.taken.add(path)


def _files_listed(transfer: bytes) -> Mapping[str, CarriedFile]:
    """Every file that transfer.json lists by its path. Nothing is believed of it yet."""
    try:
        said = statements.read(Transfer, transfer, what=layout.TRANSFER).predicate
    except RefusedError:
        return {}  # whoever judges it says what is wrong with it
    return {file.path: file for file in said.files}
