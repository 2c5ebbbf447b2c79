"""A tar archive of which every byte follows from the paths and the contents of its files.

Source: POSIX.1-2017, pax, "ustar Interchange Format". There is one archive for the same files: no
owner, no time, one mode, the files in order of their paths, two empty blocks and nothing behind
them. So nobody has to understand an archive to read it: whoever knows its files knows its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

BLOCK = 512
"""Everything in an archive begins at a multiple of so many bytes."""
END = bytes(2 * BLOCK)
LONGEST_NAME = 100
LONGEST_PREFIX = 155
LARGEST = 8**11 - 1
"""Bytes of a file: eleven octal digits."""

_MODE, _NOBODY, _NEVER = b"0000644\0", b"0000000\0", b"00000000000\0"
_CHECKSUM_AT = 148


def takes(path: str) -> bool:
    """Whether an archive can name a file `path` (in ASCII)."""
    return _parts(path) is not None


def size_of(sizes: Iterable[int]) -> int:
    """The bytes of an archive of files of these sizes."""
    return sum(BLOCK + size + len(padding(size)) for size in sizes) + len(END)


def header(path: str, size: int) -> bytes:
    """The block before a file's bytes.

    Raises:
        ValueError: no archive takes such a path or size.
    """
    parts = _parts(path)
    if parts is None or not 0 <= size <= LARGEST:
        msg = f"a tar archive takes no file {path!r} of {size} bytes"
        raise ValueError(msg)
    prefix, name = parts
    block = b"".join(
        (
            name.ljust(LONGEST_NAME, b"\0"),
            _MODE,
            _NOBODY,
            _NOBODY,
            b"%011o\0" % size,
            _NEVER,
            b" " * 8,  # the checksum, for which it counts as spaces
            b"0",
            bytes(100),  # what a link leads to
            b"ustar\x0000",
            bytes(64),  # names of an owner and a group
            bytes(16),  # numbers of a device
            prefix.ljust(LONGEST_PREFIX, b"\0"),
            bytes(12),
        )
    )
    checksum = b"%06o\0 " % sum(block)
    return block[:_CHECKSUM_AT] + checksum + block[_CHECKSUM_AT + len(checksum) :]


def padding(size: int) -> bytes:
    """What comes after a file's bytes."""
    return bytes(-size % BLOCK)


def _parts(path: str) -> tuple[bytes, bytes] | None:
    """The prefix and the name that make up `path`, the name as long as it can be."""
    encoded = path.encode("ascii", "replace")
    if len(encoded) <= LONGEST_NAME:
        return b"", encoded
    at = encoded.find(b"/", len(encoded) - LONGEST_NAME - 1)
    if at < 0 or at > LONGEST_PREFIX or at + 1 == len(encoded):
        return None
    return encoded[:at], encoded[at + 1 :]
