"""Small files that travel as a few blobs and not as hundreds: which ones, made and taken apart.

A file of some kilobytes costs many times what its bytes cost: it is opened, made, named, flushed
and asked of the disk again, and on a stick each of those takes milliseconds. So an artifact of many
small files has them in packs (docs/adr/0018-many-small-files-are-packed.md), and consumers see
files all the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from sealift_signing import features
from sealift_signing.errors import RefusedError
from sealift_sync import ustar
from sealift_sync.artifact import LARGEST_PACKED, ArtifactFile, Pack

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WORTH_PACKING = 100
"""Small files of an artifact, of which fewer are blobs like all others."""
FEATURE = features.PACKS.spelled
"""What a transfer requires of its reader, if something that it carries has packs."""


def groups(sizes: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """The paths that go into one pack, for each pack; none where few files are small.

    The first hexadecimal digit of the SHA-256 of its path says in which pack a file lies: a version
    that changes, adds or loses a file shares all packs but one with the version before it.

    Args:
        sizes: of all files of an artifact, by path.
    """
    small = sorted(p for p, size in sizes.items() if size <= LARGEST_PACKED and ustar.takes(p))
    if len(small) < WORTH_PACKING:
        return ()
    found: dict[str, list[str]] = {}
    for path in small:
        found.setdefault(sha256(path.encode()).hexdigest()[0], []).append(path)
    return tuple(tuple(found[digit]) for digit in sorted(found))


def archive(files: Iterable[ArtifactFile], read: Callable[[ArtifactFile], bytes]) -> BinaryIO:
    """The bytes of a pack of `files`, to be read once from the beginning to the end.

    Args:
        files: in order of path; none of them larger than a pack takes.
        read: the bytes of one of them, which must be what it says.
    """
    return io.BufferedReader(_Pieces(_pieces(files, read)))


def unpack(pack: Pack, source: BinaryIO) -> Iterator[tuple[ArtifactFile, bytes]]:
    """Each file of a pack with its bytes, hashed; nothing is left over at the end.

    Raises:
        RefusedError: the archive is not that of these files.
    """
    for file in pack.files:
        header, padding = ustar.header(file.path, file.size), ustar.padding(file.size)
        block = source.read(len(header) + file.size + len(padding))
        data = block[len(header) : len(header) + file.size]
        if block != header + data + padding or sha256(data).hexdigest() != file.sha256:
            raise _wrong(pack)
        yield file, data
    if source.read(len(ustar.END) + 1) != ustar.END:
        raise _wrong(pack)


def _pieces(
    files: Iterable[ArtifactFile], read: Callable[[ArtifactFile], bytes]
) -> Iterator[bytes]:
    for file in files:
        yield ustar.header(file.path, file.size) + read(file) + ustar.padding(file.size)
    yield ustar.END


def _wrong(pack: Pack) -> RefusedError:
    return RefusedError(
        "pack-wrong",
        f"The pack {pack.sha256[:12]} does not hold the files that its manifest names, and nothing "
        "else.",
        subject=pack.sha256,
        next_step="Have the bundle copied or exported again.",
    )


class _Pieces(io.RawIOBase):
    """Pieces of bytes, one after the other, as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        into = memoryview(buffer).cast("B")
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
