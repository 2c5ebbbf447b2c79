"""Where cuts are laid out, and the hub that they begin with."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_sync import packs
from tests.registry.hub_fixture import _no_settings, copied, founded, stocked

__all__ = ["_no_settings", "founded", "stocked"]

MEMORY = Path("/dev/shm")  # noqa: S108 - made by mkdtemp, for nobody else


@pytest.fixture(scope="session")
def packed(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `stocked`, and every file lies in a pack, few as they are."""
    acme = copied(founded, tmp_path_factory.mktemp("packed"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(packs, "WORTH_PACKING", 1)
        for number in (1, 2):
            acme.ingest(number, acme.goldens())
            acme.convert(number)
    acme.close()
    return acme.folder


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of homes are laid out and thrown away."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)
