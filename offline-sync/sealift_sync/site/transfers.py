"""Finding the transfer that is meant: the folder of one, or the newest on a medium."""

from __future__ import annotations

from pathlib import Path

from sealift_signing.errors import NotFoundError
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium


def find_transfer(folder: Path, site: str) -> Medium:
    """The folder of a transfer: `folder` itself, or the newest for `site` below the medium's top.

    By names alone, which nobody signed: what is in it decides what becomes of it.

    Raises:
        NotFoundError: there is none; if there are others, they are named.
        RefusedError: the medium is prepared to lead elsewhere, or holds more than any does.
        FailedError: the medium could not be read.
    """
    medium = Medium(folder)
    if medium.has(layout.TRANSFER) or medium.has(layout.METADATA):
        return medium
    found = [name for name in medium.folders(layout.SEALIFT) if layout.is_transfer_id(name)]
    ours = [name for name in found if name.rpartition("-")[0] == site]
    if ours:
        newest = max(ours, key=lambda name: int(name.rpartition("-")[2]))
        return Medium(folder, f"{layout.SEALIFT}/{newest}")
    if found:
        raise NotFoundError(
            "no-transfer",
            f"{folder} carries nothing for {site}; it carries {', '.join(found[:5])}.",
            subject=str(folder),
            next_step=f"Bring it where it belongs, or export one: sealift export {site} --to DIR",
        )
    raise NotFoundError(
        "no-transfer",
        f"There is no bundle in {folder}.",
        subject=str(folder),
        next_step="Plug the medium in; give its top folder, or the one that holds transfer.json.",
    )
