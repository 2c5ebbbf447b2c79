"""What is told of something: lines for people, members for machines, and rows that are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from sealift_registry.views.pages import FalseRow


class Later(Sequence[str]):
    """Lines that are made once somebody reads them: machines do not, and tables take their time.

    They are made for a width, as that is known where they are read.
    """

    def __init__(self, make: Callable[[int | None], list[str]]) -> None:
        self._make = make

    def within(self, width: int | None) -> list[str]:
        """The lines for a terminal of `width` columns; None: of any."""
        return self._lines if width is None else self._make(width)

    @cached_property
    def _lines(self) -> list[str]:
        return self._make(None)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        return self._lines[place]

    def __len__(self) -> int:
        return len(self._lines)


@dataclass(frozen=True)
class Told:
    """An answer.

    Attributes:
        data: for machines.
        lines: the same for people.
        refused: rows of which nothing is told; both say so.
    """

    data: Mapping[str, Any]
    lines: Sequence[str]
    refused: Sequence[FalseRow] = ()


def refusal_lines(refused: Iterable[FalseRow], what: str = "{}") -> list[str]:
    """Lines about what is not listed; `what` it is of each name."""
    return [
        line
        for one in refused
        for line in (
            "",
            f"Not listed is {what.format(one.name)}: {one.error.what}",
            f"  Next: {one.error.advice}",
        )
    ]


def refusal_data(refused: Iterable[FalseRow]) -> list[Any]:
    """The same for machines."""
    return [one.error.as_json()["error"] for one in refused]
