"""A model's inputs as one table of numbers, whatever they are: who makes rows knows columns only.

Every input is laid flat, a row of it in so many columns, and beside the others. A column has the
type that the *variant* takes there, and every value in the table is one that this type holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError

Type = np.dtype[Any]


@dataclass(frozen=True)
class Slot:
    """Where one input lies: its columns, and the shape of one row of it."""

    name: str
    dtype: Type
    shape: tuple[int, ...]
    first: int

    @property
    def width(self) -> int:
        """How many columns it has."""
        return prod(self.shape)

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.first, self.first + self.width)


@dataclass(frozen=True)
class Layout:
    """How inputs are laid out as a table."""

    slots: tuple[Slot, ...]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return sum(slot.width for slot in self.slots)

    @property
    def dtypes(self) -> list[Type]:
        """The variant's type of each column."""
        return [slot.dtype for slot in self.slots for _ in range(slot.width)]

    def table(self, inputs: Mapping[str, Array]) -> Array:
        """`inputs` as rows of doubles."""
        parts = [
            np.asarray(inputs[slot.name], dtype=np.float64).reshape(-1, slot.width)
            for slot in self.slots
        ]
        return np.concatenate(parts, axis=1)

    def inputs(self, rows: Array) -> dict[str, Array]:
        """`rows` as inputs, each of its type."""
        return {
            slot.name: rows[:, slot.columns].astype(slot.dtype).reshape(-1, *slot.shape)
            for slot in self.slots
        }

    def in_doubles(self) -> Layout:
        """The same layout with fractions in 64 bits, which hold every value of the goldens."""
        wide = np.dtype(np.float64)
        return Layout(
            tuple(replace(s, dtype=wide) if s.dtype.kind == "f" else s for s in self.slots)
        )

    def digest(self, row: Array) -> str:
        """The sha256 of one row, as the variant is given it."""
        told = hashlib.sha256()
        for name, array in sorted(self.inputs(row.reshape(1, -1)).items()):
            told.update(name.encode() + b"\0" + np.ascontiguousarray(array).tobytes())
        return told.hexdigest()


def laid_out(inputs: Mapping[str, Array]) -> Layout:
    """The layout of `inputs`, which have the variant's types already."""
    slots: list[Slot] = []
    first = 0
    for name in sorted(inputs):
        slots.append(Slot(name, inputs[name].dtype, inputs[name].shape[1:], first))
        first += slots[-1].width
    return Layout(tuple(slots))


def doubles(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """`inputs` as the source is given them: the same values, in 64 bits where they are fractions.

    The source computes in what it is given; in 32 bits it would make the variant's own mistakes.
    """
    return {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array
        for name, array in inputs.items()
    }


# -------------------------------------------------------------------- what a type holds


def held(goldens: Mapping[str, Array], types: Mapping[str, Type]) -> dict[str, Array]:
    """The goldens in the types that the variant takes.

    A cast that changes what is meant would be made alike for both models, and hide itself.

    Raises:
        RefusedError: a type does not hold a value, or merges whole numbers; input and column are
            named. Or an array is of no numbers.
    """
    for name, array in goldens.items():
        if array.dtype.kind not in "biuf":
            raise _no_numbers(name)
    return {name: _held(name, array, types[name]) for name, array in goldens.items()}


def _held(name: str, array: Array, dtype: Type) -> Array:
    with np.errstate(all="ignore"):
        cast = array.astype(dtype)
    back = cast.astype(np.float64) if dtype.kind == "f" else cast
    finite = np.isfinite(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    lost = ~finite if dtype.kind != "f" else finite & ~np.isfinite(back)
    if dtype.kind != "f":
        lost |= finite & (back != array)
    if lost.any():
        raise _not_held(name, lost, dtype)
    if dtype.kind == "f":
        _check_whole(name, array, dtype)
    return cast


def _check_whole(name: str, array: Array, dtype: Type) -> None:
    """Whole numbers above 2^24 have no place of their own in 32 bits: two ids become one."""
    most = 2.0 ** (np.finfo(dtype).nmant + 1)
    flat = array.reshape(len(array), -1)
    values = flat.astype(np.float64)
    finite = np.isfinite(values)
    whole = finite & (values == np.round(values))
    mostly = whole.sum(axis=0) > finite.sum(axis=0) / 2  # one fraction among them hides no ids
    large = mostly & (np.where(whole, np.abs(values), 0) > most).any(axis=0)
    if large.any():
        column = int(np.flatnonzero(large)[0])
        raise RefusedError(
            "goldens-merged",
            f"Column {column} of the goldens' {word(name)} holds whole numbers above "
            f"{int(most):,}, and the variant takes {dtype}, in which neighbouring numbers become "
            "one.",
            subject=name,
            next_step="Train the model on smaller numbers (count from a later day, in thousands, "
            "or give each id a number from 0 on), or leave the column out.",
        )


def _no_numbers(name: str) -> RefusedError:
    return RefusedError(
        "goldens-inputs",
        f"The goldens' {word(name)} holds something other than numbers. Rows are made of numbers "
        "only, and a model that takes text cannot be proved.",
        subject=name,
        next_step="Export the model so that it takes numbers (give each word a number, and "
        "keep that step before the model), and give goldens of these.",
    )


def _not_held(name: str, lost: Array, dtype: Type) -> RefusedError:
    row, *_ = (int(at) for at in np.argwhere(lost)[0])
    column = int(np.flatnonzero(lost.reshape(len(lost), -1)[row])[0])
    return RefusedError(
        "goldens-not-held",
        f"The goldens' {word(name)} has a value in row {row}, column {column}, that the variant's "
        f"input of the type {dtype} cannot hold; it would become another value.",
        subject=name,
        next_step="Give goldens as the model is given its inputs where it is used: "
        f"numpy's {dtype}, and nothing that is cut off or rounded in it.",
    )
