"""A page of a list, of which one bad row stops no other: it is named, and nothing of it is told.

Nothing is signed from a list. Whatever people sign is made of what was verified for it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from sealift_registry.catalog.page_sizes import LARGEST
from sealift_registry.catalog.pages import PagePlace
from sealift_signing.errors import SealiftError

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class FalseRow:
    """A row of the database of which nothing is told: what it is called, and why."""

    name: str
    error: SealiftError


@dataclass(frozen=True)
class Page(Generic[T]):
    """Part of a list.

    Attributes:
        rows: what can be told, in order.
        refused: what cannot.
        after: the name of the last thing on it, where there is more: `PagePlace.after` of the
            next page.
    """

    rows: tuple[T, ...]
    refused: tuple[FalseRow, ...] = ()
    after: str | None = None


def page_rows(
    place: PagePlace, read: Callable[[PagePlace], Sequence[S]], name: Callable[[S], str] = str
) -> tuple[Sequence[S], str | None]:
    """What `read` reads of a page, and the name of the last of it where there is more.

    No page has more than `page_sizes.LARGEST` rows, whoever asks.
    """
    limit = min(place.limit, LARGEST)
    found = read(replace(place, limit=limit + 1))
    here = found[:limit]
    return here, name(here[-1]) if here and len(found) > len(here) else None


def page_names(place: PagePlace, names: Collection[str]) -> tuple[Sequence[str], str | None]:
    """As `page_rows`, of all the names that there are."""
    ordered = sorted(names)

    def read(part: PagePlace) -> list[str]:
        beyond = (one for one in ordered if part.after is None or one > part.after)
        return list(islice(beyond, part.limit))

    return page_rows(place, read)


def told_or_refused(
    things: Iterable[S], make: Callable[[S], T], name: Callable[[S], str] = str
) -> tuple[tuple[T, ...], tuple[FalseRow, ...]]:
    """What `make` makes of each thing; and those of which it makes nothing, with why."""
    rows, refused = [], []
    for thing in things:
        try:
            rows.append(make(thing))
        except SealiftError as bad:
            refused.append(FalseRow(name(thing), bad))
    return tuple(rows), tuple(refused)
