"""The second bundle: what it leaves out, and on whose word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert

from sealift_registry.delivery import tables
from sealift_registry.delivery.holdings import NOTHING, Holdings, holdings
from sealift_registry.delivery.sites import Sites
from sealift_signing import statements
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Receipt, Transfer
from sealift_signing.transparency.entry import new_entry
from sealift_sync.artifact import read_manifest
from sealift_sync.bundle import layout
from tests.registry.hub_fixture import GROUP, MODEL, SITE, Acme, Loose, copied
from tests.registry.test_delivery import another, carried, made, received
from tests.site_on_paper import SiteOnPaper


def said(folder: Path) -> Transfer:
    return statements.read(Transfer, (folder / layout.TRANSFER).read_bytes(), what="it").predicate


def blobs(folder: Path) -> set[str]:
    """What lies below blobs/ but the manifests."""
    there = {path.name for path in (folder / layout.BLOBS).iterdir()}
    return there - manifests(folder)


def manifests(folder: Path) -> set[str]:
    from sealift_sync.artifact import index_digests

    return set(index_digests((folder / layout.INDEX).read_bytes()))


def named(hub: Acme, folder: Path) -> set[str]:
    """Every blob that the manifests of a bundle name."""
    store = hub.app.hub.home.blobs
    found = [read_manifest(store.read(one), what="it") for one in manifests(folder)]
    return {digest for one in found for digest in one.blobs}


def held(hub: Acme) -> Holdings:
    app = hub.app.hub
    with app.reading() as connection:
        return holdings(connection, Sites(connection).get(SITE), app.home.blobs)


@pytest.fixture(scope="module")
def after_one_journey(assigned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    hub = copied(assigned, tmp_path_factory.mktemp("after-one-journey"))
    plant = SiteOnPaper(hub.folder / "site", datetime.now(UTC))
    carried(hub, plant)
    received(hub, hub.returned(plant))
    hub.close()
    return hub.folder


@pytest.fixture
def answered(after_one_journey: Path, tmp_path: Path) -> Iterator[Acme]:
    """The site runs version 1, and its receipt came home."""
    hub = copied(after_one_journey, tmp_path)
    yield hub
    hub.close()


def test_a_bundle_leaves_out_what_the_receipt_lists(answered: Acme, plant: SiteOnPaper) -> None:
    answered.promoted(2)
    answered.assign(2)
    export = answered.export()
    folder = export.folder
    assert named(answered, folder) == blobs(folder) | set(export.ready.left_out)
    assert not blobs(folder) & set(export.ready.left_out)
    assert export.ready.left_out
    assert said(folder).base == ("plant-7-000001",)
    assert len(manifests(folder)) == 2, "manifests travel always"
    read_me = (folder / layout.READ_ME).read_text()
    assert "receipt for plant-7-000001" in read_me
    assert "sealift export plant-7 --full" in read_me
    receipt = plant.take(folder).receipt
    assert {one.outcome for one in receipt.artifacts} == {"installed"}
    current = plant.root / "models" / GROUP / MODEL / "current"
    there = {sha256(file.read_bytes()).hexdigest() for file in current.iterdir()}
    assert there & blobs(folder), "what runs came with this bundle"


def test_nothing_new_needs_no_blob(answered: Acme, plant: SiteOnPaper) -> None:
    folder = answered.export().folder
    assert blobs(folder) == set()
    assert plant.take(folder).receipt.artifacts[0].outcome == "installed"


def test_a_full_bundle_leaves_out_nothing(answered: Acme) -> None:
    folder = answered.export(full=True).folder
    assert blobs(folder) == named(answered, folder)
    assert said(folder).base == ()
    assert "leaves out" not in (folder / layout.READ_ME).read_text()


def test_the_first_bundle_is_full(ready: Acme) -> None:
    export = ready.export()
    assert blobs(export.folder) == named(ready, export.folder)
    assert (said(export.folder).base, export.ready.left_out) == ((), {})


def test_a_bundle_that_never_arrived_changes_nothing(answered: Acme, plant: SiteOnPaper) -> None:
    """Receipts count, and not what was sent: the newer bundle carries what the lost one did."""
    answered.promoted(2)
    answered.assign(2)
    lost = answered.export(to=made(answered.folder / "lost")).folder
    again = answered.export(to=made(answered.folder / "again")).folder
    assert blobs(lost) == blobs(again) != set()
    assert said(again).base == ("plant-7-000001",)
    assert plant.take(again).receipt.artifacts[0].outcome == "installed"


def test_what_is_at_the_site_need_not_be_at_the_hub(answered: Acme) -> None:
    """A blob that is left out is not read."""
    gone = held(answered).blobs
    for digest in gone:
        answered.app.hub.home.blobs.remove(digest)
    made = answered.export()
    assert made.ready.left_out.keys() == gone != set()
    assert not gone & blobs(made.folder)


def test_another_enrolment_begins_with_nothing(answered: Acme, plant: SiteOnPaper) -> None:
    answered.enrol(another(plant))
    answered.assign()
    assert held(answered) == NOTHING
    assert said(answered.export().folder).base == ()


def test_receipts_that_overtake_each_other(answered: Acme, plant: SiteOnPaper) -> None:
    """The newest by the site's own log counts, in whichever order they arrive."""
    answered.promoted(2)
    answered.assign(2)
    late = answered.export().folder
    plant.take(late)
    early = answered.returned(plant, made(answered.folder / "early"))
    with_two = received(answered, early)
    assert [one.predicate.transfer for one in with_two.receipts] == ["plant-7-000002"]
    assert held(answered).transfer == "plant-7-000002"
    before = held(answered)
    received(answered)  # the first return, once more
    assert held(answered) == before


