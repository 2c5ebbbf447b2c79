"""Check rows from end to end: the hub's own proof makes them, and a site's own runtime answers."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_sync import answering
from tests.registry.hub_fixture import GROUP, Acme
from tests.registry.test_letting_rows_out import lets
from tests.site_on_paper import SiteOnPaper

OTHERWISE = """import importlib.util, sys
import numpy as np

found = importlib.util.spec_from_file_location("answering", sys.argv[1])
answering = importlib.util.module_from_spec(found)
found.loader.exec_module(answering)
plain = answering._plain
answering._plain = lambda output: np.roll(plain(output), 1)
answering.main()
"""
"""A runtime that gives each row the answer of the one before it."""


@pytest.fixture
def plant(ready: Acme) -> SiteOnPaper:
    lets(ready)
    return SiteOnPaper(ready.folder / "site", datetime.now(UTC))


def configure(plant: SiteOnPaper, *runtime: str) -> None:
    settings = f"[groups.{GROUP}]\nruntime = {json.dumps(runtime)}\n"
    (plant.root / "settings.toml").write_text(settings)


def test_p0_193_rows_of_a_real_proof_are_answered_by_the_sites_own_runtime(
    ready: Acme, plant: SiteOnPaper
) -> None:
    configure(plant, sys.executable)
    (told,) = plant.take(ready.export().folder).activations
    assert told.outcome == "activated"
    assert told.checked is not None
    assert told.checked.outcome == "passed", told.checked


def test_p0_193_one_that_mixes_rows_up_is_found_out_and_the_hub_hears_of_it(
    ready: Acme, plant: SiteOnPaper, tmp_path: Path
) -> None:
    assert Path(answering.__file__).is_file()
    (tmp_path / "otherwise.py").write_text(OTHERWISE)
    configure(plant, sys.executable, str(tmp_path / "otherwise.py"))
    (told,) = plant.take(ready.export().folder).activations
    assert told.outcome == "switched-back"
    assert "answers otherwise than it must: row " in told.words
    accepted, refused = ready.app.returns.receive(ready.returned(plant))
    assert (len(accepted), refused) == (1, [])
    with ready.app.hub.engine.connect() as connection:
        query = "SELECT body FROM site_entry ORDER BY seq DESC LIMIT 1"
        (body,) = connection.exec_driver_sql(query).one()
    assert json.loads(body)["data"]["checked"]["outcome"] == "failed"
