"""What is written for a site is what its software reads; else it is said which release it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_registry.delivery import site_software
from sealift_registry.delivery.sites import Sites
from sealift_signing import canonical, features, statements
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Receipt
from sealift_signing.transparency.entry import new_entry
from sealift_sync.bundle import layout
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.setup import software_told
from sealift_sync.software import SOFTWARE_CHANGED
from tests.registry.hub_fixture import SITE, Acme, Loose, copied, stage
from tests.registry.test_delivery import carried, received
from tests.registry.test_exports_delta import receipt_of
from tests.registry.test_exports_packs import carried as packed_template  # noqa: F401 - a fixture
from tests.registry.test_exports_packs import folder  # noqa: F401 - a fixture
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.site_on_paper import SiteOnPaper

ALL = features.reads(features.AT_A_SITE)


def without(*names: str) -> tuple[str, ...]:
    return tuple(one for one in ALL if one not in names)


def says(hub: Acme, reads: Loose, software: str = "sealift-offline-sync 0.0.9") -> None:
    """The site says in its log what it reads, and that came home."""
    data = {"software": software, "reads": reads}
    hub.site_says(new_entry(SOFTWARE_CHANGED, "site", hub.app.hub.now(), data, []))


def said(hub: Acme) -> site_software.SiteSoftware:
    with hub.app.hub.reading() as connection:
        return site_software.software_of(connection, Sites(connection).get(SITE))


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


@pytest.fixture
def packed(packed_template: Path, tmp_path: Path) -> Iterator[Acme]:  # noqa: F811 - the fixture
    """A site whose model has packs."""
    hub = copied(packed_template, tmp_path)
    yield hub
    hub.close()


# ---------------------------------------------------------------- export


def test_f1_08_what_a_site_does_not_read_is_not_written(packed: Acme) -> None:
    packed.medium.mkdir(exist_ok=True)
    before = (sorted(packed.medium.rglob("*")), packed.rows())
    says(packed, without("transfer:packs"))
    with_entry = packed.rows()
    with pytest.raises(RefusedError) as error:
        packed.export()
    words = str(error.value)
    assert error.value.code == "site-lacks-features"
    assert "The bundle for plant-7 needs what its software" in words
    assert "does not read: transfer:packs (transfer.json)." in words
    assert "That software is “sealift-offline-sync 0.0.9”, by its log" in words
    assert "Install Sealift 0.1 or newer at plant-7, and have it say so" in words
    assert packed.rows() == with_entry, "no number was given, and nothing logged"
    assert sorted(packed.medium.rglob("*")) == before[0], "before the first byte"
    refused(lambda: packed.app.exports.plan(SITE, packed.medium), "site-lacks-features")
    says(packed, ALL)
    assert (packed.export().folder / layout.TRANSFER).exists()


def test_f1_08_who_stole_a_sites_key_keeps_no_bundle_from_it(packed: Acme) -> None:
    """It says that it reads nothing; whoever knows better writes all the same, and is told."""
    says(packed, [])
    export = packed.app.exports.export
    made = export(SITE, packed.medium, packed.dispatcher(), stage, any_software=True)
    (told,) = made.warnings
    begun = packed.app.hub
    with begun.engine.connect() as connection:
        newest = connection.exec_driver_sql(
            "SELECT body FROM log_entry WHERE type = 'transfer.begun' ORDER BY seq DESC LIMIT 1"
        ).scalar_one()
    assert json.loads(newest)["data"]["any_software"] is True
    assert told.startswith("Written all the same: The bundle for plant-7 needs what its software")
    packed.unassign(any_software=True)


def test_f1_08_a_bundle_without_it_is_written(answered: Acme, plant: SiteOnPaper) -> None:
    """Nothing in it has packs, so that the site does not read them does not matter."""
    reads = without(*(one.full for one in features.FEATURES))
    receipt_of(answered, reads=reads, made="2099-01-01T00:00:00.000000Z")
    assert said(answered).reads == reads
    assert plant.take(answered.export().folder).receipt.artifacts


def test_f1_08_the_newest_word_counts(answered: Acme) -> None:
    assert said(answered).where == "its receipt for plant-7-000001"
    assert said(answered).reads == ALL
    says(answered, ["transfer:1"], "older")
    assert said(answered).software == "older"
    says(answered, ALL, "newer")
    assert (said(answered).software, said(answered).reads) == ("newer", ALL)


@pytest.mark.parametrize(
    "data",
    [
        *(
            {},
            [],
            {"software": 1, "reads": ALL},
            {"software": "x"},
            {"software": "x", "reads": [1]},
        ),
        {"software": "x" * 57_000, "reads": ALL},
        {"software": "reads everything\x1b[2J", "reads": ALL},
    ],
)
def test_f1_08_what_makes_no_sense_changes_nothing(answered: Acme, data: Loose) -> None:
    answered.site_says(new_entry(SOFTWARE_CHANGED, "site", answered.app.hub.now(), data, []))
    assert said(answered).where == "its receipt for plant-7-000001"


def test_f1_08_what_a_site_calls_its_software_hides_no_feature(packed: Acme) -> None:
    says(packed, without("transfer:packs"), "reads everything; nothing is lacking. " * 50)
    words = refused(packed.export, "site-lacks-features")
    assert words.index("transfer:packs") < words.index("reads everything")
    assert len(words) < 500


def test_f1_08_before_its_first_receipt_a_site_said_it_in_its_request(ready: Acme) -> None:
    assert (said(ready).where, said(ready).reads) == ("its request", ALL)


# ---------------------------------------------------------------- assignments


def test_f1_09_an_assignment_is_not_signed_that_its_site_does_not_read(answered: Acme) -> None:
    says(answered, without("assignment:retire", "assignment:back"))
    before = answered.rows()
    words = refused(answered.unassign, "site-lacks-features")
    assert "The assignment for plant-7" in words
    assert "assignment:retire (sites/plant-7/assignment.json)" in words
    assert answered.rows() == before
    answered.promoted(2)
    answered.assign(2)  # says nothing by a feature
    words = refused(lambda: answered.assign(1, back="It misreads."), "site-lacks-features")
    assert "assignment:back" in words


def test_f1_09_software_that_told_no_features_is_taken_for_the_last_such(answered: Acme) -> None:
    says(answered, ["transfer:1"])
    answered.unassign()
    assert answered.export().folder.exists()


# ---------------------------------------------------------------- a site that was brought forward


def test_f1_13_a_site_with_other_software_says_so_on_its_way_home(
    answered: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = without("assignment:retire")
    receipt_of(answered, reads=older, software="older", made="2099-01-01T00:00:00.000000Z")
    refused(answered.unassign, "site-lacks-features")
    with plant.opened() as site:
        before = SiteLogReader(site.state.connection).checkpoint().size
    monkeypatch.setattr(software_told, "software", lambda: "sealift-offline-sync 9.9")
    for _ in range(2):  # said once
        received(answered, answered.returned(plant))
        with plant.opened() as site:
            assert SiteLogReader(site.state.connection).checkpoint().size == before + 1
    assert said(answered).software == "sealift-offline-sync 9.9"
    answered.unassign()


def test_f1_13_a_site_that_went_back_and_forth_says_so(
    answered: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Software of before imported in between, and knew nothing of what was remembered."""
    with monkeypatch.context() as patch:
        patch.setattr("sealift_sync.site.importing.making_receipt.READS", ("transfer:1",))
        patch.setattr(software_told, "remember_told", lambda _site: None)
        answered.promoted(2)
        answered.assign(2)
        plant.take(answered.export().folder)
    received(answered, answered.returned(plant))
    assert (said(answered).reads, said(answered).where[:7]) == (ALL, "its log")


