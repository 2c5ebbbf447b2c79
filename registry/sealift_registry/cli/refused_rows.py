"""What is said of the rows of a list of which nothing is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealift_registry.views.pages import FalseRow

WAITING = {"role-handed-on"}
"""Codes of what is no fault: somebody is to sign, and until then it counts for nothing."""


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


def check(refused: Iterable[FalseRow]) -> None:
    """End with the first that is a fault.

    Raises:
        SealiftError: it.
    """
    for one in refused:
        if one.error.code not in WAITING:
            raise one.error
