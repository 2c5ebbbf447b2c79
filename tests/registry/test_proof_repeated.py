"""Goldens of which most are the same row say little, and that is told first."""

from __future__ import annotations

import numpy as np

from sealift_registry.proof import proof_words
from sealift_signing.more_member import TOLD_FIRST
from tests.registry.hub_fixture import Acme


def test_p0_240_most_rows_are_repeated_where_less_than_half_are_distinct() -> None:
    rows = np.arange(12.0).reshape(6, 2)
    assert proof_words.repeated(rows) == ""
    assert proof_words.repeated(np.repeat(rows, 2, axis=0)) == ""
    words = proof_words.repeated(np.repeat(rows, 3, axis=0))
    assert words == "MOST GOLDEN ROWS ARE REPEATED: of 18 only 6 are distinct."
    gaps = np.full((500, 2), np.nan)
    assert proof_words.repeated(gaps) == "MOST GOLDEN ROWS ARE REPEATED: of 500 only 1 is distinct."


def test_p0_240_it_is_told_first_by_the_proof(acme: Acme) -> None:
    with np.load(acme.goldens(1)) as found:
        one = found["inputs"][:1]
    path = acme.folder / "one.npz"
    np.savez(path, inputs=np.repeat(one, 50, axis=0))
    acme.ingest(1, path)
    built = acme.convert(1)
    said = [c.words for e in built.evidence for c in e.predicate.checks if c.name == TOLD_FIRST]
    assert any("MOST GOLDEN ROWS ARE REPEATED: of 50 only 1 is distinct." in one for one in said)
