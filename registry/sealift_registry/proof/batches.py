"""Rows asked again in other batches: what a model answers may not depend on the rows beside.

A softmax or a mean over the axis that counts the rows answers a whole batch alike on both sides,
and each row otherwise once it comes alone, as it does where the model is used. And a runtime
computes one row, a few and very many in different ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.comparing import Answers
from sealift_registry.proof.model_runs import Runner, taken

ALONE, FEW = "alone", "few-at-once"
BATCHES: Mapping[str, str] = {
    ALONE: "rows asked one at a time",
    FEW: "rows asked a few at a time, 2 to 64, as the seed draws",
}
"""A kind of rows each."""

ASKED: Mapping[str, str] = {ALONE: "those asked alone", FEW: "those asked a few at once"}
"""The same, where one of them is told of."""

MOST, LEAST = 256, 16
"""Rows that are asked again in each way; the least even where there is no time."""
SHARE = 0.05
"""Of the time, for all of them."""
SLICE = 16
"""Rows between two looks at the clock."""
SIZES = (1, 6)
"""Powers of two between which the size of a batch is drawn."""

MOST_BYTES = 32 * 1024**2
"""Of these rows as doubles."""

Heard = tuple[str, Array, Array, Answers]
"""The kind, the numbers of the rows, which of these were answered, and the answers to those."""


def most_rows(width: int) -> int:
    """How many rows of so many numbers are asked again."""
    return min(MOST, max(MOST_BYTES // (8 * max(width, 1)), LEAST))


def asked_again(
    variant: Runner,
    inputs: Mapping[str, Array],
    count: int,
    seconds: float,
    draw: np.random.Generator,
) -> Iterator[Heard]:
    """What `variant` answers to `count` rows in batches of other sizes, while there is time.

    One that takes a single row is never asked beside others; where it takes another number of rows
    and no other, a row that is alone fills them all.
    """
    batch = variant.batch
    sizes = tuple(BATCHES) if batch is None else (ALONE,)
    kinds = () if batch == 1 else sizes
    for kind in kinds:
        budget, at = Budget(SHARE * seconds / len(kinds)), 0
        while at < count and (at < LEAST or budget.left > 0):
            size = SLICE if kind == ALONE else int(2 ** draw.uniform(*SIZES))
            numbers = np.arange(at, min(at + size, count))
            runner = variant.by(1, of=batch) if kind == ALONE else variant.by(len(numbers))
            took, answers = runner.tried(taken(inputs, numbers), [kind] * len(numbers))
            yield kind, numbers, took, answers
            at += len(numbers)
