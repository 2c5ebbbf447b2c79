"""The homebound half of a medium: what a site reports, written whole, read as a stranger's.

    <medium>/sealift/returns/<site>/<size of the site's log>/
      receipts/<transfer-id>.json   every receipt that the hub has not acknowledged, as signed
      log/extract.json              the log's entries since then, and what proves them

Nothing here is verified by reading it: a receipt's signature is checked with the site's key, and
the log with `sealift_signing.transparency.extract.check`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError, NotFoundError, RefusedError
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.transparency.extract import Extract
from sealift_signing.vocabulary import NAME, TRANSFER_ID
from sealift_sync import durable
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium, make_folder

LARGEST_EXTRACT = 1024 * 1024 * 1024
"""Bytes: a million entries of the usual size."""
LARGEST_RECEIPT = 16 * 1024 * 1024
MOST_RECEIPTS = 10_000


@dataclass(frozen=True)
class Returned:
    """What a site sent home, as it lay on the medium; nothing in it is verified.

    Attributes:
        site: whose log it claims to be, by the checkpoint's origin.
        receipts: each receipt's envelope, by the id of its transfer as the file's name says it.
        log: the site's log entries since the last acknowledged one.
    """

    site: str
    receipts: Mapping[str, bytes]
    log: Extract

    @property
    def size(self) -> int:
        """How many entries the site's log has."""
        return self.log.first + len(self.log.entries)


def find_returns(medium: Path) -> tuple[Path, ...]:
    """The newest return of each site on `medium`: its top, or the folder of one return itself.

    Raises:
        NotFoundError: there is none.
    """
    if (medium / layout.EXTRACT).is_file():
        return (medium,)
    top = medium / layout.SEALIFT / layout.RETURNS
    found = []
    for site in _folders(top):
        sizes = [one for one in _folders(site) if one.name.isascii() and one.name.isdigit()]
        if NAME.matches(site.name) and sizes:
            found.append(max(sizes, key=lambda folder: int(folder.name)))
    if not found:
        raise NotFoundError(
            "no-return",
            f"There is no site's return on {medium}.",
            subject=str(medium),
            next_step="Have the site write one: sealift-site return --to DIR",
        )
    return tuple(found)


def read_return(folder: Path) -> Returned:
    """The return in `folder` (as `find_returns` names it): capped, no link followed.

    Raises:
        NotFoundError: a part of it is missing.
        MalformedError: a part is not what belongs there.
        RefusedError: a part is larger than any return's.
    """
    medium = Medium(folder)
    data = medium.read(layout.EXTRACT, LARGEST_EXTRACT)
    extract = shape.read(Extract, data, what=layout.EXTRACT)
    origin = claimed(extract.checkpoint.encode()).origin
    site = origin.rpartition("/site/")[2]
    if not NAME.matches(site) or origin == site:
        raise MalformedError(
            "bad-return",
            f"{layout.EXTRACT} is of the log {origin}, which is no site's.",
            subject=layout.EXTRACT,
        )
    return Returned(site, _receipts(medium), extract)


def write_return(returned: Returned, medium: Path) -> Path:
    """Write `returned` below `medium`'s top folder, whole or not at all; returns its folder.

    The same return written again takes the place of the first.

    Raises:
        RefusedError: the medium has a link where a folder belongs.
        FailedError: it could not be written, or came back from the medium other than written.
    """
    final = medium / layout.SEALIFT / layout.RETURNS / returned.site / str(returned.size)
    aside = final.with_name(f".{returned.size}{durable.PARTIAL}")
    if not medium.is_dir():
        raise FailedError(
            "no-medium",
            f"There is no medium at {medium}.",
            subject=str(medium),
            next_step="Plug it in and mount it, then run the command again.",
        )
    files = _files(returned)
    make_folder(medium, f"{layout.SEALIFT}/{layout.RETURNS}/{returned.site}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        for path, data in files.items():
            durable.write(aside / path, data)
        for parent, _, _ in os.walk(aside):
            durable.flush_folder(Path(parent))
        _read_back(aside, files)
        if final.exists():
            shutil.rmtree(final)
        aside.rename(final)
        durable.flush_folder(final.parent)
    except OSError as bad:
        raise durable.unwritable(final, bad) from bad
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return final


def _files(returned: Returned) -> dict[str, bytes]:
    receipts = {f"{layout.RECEIPTS}/{one}.json": data for one, data in returned.receipts.items()}
    return {layout.EXTRACT: shape.write(returned.log)} | receipts


def _read_back(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        with (folder / path).open("rb") as file:
            durable.drop_cache(file)
            if file.read() != data:
                raise FailedError(
                    "read-back-differs",
                    f"{path} came back from the medium other than it was written.",
                    subject=path,
                    next_step="The medium is failing: use another one.",
                )


def _receipts(medium: Medium) -> dict[str, bytes]:
    found = {}
    for path in medium.files(layout.RECEIPTS):
        name, dot, kind = path.removeprefix(f"{layout.RECEIPTS}/").rpartition(".")
        if not dot or kind != "json" or not TRANSFER_ID.matches(name):
            continue
        found[name] = medium.read(path, LARGEST_RECEIPT)
        if len(found) > MOST_RECEIPTS:
            raise RefusedError("too-many-files", "A return holds too many receipts.", subject=path)
    return found


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [parent / name for name in names]
