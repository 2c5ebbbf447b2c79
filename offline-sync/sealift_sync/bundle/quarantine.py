"""The copy that is judged: what decides trust is read from the medium once, and never again.

A medium can answer differently each time it is asked. So metadata, documents, statements, the index
and the manifests are copied here first, capped, and from then on only the copy is read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.statements import CarriedFile
from sealift_signing.vocabulary import MEDIUM_PATH
from sealift_sync import durable
from sealift_sync.artifact import LARGEST_MANIFEST, index_digests
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium


class Quarantine:
    """The small files of a bundle, by their path in it. `ignored` are those nobody may read."""

    def __init__(self, folder: Path, files: frozenset[str], ignored: tuple[str, ...]) -> None:
        self._folder = folder
        self._files = files
        self.ignored = ignored

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            NotFoundError: the bundle has no such file.
        """
        if path not in self._files:
            raise NotFoundError(
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
        """Check every quarantined file against the signed list.

        Raises:
            RefusedError: a file differs from what was signed for.
            NotFoundError: a small file that is listed is missing.
        """
        for path, file in listed.items():
            if path.startswith(f"{layout.BLOBS}/") and path not in self._files:
                continue  # a large blob: hashed while it is copied, or while it is verified
            data = self.read(path)
            if (len(data), sha256(data).hexdigest()) != (file.size, file.sha256):
                raise RefusedError(
                    "file-changed",
                    f"{path} is not the file that was signed for: it was damaged or changed.",
                    subject=path,
                    next_step="Copy the bundle again, or have it exported again.",
                )

    def close(self) -> None:
        """Throw the copy away."""
        shutil.rmtree(self._folder, ignore_errors=True)


def quarantine(medium: Medium, into: Path) -> Quarantine:
    """Copy what decides trust from `medium` into the new folder `into`.

    Raises:
        RefusedError: something is no regular file, or larger or more than any bundle has.
        NotFoundError: transfer.json or index.json is missing.
    """
    shutil.rmtree(into, ignore_errors=True)
    copied: set[str] = set()
    ignored = []
    total = 0
    for path, limit in _everything(medium, into):
        if not MEDIUM_PATH.matches(path):
            ignored.append(path)
            continue
        data = medium.read(path, limit)
        total += len(data)
        copied.add(path)
        if total > layout.LARGEST_SMALL_TOTAL or len(copied) > layout.MOST_SMALL_FILES:
            raise RefusedError(
                "too-much",
                "The bundle holds more than any bundle does.",
                subject=path,
                next_step="Do not use this medium; have the bundle exported again.",
            )
        _write(into / path, data)
    return Quarantine(into, frozenset(copied), tuple(ignored))


def _wanted(medium: Medium) -> Iterator[str]:
    for name in layout.SMALL_FILES:
        if name in {layout.TRANSFER, layout.INDEX} or medium.has(name):
            yield name
    for folder in layout.SMALL_FOLDERS:
        yield from medium.files(folder)


def _everything(medium: Medium, into: Path) -> Iterator[tuple[str, int]]:
    """Each path with the most bytes it may have; the manifests last, by the copied index."""
    for path in _wanted(medium):
        yield path, layout.LARGEST_SMALL_FILE
    for digest in index_digests((into / layout.INDEX).read_bytes()):
        yield layout.blob_file(digest), LARGEST_MANIFEST


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as bad:
        raise durable.unwritable(path, bad) from bad
