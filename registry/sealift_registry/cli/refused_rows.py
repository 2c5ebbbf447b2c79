"""What is said of the rows of a list of which nothing is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealift_registry.views.pages import FalseRow

WAITING = {"role-handed-on"}
"""Codes of what is no fault: somebody is to sign, and until then it counts for nothing."""


def check(refused: Iterable[FalseRow]) -> None:
    """End with the first that is a fault.

    Raises:
        SealiftError: it.
    """
    for one in refused:
        if one.error.code not in WAITING:
            raise one.error
