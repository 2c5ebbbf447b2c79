"""A memory's files on a disk: written durably, read whole, and named where one is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from sealift_signing import disk, file_access
from sealift_signing.errors import FailedError, MalformedError, UsageError

FILES = "files"
"""The folder of what is kept whole, each file by its sha256."""


def home(environment: Mapping[str, str]) -> Path:
    """The home of whoever runs this.

    Raises:
        UsageError: there is none.
    """
    try:
        return Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    except RuntimeError as bad:  # such as in a container that runs as an arbitrary user
        raise UsageError(
            "no-place-for-memory",
            "Nothing says where your memory lies: HOME is not set, and this user has no home.",
            subject="SEALIFT_TRUST",
            next_step="Set SEALIFT_TRUST to a folder that stays and that only you can read.",
        ) from bad


def write(path: Path, data: bytes, *, mode: int = file_access.FILE) -> None:
    """Put `data` at `path`, in place of what is there, durably and at once, with this mode.

    Raises:
        FailedError: it could not be written; what was there is still there.
    """
    try:
        for folder in reversed((path.parent, path.parent.parent)):
            # What `parents` makes has another mode.
            folder.mkdir(mode=file_access.FOLDER, exist_ok=True)
        disk.write(path, data, mode)
        disk.flush_folder(path.parent)
    except OSError as bad:
        raise disk.unwritable(path, bad) from bad


def read(path: Path) -> bytes | None:
    """What the file at `path` holds; None where there is no file.

    Raises:
        FailedError: it cannot be read.
    """
    try:
        return disk.read(path)
    except FileNotFoundError:
        return None
    except OSError as bad:
        raise FailedError(
            "unreadable",
            f"{path} could not be read: {bad.strerror}.",
            subject=str(path),
            next_step="Check that it is there, and who may read it.",
        ) from bad


def keep(place: Path, data: bytes) -> str:
    """Keep `data` whole in the memory at `place`; returns its sha256, by which it is called.

    Raises:
        FailedError: it could not be written.
    """
    digest = sha256(data).hexdigest()
    path = place / FILES / digest
    if read(path) != data:
        write(path, data)
    return digest


def remove(folder: Path) -> None:
    """Remove a memory whose beginning was interrupted."""
    for place in (folder / FILES, folder):
        if place.is_dir():
            for one in place.iterdir():
                if not one.is_dir():
                    one.unlink()
            if place == folder / FILES:
                place.rmdir()
    if folder.is_dir():
        folder.rmdir()


def damaged(path: Path) -> MalformedError:
    """The error where a file of a memory is not what was kept."""
    return MalformedError(
        "memory-damaged",
        f"{path} of the signer's memory is damaged or gone.",
        subject=str(path),
        next_step="Restore it from a backup. Or move its folder away and begin again from a "
        "colleague's memory: sealift-sign trust FINGERPRINT FILE",
    )
