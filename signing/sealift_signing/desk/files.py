"""Files that people name on the command line: read whole up to a limit, written once."""

from __future__ import annotations

from pathlib import Path

from sealift_signing import disk, file_access
from sealift_signing.drafts import LARGEST
from sealift_signing.errors import FailedError, MalformedError, NotFoundError
from sealift_signing.memory_folder import write


def read(path: Path, most: int = LARGEST) -> bytes:
    """What `path` holds.

    Raises:
        NotFoundError: nothing is there.
        MalformedError: it is larger than `most` bytes.
        FailedError: it cannot be read.
    """
    try:
        data = disk.read(path, most + 1)
    except FileNotFoundError as bad:
        raise NotFoundError(
            "no-file",
            f"There is no file {path}.",
            subject=str(path),
            next_step="Check its name, and whether the medium is there.",
        ) from bad
    except OSError as bad:
        raise FailedError(
            "unreadable",
            f"{path} could not be read: {bad.strerror}.",
            subject=str(path),
            next_step="Check that it is a file, and who may read it.",
        ) from bad
    if len(data) > most:
        raise MalformedError(
            "too-large",
            f"{path} is larger than {most:,} bytes.",
            subject=str(path),
            next_step="Give the file that you mean; no file of ours is so large.",
        )
    return data


def write_new(path: Path, data: bytes, *, mode: int = file_access.FILE) -> None:
    """Write a new file, whole or not at all; the same file again is left as it is.

    Raises:
        FailedError: another file is there, or it cannot be written.
    """
    if path.exists():
        if path.is_file() and read(path) == data:
            return
        raise FailedError(
            "file-exists",
            f"{path} exists already, and holds something else.",
            subject=str(path),
            next_step="Name another file.",
        )
    write(path.absolute(), data, mode=mode)
