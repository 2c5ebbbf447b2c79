"""Every way to spoil a bundle without a key: each byte, each file, each folder, one at a time."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath
from random import Random

SEED = 20261121
OFFSETS = 20
EVERY_BYTE = ("transfer.json", "metadata/", "statements/")
"""What decides trust: all of its bytes are flipped. Of other files, OFFSETS seeded ones each."""

MANNERS = (
    *("delete", "empty", "cut-last", "cut-half", "grow", "grow-sparse"),
    *("link-to-copy", "link-to-endless", "link-dangling", "link-to-itself"),
    *("pipe", "socket", "folder", "full-folder"),
)
FOLDER_MANNERS = ("delete", "link-to-copy", "link-dangling", "file", "pipe")


@dataclass(frozen=True)
class Flip:
    """One byte of a file changed by `mask`."""

    path: str
    offset: int
    mask: int

    def spoil(self, bundle: Bundle) -> None:
        data = bytearray(bundle.whole[self.path])
        data[self.offset] ^= self.mask
        (bundle.folder / self.path).write_bytes(data)

    def mend(self, bundle: Bundle) -> None:
        bundle.restore(self.path)


@dataclass(frozen=True)
class Swap:
    """Two files, each in the other's place."""

    path: str
    other: str

    def spoil(self, bundle: Bundle) -> None:
        (bundle.folder / self.path).write_bytes(bundle.whole[self.other])
        (bundle.folder / self.other).write_bytes(bundle.whole[self.path])

    def mend(self, bundle: Bundle) -> None:
        bundle.restore(self.path)
        bundle.restore(self.other)


@dataclass(frozen=True)
class Replace:
    """A file gone, of another length, or no file any more: `manner` is one of MANNERS."""

    path: str
    manner: str

    def spoil(self, bundle: Bundle) -> None:
        file, data = bundle.folder / self.path, bundle.whole[self.path]
        resized = {
            "empty": b"",
            "cut-last": data[:-1],
            "cut-half": data[: len(data) // 2],
            "grow": data + b"\n",
        }
        if self.manner in resized:
            file.write_bytes(resized[self.manner])
        elif self.manner == "grow-sparse":
            os.truncate(file, 2**40)
        else:
            file.unlink()
            _put(self.manner, file, bundle.copy / self.path)

    def mend(self, bundle: Bundle) -> None:
        bundle.restore(self.path)


@dataclass(frozen=True)
class ReplaceFolder:
    """A folder gone, or none any more: `manner` is one of FOLDER_MANNERS."""

    path: str
    manner: str

    def spoil(self, bundle: Bundle) -> None:
        folder = bundle.folder / self.path
        shutil.rmtree(folder)
        _put(self.manner, folder, bundle.copy / self.path)

    def mend(self, bundle: Bundle) -> None:
        remove(bundle.folder / self.path)
        shutil.copytree(bundle.copy / self.path, bundle.folder / self.path)


Attack = Flip | Swap | Replace | ReplaceFolder


class Bundle:
    """A good bundle in `folder`, its files in memory, and a copy of it elsewhere."""

    def __init__(self, folder: Path, copy: Path) -> None:
        self.folder = folder
        self.copy = copy
        shutil.copytree(folder, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        self.whole = {str(path.relative_to(copy)): path.read_bytes() for path in files}

    def restore(self, path: str) -> None:
        remove(self.folder / path)
        (self.folder / path).write_bytes(self.whole[path])

    def attacks(self) -> Iterator[Attack]:
        """All of them, the same ones for the same bundle."""
        random = Random(SEED)  # noqa: S311 - not for secrets
        for path, data in self.whole.items():
            every = path.startswith(EVERY_BYTE)
            offsets = range(len(data)) if every else random.choices(range(len(data)), k=OFFSETS)
            yield from (Flip(path, offset, random.randrange(1, 256)) for offset in offsets)
            yield from (Replace(path, manner) for manner in MANNERS)
        yield from (Swap(*two) for two in combinations(self.whole, 2))
        folders = {str(one) for path in self.whole for one in PurePosixPath(path).parents} - {"."}
        for folder in sorted(folders):
            yield from (ReplaceFolder(folder, manner) for manner in FOLDER_MANNERS)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _put(manner: str, place: Path, good: Path) -> None:
    """Something that is no file (or no folder) at `place`."""
    links = {
        "link-to-copy": good,
        "link-to-endless": Path("/dev/zero"),
        "link-dangling": Path("/nowhere"),
        "link-to-itself": place,
    }
    if manner in links:
        place.symlink_to(links[manner])
    elif manner == "pipe":
        os.mkfifo(place)
    elif manner == "socket":
        _listen(place)
    elif manner == "file":
        place.write_bytes(b"")
    elif manner in {"folder", "full-folder"}:
        place.mkdir()
        if manner == "full-folder":
            shutil.copy(good, place / place.name)


def _listen(place: Path) -> None:
    """A socket's name; bound from its own folder, for a socket's path may not be long."""
    before = Path.cwd()
    os.chdir(place.parent)
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(place.name)
    finally:
        os.chdir(before)
