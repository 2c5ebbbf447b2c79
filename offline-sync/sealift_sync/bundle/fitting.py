"""Whether a bundle fits on a medium: said before its first byte is written.

A medium that takes all but the last file has cost an hour and carries nothing.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_signing.errors import FailedError
from sealift_sync.bundle import partial

SPARE = 4 * 1024 * 1024
"""Bytes kept free beyond what is written: the file system keeps books of its own."""
LISTED = 256
"""Bytes of transfer.json that each file takes, at most: its path, its size, its digest."""
FAT_LARGEST = 2**32 - 1
"""Bytes of the largest file in FAT12, FAT16 and FAT32, whose directories count in 32 bits."""

_FAT = {"vfat", "msdos", "fat", "fuse.fusefat", "msdosfs"}
_WINDOWS = _FAT | {"exfat", "ntfs", "ntfs3", "fuseblk", "fuse.exfat", "fuse.ntfs", "fuse.ntfs-3g"}
"""File systems of which another system may refuse what ours would take."""
# "Naming Files, Paths, and Namespaces" (Microsoft): with any extension, in any case.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Limit:
    """`size` in bytes of the largest file that `whose` takes."""

    size: int
    whose: str
    next_step: str


@dataclass(frozen=True)
class Space:
    """What a medium takes.

    Attributes:
        identity: the device and inode of its top folder: of another medium both differ.
        kind: its file system, as the system calls it; empty where the system does not say.
        free: bytes, with what an unfinished export of the same site holds.
        block: bytes in which files are counted: a byte takes a whole block.
        limits: how large a file may be, and by whom.
        longest_name: bytes.
        writable: whether anything may be written there.
    """

    identity: tuple[int, int]
    kind: str
    free: int
    block: int
    limits: tuple[Limit, ...]
    longest_name: int
    writable: bool = True

    def takes(self, sizes: Mapping[str, int]) -> int:
        """The bytes of this medium that files of these sizes take up, with transfer.json."""
        listed = LISTED * (len(sizes) + 16)
        blocks = sum(-(-size // self.block) for size in (*sizes.values(), listed))
        return (blocks + len(partial.folders(sizes)) + 2) * self.block + SPARE


def survey(medium: Path, site: str) -> Space:
    """What `medium` takes; unfinished exports to `site` that lie there will make room.

    Raises:
        FailedError: there is no medium.
    """
    try:
        found = medium.stat()
        system = os.statvfs(medium)
    except OSError as bad:
        raise no_medium(medium, bad.strerror or str(bad)) from bad
    kind = _kind(medium, found.st_dev)
    held = sum(
        partial.taken_up(partial.folder(medium, one)) for one in partial.unfinished(medium, site)
    )
    return Space(
        identity=(found.st_dev, found.st_ino),
        kind=kind,
        free=system.f_bavail * system.f_frsize + held,
        block=max(system.f_frsize, 1),
        limits=tuple(_limits(kind)),
        longest_name=system.f_namemax or 255,
        writable=not system.f_flag & os.ST_RDONLY and os.access(medium, os.W_OK),
    )


def misfits(sizes: Mapping[str, int], space: Space, medium: Path) -> tuple[FailedError, ...]:
    """Why files of these sizes cannot all be written to `medium`; empty where they can."""
    return (
        *_read_only(space, medium),
        *_no_room(sizes, space, medium),
        *_too_large(sizes, space),
        *_names(sizes, space),
    )


def check(sizes: Mapping[str, int], space: Space, medium: Path) -> None:
    """Check that files of these sizes fit on `medium`.

    Raises:
        FailedError: the first reason why not.
    """
    for reason in misfits(sizes, space, medium):
        raise reason


def check_same(medium: Path, space: Space) -> None:
    """Check that `medium` is the one that was surveyed.

    A stick that was pulled leaves the folder it was mounted on, and a bundle that is written there
    goes nowhere.

    Raises:
        FailedError: it is another one, or gone.
    """
    try:
        found = medium.stat()
    except OSError as bad:
        raise no_medium(medium, bad.strerror or str(bad)) from bad
    if (found.st_dev, found.st_ino) != space.identity:
        raise FailedError(
            "medium-changed",
            f"What is at {medium} is not the medium that was there when the export began.",
            subject=str(medium),
            next_step="Put the medium back, and run the command again.",
        )


def no_medium(medium: Path, why: str) -> FailedError:
    """The error for a medium that is not there."""
    return FailedError(
        "no-medium",
        f"There is no medium at {medium}: {why}.",
        subject=str(medium),
        next_step="Plug it in and mount it, then run the command again.",
    )


def _read_only(space: Space, medium: Path) -> Iterator[FailedError]:
    if not space.writable:
        yield FailedError(
            "medium-read-only",
            f"Nothing may be written to {medium}.",
            subject=str(medium),
            next_step="Mount it for writing; some sticks and cards have a switch for it.",
        )


def _no_room(sizes: Mapping[str, int], space: Space, medium: Path) -> Iterator[FailedError]:
    needed = space.takes(sizes)
    if space.free < needed:
        yield FailedError(
            "no-room",
            f"{medium} has {space.free:,} bytes free and the bundle needs {needed:,}.",
            subject=str(medium),
            next_step="Make room, or use a larger medium.",
        )


def _too_large(sizes: Mapping[str, int], space: Space) -> Iterator[FailedError]:
    for limit in space.limits:
        for path, size in sorted(sizes.items()):
            if size > limit.size:
                yield FailedError(
                    "file-too-large",
                    f"{path} has {size:,} bytes, and {limit.whose} takes files of up to "
                    f"{limit.size:,}.",
                    subject=path,
                    next_step=limit.next_step,
                )


def _names(paths: Iterable[str], space: Space) -> Iterator[FailedError]:
    seen: dict[str, str] = {}
    for path in sorted(paths):
        twin = seen.setdefault(path.casefold(), path)
        for why in _unfit(path, twin, space):
            yield FailedError(
                "name-unfit",
                f"{path} cannot lie on a medium with {space.kind or 'this file system'}: {why}.",
                subject=path,
                next_step="Use a medium that is formatted with ext4.",
            )


def _unfit(path: str, twin: str, space: Space) -> Iterator[str]:
    parts = path.split("/")
    for part in parts:
        if len(part.encode()) > space.longest_name:
            yield f"{part[:20]}… is longer than its {space.longest_name} bytes"
        elif space.kind in _WINDOWS and _RESERVED.fullmatch(part):
            yield f"Windows keeps the name {part} for a device"
    if space.kind in _WINDOWS and twin != path:
        yield f"it would be the same file as {twin}"


def _limits(kind: str) -> Iterator[Limit]:
    if kind in _FAT:
        better = "Use a medium that is formatted with exFAT, NTFS or ext4."
        yield Limit(FAT_LARGEST, f"a medium with {kind}", better)
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most != resource.RLIM_INFINITY:
        yield Limit(most, "this process", "Raise its limit (ulimit -f), and run the command again.")


def _kind(medium: Path, device: int) -> str:
    """The file system's type by the mount of that device (proc(5), mountinfo)."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""  # not Linux
    number = f"{os.major(device)}:{os.minor(device)}"
    here, best = os.path.realpath(medium), ("", "")
    for line in lines:
        head, _, tail = line.partition(" - ")
        fields, kind = head.split(), tail.split(" ", 1)[0]
        if fields[2] == number:
            return kind
        # Some (btrfs, overlays) give files another device than their mount: by its place, then.
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if f"{here}/".startswith(place.rstrip("/") + "/") and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]
