"""Finding the transfer that is meant: the folder of one, or the newest on a medium."""

from __future__ import annotations

import os
from pathlib import Path

from sealift_signing.errors import NotFoundError
from sealift_sync.bundle import layout


def find_transfer(folder: Path, site: str) -> Path:
    """The folder of a transfer: `folder` itself, or the newest for `site` below the medium's top.

    By names alone, which nobody signed: what is in it decides what becomes of it.

    Raises:
        NotFoundError: there is none; if there are others, they are named.
    """
    if (folder / layout.TRANSFER).is_file() or (folder / layout.METADATA).is_dir():
        return folder
    found = _transfers(folder / layout.SEALIFT)
    ours = [name for name in found if name.rpartition("-")[0] == site]
    if ours:
        return folder / layout.SEALIFT / max(ours, key=lambda name: int(name.rpartition("-")[2]))
    if found:
        raise NotFoundError(
            "no-transfer",
            f"{folder} carries nothing for {site}; it carries {', '.join(found[:5])}.",
            subject=str(folder),
            next_step=f"Name one of them: sealift-site import {folder / layout.SEALIFT / found[0]}",
        )
    raise NotFoundError(
        "no-transfer",
        f"There is no bundle in {folder}.",
        subject=str(folder),
        next_step="Give the medium's top folder, or the folder that holds transfer.json.",
    )


def _transfers(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [one.name for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(name for name in names if layout.is_transfer_id(name))
