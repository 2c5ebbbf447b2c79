"""What every query of very many values has to heed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

S = TypeVar("S")

AT_ONCE = 400
"""Values in one query: databases bound how many parameters it may have."""


def in_parts(values: Sequence[S]) -> Iterator[Sequence[S]]:
    """`values` in parts, each of no more than one query may name."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
