"""An artifact's files into blobs, and the manifest that names them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256 as hashed
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_signing.vocabulary import CatalogPath
from sealift_sync import artifact, durable, packs, stream
from sealift_sync.artifact import Artifact, ArtifactFile, Pack
from sealift_sync.blobs import Blob, BlobStore, damaged

Told = Callable[[int], None]
"""Told of every further number of bytes."""


def _nobody(_count: int) -> None:
    """Told, and tells nobody."""


@dataclass(frozen=True)
class StoredFiles:
    """The files of an artifact, in the blobs.

    Attributes:
        files: all of them, in order of path.
        packs: where some of them lie; the others are blobs of their own.
    """

    files: tuple[ArtifactFile, ...]
    packs: tuple[Pack, ...] = ()


def store_files(
    blobs: BlobStore, folder: Path, expected: Mapping[str, str], told: Told
) -> StoredFiles:
    """Take the files of `folder` into the blobs.

    Args:
        blobs: where to.
        folder: where they lie.
        expected: their paths below it, each with the sha256 it had when it was looked at.
        told: of every further number of bytes.

    Raises:
        FailedError: a file is not what it was when it was looked at.
    """
    files = tuple(_files(folder, expected).values())
    read = partial(_read_again, folder)
    packed = [_store_pack(blobs, read, together, told) for together in _together(files)]
    loose = artifact.loose(files, packed)
    blobs.rely_on([file.sha256 for file in loose])
    for file in loose:
        _store_file(blobs, folder, file, told)
    return StoredFiles(files, tuple(packed))


def store_opened(
    blobs: BlobStore,
    files: Iterable[ArtifactFile],
    opened: Callable[[ArtifactFile], BinaryIO],
) -> StoredFiles:
    """Take files into the blobs that somebody else hashed, hashing each while it is copied.

    Args:
        blobs: where to.
        files: as they should be.
        opened: each of them, to be read.

    Raises:
        RefusedError: a file is not what it should be.
        FailedError: it could not be read or written.
    """

    def read(file: ArtifactFile) -> bytes:
        with opened(file) as source:
            data = source.read(file.size + 1)
        if hashed(data).hexdigest() != file.sha256:
            raise damaged(file.sha256)
        return data

    ordered = tuple(sorted(files))
    packed = [_store_pack(blobs, read, together, _nobody) for together in _together(ordered)]
    for file in artifact.loose(ordered, packed):
        with opened(file) as source:
            blobs.put(source, expect=file.sha256)
    return StoredFiles(ordered, tuple(packed))


def as_stored(folder: Path, files: Iterable[ArtifactFile]) -> StoredFiles:
    """How the files of `folder` would be stored; nothing is written.

    Raises:
        FailedError: a file is not what it was when it was looked at.
    """
    ordered, read = tuple(sorted(files)), partial(_read_again, folder)
    packed = [
        Pack(together, stream.hash_file(packs.archive(together, read))[0])
        for together in _together(ordered)
    ]
    return StoredFiles(ordered, tuple(packed))


def manifest_digest(path: CatalogPath, model_format: str, stored: StoredFiles) -> str:
    """The digest of an artifact's manifest, which is not stored.

    Raises:
        RefusedError: it has so many files, of so long names, that nobody would read it.
    """
    return _digest(_readable(path, model_format, stored)[1])


def store_manifest(
    blobs: BlobStore, path: CatalogPath, model_format: str, stored: StoredFiles
) -> Blob:
    """Store the config and the manifest of an artifact; returns the manifest.

    Raises:
        RefusedError: it has so many files, of so long names, that nobody would read it.
    """
    config, manifest = _readable(path, model_format, stored)
    blobs.put_bytes(config)
    return blobs.put_bytes(manifest)


def _readable(path: CatalogPath, model_format: str, stored: StoredFiles) -> tuple[bytes, bytes]:
    """The config and the manifest of an artifact that somebody can read."""
    config, manifest = _described(path, model_format, stored)
    if len(manifest) > artifact.LARGEST_MANIFEST:
        raise RefusedError(
            "manifest-too-large",
            f"The names of the {len(stored.files):,} files of {path} are too long together: no "
            "site reads a manifest of more than 4 MiB.",
            subject=str(path),
            next_step="Give them shorter names or put them together at the source, and ingest "
            "again.",
        )
    return config, manifest


def store_again(
    blobs: BlobStore,
    folder: Path,
    expected: Mapping[str, str],
    path: CatalogPath,
    model_format: str,
    manifest: str,
) -> None:
    """Put back what the blobs lack of an artifact that was stored before.

    Args:
        blobs: where to.
        folder: where its files lie.
        expected: as for `store_files`.
        path: the artifact's.
        model_format: as its config says.
        manifest: the digest of its manifest, which may be lost itself.

    Raises:
        FailedError: a file is not what it was when it was looked at, or the manifest is lost and
            none that this software writes of these files has its digest.
    """
    blobs.rely_on([manifest])
    if _whole(blobs, manifest):
        known = artifact.read_manifest(
            blobs.read(manifest, artifact.LARGEST_MANIFEST), what="the manifest"
        )
        stored = StoredFiles(known.files, known.packs)
    else:  # it was made before there were packs, or as it is made now
        stored = StoredFiles(tuple(_files(folder, expected).values()))
        if _digest(_described(path, model_format, stored)[1]) != manifest:
            stored = store_files(blobs, folder, expected, lambda _: None)
    config, data = _described(path, model_format, stored)
    if _digest(data) != manifest:
        raise _lost(manifest, path, blobs)
    loose = artifact.loose(stored.files, stored.packs)
    named = [*(one.sha256 for one in loose), *(one.sha256 for one in stored.packs)]
    doubtful = blobs.rely_on([manifest, _digest(config), *named])
    for whole in (config, data):
        if _digest(whole) in doubtful or not _whole(blobs, _digest(whole)):
            blobs.put(BytesIO(whole), expect=_digest(whole), anew=True)
    for file in loose:
        if file.sha256 in doubtful or not _whole(blobs, file.sha256):
            _store_file(blobs, folder, file, lambda _: None, anew=True)
    for pack in stored.packs:
        if pack.sha256 in doubtful or not _whole(blobs, pack.sha256):
            _store_pack(blobs, partial(_read_again, folder), pack.files, _nobody, anew=True)


def lay_out(blobs: BlobStore, manifest: bytes, into: Path) -> None:
    """Copy the files of an artifact to the folder `into`, under their own names.

    Raises:
        RefusedError: a blob is damaged.
        FailedError: a file could not be written.
    """
    known = artifact.read_manifest(manifest, what="the manifest")
    for file in known.loose:
        copy_out(blobs, file.sha256, into / file.path)
    for pack in known.packs:
        _lay_out_pack(blobs, pack, into)


def _lay_out_pack(blobs: BlobStore, pack: Pack, into: Path) -> None:
    try:
        with blobs.open(pack.sha256) as source:
            for file, data in packs.unpack(pack, source):
                target = into / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as copy:
                    copy.write(data)
    except RefusedError as bad:
        raise _damaged(pack.sha256) from bad
    except OSError as bad:
        raise durable.unwritable(into, bad) from bad


def copy_out(blobs: BlobStore, sha256: str, target: Path) -> None:
    """Copy a blob to the new file `target`, hashing it on the way.

    A blob that rotted on the hub's disk would otherwise be converted, compared with itself, and
    vouched for under the digest of what it had been.

    Raises:
        RefusedError: it is damaged.
        FailedError: the file could not be written.
    """
    with blobs.open(sha256) as source:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy:
                found, _ = stream.copy_hashed(source, copy)
        except OSError as bad:
            raise durable.unwritable(target, bad) from bad
    if found != sha256:
        raise _damaged(sha256)


def _files(folder: Path, expected: Mapping[str, str]) -> dict[str, ArtifactFile]:
    """The files by their paths, in order."""
    return {
        path: ArtifactFile(path, sha256, _size(folder / path))
        for path, sha256 in sorted(expected.items())
    }


def _described(path: CatalogPath, model_format: str, stored: StoredFiles) -> tuple[bytes, bytes]:
    """The config and the manifest of an artifact."""
    config = artifact.config_bytes(path, model_format, stored.files, stored.packs)
    about = ArtifactFile("config.json", _digest(config), len(config))
    return config, artifact.manifest_bytes(Artifact(path, stored.files, about, stored.packs))


def _digest(data: bytes) -> str:
    return hashed(data).hexdigest()


def _store_file(
    blobs: BlobStore, folder: Path, file: ArtifactFile, told: Told, *, anew: bool = False
) -> None:
    try:
        blob = blobs.put_file(folder / file.path, told, expect=file.sha256, anew=anew)
    except RefusedError as bad:
        if bad.code != "blob-damaged":
            raise
        raise _changed(file.path) from bad
    if blob.size != file.size:
        raise _changed(file.path)


def _together(files: Iterable[ArtifactFile]) -> list[tuple[ArtifactFile, ...]]:
    """The files that go into one pack, for each pack."""
    by_path = {file.path: file for file in files}
    groups = packs.groups({path: file.size for path, file in by_path.items()})
    return [tuple(by_path[path] for path in paths) for paths in groups]


def _store_pack(
    blobs: BlobStore,
    read: Callable[[ArtifactFile], bytes],
    files: tuple[ArtifactFile, ...],
    told: Told,
    *,
    anew: bool = False,
) -> Pack:
    source = packs.archive(files, read)
    return Pack(files, blobs.put(source, progress=told, anew=anew).sha256)


def _read_again(folder: Path, file: ArtifactFile) -> bytes:
    """The bytes of a small file, which must be those that were looked at."""
    path = folder / file.path
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            data = opened.read(file.size + 1)
    except OSError as bad:
        raise _unreadable(path, bad) from bad
    if (len(data), _digest(data)) != (file.size, file.sha256):
        raise _changed(file.path)
    return data


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError as bad:
        raise _unreadable(path, bad) from bad


def _whole(blobs: BlobStore, sha256: str) -> bool:
    try:
        blobs.check(sha256)
    except (NotFoundError, RefusedError):
        return False
    return True


def _lost(manifest: str, path: CatalogPath, blobs: BlobStore) -> FailedError:
    return FailedError(
        "hub-blob-missing",
        f"The manifest {manifest[:12]} of {path} is lost in the hub's own store {blobs.where}, and "
        "cannot be made again.",
        subject=manifest,
        next_step="Restore it from a backup, a copy or a medium: sealift blobs mend --help",
    )


def _changed(path: str) -> FailedError:
    return FailedError(
        "file-changed-meanwhile",
        f"{path} changed after it was scanned; nothing was taken in.",
        subject=path,
        next_step="Run the command again, and let nothing else write to Sealift's home.",
    )


def _unreadable(path: Path, bad: OSError) -> FailedError:
    words = f"{path} could not be read: {bad.strerror}."
    return FailedError(
        "unreadable",
        words,
        subject=str(path),
        next_step="Check that it is there and who may read it, and run the command again.",
    )


def _damaged(sha256: str) -> RefusedError:
    return RefusedError(
        "hub-blob-damaged",
        f"The blob {sha256[:12]} is damaged in the hub's own store.",
        subject=sha256,
        next_step="See what brings it back: sealift blobs fsck",
    )
