"""The homebound half of a medium: what a site reports, read as a stranger's.

    <medium>/sealift/returns/<site>/<size of the site's log>/
      receipts/<transfer-id>.json   every receipt that the hub has not acknowledged, as signed
      log/extract.json              the log's entries since then, and what proves them
      log/site.checkpoint           the same checkpoint as in there, for the site itself to see

Nothing here is verified by reading it: a receipt's signature is checked with the site's key, and
the log with `sealift_signing.transparency.extract.check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_signing import shape
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
)
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.transparency.extract import Extract
from sealift_signing.vocabulary import NAME, TRANSFER_ID
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium

LARGEST_EXTRACT = 128 * 1024 * 1024
"""Bytes, some 250,000 entries: it is read into memory, and takes five times as much of it."""
LARGEST_RECEIPT = 16 * 1024 * 1024
LARGEST_RECEIPTS = 256 * 1024 * 1024
MOST_RECEIPTS = 10_000
MOST_TRIED = 5
"""Returns of one site on one medium that are looked at, until one of them is believed."""

_SIZE = re.compile("[0-9]{1,15}")
_RECEIPT = re.compile(rf"{layout.RECEIPTS}/(.+)\.json")


@dataclass(frozen=True)
class Returned:
    """What a site sent home, as it lay on the medium; nothing in it is verified.

    Attributes:
        site: whose log it claims to be, by the checkpoint's origin.
        receipts: each receipt's envelope, by the id of its transfer as the file's name says it.
        log: the site's log entries since the last acknowledged one.
        ignored: what lay there besides, and was not read; a folder ends in a slash.
    """

    site: str
    receipts: Mapping[str, bytes]
    log: Extract
    ignored: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many entries the site's log has."""
        return self.log.first + len(self.log.entries)


def find_returns(folder: Path) -> tuple[tuple[Medium, ...], ...]:
    """The returns of each site below the medium's top `folder`, or the one `folder` is.

    Of each site the longest first, and not more than a few. By names alone, which nobody signed:
    a stranger's, or that of an earlier enrolment, may claim to be longer than the one that counts.

    Raises:
        NotFoundError: there is none.
        RefusedError: the medium is prepared to lead elsewhere, or holds more than any does.
        FailedError: the medium could not be read.
    """
    medium = Medium(folder)
    if medium.has(layout.EXTRACT):
        return ((medium,),)
    top = f"{layout.SEALIFT}/{layout.RETURNS}"
    found = []
    for site in filter(NAME.matches, medium.folders(top)):
        sizes = [name for name in medium.folders(f"{top}/{site}") if _SIZE.fullmatch(name)]
        longest = sorted(sizes, key=int, reverse=True)[:MOST_TRIED]
        if longest:
            found.append(tuple(Medium(folder, f"{top}/{site}/{size}") for size in longest))
    if not found:
        raise NotFoundError(
            "no-return",
            f"There is no site's return on {folder}.",
            subject=str(folder),
            next_step="Give the medium's top folder; at the site: sealift-site return --to DIR",
        )
    return tuple(found)


def read_return(medium: Medium) -> Returned:
    """The return that is the folder `medium` (as `find_returns` names it): capped.

    Raises:
        NotFoundError: a part of it is missing.
        MalformedError: a part is not what belongs there.
        RefusedError: a part is no regular file, or larger than any return's.
        FailedError: the medium could not be read.
    """
    try:
        data = medium.read(layout.EXTRACT, LARGEST_EXTRACT)
        names = tuple(medium.names({layout.LOG, layout.RECEIPTS}))
        paths = {match[1]: path for path in names if (match := _receipt(path))}
        receipts = _receipts(medium, paths)
    except FailedError:
        raise  # the medium could not be read, which another return would not mend
    except SealiftError as bad:
        bad.next_step = "Have the site write it again: sealift-site return --to DIR"
        raise
    extract = shape.read(Extract, data, what=layout.EXTRACT)
    origin = claimed(extract.checkpoint.encode()).origin
    site = origin.rpartition("/site/")[2]
    if not NAME.matches(site) or origin == site:
        raise MalformedError(
            "bad-return",
            f"{layout.EXTRACT} is from the log {origin}, which is not a site's.",
            subject=layout.EXTRACT,
        )
    ours = {layout.EXTRACT, layout.SITE_CHECKPOINT, *paths.values()}
    ignored = tuple(name for name in names if name not in ours)
    return Returned(site, receipts, extract, ignored)


def _receipt(path: str) -> re.Match[str] | None:
    match = _RECEIPT.fullmatch(path)
    return match if match and TRANSFER_ID.matches(match[1]) else None


def _receipts(medium: Medium, paths: Mapping[str, str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    left = LARGEST_RECEIPTS
    for name, path in paths.items():
        found[name] = medium.read(path, LARGEST_RECEIPT)
        left -= len(found[name])
        if left < 0 or len(found) > MOST_RECEIPTS:
            raise RefusedError(
                "too-much",
                "The return holds more receipts than any site's does.",
                subject=path,
                next_step="Have the site write it again: sealift-site return --to DIR",
            )
    return found
