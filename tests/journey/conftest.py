"""Where random journeys start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.journeys.beginning import begin
from tests.journeys.ground import Start
from tests.registry.hub_fixture import founded, stocked

__all__ = ["founded", "start", "stocked"]


@pytest.fixture(scope="session")
def start(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """A hub and two sites, each with its first version."""
    return begin(stocked, tmp_path_factory.mktemp("start"))


@pytest.fixture
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pulls a plug on these journeys: waiting for the disk would be most of their time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
