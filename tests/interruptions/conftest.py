"""The story that every test here begins somewhere in, told once a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interruptions.launcher import Launcher
from tests.interruptions.story import Story
from tests.registry.hub_fixture import _no_settings, founded, stocked
from tests.sources import dvc_repository, mlflow_store

__all__ = ["_no_settings", "dvc_repository", "founded", "mlflow_store", "stocked"]


@pytest.fixture(scope="session")
def story(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    with Launcher(folder / "case") as launcher:
        made = Story(folder, launcher)
        made.tell(stocked)
        yield made
