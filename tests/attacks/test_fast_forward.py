"""A thief of the hub's own keys counts far ahead, once; then the keys are replaced.

By the role's name alone nothing the honest hub signs afterwards would ever be new enough again. So
a floor belongs to the keys that hold a role (`sealift_signing.floors`).
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_signing.documents import members_path
from sealift_signing.errors import SealiftError
from sealift_signing.floors import ANY, FIELD
from sealift_sync.bundle import layout
from sealift_sync.site.running.reactivation import activate_assigned
from tests.attacks.test_going_back import forge_snapshot, replace_metadata
from tests.hub_on_paper import HubOnPaper, relist
from tests.offline_sync.databases import UNCOUNTED
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, rule

FAR = 10**15 - 10
"""As far as receipts can say it, and a little room."""
TIMESTAMP, SNAPSHOT, CATALOG, TEAM = "timestamp", "snapshot", "catalog.vision", "team.vision"
ONLINE = (TIMESTAMP, SNAPSHOT, CATALOG)


def fast_forward(hub: HubOnPaper, medium: Path, *roles: str) -> Path:
    """A bundle of the thief's, in which these roles are at 10^15; the hub knows nothing of it."""
    hub.publish_assignment()
    with hub.repository.stolen():
        for role in roles:
            hub.repository.current[role].signed.version = FAR
        if CATALOG in roles:
            with hub.repository.next(CATALOG):
                pass
        return hub.export(medium)


def forget_what_was_kept(site: SiteOnPaper) -> None:
    """So that the walk compares with nothing, and the floors alone stand."""
    with site.opened() as opened, opened.state.transaction():
        opened.state.connection.execute("DELETE FROM trusted")


def replace_freshness(hub: HubOnPaper, floor: int | None) -> None:
    """Root gives timestamp and snapshot to new keys: the walk compares one with the other."""
    for role in (TIMESTAMP, SNAPSHOT):
        hub.repository.rotate(role, 1, f"new-{role}", floor=floor)


def replace_all(hub: HubOnPaper, floor: int | None = 1) -> None:
    replace_freshness(hub, floor)
    hub.repository.hand_on(CATALOG, "new-catalog", floor=floor)
    with hub.repository.next(CATALOG):
        pass


@pytest.mark.parametrize("roles", [(TIMESTAMP,), (SNAPSHOT,), (CATALOG,), ONLINE])
def test_t1_01_a_fast_forward_has_a_way_out(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(tmp_path / "medium"))
    stolen = fast_forward(hub, tmp_path / "thief", *roles)  # and another one, for later
    site.take(fast_forward(hub, tmp_path / "thief", *roles))
    refusal = site.refuses(hub.export(tmp_path / "barred"))
    assert refusal.code in {"role-went-back", "role-forked"}

    replace_all(hub)
    hub.assign(hub.promote(2))
    site.take(hub.export(tmp_path / "again"))
    assert site.refuses(stolen).code == "no-key"
    site.take(hub.export(tmp_path / "and-on"))


@pytest.mark.parametrize("role", ONLINE)
def test_t1_01_a_number_that_no_receipt_could_name_is_refused_before_anything_is_copied(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, role: str
) -> None:
    hub.assign(hub.promote(1))
    hub.publish_assignment()
    with hub.repository.stolen():
        hub.repository.current[role].signed.version = 2**53 - 2
        if role == CATALOG:
            with hub.repository.next(CATALOG):
                pass
        stolen = hub.export(tmp_path / "thief")
    refusal = site.refuses(stolen)
    assert (refusal.code, refusal.subject) == ("metadata-number", role)
    site.take(hub.export(tmp_path / "medium"))


