"""What a file is told by: its first bytes, and the names in an archive. Nothing is run for it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import BinaryIO

HEAD = 4096
"""Bytes by which a file is known."""

Told = Callable[[bytes, BinaryIO], bool]
"""Whether a file is of a format, by its first `HEAD` bytes and the whole of it."""


def archived(head: bytes, data: BinaryIO) -> list[str]:
    """The names in a zip archive; nothing where `data` does not begin as one.

    That an archive's list stands at the end lets anything hide in front of it: it must also begin
    as an archive.
    """
    if not head.startswith(b"PK\x03\x04"):
        return []
    try:
        with zipfile.ZipFile(data) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return []
