"""docs/explanation/architecture.md tells of each module what the module says of itself."""

import importlib
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[1] / "docs/reference"


def test_f2_514_the_map_says_of_each_module_what_it_says_of_itself() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REFERENCE))
        maker = importlib.import_module("make_map")
    page = maker.PAGE.read_text("utf-8")
    assert page == maker.written(page), (
        "The map is out of date: run .venv/bin/python docs/reference/make_map.py"
    )
