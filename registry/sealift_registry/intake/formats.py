"""What a file is, told by its content and never by its name.

Only headers are read here: nothing is parsed in depth, imported or unpickled, so this may run
in the server's own process. What is recognised here is looked at closely by the scanner.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from sealift_registry.frameworks import pickles, supported
from sealift_registry.frameworks.content import HEAD

PICKLE, UNKNOWN = "pickle", "unknown"
"""What is not let in. Pickles are recognised so as to be refused."""

_HDF5 = b"\x89HDF\r\n\x1a\n"


def recognise(path: Path) -> str:
    """The name of the format of the regular file at `path`.

    Pickles first: a file that is both must count as the dangerous one.

    Raises:
        OSError: it could not be read.
    """
    if pickles.is_pickle(path):
        return PICKLE
    with path.open("rb") as data:
        head = data.read(HEAD)
        for form in supported.IN_ORDER:
            data.seek(0)
            if form.told(head, data):
                return form.name
    return UNKNOWN


def second(path: Path) -> str:
    """What the file at `path` is besides, for readers that do not begin at its first byte.

    Such a second thing fits into a field, or among numbers, that the file's own format lets be
    anything.

    Raises:
        OSError: it could not be read.
    """
    if zipfile.is_zipfile(path):
        return "a zip archive"
    with path.open("rb") as data:
        if _is_tar(data.read(tarfile.BLOCKSIZE)):
            return "a tar archive"
        return "an HDF5 file" if _is_hdf5(data) else ""


def _is_tar(head: bytes) -> bool:
    """A header whose checksum is right; the oldest archives have no other mark (POSIX, "pax")."""
    if len(head) < tarfile.BLOCKSIZE:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_hdf5(data: BinaryIO) -> bool:
    """A signature at 0, 512, 1024, 2048 or at any doubling (HDF5 format, II.A, "superblock")."""
    end = data.seek(0, os.SEEK_END)
    places = [0, *(512 << n for n in range(end.bit_length()))]
    return any(_at(data, place, len(_HDF5)) == _HDF5 for place in places if place < end)


def _at(data: BinaryIO, place: int, length: int) -> bytes:
    data.seek(place)
    return data.read(length)
