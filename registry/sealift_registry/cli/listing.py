"""Lists of which one bad row stops no other: it is named, with what to do, and nothing of it shown.

Nothing is signed from a list. Whatever people sign is made of what was verified for it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sealift_signing.errors import SealiftError

T = TypeVar("T")
R = TypeVar("R")

WAITING = {"role-handed-on"}
"""Codes of what is no fault: somebody is to sign, and until then it counts for nothing."""


def each(
    things: Iterable[T], make: Callable[[T], R], name: Callable[[T], str] = str
) -> tuple[list[R], list[tuple[str, SealiftError]]]:
    """What `make` makes of each thing; and the names of those of which nothing is, with why."""
    from sealift_signing.errors import SealiftError

    rows, refused = [], []
    for one in things:
        try:
            rows.append(make(one))
        except SealiftError as bad:
            refused.append((name(one), bad))
    return rows, refused


def told(refused: Iterable[tuple[str, SealiftError]]) -> list[str]:
    """Lines about what is not listed."""
    return [
        line
        for name, bad in refused
        for line in ("", f"Not listed is {name}: {bad.what}", f"  Next: {bad.advice}")
    ]


def check(refused: Iterable[tuple[str, SealiftError]]) -> None:
    """End with the first that is a fault.

    Raises:
        SealiftError: it.
    """
    for _, bad in refused:
        if bad.code not in WAITING:
            raise bad
