"""An artifact's files into blobs, and the manifest that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.vocabulary import CatalogPath
from sealift_sync import artifact, durable, stream
from sealift_sync.artifact import Artifact, ArtifactFile
from sealift_sync.blobs import Blob, BlobFolder


def store_files(
    blobs: BlobFolder, folder: Path, expected: Mapping[str, str], told: Callable[[int], None]
) -> tuple[ArtifactFile, ...]:
    """Take the files of `folder` into the blobs.

    Args:
        blobs: where to.
        folder: where they lie.
        expected: their paths below it, each with the sha256 it had when it was looked at.
        told: of every further number of bytes.

    Raises:
        FailedError: a file is not what it was when it was looked at.
    """
    stored = []
    for path, sha256 in sorted(expected.items()):
        blob = blobs.put_file(folder / path, told)
        if blob.sha256 != sha256:
            raise FailedError(
                "file-changed-meanwhile",
                f"{path} changed after it was scanned; nothing was taken in.",
                subject=path,
                next_step="Run the command again, and let nothing else write to Sealift's home.",
            )
        stored.append(ArtifactFile(path, blob.sha256, blob.size))
    return tuple(stored)


def store_manifest(
    blobs: BlobFolder, path: CatalogPath, model_format: str, files: tuple[ArtifactFile, ...]
) -> Blob:
    """Store the config and the manifest of an artifact; returns the manifest."""
    config = blobs.put_bytes(artifact.config_bytes(path, model_format, files))
    made = Artifact(path, files, ArtifactFile("config.json", config.sha256, config.size))
    return blobs.put_bytes(artifact.manifest_bytes(made))


def lay_out(blobs: BlobFolder, manifest: bytes, into: Path) -> None:
    """Copy the files of an artifact to the folder `into`, under their own names.

    Raises:
        RefusedError: a blob is damaged.
        FailedError: a file could not be written.
    """
    for file in artifact.read_manifest(manifest, what="the manifest").files:
        copy_out(blobs, file.sha256, into / file.path)


def copy_out(blobs: BlobFolder, sha256: str, target: Path) -> None:
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
        raise RefusedError(
            "hub-blob-damaged",
            f"The blob {sha256[:12]} is damaged in the hub's own store.",
            subject=sha256,
            next_step="Restore it from a backup, or ingest that version again.",
        )
