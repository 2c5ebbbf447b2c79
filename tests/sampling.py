"""Some of many cases in each run, others the next time, and all of them in the long run."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def drawn(cases: Sequence[T], count: int, about: str) -> list[T]:
    """So many of the cases, in their order; `about` tells draws of one run apart.

    Every process of a run draws the same: pytest-xdist gives each the run's id, and where there is
    none, it is the day that counts. Whatever was drawn stands in the names of tests that fail.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{datetime.now(UTC):%Y-%m-%d}"
    order = random.Random(f"{run} {about}")  # noqa: S311 - cases, no secrets
    picked = sorted(order.sample(range(len(cases)), min(count, len(cases))))
    return [cases[at] for at in picked]


def some(cases: Sequence[Any], count: int, about: str) -> list[Any]:
    """All cases, for `parametrize`: those that are not drawn are for the long run alone."""
    picked = drawn(range(len(cases)), count, about)
    return [
        pytest.param(
            *(one if isinstance(one, tuple) else (one,)),
            marks=[] if at in picked else [pytest.mark.long],
        )
        for at, one in enumerate(cases)
    ]
