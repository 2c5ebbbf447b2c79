"""A tape of choices: the bytes of an input read as what to do, one small number after the other.

For targets whose input is not one document but a folder, a bundle or a visit: the engine that makes
the bytes then learns which choices reach new code. A tape that has ended chooses the first of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Tape:
    """`data`, read from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether everything was read."""
        return self._at >= len(self._data)

    def below(self, most: int) -> int:
        """A number from 0, less than `most`."""
        wide = 1 if most <= 256 else 2
        return int.from_bytes(self.take(wide), "big") % most

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`."""
        return items[self.below(len(items))]

    def chance(self, one_in: int) -> bool:
        """True once in `one_in` times; never after the end."""
        return self.below(one_in) == 1 % one_in

    def random(self) -> Random:
        """A source of many small choices, by two bytes of the tape."""
        return Random(self.take(2))  # noqa: S311 - no secret

    def take(self, count: int) -> bytes:
        """The next `count` bytes, zeroes after the end."""
        found = self._data[self._at : self._at + count]
        self._at += count
        return found.ljust(count, b"\0")

    def rest(self) -> bytes:
        """What was not read yet."""
        found = self._data[self._at :]
        self._at = len(self._data)
        return found
