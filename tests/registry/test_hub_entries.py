"""Every change is one entry in the log; where the entry cannot be written, nothing happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sealift_registry.delivery import check_row_permission
from sealift_signing.errors import SealiftError
from sealift_sync.site.setup.initialising import begin_enrolment
from tests import models
from tests.blob_faults import spoil, with_bytes
from tests.registry.hub_fixture import (
    APPROVERS,
    GROUP,
    SITE,
    STAGE,
    TARGET,
    TEAM,
    Acme,
    quiet,
    taken_in,
    version,
)
from tests.registry.signing_people import carry_out, draft_renewal
from tests.site_on_paper import SiteOnPaper
from tests.stores import no_writer

Act = Callable[[], object]
FULL = "database or disk is full"


def adding_a_team(hub: Acme, _: SiteOnPaper) -> Act:
    stewards = {name: hub.new_key(name) for name in ("hans", "ines")}
    return lambda: hub.add_team("fraud", stewards)


def entitling(hub: Acme, _: SiteOnPaper) -> Act:
    hub.new_key("gina")
    return lambda: hub.entitle("gina", "request")


def letting_rows_out(hub: Acme, _: SiteOnPaper) -> Act:
    wanted = check_row_permission.wanted(hub.app.hub, TEAM, travel=True)
    return lambda: carry_out(hub.app, wanted, hub.stewards)


def renewing(hub: Acme, _: SiteOnPaper) -> Act:
    hub.later(days=1)

    def act() -> None:
        one = hub.app.hub
        with one.reading() as connection:
            change = draft_renewal(connection, "recall", [hub.signer("recall-1")], one.now())
        one.commit_change(change, one.entry("role.renewed", "recall-1", {"at_hub": False}))

    return act


def ingesting(hub: Acme, _: SiteOnPaper) -> Act:
    goldens = hub.goldens()
    return lambda: hub.ingest(3, goldens)


def ingesting_again(hub: Acme, _: SiteOnPaper) -> Act:
    goldens = hub.goldens(9)
    return lambda: hub.ingest(1, goldens)


def converting(hub: Acme, _: SiteOnPaper) -> Act:
    return lambda: hub.convert(1, "cpu-aarch64")


def measuring_again(hub: Acme, _: SiteOnPaper) -> Act:
    hub.ingest(1, hub.goldens(9))
    return hub.convert


def comparing(hub: Acme, _: SiteOnPaper) -> Act:
    return lambda: hub.app.comparisons.compare(version(1), STAGE, quiet)


def requesting(hub: Acme, _: SiteOnPaper) -> Act:
    return hub.request


def approving(hub: Acme, _: SiteOnPaper) -> Act:
    number = hub.request()
    return lambda: hub.approve(number, APPROVERS[0])


def objecting(hub: Acme, _: SiteOnPaper) -> Act:
    number = hub.request()
    return lambda: hub.objects(number, "carla")


def listing(hub: Acme, _: SiteOnPaper) -> Act:
    number = hub.request()
    hub.approve(number, APPROVERS[0])
    return lambda: hub.approve(number, APPROVERS[1])


def enrolling(hub: Acme, plant: SiteOnPaper) -> Act:
    request = begin_enrolment(plant.root, {}, SITE, {GROUP: TARGET}, plant.clock)
    return lambda: hub.enrolled(request)


def enrolling_again(hub: Acme, plant: SiteOnPaper) -> Act:
    hub.enrol(plant)
    return enrolling(hub, SiteOnPaper(plant.root.with_name("again"), plant.now))


def assigning(hub: Acme, plant: SiteOnPaper) -> Act:
    hub.promoted()
    hub.enrol(plant)
    return hub.assign


def retiring(hub: Acme, plant: SiteOnPaper) -> Act:
    assigning(hub, plant)()
    return hub.unassign


def exporting(hub: Acme, plant: SiteOnPaper) -> Act:
    assigning(hub, plant)()
    return hub.export


def receiving(hub: Acme, plant: SiteOnPaper) -> Act:
    exporting(hub, plant)
    plant.take(hub.export().folder)
    hub.returned(plant)

    def act() -> None:
        _, refused = hub.app.returns.receive(hub.medium)
        if refused:
            raise refused[0]

    return act


USE_CASES: Mapping[Callable[[Acme, SiteOnPaper], Act], list[str]] = {
    adding_a_team: ["team.added"],
    entitling: ["team.members-changed"],
    letting_rows_out: ["team.check-rows-changed"],
    renewing: ["role.renewed"],
    ingesting: ["version.ingested"],
    ingesting_again: ["version.seen-again"],
    converting: ["variant.built"],
    measuring_again: ["variant.measured"],
    comparing: ["variant.compared"],
    requesting: ["promotion.requested"],
    approving: ["promotion.approved"],
    listing: ["promotion.approved"],
    objecting: ["promotion.objected"],
    enrolling: ["site.enrolled"],
    enrolling_again: ["site.enrolled"],
    assigning: ["site.assigned"],
    retiring: ["site.unassigned"],
    exporting: ["transfer.begun", "transfer.exported"],
    receiving: ["return.accepted"],
}
SLOW = {ingesting, ingesting_again, converting, measuring_again}
"""These run subprocesses; one way of failing is enough for them."""


@pytest.mark.parametrize("use_case", USE_CASES, ids=lambda one: one.__name__)
def test_one_change_one_entry_or_nothing(
    hub: Acme, plant: SiteOnPaper, use_case: Callable[[Acme, SiteOnPaper], Act]
) -> None:
    act = use_case(hub, plant)
    before, entries = hub.rows(), len(hub.types())

    hub.refuses("log_entry", FULL)
    failed(act, FULL)
    hub.takes_again("log_entry")
    assert hub.rows() == before

    if use_case not in SLOW:
        with_the_lock_out_of_reach(hub, act)
        assert hub.rows() == before

    act()
    assert hub.types()[entries:] == USE_CASES[use_case]
    changed = {name for name, rows in hub.rows().items() if rows != before[name]}
    assert changed - {"log_entry", "log_term", "log_checkpoint"}
    left = [one.name for one in (hub.root / "work").rglob("*")]
    left = [one for one in left if not one.startswith("process-")]  # whose claims are alive
    # The one holds exports' locks, the other says when blobs on a server were last swept.
    assert set(left) <= {"exports", "blobs-swept"}, "work is cleared away"


def failed(act: Act, why: str) -> None:
    with pytest.raises(SealiftError) as caught:
        act()
    assert why in caught.value.what
    assert caught.value.exit_code == 4
    assert caught.value.next_step


def with_the_lock_out_of_reach(hub: Acme, act: Act) -> None:
    """Nobody can become the one writer, so nobody writes."""
    with no_writer(hub.app.hub.database):
        failed(act, "so nothing was done")


def test_a_row_that_cannot_be_written_takes_its_entry_with_it(hub: Acme) -> None:
    number = hub.request()
    hub.refuses("approval", FULL)
    before = hub.rows()
    failed(lambda: hub.approve(number, "carla"), FULL)
    assert hub.rows() == before


def test_nothing_new_is_no_entry(hub: Acme) -> None:
    before = hub.rows()
    again = hub.ingest(1, hub.goldens())
    assert (again.new, again.version.ref.number) == (False, 1)
    assert not hub.convert().new
    assert hub.rows() == before


def test_the_same_signed_by_another_key_is_something_new(acme: Acme) -> None:
    one = acme.app.hub

    def renewed(key: str) -> bool:
        with one.reading() as connection:
            change = draft_renewal(connection, "fleet", [acme.signer(key)], one.now())
        return one.commit_change(change, one.entry("role.renewed", "fleet", {}))

    assert not renewed("fleet-1"), "it was founded just now, and signed by this key"
    assert renewed("fleet-2"), "it may be signed anew because the first key counts no more"


def test_goldens_that_were_given_before_count_again(hub: Acme) -> None:
    first, second = hub.goldens(), hub.goldens(9)
    old = hub.ingest(1, first).goldens
    new = hub.ingest(1, second).goldens
    assert hub.ingest(1).goldens == new != old
    assert hub.ingest(1, first).goldens == old == hub.ingest(1).goldens


def a_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x04K\x01.")


def a_lightgbm_text(path: Path) -> None:
    """Readable elsewhere, but as a plain file it would have no record of its origin."""
    models.lightgbm_digits(path)


@pytest.mark.parametrize("make, code", [(a_pickle, "scan-pickle"), (a_lightgbm_text, "not-onnx")])
def test_what_is_refused_leaves_its_entry_and_nothing_else(
    acme: Acme, make: Callable[[Path], None], code: str
) -> None:
    path = acme.folder / "m.onnx"
    make(path)
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.intake.onnx_source import OnnxSource

    before = acme.rows()
    with pytest.raises(SealiftError) as caught:
        taken_in(acme.app, OnnxSource(path), ModelRef("vision", "m"), None)
    assert (caught.value.exit_code, caught.value.code) == (1, code)
    assert acme.types()[-1] == "intake.refused"
    after = acme.rows()
    assert {n for n in after if after[n] != before[n]} == {
        "log_entry",
        "log_term",
        "log_checkpoint",
    }
    left = {one.name for one in (acme.root / "work").glob("*")}
    assert left <= {"blobs-swept"}, "when blobs on a server were last swept"


def test_the_same_twice_at_once(acme: Acme, tmp_path: Path) -> None:
    """Neither found it there before; one takes it in, and the other is told of that."""
    from concurrent.futures import ThreadPoolExecutor

    goldens = acme.goldens()
    acme.ingest(1)  # writes the file that both read
    with acme.another() as other, ThreadPoolExecutor(2) as threads:
        other.app  # noqa: B018
        made = list(threads.map(lambda one: one.ingest(1, goldens, "vision/other"), (acme, other)))
        assert sorted(one.new for one in made) == [False, True]
        assert {one.version.ref.number for one in made} == {1}
        acme.ingest(1, goldens)
        built = list(threads.map(lambda one: one.convert(), (acme, other)))
    assert sorted(one.new for one in built) == [False, True]
    assert len({one.artifact.sha256 for one in built}) == 1
    assert acme.types().count("variant.built") == 1


def test_a_source_that_rotted_on_the_hubs_disk_is_not_converted(acme: Acme) -> None:
    """It would be compared with itself, and vouched for under the digest of what it had been."""
    acme.ingest(1, acme.goldens())
    content = (acme.folder / "tiny-1.onnx").read_bytes()
    blobs = acme.app.hub.home.blobs
    spoil(blobs, with_bytes(blobs, content), content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(SealiftError) as caught:
        acme.convert()
    assert caught.value.code == "hub-blob-damaged"
    acme.ingest(1)
    assert acme.convert().new
