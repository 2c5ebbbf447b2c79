"""Hand-made models for the proof: a few lines of NumPy that answer in 64 bits or in 32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sealift_registry.frameworks.framework import (
    LABEL,
    PROBABILITIES,
    VARIABLE,
    Array,
    ModelFacts,
    Tree,
)
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import ProofScope, proved
from sealift_signing.errors import RefusedError

Answer = Callable[[Array], dict[str, Array]]


@dataclass(frozen=True)
class Made:
    """A model of one table of inputs; `inputs` are told where a test gives them."""

    how: Answer
    known: ModelFacts = field(default_factory=ModelFacts)

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (found,) = inputs.values()
        return self.how(found)

    def facts(self) -> ModelFacts:
        return self.known


@dataclass(frozen=True)
class Typed(Made):
    """A variant that says of which type its input is."""

    kind: str = "tensor(float)"

    @property
    def inputs(self) -> dict[str, str]:
        return {"X": self.kind}


def rows(count: int = 20, width: int = 4, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=(count, width))


WEIGHTS = np.array([1.3, -0.7, 0.4, 2.1])


def linear(scale: float = 1.0, offset: float = 0.0) -> Answer:
    """Numbers: in the type of the inputs."""

    def answer(x: Array) -> dict[str, Array]:
        return {VARIABLE: (x @ WEIGHTS.astype(x.dtype)) * x.dtype.type(scale) + offset}

    return answer


def classifier(x: Array) -> dict[str, Array]:
    """Two classes, by a logistic function."""
    with np.errstate(over="ignore"):
        one = 1 / (1 + np.exp(-(x @ WEIGHTS.astype(x.dtype))))
    both = np.stack([1 - one, one], axis=1)
    return {LABEL: both.argmax(axis=1), PROBABILITIES: both}


TREE = Tree(
    feature=np.array([0, 1, -1, -1, 0, -1, -1]),
    threshold=np.array([0.25, -0.5, 0, 0, 1.5, 0, 0]),
    left=np.array([1, 2, 0, 0, 5, 0, 0]),
    right=np.array([4, 3, 0, 0, 6, 0, 0]),
    missing=np.array([True, True, False, False, True, False, False]),
)
LEAVES = np.array([0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 4.0])


def tree(
    thresholds: Array = TREE.threshold, *, or_less: bool = False, missing_left: bool = True
) -> Answer:
    """`TREE` with other thresholds; at one it goes left, unless what is less does only."""

    def answer(x: Array) -> dict[str, Array]:
        node = np.zeros(len(x), dtype=int)
        for _ in range(3):
            at = TREE.feature[node]
            value = x[np.arange(len(x)), np.maximum(at, 0)].astype(np.float64)
            left = value < thresholds[node] if or_less else value <= thresholds[node]
            left |= np.isnan(value) & missing_left
            follow = np.where(left, TREE.left[node], TREE.right[node])
            node = np.where(at >= 0, follow, node)
        return {VARIABLE: LEAVES[node].astype(x.dtype)}

    return answer


def refusing(how: Answer, odd: Callable[[Array], Array]) -> Answer:
    """`how`, which refuses a batch with an odd row in it."""

    def answer(x: Array) -> dict[str, Array]:
        if odd(x).any():
            raise RefusedError("goldens-unfit", "It does not take that.")
        return how(x)

    return answer


def missing(x: Array) -> Array:
    return np.asarray(np.isnan(x).any(axis=1))


def proof(
    source: Answer | Made,
    variant: Answer | Made,
    goldens: Array | None = None,
    expected: Array | None = None,
    facts: ModelFacts | None = None,
    plan: ProofScope | None = None,
) -> Findings:
    """The proof of two models that were made here."""
    one = source if isinstance(source, Made) else Made(source, facts or ModelFacts())
    other = variant if isinstance(variant, Made) else Made(variant)
    given = rows() if goldens is None else goldens
    found = proved(one, other, {"inputs": given}, expected, plan)
    # As `prove` asks of its worker.
    assert [one.ran for one in found.probes if one.kind == "goldens"] == [len(given)]
    return found


def failing(found: Findings) -> set[str]:
    """The checks that failed."""
    assert (found.verdict == "fail") == any(one.verdict == "fail" for one in found.checks)
    return {one.name for one in found.checks if one.verdict == "fail"}
