"""Finding the transfer that is meant: the folder of one, or the newest on a medium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sealift_signing.errors import NotFoundError, SealiftError
from sealift_signing.vocabulary import site_of
from sealift_sync import durable
from sealift_sync.bundle import layout, partial
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
    if not medium.has(layout.TRANSFER) and (unsigned := _unsigned(folder, site)):
        raise NotFoundError(
            "bundle-not-signed",
            f"The bundle {unsigned} lies here, and is not signed yet, or was not written whole.",
            subject=unsigned,
            next_step="Nobody vouches for it so far. At the hub, with this medium: sealift show "
            f"{unsigned}",
        )
    if medium.has(layout.TRANSFER) or medium.has(layout.METADATA):
        return medium
    found = [name for name in medium.folders(layout.SEALIFT) if layout.is_transfer_id(name)]
    ours = [name for name in found if site_of(name) == site]
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


def bundles_beside(medium: Medium) -> Iterator[Medium]:
    """What else on the same medium may hold a recall, whoever it is for.

    By names alone: nobody is to hide a recall by a folder with a higher number. What cannot be
    listed is passed over, because who made it so could have taken it away.
    """
    for top, path in _tops(medium):
        with suppress(SealiftError):
            for name in Medium(top).folders(path):
                other = Medium(top, f"{path}/{name}" if path else name)
                if other.folder.absolute() != medium.folder.absolute() and _has_metadata(other):
                    yield other


def _tops(medium: Medium) -> Iterator[tuple[Path, str]]:
    """Where bundles lie: below the medium's top, or beside the one transfer that was named."""
    yield medium.root, layout.SEALIFT
    above = medium.root.absolute().parent
    if not medium.inside and above.name == layout.SEALIFT:
        yield above, ""


def _has_metadata(medium: Medium) -> bool:
    with suppress(SealiftError):
        return medium.has(layout.METADATA)
    return False


def _unsigned(folder: Path, site: str) -> str:
    """The bundle that `folder` is, is to be or holds under its temporary name; empty if none is.

    Where a whole one for `site` lies on the medium, that is meant.
    """
    with suppress(OSError):  # whoever reads it next says what is wrong with the medium
        own = folder.name
        if layout.is_transfer_id(own) and not folder.exists():
            return own if partial.folder(folder.parent.parent, own).is_dir() else ""
        named = own.removeprefix(".").removesuffix(durable.PARTIAL)
        if named != own and layout.is_transfer_id(named) and folder.is_dir():
            return named
    there = Medium(folder).folders(layout.SEALIFT)
    if any(layout.is_transfer_id(one) and site_of(one) == site for one in there):
        return ""
    return next(reversed(partial.unfinished(folder, site)), "")
