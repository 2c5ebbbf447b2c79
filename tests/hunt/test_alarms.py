"""What hunts found stopped although it was right, and what is allowed, or better made, since."""

from pathlib import Path

import numpy as np
import pytest

from sealift_registry.proof import comparing
from tests.hunt import hunting


@pytest.mark.parametrize("away, wrong", [(1e-10, False), (1e-6, True)])
def test_p0_91_a_class_that_is_never_met_is_not_measured_by_nothing(
    away: float, wrong: bool
) -> None:
    """Of a network so sure of itself, 6.350e-34 was told from 6.353e-34."""
    rare = np.array([1e-70, 3e-67, 2e-66, 1e-72])
    scale = comparing.scale(np.stack([1 - rare, rare], axis=1))
    source, variant = np.array([[1.0, 6.350e-34]]), np.array([[1.0, 6.350e-34 + away]])
    assert comparing.numbers(source, variant, scale).wrong.tolist() == [wrong]


ROUNDED = {
    141: "LinearDiscriminantAnalysis",
    145: "NuSVC",
    265: "SVR",
    628: "MLPRegressor",
    786: "KNeighborsRegressor",
    1088: "MLPRegressor",
    1345: "NuSVR",
    1807: "BernoulliNB",
}
"""Number of a model of the hunt → what it ends in: in 32 bits, each answered otherwise."""


@pytest.mark.parametrize("seed", ROUNDED)
def test_p0_170_what_lost_its_digits_in_32_bits_is_computed_in_64(
    seed: int, tmp_path: Path
) -> None:
    found = hunting.tried(seed, tmp_path)
    assert ROUNDED[seed] in found.words
    assert found.key == ("signed", "right"), found
