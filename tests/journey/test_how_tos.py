"""How-tos that anybody can follow in a new folder, followed to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import ROOT, environment, follow

HARDWARE = ROOT / "docs/how-to/describe-a-hardware-target.md"


@pytest.mark.timeout(600)
def test_f2_502_a_hardware_target_of_ones_own_works_to_the_letter(tmp_path: Path) -> None:
    follow(HARDWARE, tmp_path, environment(tmp_path))
    current = tmp_path / "sealift-site/models/press/lab/line/current"
    assert (current / "line.onnx").is_file()
