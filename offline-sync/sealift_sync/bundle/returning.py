"""Writing a return: whole under its final name or not there, and never in place of a good one.

A return is written aside, flushed, read back and renamed. One that is there already (the same log,
written again) is brought up to date file by file, each replaced by one rename: a cut at any moment
leaves every receipt and the log whole, the old or the new.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sealift_signing import file_access, shape
from sealift_signing.errors import FailedError, RefusedError
from sealift_sync import durable
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import make_folder
from sealift_sync.bundle.returned import LARGEST_EXTRACT, Returned

_FOLDERS = (layout.LOG, layout.RECEIPTS)
_UNFINISHED = re.compile(rf"\.[0-9]+{re.escape(durable.PARTIAL)}")


def write_return(returned: Returned, medium: Path) -> Path:
    """Write `returned` below `medium`'s top folder; returns its folder.

    Raises:
        RefusedError: the medium has a link where a folder belongs, or it is more than a hub reads.
        FailedError: it could not be written, or came back from the medium other than written.
    """
    if not medium.is_dir():
        raise FailedError(
            "no-medium",
            f"There is no medium at {medium}.",
            subject=str(medium),
            next_step="Plug it in and mount it, then run the command again.",
        )
    ours = f"{layout.SEALIFT}/{layout.RETURNS}/{returned.site}"
    final = make_folder(medium, ours) / str(returned.size)
    aside = final.with_name(f".{returned.size}{durable.PARTIAL}")
    files = _files(returned)
    try:
        _sweep(final.parent)
        if os.path.lexists(final):
            _update(make_folder(medium, f"{ours}/{final.name}"), files)
        else:
            _write(aside, files)
            aside.rename(final)
        durable.flush_folder(final.parent)
    except OSError as bad:
        raise durable.unwritable(final, bad) from bad
    except KeyboardInterrupt as stop:
        if os.path.lexists(final):
            stop.add_note(f"The return in {final} is whole.")
        raise
    finally:
        with suppress(OSError):
            _remove(aside)
    return final


def _files(returned: Returned) -> dict[str, bytes]:
    receipts = {f"{layout.RECEIPTS}/{one}.json": data for one, data in returned.receipts.items()}
    extract = shape.write(returned.log)
    if len(extract) > LARGEST_EXTRACT:
        raise RefusedError(
            "return-too-large",
            f"The log's {len(returned.log.entries):,} entries are more than the hub reads at once.",
            subject=returned.site,
            next_step="Leave out --all, or import the hub's next bundle first: it says how much of "
            "the log the hub has.",
        )
    log = {
        layout.EXTRACT: extract,
        layout.SITE_CHECKPOINT: returned.log.checkpoint.encode(),
    }
    return log | receipts


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    file_access.shown_folder(folder)
    for path, data in files.items():
        durable.write(folder / path, data, mode=file_access.SHOWN_FILE)
    _flush(folder)
    _read_back(folder, files)


def _update(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold these files and no others; whoever prepared it gains nothing by that."""
    for name in _FOLDERS:
        make_folder(folder, name)
    _keep(folder, lambda path: not path.endswith(durable.PARTIAL))
    for path, data in files.items():
        if not _holds(folder / path, data):
            durable.write(folder / path, data, mode=file_access.SHOWN_FILE)
    _flush(folder)
    _read_back(folder, files)
    _keep(folder, files.__contains__)
    _flush(folder)


def _keep(folder: Path, wanted: Callable[[str], bool]) -> None:
    """Remove whatever is no regular file that is wanted, but never through a link."""
    for here in (folder, *(folder / name for name in _FOLDERS)):
        for path in list(here.iterdir()):
            inner = path.relative_to(folder).as_posix()
            regular = path.is_file() and not path.is_symlink()
            if inner not in _FOLDERS and not (regular and wanted(inner)):
                _remove(path)


def _holds(path: Path, data: bytes) -> bool:
    """Whether these bytes are there; a file that lies there is no longer than they are."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        return file.read(len(data) + 1) == data


def _read_back(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        with (folder / path).open("rb") as file:
            durable.drop_cache(file)
            if file.read(len(data) + 1) != data:
                raise FailedError(
                    "read-back-differs",
                    f"{path} was read back from the medium with other bytes than were written.",
                    subject=path,
                    next_step="The medium is failing: use another one.",
                )


def _flush(folder: Path) -> None:
    for parent, _, _ in os.walk(folder):
        durable.flush_folder(Path(parent))


def _sweep(folder: Path) -> None:
    """Throw away what a `return` that was cut left behind."""
    for path in list(folder.iterdir()):
        if _UNFINISHED.fullmatch(path.name):
            _remove(path)


def _remove(path: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except RecursionError as bad:  # whoever prepares a medium may nest thousands
        raise OSError(errno.ENAMETOOLONG, f"the folders in {path.name} are too deep") from bad
