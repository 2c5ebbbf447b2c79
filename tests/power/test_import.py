"""An import after power cuts: the site is before or after it, and the same command completes it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_sync.artifact import Pack, read_manifest
from sealift_sync.site.setup.open_site import OpenSite
from tests.interruptions.pictures import differences
from tests.power.cutting import SIZES, Cut, failures
from tests.power.disk import Mark, Tree, lay_out
from tests.power.journey import (
    Journey,
    about_to_import,
    check_log,
    leftovers,
    recorded,
    site_log,
    state,
)
from tests.power.recording import Recording
from tests.registry.hub_fixture import GROUP, MODEL

COUNTS = pytest.mark.parametrize("count", SIZES)
Tables = dict[str, list[object]]


def moments(recording: Recording, scratch: Path) -> list[Tables]:
    """The site's tables before the run, and after every transaction that it acknowledged."""
    disk = recording.disk()
    found = [_tables(disk.tree(recording.folder), scratch / "moment-0")]
    for one in recording.operations:
        disk.apply(one)
        if isinstance(one, Mark) and one.said.startswith("committed"):
            folder = scratch / f"moment-{len(found)}"
            found.append(_tables(disk.tree(recording.folder), folder))
    return found


def _tables(tree: Tree, folder: Path) -> Tables:
    lay_out(tree, folder)
    return Journey(folder).plant.picture().tables


def check_state(journey: Journey, cut: Cut, moments: list[Tables]) -> None:
    """What is known is what was known after some transaction, and after the last one told of."""
    acknowledged = len([one for one in cut.told if one.startswith("committed")])
    tables = journey.plant.picture().tables
    assert tables in moments, "half of a transaction"
    assert tables in moments[acknowledged:], "an acknowledged transaction is lost"


def check_store(journey: Journey) -> None:
    """Every blob that the state names is whole."""
    with journey.plant.opened() as site:
        for digest in _named(site):
            site.home.store.check(digest)


def _named(site: OpenSite) -> Iterator[str]:
    for one in site.state.installed():
        yield one.sha256
        manifest = site.home.store.read(one.sha256)
        for part in read_manifest(manifest, what="a manifest").contents:
            yield part.sha256


def _packs(journey: Journey) -> list[Pack]:
    """Of all that is installed."""
    with journey.plant.opened() as site:
        installed = [site.home.store.read(one.sha256) for one in site.state.installed()]
    return [pack for data in installed for pack in read_manifest(data, what="it").packs]


def shown(journey: Journey) -> str:
    """The digest of what a consumer of the model reads."""
    current = journey.folder / "site" / "models" / GROUP / MODEL / "current"
    (file,) = current.glob("*.onnx")
    return sha256(file.read_bytes()).hexdigest()


@COUNTS
@pytest.mark.parametrize("how", ["stocked", "packed"])
def test_a3_a_site_is_before_or_after(
    count: int, how: str, scratch: Path, request: pytest.FixtureRequest
) -> None:
    """Consumers' files are links to the store's, or written from packs."""
    journey = about_to_import(request.getfixturevalue(how), scratch / "case")
    before = shown(journey)
    assert bool(_packs(journey)) is (how == "packed")
    recording = recorded(journey, journey.take)
    after, uncut = shown(journey), state(journey)
    assert before != after
    known = moments(recording, scratch)

    def check(cut: Cut) -> None:
        assert shown(journey) in {before, after}, "a consumer reads half a model"
        check_state(journey, cut, known)
        check_log(site_log(journey.plant), cut)
        check_store(journey)
        (bundle,) = journey.bundles
        journey.plant.take(bundle)
        assert shown(journey) == after
        assert leftovers(journey.folder / "site") == []
        assert differences(uncut, state(journey)) == []

    assert failures(recording, count, check) == []


@COUNTS
@pytest.mark.parametrize(
    "weakened, seen",
    [("synchronous", "an acknowledged transaction is lost"), ("flush", "damaged")],
)
def test_a3_an_import_that_is_not_flushed_is_seen_to_lose(
    count: int, weakened: str, seen: str, scratch: Path, stocked: Path
) -> None:
    journey = about_to_import(stocked, scratch / "case")
    recording = recorded(journey, journey.take, weakened)
    known = moments(recording, scratch)

    def check(cut: Cut) -> None:
        check_state(journey, cut, known)
        check_store(journey)

    assert any(seen in one for one in failures(recording, count, check))
