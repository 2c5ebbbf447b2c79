"""Media that are not as they should be."""

from __future__ import annotations

import os

import pytest


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Have every file system say that so many bytes are free, in blocks of one byte."""

    def told(_path: object) -> os.statvfs_result:
        return os.statvfs_result((1, 1, 2**40, free, free, 2**20, 2**20, 2**20, 0, 255))

    monkeypatch.setattr(os, "statvfs", told)
