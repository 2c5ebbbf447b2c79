"""Two sets of golden rows: how many of them are the same; counts, and no value of any."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.comparing import flat
from sealift_registry.proof.expected_answers import known as known_to_be
from sealift_registry.proof.expected_answers import spelled
from sealift_registry.proof.table import Type
from sealift_registry.regression.regression_report import Rows

SLICE = 1024
"""Rows of which copies are held at once."""


@dataclass(frozen=True)
class RowOverlap:
    """How two sets of rows go together.

    Attributes:
        own: the candidate's.
        theirs: those of the listed version.
        both: distinct rows that are in both.
        otherwise: of those, of which another answer is expected.
        unsaid: of those, of which the listed version's goldens alone expect one.
    """

    own: Rows
    theirs: Rows
    both: int
    otherwise: int
    unsaid: int


def keys(inputs: Mapping[str, Array], types: Mapping[str, Type]) -> Array:
    """What each row is told apart by: its values in the types in which a model takes them.

    There may be many rows, and somebody chose how many: 32 bytes of each are held, and no object.
    """
    total = len(next(iter(inputs.values())))
    found = np.empty(total, dtype="S32")  # without zeros at its end a digest is still no other
    for at in range(0, total, SLICE):
        some = {name: flat(one[at : at + SLICE]) for name, one in sorted(inputs.items())}
        columns = [_bytes(one, types[name]) for name, one in some.items()]
        digests = [hashlib.sha256(b"".join(row)).digest() for row in zip(*columns, strict=True)]
        found[at : at + SLICE] = digests
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


def counted(own: tuple[Array, Array | None], theirs: tuple[Array, Array | None]) -> RowOverlap:
    """What of one set is in the other.

    Args:
        own: the keys of the candidate's rows, and what is expected of them.
        theirs: likewise, of the listed version's.
    """
    distinct = np.unique(own[0]), np.unique(theirs[0])
    both = np.intersect1d(*distinct, assume_unique=True)
    ours, listed = (_expected(*one, both) for one in (own, theirs))
    known = [one for one in both.tolist() if listed[one]]
    otherwise = sum(1 for one in known if ours[one] and ours[one] != listed[one])
    unsaid = sum(1 for one in known if not ours[one])
    totals = [Rows(len(a), len(b)) for a, b in zip((own[0], theirs[0]), distinct, strict=True)]
    return RowOverlap(totals[0], totals[1], len(both), otherwise, unsaid)


def _expected(found: Array, expected: Array | None, of: Array) -> dict[bytes, set[object]]:
    """Of some rows, all that is expected of each, as it is spelled; nothing where nobody knows."""
    by_row: dict[bytes, set[object]] = {one: set() for one in of.tolist()}
    if expected is None:
        return by_row
    wanted = np.isin(found, of)
    right, known = known_to_be(expected[wanted])
    if not len(right):
        return by_row
    for row, answer in zip(found[wanted][known].tolist(), _spelled(right), strict=True):
        by_row[row].add(answer)
    return by_row


def _spelled(expected: Array) -> list[object]:
    """Labels as text, and fractions as a model of 32 bits answers them."""
    if expected.dtype.kind == "f":
        with np.errstate(all="ignore"):
            expected = expected.astype(np.float32)
    return [" ".join(spelled(row)) for row in flat(expected)]