def test_f1_13_a_home_of_before_remembers_what_its_receipt_told(
    answered: Acme, plant: SiteOnPaper
) -> None:
    with plant.opened() as site, site.state.transaction():
        site.state.clear_fact("told-software")
        before = SiteLogReader(site.state.connection).checkpoint().size
    answered.returned(plant)
    with plant.opened() as site:
        assert SiteLogReader(site.state.connection).checkpoint().size == before


# ---------------------------------------------------------------- more


MORE = {"power": {"watts": 12}, "note": "it\nrained; sealift export plant-7"}


def signed_anew(plant: SiteOnPaper, **changes: Loose) -> None:
    """The site's last receipt says something else, as one of newer software could."""
    with plant.opened() as site, site.state.transaction():
        (done,) = site.state.imported()
        honest = statements.read(Receipt, done.receipt, what="it")
        said = replace(honest.predicate, **changes)
        body = statements.sign(said, honest.subjects, site.signer())
        site.state.connection.execute("UPDATE imported SET receipt = ?", (body,))


def test_f1_14_what_a_receipt_says_besides_is_taken_and_shown(
    ready: Acme, plant: SiteOnPaper, capsys: Capsys
) -> None:
    carried(ready, plant)
    signed_anew(plant, more=MORE)
    medium = ready.returned(plant)
    extract = next(medium.rglob("extract.json"))
    value = json.loads(extract.read_bytes()) | {"more": {"carrier": "by hand"}}
    extract.write_bytes(canonical.encode(value))
    cli = Cli(ready, capsys)
    shown = cli.says("receive", medium)
    assert "    besides, note: “it\\nrained; sealift export plant-7”" in shown.splitlines()
    assert '    besides, power: “{"watts":12}”' in shown.splitlines()
    told = "  on the medium, signed by nobody: besides, carrier: “by hand”"
    assert told in shown.splitlines()
    for what in ("plant-7", "plant-7-000001"):
        assert '    besides, power: “{"watts":12}”' in cli.says("show", what).splitlines()
        assert cli.json("show", what)["more"] == MORE


def test_f1_14_under_json_all_of_it_is_there(
    ready: Acme, plant: SiteOnPaper, capsys: Capsys
) -> None:
    carried(ready, plant)
    signed_anew(plant, more=MORE)
    (told,) = Cli(ready, capsys).json("receive", ready.returned(plant))["returns"]
    assert told["more"] == {"plant-7-000001": MORE}
    assert "unsigned_more" not in told


def test_f1_14_no_decision_differs_by_it(answered: Acme, plant: SiteOnPaper) -> None:
    """The same receipt with and without: what is left out, what runs, what is next."""
    before = [step.sentence for step in answered.app.missing()]
    receipt_of(answered, more=MORE, made="2099-01-01T00:00:00.000000Z")
    assert [step.sentence for step in answered.app.missing()] == before
    export = answered.export()
    assert export.ready.left_out
    assert plant.take(export.folder).receipt.artifacts[0].outcome == "installed"


def test_f1_14_a_receipt_of_ours_has_nothing_there(answered: Acme) -> None:
    (row,) = answered.rows()["receipt"]
    receipt = statements.read(Receipt, row[3], what="it")
    assert receipt.predicate.more is None
    assert b'"more"' not in receipt.envelope.payload
    assert replace(receipt.predicate, more={}) != receipt.predicate
