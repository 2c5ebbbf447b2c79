"""Writing a bundle: under a temporary name, flushed, read back from the medium, then renamed.

A half-written bundle bears a temporary name and cannot be imported. The read-back asks the medium,
not the page cache: a stick that says "written" and is not is found here and not at the site.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.statements import CarriedFile
from sealift_signing.vocabulary import CatalogPath
from sealift_sync import durable
from sealift_sync.artifact import LAYOUT, index_bytes
from sealift_sync.blobs import BlobFolder
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import make_folder
from sealift_sync.durable import Progress

SPARE = 4 * 1024 * 1024
"""Bytes kept free beyond what is written: folders and rounding take some."""

Stage = Callable[[str, int], Progress]
"""Told that a stage of so many bytes begins (`copy`, `read back`); returns its progress."""


@dataclass(frozen=True)
class Contents:
    """All that a bundle carries but its transfer.json.

    Attributes:
        read_me: for whoever finds the medium.
        metadata: TUF files by their name below metadata/.
        targets: documents by their TUF path.
        statements: envelopes by their sha256.
        log: checkpoints and proofs by their name below log/.
        manifests: each artifact's manifest.
        blobs: the digest of every blob but the manifests; all of them lie in `store`.
    """

    read_me: str
    metadata: Mapping[str, bytes]
    targets: Mapping[str, bytes]
    statements: Mapping[str, bytes]
    log: Mapping[str, bytes]
    manifests: Mapping[CatalogPath, bytes]
    blobs: frozenset[str]
    store: BlobFolder

    def small_files(self) -> dict[str, bytes]:
        """Every file that is held in memory, by its path in the bundle."""
        digests = {path: sha256(data).hexdigest() for path, data in self.manifests.items()}
        files = {
            layout.READ_ME: self.read_me.encode(),
            layout.OCI_LAYOUT: LAYOUT,
            layout.INDEX: index_bytes(self.manifests, digests),
        }
        files |= {f"{layout.METADATA}/{name}": data for name, data in self.metadata.items()}
        files |= {layout.target_file(path): data for path, data in self.targets.items()}
        files |= {layout.statement_file(name): data for name, data in self.statements.items()}
        files |= {f"{layout.LOG}/{name}": data for name, data in self.log.items()}
        files |= {layout.blob_file(digests[path]): data for path, data in self.manifests.items()}
        return files

    def size(self) -> int:
        """The bytes that will be written, transfer.json aside."""
        small = sum(len(data) for data in self.small_files().values())
        return small + sum(self.store.size(digest) for digest in self.blobs)


def write_bundle(
    contents: Contents,
    medium: Path,
    transfer_id: str,
    sign: Callable[[tuple[CarriedFile, ...]], bytes],
    stage: Stage,
    record: Callable[[bytes], None] = lambda _transfer: None,
) -> Path:
    """Write the bundle `transfer_id` to `medium`; returns its folder.

    Args:
        contents: what it carries.
        medium: the medium's top folder; must exist.
        transfer_id: also the folder's name.
        sign: makes transfer.json, given every other file.
        stage: told of progress.
        record: given transfer.json once everything came back whole, and before the bundle has
            its name: if it raises there is no bundle, so none is ever out that was not recorded.

    Raises:
        RefusedError: the medium has a link where a folder belongs.
        FailedError: no room, not writable, or what came back from the medium was not what was
            written; in each case there is no bundle of that name.
    """
    final = medium / layout.SEALIFT / transfer_id
    aside = final.with_name(f".{transfer_id}{durable.PARTIAL}")
    _check_room(contents, medium)
    make_folder(medium, layout.SEALIFT)
    if final.exists():
        raise FailedError(
            "bundle-exists",
            f"{final} exists already, and a bundle is never overwritten.",
            subject=str(final),
            next_step="Export again; a new transfer has a new name.",
        )
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        files = _copy(contents, aside, stage("copy", contents.size()))
        transfer = sign(files)
        _put(aside / layout.TRANSFER, BytesIO(transfer), lambda _: None)
        own = CarriedFile(layout.TRANSFER, len(transfer), sha256(transfer).hexdigest())
        _flush(aside)
        _read_back(aside, (*files, own), stage("read back", sum(f.size for f in files)))
        record(transfer)
        aside.rename(final)
        durable.flush_folder(final.parent)
    except OSError as bad:
        raise durable.unwritable(final, bad) from bad
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return final


def _check_room(contents: Contents, medium: Path) -> None:
    try:
        free = shutil.disk_usage(medium).free
    except OSError as bad:
        raise FailedError(
            "no-medium",
            f"There is no medium at {medium}: {bad.strerror}.",
            subject=str(medium),
            next_step="Plug it in and mount it, then run the command again.",
        ) from bad
    needed = contents.size() + SPARE
    if free < needed:
        raise FailedError(
            "no-room",
            f"{medium} has {free:,} bytes free and the bundle needs {needed:,}.",
            subject=str(medium),
            next_step="Make room, or use a larger medium.",
        )


def _copy(contents: Contents, into: Path, progress: Progress) -> tuple[CarriedFile, ...]:
    return tuple(
        CarriedFile(path, size, digest)
        for path, digest, size in sorted(_copied(contents, into, progress))
    )


def _copied(contents: Contents, into: Path, progress: Progress) -> Iterator[tuple[str, str, int]]:
    for path, data in contents.small_files().items():
        yield path, *_put(into / path, BytesIO(data), progress)
    for digest in sorted(contents.blobs):
        path = layout.blob_file(digest)
        with contents.store.open(digest) as source:
            found, size = _put(into / path, source, progress)
        if found != digest:
            raise RefusedError(
                "hub-blob-damaged",
                f"The blob {digest[:12]} is damaged in the hub's own store; nothing was exported.",
                subject=digest,
                next_step="Restore it from a backup, or ingest that version again.",
            )
        yield path, found, size


def _put(path: Path, source: BinaryIO, progress: Progress) -> tuple[str, int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        return durable.copy_hashed(source, file, progress)


def _flush(folder: Path) -> None:
    for parent, _, _ in os.walk(folder):
        durable.flush_folder(Path(parent))


def _read_back(folder: Path, files: tuple[CarriedFile, ...], progress: Progress) -> None:
    for file in files:
        with (folder / file.path).open("rb") as source:
            durable.drop_cache(source)
            found = durable.hash_file(source, progress)
        if found != (file.sha256, file.size):
            raise FailedError(
                "read-back-differs",
                f"{file.path} came back from the medium other than it was written.",
                subject=file.path,
                next_step="The medium is failing: use another one.",
            )
