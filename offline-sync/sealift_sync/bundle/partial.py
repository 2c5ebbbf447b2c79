"""What a run that was cut short left on a medium: bundles under temporary names.

Media travel, so whoever had this one may have prepared what looks like a half-written bundle. No
link in it is followed, nothing in it is read that has not the size that is wanted, and what is kept
of it is hashed first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from sealift_signing import file_access
from sealift_signing.errors import FailedError
from sealift_signing.vocabulary import site_of
from sealift_sync import durable
from sealift_sync.bundle import layout

BLOCK = 512
"""The unit in which POSIX counts what a file takes up (`st_blocks`)."""


def folder(medium: Path, transfer_id: str) -> Path:
    """Where a bundle is written until it is whole."""
    return medium / layout.SEALIFT / f".{transfer_id}{durable.PARTIAL}"


def unfinished(medium: Path, site: str) -> tuple[str, ...]:
    """The ids of the transfers to `site` that were begun on `medium` and have no name yet.

    None where our folder is a link: what it leads to is another medium's, or none.
    """
    top = medium / layout.SEALIFT
    try:
        names = () if top.is_symlink() else sorted(one.name for one in top.iterdir())
    except OSError:
        return ()
    ids = (name.removeprefix(".").removesuffix(durable.PARTIAL) for name in names)
    ours = (i for i in ids if layout.is_transfer_id(i) and site_of(i) == site)
    return tuple(dict.fromkeys(one for one in ours if folder(medium, one).name in names))


def remove(aside: Path) -> None:
    """Take away a half-written bundle; whatever a link in its place leads to stays.

    Raises:
        FailedError: it could not be removed.
    """
    try:
        if aside.is_symlink() or not aside.is_dir():
            aside.unlink(missing_ok=True)
        else:
            shutil.rmtree(aside)
    except (OSError, RecursionError) as bad:
        raise _irremovable(aside, bad) from bad


def keep_only(aside: Path, wanted: Mapping[str, int]) -> frozenset[str]:
    """Make `aside` a folder in which nothing lies but files of `wanted`, each of its size.

    Returns the paths of those that are there. That they are whole, only their hash says.

    Raises:
        FailedError: something could not be removed.
        OSError: the medium failed.
    """
    if aside.is_symlink() or not aside.is_dir():
        remove(aside)
    file_access.shown_folder(aside)
    return frozenset(_kept(aside, "", wanted, folders(wanted)))


def folders(paths: Mapping[str, int]) -> frozenset[str]:
    """Every folder that is needed for files at `paths`, the top one aside."""
    nearest = {path.rpartition("/")[0] for path in paths}
    parents = (str(one) for path in nearest for one in PurePosixPath(path, "x").parents)
    return frozenset(one for one in parents if one != ".")


def taken_up(aside: Path) -> int:
    """The bytes that would be free if `aside` were not there; what is not its own does not count.

    By what the file system says that files take up: a sparse file promises room that is not there.
    """
    try:
        if aside.is_symlink():
            return 0
        found = [path.lstat() for path in _everything(aside)]
    except (OSError, RecursionError):
        return 0
    return sum(min(one.st_size, one.st_blocks * BLOCK) for one in found if one.st_nlink == 1)


def _everything(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        yield from (Path(here) / name for name in names)


def _kept(
    here: Path, prefix: str, wanted: Mapping[str, int], inner: frozenset[str]
) -> Iterator[str]:
    with os.scandir(here) as listing:
        entries = list(listing)
    for one in entries:
        path = f"{prefix}{one.name}"
        if one.is_dir(follow_symlinks=False):
            if path in inner:
                yield from _kept(here / one.name, f"{path}/", wanted, inner)
            else:
                remove(here / one.name)
        elif _is_of_size(one, wanted.get(path)):
            yield path
        else:
            (here / one.name).unlink()


def _is_of_size(entry: os.DirEntry[str], size: int | None) -> bool:
    if not entry.is_file(follow_symlinks=False):
        return False
    return entry.stat(follow_symlinks=False).st_size == size


def _irremovable(aside: Path, reason: Exception) -> FailedError:
    said = reason.strerror if isinstance(reason, OSError) else "its folders are too deep"
    return FailedError(
        "irremovable",
        f"{aside} is the rest of an earlier export and could not be removed: {said}.",
        subject=str(aside),
        next_step="Remove it by hand, or use another medium.",
    )
