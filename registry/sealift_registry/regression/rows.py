"""Two sets of golden rows: how many of them are the same; counts, and no value of any."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.comparing import flat
from sealift_registry.proof.expecting import known as known_to_be
from sealift_registry.proof.expecting import spelled
from sealift_registry.proof.table import Type
from sealift_registry.regression.report import Rows

SLICE = 1024
"""Rows of which copies are held at once."""


@dataclass(frozen=True)
class Counted:
    """How two sets of rows go together.

    Attributes:
        own: the candidate's.
        theirs: those of the listed version.
        both: distinct rows that are in both.
        otherwise: of those, of which another answer is expected.
    """

    own: Rows
    theirs: Rows
    both: int
    otherwise: int


def keys(inputs: Mapping[str, Array], types: Mapping[str, Type]) -> list[bytes]:
    """What each row is told apart by: its values in the types in which a model takes them."""
    found: list[bytes] = []
    for at in range(0, len(next(iter(inputs.values()))), SLICE):
        some = {name: flat(one[at : at + SLICE]) for name, one in sorted(inputs.items())}
        columns = [_bytes(one, types[name]) for name, one in some.items()]
        found += [hashlib.sha256(b"".join(row)).digest() for row in zip(*columns, strict=True)]
    return found


def _bytes(table: Array, kind: Type) -> list[bytes]:
    """By row; of text with where each ends, and 0 and -0 are one number."""
    if table.dtype.kind in "USO":
        return [repr([str(one) for one in row]).encode() for row in table.tolist()]
    with np.errstate(all="ignore"):
        told = table.astype(kind)
        told = told + np.zeros(1, dtype=told.dtype) if told.dtype.kind == "f" else told
    if told.dtype.kind == "f":
        told = np.where(np.isnan(told), np.array(np.nan, dtype=told.dtype), told)
    return [one.tobytes() for one in np.ascontiguousarray(told)]


def counted(
    own: tuple[Sequence[bytes], Array | None], theirs: tuple[Sequence[bytes], Array | None]
) -> Counted:
    """What of one set is in the other.

    Args:
        own: the keys of the candidate's rows, and what is expected of them.
        theirs: likewise, of the listed version's.
    """
    ours, listed = (_expected(*one) for one in (own, theirs))
    both = set(ours) & set(listed)
    otherwise = sum(1 for one in both if ours[one] and listed[one] and ours[one] != listed[one])
    return Counted(
        Rows(len(own[0]), len(ours)), Rows(len(theirs[0]), len(listed)), len(both), otherwise
    )


def _expected(found: Sequence[bytes], expected: Array | None) -> dict[bytes, set[object]]:
    """By row, all that is expected of it, as it is spelled; nothing where nobody knows it."""
    by_row: dict[bytes, set[object]] = {one: set() for one in found}
    if expected is None:
        return by_row
    right, known = known_to_be(expected)
    if not len(right):
        return by_row
    rows = (one for one, is_known in zip(found, known.tolist(), strict=True) if is_known)
    for row, answer in zip(rows, _spelled(right), strict=True):
        by_row[row].add(answer)
    return by_row


def _spelled(expected: Array) -> list[object]:
    """Labels as text, and fractions as a model of 32 bits answers them."""
    if expected.dtype.kind == "f":
        with np.errstate(all="ignore"):
            expected = expected.astype(np.float32)
    return [" ".join(spelled(row)) for row in flat(expected)]
