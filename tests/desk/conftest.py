"""A hub, and people at desks of their own who know it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk.days import Days, Person
from tests.desks import TEAM, Acme
from tests.registry.hub_fixture import STEWARDS, copied, founded, stocked

__all__ = ["founded", "stocked"]


@pytest.fixture
def acme() -> Acme:
    """A hub on paper, which its stewards and two holders of targets know; carla may approve."""
    made = Acme()
    made.trusting(*STEWARDS, "tina", "toni")
    made.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    return made


@pytest.fixture
def days(founded: Path, tmp_path: Path) -> Iterator[Days]:
    """A hub with the team vision, whose stewards are anna and ben; each with a memory."""
    copied(founded, tmp_path)
    made = Days(tmp_path)
    yield made
    made.close()


@pytest.fixture
def anna(days: Days) -> Person:
    return days.trusting("anna", "ben")[0]


@pytest.fixture
def ben(anna: Person) -> Person:
    return anna.days.person(STEWARDS[1])
