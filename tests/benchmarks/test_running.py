"""What the benchmarks run still does what it says, at next to no size; nobody looks at a clock."""

from pathlib import Path

import pytest

from tests.benchmarks import carrying, workloads
from tests.benchmarks.carrying import EXPORT, IMPORT, RECEIVE, RETURN, VERIFY
from tests.benchmarks.figures import Measured
from tests.benchmarks.racing import race

pytestmark = pytest.mark.system  # Debian's openssl, sync and tar


def test_a_model_is_carried_by_us_and_by_hand_with_the_same_bytes_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.benchmarks.rivals.program", lambda _name: None)  # but the basics
    carried = workloads.tiny(tmp_path)
    every = (carrying.EXPORTING, carrying.VERIFYING, carrying.IMPORTING, carrying.SMALL_EXPORTING)
    found: dict[str, Measured] = {}
    for made in every:
        found |= race(carrying.contestants(carried, made), 2, tmp_path / "race")
    workloads.forget()
    assert {EXPORT, VERIFY, IMPORT, RETURN, RECEIVE, carrying.TAR} <= set(found)
    assert all(len(one.rounds) == 2 for one in found.values())
    assert {path.name for path in tmp_path.iterdir()} == {"models", "race"}


def test_the_thousand_files_are_a_model_that_a_hub_takes_in(tmp_path: Path) -> None:
    carried = workloads.small(tmp_path, quick=True)
    workloads.forget()
    assert len(carried.organisation.expected) == 101
