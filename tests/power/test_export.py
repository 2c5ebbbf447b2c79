"""An export after power cuts: a bundle is whole or has no name, and the same command goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interruptions.pictures import differences
from tests.power.cutting import SIZES, Cut, failures
from tests.power.journey import (
    Journey,
    about_to_export,
    check_log,
    hub_log,
    is_whole,
    leftovers,
    recorded,
    state,
)

COUNTS = pytest.mark.parametrize("count", SIZES)


def check_medium(journey: Journey, cut: Cut, verified: set[bytes]) -> None:
    """Whatever has a bundle's name is whole, and a site takes it."""
    for bundle in journey.bundles:
        assert is_whole(bundle), f"{bundle.name} has its name and is not whole"
        transfer = (bundle / "transfer.json").read_bytes()
        if transfer not in verified:  # a bundle that is whole is the same each time
            journey.plant.verify(bundle)
            verified.add(transfer)
    if "exit 0" in cut.told:
        assert journey.bundles, "a bundle that was told of is not there"


def check_again(journey: Journey, uncut: dict[str, list[str]]) -> None:
    """The same command ends as if there had been no cut."""
    with journey.hub() as acme:
        done = acme.export()
    assert journey.bundles == [done.folder]
    assert is_whole(done.folder)
    assert leftovers(journey.folder) == []
    assert differences(uncut, state(journey)) == []


@COUNTS
def test_a3_a_bundle_is_whole_or_has_no_name(count: int, scratch: Path, stocked: Path) -> None:
    journey = about_to_export(stocked, scratch / "case")
    recording = recorded(journey, journey.export)
    uncut = state(journey)
    verified: set[bytes] = set()

    def check(cut: Cut) -> None:
        with journey.hub() as acme:
            check_log(hub_log(acme), cut)
        check_medium(journey, cut, verified)
        check_again(journey, uncut)

    assert failures(recording, count, check) == []
    assert len(verified) == 1


@COUNTS
def test_a3_a_bundle_that_is_not_flushed_is_seen_to_be_torn(
    count: int, scratch: Path, stocked: Path
) -> None:
    """Without flushes the same cuts leave bundles that have their name and are not whole."""
    journey = about_to_export(stocked, scratch / "case")
    recording = recorded(journey, journey.export, "flush")
    # It has its name during the last few operations only, where a sample must make some cuts.
    many = max(count, 300)
    found = failures(recording, many, lambda cut: check_medium(journey, cut, set()))
    assert any("has its name and is not whole" in one for one in found)
