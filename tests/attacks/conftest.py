"""A hostile hub that holds all online keys, a carrier, and a site with something installed."""

from pathlib import Path

import pytest

from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper


@pytest.fixture
def hub(tmp_path: Path) -> HubOnPaper:
    return HubOnPaper(tmp_path)


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    return tmp_path / "medium"


@pytest.fixture
def site(tmp_path: Path, hub: HubOnPaper) -> SiteOnPaper:
    """Enrolled; nothing was imported yet."""
    made = SiteOnPaper(tmp_path / "site", hub.now)
    made.enrol(hub)
    return made
