"""All that is known once both models have answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealift_registry.frameworks.framework import Array, ModelFacts
from sealift_registry.proof.columns import Columns
from sealift_registry.proof.comparing import Answers, Scale
from sealift_registry.proof.expected_answers import ExpectationResult
from sealift_registry.proof.rounding import Merged
from sealift_registry.proof.table import Layout
from sealift_registry.proof.tally import RowTally


@dataclass(frozen=True)
class Result:
    """All that is known in the end; `findings` makes findings of it."""

    tally: RowTally
    scales: Mapping[str, Scale]
    layout: Layout
    known: Columns
    facts: ModelFacts
    goldens: Array
    answers: tuple[Answers, Answers]
    labels: Sequence[str]
    merged: Merged
    judged: ExpectationResult | None
    strange: Sequence[str]
    unfit: str
    still: Mapping[str, str]
    constant: Mapping[str, str]
    as_it_is: bool = False
