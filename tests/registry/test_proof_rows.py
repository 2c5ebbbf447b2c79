"""The rows that are made: the same again, of every kind, and as many as are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from sealift_registry.frameworks.framework import VARIABLE, Array, ModelFacts
from sealift_registry.proof.columns import around, columns
from sealift_registry.proof.probe_order import ordered
from sealift_registry.proof.probe_rows import KINDS, Making, probes
from sealift_registry.proof.table import laid_out
from tests.registry.proof_models import TREE, rows

STORED = np.where(np.arange(4) == 2, np.nan, rows(300, seed=9))


def _made(seed: bytes = b"a", goldens: Array | None = None, most: int = 4096) -> dict[str, Array]:
    given = rows() if goldens is None else goldens
    facts = ModelFacts(
        trees=(TREE,), edges={2: (0.1,)}, categories={3: (0.0, 1.0)}, may_tie=True, stored=STORED
    )
    layout = laid_out({"inputs": given.astype(np.float32)})
    known = columns(given, layout.dtypes, facts)
    making = Making(given, known, facts, seed, lambda x: {VARIABLE: x.sum(axis=1)})
    return probes(making, most)[0]


def test_p0_29_the_same_rows_come_again_and_others_by_another_seed() -> None:
    one, again, other = _made(), _made(), _made(b"b")
    assert set(one) == set(KINDS)
    for kind, found in one.items():
        assert np.array_equal(found, again[kind], equal_nan=True)
    assert not np.array_equal(one["noise"], other["noise"])
    assert ordered(one) == ordered(again)


@pytest.mark.parametrize("width", [1, 4, 60, 3000])
def test_p0_30_as_many_rows_as_there_may_be_and_no_fewer_than_151(width: int) -> None:
    made = _made(goldens=rows(20, width))
    assert 151 <= sum(map(len, made.values())) <= 4096
    few = _made(goldens=rows(20, width), most=1)
    assert sum(map(len, few.values())) < sum(map(len, made.values()))
    first = ordered(made)[: sum(min(10, len(found)) for found in made.values())]
    for kind, found in made.items():
        assert sum(one == kind for one, _ in first) == min(10, len(found))


def test_p0_151_what_the_model_remembers_is_asked_at_its_place_and_beside() -> None:
    made = _made()
    stored, looked_at = made["stored"], ~np.isnan(STORED[0])
    half = len(stored) // 2
    known = STORED[:, looked_at].astype(np.float32)
    for row, beside in zip(stored[:half], stored[half:], strict=True):
        assert (known == row[looked_at].astype(np.float32)).all(axis=1).any()
        assert 0 < np.abs(row - beside).max() < 1e-3
    assert np.isfinite(stored).all()
    assert len(made["stored"]) + len(made["mixed"]) > 1000
    assert len(made["thresholds"])


def test_p0_29_values_are_of_the_variant_s_type() -> None:
    for found in _made().values():
        assert np.array_equal(found, found.astype(np.float32), equal_nan=True)


@pytest.mark.parametrize("value", [0.25, 0.1, -3.7, 1e9, 1e-3])
def test_p0_27_below_at_and_above_are_neighbours(value: float) -> None:
    below, at, above = around(value, np.dtype(np.float32))
    assert below < at <= value < above
    assert np.nextafter(np.float32(below), np.float32(np.inf)) == at
    assert np.nextafter(np.float32(at), np.float32(np.inf)) == above
    assert around(2.5, np.dtype(np.int64)) == (1.0, 2.0, 3.0)
