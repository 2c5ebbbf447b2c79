"""Where cuts are laid out, and the hub that they begin with."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.hub_fixture import _no_settings, founded, stocked

__all__ = ["_no_settings", "founded", "stocked"]

MEMORY = Path("/dev/shm")  # noqa: S108 - made by mkdtemp, for nobody else


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of homes are laid out and thrown away."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)