def receipt_of(hub: Acme, **changes: Loose) -> None:
    """Put another receipt into the hub's table: what a site could have signed."""
    (row,) = hub.rows()["receipt"]
    honest = statements.read(Receipt, row[3], what="it")
    with SiteOnPaper(hub.folder / "site", datetime.now(UTC)).opened() as site:
        signer = site.signer()
    body = statements.sign(replace(honest.predicate, **changes), honest.subjects, signer)
    with hub.behind() as connection:
        values = (sha256(body).hexdigest(), row[1], row[2], body, row[4])
        connection.execute(insert(tables.receipt).values(values))


def test_what_a_site_says_it_lost_travels_again(answered: Acme) -> None:
    one, *rest = sorted(held(answered).blobs)
    receipt_of(answered, lost=(one,), made="2099-01-01T00:00:00.000000Z")
    assert held(answered).blobs == frozenset(rest)
    lost = "Site plant-7 says that it has lost 1 blob; the next bundle brings what is lost."
    assert lost in [step.sentence for step in answered.app.missing()]
    assert one in blobs(answered.export().folder)
    assert lost not in [step.sentence for step in answered.app.missing()]  # it is on its way


def test_an_inventory_that_names_what_is_no_manifest(answered: Acme) -> None:
    """A site could name anything: a model, to have it read into memory; or what is not there."""
    store = answered.app.hub.home.blobs
    (manifest,) = held(answered).manifests
    model = next(d for d in store.digests() if store.read(d) == b"" or d != manifest)
    later = "2099-01-01T00:00:00.000000Z"
    receipt_of(answered, inventory=(manifest, model, "ab" * 32), made=later)
    assert held(answered).blobs == read_manifest(store.read(manifest), what="it").blobs.keys()


def test_a_manifest_the_hub_has_no_more_vouches_for_nothing(answered: Acme) -> None:
    (manifest,) = held(answered).manifests
    answered.app.hub.home.blobs.remove(manifest)
    assert held(answered).blobs == frozenset()


def in_site_log(hub: Acme, kind: str, data: Loose) -> None:
    """Add an entry to what the hub keeps of the site's log, as if it had come home."""
    hub.site_says(new_entry(kind, "site", hub.app.hub.now(), data, []))


def test_what_the_sites_log_says_was_lost_since(answered: Acme) -> None:
    one, *rest = sorted(held(answered).blobs)
    in_site_log(answered, "store.damaged", {"lost": [one, "cd" * 32]})
    in_site_log(answered, "store.checked", {"lost": rest})
    assert held(answered).blobs == frozenset(rest)
    assert one in blobs(answered.export().folder)


@pytest.mark.parametrize("data", [{}, {"lost": "x"}, {"lost": [7]}, {"lost": ["../x"]}, []])
def test_damage_that_is_not_understood_is_all_of_it(answered: Acme, data: Loose) -> None:
    in_site_log(answered, "store.damaged", data)
    assert held(answered) == NOTHING
    assert said(answered.export().folder).base == ()


def test_damage_before_the_receipt_was_in_it(answered: Acme, plant: SiteOnPaper) -> None:
    """What the site lost and got again is not brought for ever."""
    in_site_log(answered, "store.damaged", {"lost": sorted(held(answered).blobs)})
    size = len(answered.rows()["site_entry"])
    assert held(answered).blobs == frozenset()
    (row,) = answered.rows()["receipt"]
    log = statements.read(Receipt, row[3], what="it").predicate.log
    head, _, rest = log.partition("\n")
    _, _, rest = rest.partition("\n")
    receipt_of(answered, log=f"{head}\n{size}\n{rest}")
    assert held(answered).blobs != frozenset()


def test_a_receipt_whose_checkpoint_is_forged(ready: Acme, plant: SiteOnPaper) -> None:
    """By its size the newest receipt is told: a site's other key must not choose it."""
    carried(ready, plant)
    medium = ready.returned(plant)
    (file,) = medium.rglob("receipts/*.json")
    honest = statements.read(Receipt, file.read_bytes(), what="it")
    with plant.opened() as site:
        signer = site.signer()
    for log in ("nonsense", honest.predicate.log.replace("\n1", "\n9", 1) + "x"):
        lie = replace(honest.predicate, log=log)
        file.write_bytes(statements.sign(lie, honest.subjects, signer))
        with pytest.raises(RefusedError):
            received(ready)
    assert ready.rows()["receipt"] == []
