"""Parts of what is sent: `Range`, as RFC 9110 says it (section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPEC = re.compile(r"([0-9]{1,19})-([0-9]{1,19})?|-([0-9]{1,19})")


class UnsatisfiableError(Exception):
    """None of what is asked for lies in what there is."""


@dataclass(frozen=True)
class ByteRange:
    """Some of the bytes, from the first to the last of them, counted from 0."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """As the answer names it."""
        return f"bytes {self.first}-{self.last}/{size}"


def asked(header: str | None, size: int) -> ByteRange | None:
    """The one part that `header` asks for, of what has `size` bytes; None for all of it.

    What is no range of bytes, and several at once, are answered with all of it: a server may do so
    (section 14.2), and nobody gets anything else than they can tell.

    Raises:
        UnsatisfiableError: it begins behind the end.
    """
    unit, equals, said = (header or "").partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    specs = [one.strip(" \t") for one in said.split(",") if one.strip(" \t")]
    if len(specs) != 1:
        return None
    found = _SPEC.fullmatch(specs[0])
    if found is None:
        return None
    if found[3] is not None:
        return _last(int(found[3]), size)
    first, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if found[2] and last < first:
        return None
    if first >= size:
        raise UnsatisfiableError
    return ByteRange(first, min(last, size - 1))


def _last(count: int, size: int) -> ByteRange | None:
    if not count:
        raise UnsatisfiableError
    return ByteRange(max(size - count, 0), size - 1) if size else None
