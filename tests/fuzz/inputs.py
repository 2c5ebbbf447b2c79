"""Inputs for a target: what was kept, what is valid, and changes of both."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st

from tests.fuzz.mutating import mutate, mutate_bytes
from tests.fuzz.target import Target


def known(target: Target) -> list[bytes]:
    """The valid inputs of `target`, and the corpus that earlier runs left."""
    return [*target.seeds(), *(path.read_bytes() for path in target.corpus)]


def changed(target: Target, data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """`data` with a change that fits its form; the byte that selects the parser stays, mostly."""
    if target.form != "json" or random.random() < 0.02:
        return mutate_bytes(data, random, others)
    return data[:1] + mutate(data[1:], random, others)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """As a strategy of Hypothesis, which makes a finding smaller before it tells of it."""
    found = known(target)
    made = st.builds(
        lambda data, random: changed(target, data, random, found),
        st.sampled_from(found),
        st.randoms(use_true_random=False),
    )
    return st.one_of(made, made, st.binary(max_size=min(target.most, 64)))
