"""Some of many cases in each run, others the next time, and all of them in the long run."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
RUN = "PYTEST_XDIST_TESTRUNUID"
"""What pytest-xdist tells each process of a run, and `name_run` the others."""


def name_run(config: pytest.Config) -> None:
    """Give a run the name that its draws go by: `--testrunuid` plays one again.

    Without it each run has another, and one without further processes has the day's.
    """
    if hasattr(config, "workerinput"):
        return
    name = config.getoption("testrunuid", None) or (
        secrets.token_hex(4) if config.getoption("numprocesses", None) else _today()
    )
    config.option.testrunuid = os.environ[RUN] = name


def run() -> str:
    """The name of this run."""
    return os.environ.get(RUN) or _today()


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def drawn(cases: Sequence[T], count: int, about: str) -> list[T]:
    """So many of the cases, in their order; `about` tells draws of one run apart.

    Every process of a run draws the same, and so does a later one of the same name
    (`--testrunuid`, which is printed). What was drawn stands in the names of tests that fail.
    """
    order = random.Random(f"{run()} {about}")  # noqa: S311 - cases, no secrets
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