@pytest.mark.parametrize("roles", [(TIMESTAMP,), (SNAPSHOT,), (CATALOG,), ONLINE])
def test_t1_01_new_keys_of_which_no_floor_is_stated_go_on_from_the_old_one(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    hub.assign(hub.promote(1))
    site.take(fast_forward(hub, tmp_path / "thief", *roles))
    replace_all(hub, floor=None)
    refusal = site.refuses(hub.export(tmp_path / "again"))
    assert refusal.code == "below-floor"
    assert f"it is not taken below version {FAR // 100}" in refusal.what


def test_t1_01_new_keys_are_not_taken_below_what_was_stated_for_them(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(tmp_path / "medium"))
    replace_freshness(hub, 500)
    refusal = site.refuses(hub.export(tmp_path / "again"))
    assert refusal.code == "below-floor"
    assert "is not taken below version 500" in refusal.what
    hub.repository.current[TIMESTAMP].signed.version = 499
    hub.repository.current[SNAPSHOT].signed.version = 499
    site.take(hub.export(tmp_path / "above"))


def test_t1_01_new_keys_have_a_floor_of_their_own_from_the_first_visit_on(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(fast_forward(hub, tmp_path / "thief", *ONLINE))
    replace_all(hub)
    old = hub.export(tmp_path / "old")
    site.take(hub.export(tmp_path / "newer"))
    assert site.refuses(old).code == "role-went-back"
    # Also where nothing that was kept says so: the floor is another wall.
    forget_what_was_kept(site)
    assert site.refuses(old).code == "below-floor"


def test_t1_01_keys_that_come_back_find_their_old_floor(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    """Whoever gives a role back to stolen keys gives it back to the thief's number."""
    hub.assign(hub.promote(1))
    site.take(fast_forward(hub, tmp_path / "thief", TIMESTAMP))
    replace_freshness(hub, 1)
    site.take(hub.export(tmp_path / "again"))
    for role in (TIMESTAMP, SNAPSHOT):
        hub.repository.rotate(role, 1, f"hub-{role}", floor=1)
    assert site.refuses(hub.export(tmp_path / "back")).code == "below-floor"


def test_t1_01_a_bundle_without_the_newer_roots_leads_nobody_back_to_old_keys(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    """The thief leaves out the root by which the keys were replaced: the site knows it."""
    hub.assign(hub.promote(1))
    site.take(hub.export(tmp_path / "medium"))
    stolen = fast_forward(hub, tmp_path / "thief", TIMESTAMP)
    replace_all(hub)
    site.take(hub.export(tmp_path / "again"))
    assert not (stolen / "metadata/2.root.json").exists()
    assert site.refuses(stolen).code == "no-key"


def test_t1_01_a_bundle_of_the_old_delegator_leads_nobody_back_to_old_keys(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    """Only the catalog's key was replaced; the thief still has it, and the other two."""
    hub.assign(hub.promote(1))
    site.take(hub.export(tmp_path / "medium"))
    stolen = fast_forward(hub, tmp_path / "thief", *ONLINE)
    hub.repository.hand_on(CATALOG, "new-catalog", floor=1)
    with hub.repository.next(CATALOG):
        pass
    site.take(hub.export(tmp_path / "again"))
    refusal = site.refuses(stolen)
    assert (refusal.code, refusal.subject) == ("role-went-back", "targets")


def test_t1_01_stewards_who_hand_on_are_not_gone_back_behind(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    """A floor of people's keys is stated, too: what they signed before is not signed for again."""
    hub.assign(hub.promote(1))
    site.take(hub.export(tmp_path / "medium"))
    old = hub.repository.current[TEAM].signed.version
    path = members_path("vision")
    members = hub.documents[path]
    hub.withdraw(model="vision/other", below=2)
    site.take(hub.export(tmp_path / "withdrawn"))
    now = hub.repository.current[TEAM].signed.version
    hub.repository.hand_on(TEAM, "stella", "stefan", "sara", floor=now)
    site.take(hub.export(tmp_path / "handed-on"))  # two of the three are the same
    with site.opened() as opened:
        rows = {key: n for key, n in opened.state.floors().items() if key[1] == TEAM}
    assert sorted(rows.values()) == [now, now]
    folder = hub.export(tmp_path / "back")
    forge_snapshot(hub, TEAM, old)
    number = hub.repository.current[SNAPSHOT].signed.version
    names = ("timestamp.json", f"{number}.snapshot.json", f"{old}.{TEAM}.json")
    replace_metadata(folder, hub, *names)
    (folder / layout.target_file(path)).write_bytes(members)
    relist(folder, hub, layout.target_file(path))
    assert site.refuses(folder).code == "role-went-back"
    forget_what_was_kept(site)
    refusal = site.refuses(folder)
    assert (refusal.code, refusal.subject) == ("below-floor", TEAM)


BAD: dict[str, Callable[[HubOnPaper], object]] = {
    "text": lambda hub: hub.repository.rotate(TIMESTAMP, 1, "new", floor="7"),  # type: ignore[arg-type]
    "true": lambda hub: hub.repository.rotate(TIMESTAMP, 1, "new", floor=True),
    "nought": lambda hub: hub.repository.rotate(TIMESTAMP, 1, "new", floor=0),
    "less": lambda hub: hub.repository.rotate(TIMESTAMP, 1, "new", floor=-1),
    "too much": lambda hub: hub.repository.rotate(TIMESTAMP, 1, "new", floor=10**15),
    "a list": lambda hub: hub.repository.rotate(TIMESTAMP, 1, "new", floor=[1]),  # type: ignore[arg-type]
    "of root": lambda hub: hub.repository.rotate("root", 2, "rita", "rolf", "rosa", floor=1),
    "of recall": lambda hub: hub.repository.hand_on("recall", "olaf", floor=1),
    "of a catalog": lambda hub: hub.repository.hand_on(CATALOG, "new", floor=0),
    "of a site": lambda hub: hub.repository.hand_on("site.plant-7", "dirk", floor=0),
    "in root": lambda hub: _say_beside(hub, "root"),
    "in targets": lambda hub: _say_beside(hub, "targets"),
    "in fleet": lambda hub: _say_beside(hub, "fleet"),
    "in a team": lambda hub: _say_beside(hub, TEAM),
}


def _say_beside(hub: HubOnPaper, role: str) -> None:
    with hub.repository.next(role) as signed:
        signed.unrecognized_fields[FIELD] = 1


@pytest.mark.parametrize("what", BAD)
def test_t1_01_a_floor_is_a_number_where_our_layout_has_one(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path, what: str
) -> None:
    hub.assign(hub.promote(1))
    hub.publish_assignment()
    BAD[what](hub)
    assert site.refuses(hub.export(tmp_path / "medium")).code == "bad-floor"


def test_t1_01_a_floor_stays_while_the_keys_do(hub: HubOnPaper) -> None:
    hub.repository.hand_on(CATALOG, "new-catalog", floor=77)
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, CATALOG)
    assert signed.delegations.roles[CATALOG].unrecognized_fields == {FIELD: 77}
    hub.repository.hand_on(CATALOG, "another", floor=None)
    found: Any = hub.repository.current["targets"].signed
    assert found.delegations.roles[CATALOG].unrecognized_fields == {}


def to_former_release(site: SiteOnPaper) -> None:
    """Floors as the release before kept them."""
    connection = sqlite3.connect(site.root / "sealift.db")
    with connection:
        connection.execute("CREATE TABLE floor (role TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        connection.execute(
            "INSERT INTO floor SELECT role, MAX(version) FROM floor_of_keys GROUP BY role"
        )
        connection.execute("DROP TABLE floor_of_keys")
        for statement in UNCOUNTED:  # its makers counted no schema
            connection.execute(statement)
    connection.close()
    with site.opened():
        pass  # any command of this release takes them over


def test_t1_01_a_site_that_was_counted_ahead_before_it_was_updated_has_a_way_out(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(fast_forward(hub, tmp_path / "thief", *ONLINE))
    to_former_release(site)
    assert site.refuses(hub.export(tmp_path / "barred")).code == "role-went-back"
    replace_all(hub)
    site.take(hub.export(tmp_path / "again"))
    with site.opened() as opened:
        rows = opened.state.floors()
    assert {key[1] for key in rows if key[2] == ANY} == {"root"}


def test_t1_01_an_update_forgets_no_floor(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    old = hub.export(tmp_path / "medium")
    hub.publish_policy(**{STAGE: rule(longest_validity_days=366)})
    site.take(hub.export(tmp_path / "newer"))
    to_former_release(site)
    assert site.refuses(old).code == "role-went-back"
    forget_what_was_kept(site)
    assert site.refuses(old).code == "below-floor"


def test_t1_01_an_enrolments_floor_counts_beside_a_stated_one(
    hub: HubOnPaper, blank: SiteOnPaper, tmp_path: Path
) -> None:
    """The stewards' floor of long ago says less than what was verified at the enrolment."""
    hub.repository.hand_on(TEAM, "stella", "stefan", "sara", floor=1)
    hub.publish_members()
    blank.enrol(hub, floors={TEAM: 40})
    hub.assign(hub.promote(1))
    refusal = blank.refuses(hub.export(tmp_path / "medium"))
    assert (refusal.code, refusal.subject) == ("below-floor", TEAM)


@pytest.fixture
def blank(tmp_path: Path, hub: HubOnPaper) -> SiteOnPaper:
    return SiteOnPaper(tmp_path / "blank", hub.now)


def test_t1_01_rollback_activation_and_recall_go_on_meanwhile(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    first, second = hub.promote(1), hub.promote(2)
    hub.assign(first)
    site.take(hub.export(tmp_path / "first"))
    hub.assign(second, first)
    site.take(hub.export(tmp_path / "second"))
    site.take(fast_forward(hub, tmp_path / "thief", *ONLINE))
    site.roll_back()
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    with site.opened("activate") as opened:
        activate_assigned(opened, "vision/digits", None, "It was not the model.")
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"
    site.roll_back()
    hub.recall(first.sha256)
    with pytest.raises(SealiftError) as caught:
        site.take(hub.export(tmp_path / "recall"))
    assert caught.value.code == "role-went-back"
    assert site.running() is None
    assert f"recalled {first.sha256}" in site.told
