"""Enrolling, assigning, exporting and receiving, at a real hub with a real site."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signer

from sealift_registry.audit.reading import LogReader
from sealift_registry.delivery import exports as exporting
from sealift_registry.delivery import finishing, receipts
from sealift_registry.delivery.assignments import current
from sealift_registry.delivery.returns import AcceptedReturn
from sealift_registry.delivery.running import last_heard, running
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust.repository import Repository
from sealift_signing import shape, statements
from sealift_signing.acts import assigning
from sealift_signing.acts.sites import with_site
from sealift_signing.documents import Assignment, FleetKeys, Members
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Receipt, SiteRequest, Transfer
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.question import Question
from sealift_signing.version_links import Lineage
from sealift_sync.bundle import layout
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.log.restored_site import ACKNOWLEDGED
from sealift_sync.site.reports.telephone import telephone_report
from sealift_sync.site.setup.initialising import begin_enrolment
from tests import stores
from tests.media import with_free
from tests.registry.hub_fixture import (
    GROUP,
    MODEL,
    SITE,
    TARGET,
    Acme,
    Loose,
    stage,
    version,
)
from tests.registry.signing_people import assign as sign_assignment
from tests.registry.signing_people import draft_renewal, enrol
from tests.registry.test_promotions import before_writing, refused, without
from tests.site_on_paper import SiteOnPaper


def sites(hub: Acme) -> list[EnrolledSite]:
    with hub.app.hub.reading() as connection:
        return Sites(connection).all()


def fleet(hub: Acme) -> FleetKeys:
    with hub.app.hub.reading() as connection:
        return Repository(connection).fleet_keys()


def asked(plant: SiteOnPaper, name: str = SITE, groups: dict[str, str] | None = None) -> bytes:
    return begin_enrolment(
        plant.root, {}, name, {GROUP: TARGET} if groups is None else groups, plant.clock
    )


def another(plant: SiteOnPaper, name: str = "again") -> SiteOnPaper:
    return SiteOnPaper(plant.root.with_name(name), plant.now)


def carried(hub: Acme, plant: SiteOnPaper) -> Path:
    """Export, and import at the site; the bundle."""
    folder = hub.export().folder
    plant.take(folder)
    return folder


# -------------------------------------------------------------------- enrolment


def test_a_damaged_request_and_one_for_what_nobody_knows(acme: Acme, plant: SiteOnPaper) -> None:
    request = asked(plant)
    for data in (b"", b"{}", request[:-9], request.replace(b'"sig":"', b'"sig":"AAAA')):
        with pytest.raises(RefusedError):
            acme.enrolled(data)
    refused(lambda: acme.enrolled(request, "moon"), "no-stage", NotFoundError)
    strange = asked(another(plant), groups={"line-1": "quantum-1"})
    what = refused(lambda: acme.enrolled(strange), "no-hardware-target", NotFoundError)
    assert "quantum-1" in what
    assert sites(acme) == []
    assert acme.types()[-1] == "team.members-changed"


def forged(acme: Acme, signer: Signer, **changes: Loose) -> bytes:
    """A site request that no site's software would make."""
    said = statements.read(
        SiteRequest, asked(SiteOnPaper(acme.folder / "s", acme.app.hub.now())), what=""
    )
    key = PublicKey.from_tuf(signer.public_key)
    predicate = replace(said.predicate, **{"key": key.text, **changes})
    from hashlib import sha256

    about = statements.subject(f"sites/{predicate.site}/key", sha256(key.raw).hexdigest())
    return statements.sign(predicate, [about], signer)


def test_a_site_without_host_groups(acme: Acme) -> None:
    refused(lambda: acme.enrolled(forged(acme, acme.signer("ben"), groups={})), "no-groups")


def test_a_site_cannot_take_the_key_of_another_machine_or_of_a_person(
    acme: Acme, plant: SiteOnPaper
) -> None:
    """Otherwise that machine would vanish from keys.json, or the person's approvals would."""
    builder = acme.app.hub.online.signer("builder")
    before = fleet(acme)
    refused(lambda: acme.enrolled(forged(acme, builder)), "key-of-another")
    what = refused(lambda: acme.enrolled(forged(acme, acme.signer("carla"))), "key-of-another")
    assert "that of carla (teams/vision/members.json)" in what
    assert fleet(acme) == before


def test_a_dispatcher_has_nobody_elses_key(acme: Acme, plant: SiteOnPaper) -> None:
    request, key = asked(plant), acme.signer("fleet-1")
    card = acme.card("dispatcher-1", acme.public("carla"))
    refused(lambda: enrol(acme.app, request, "staging", [card], key), "key-of-another")
    refused(lambda: enrol(acme.app, request, "staging", [], key), "no-dispatcher", UsageError)


def test_only_a_fleet_administrator_enrols(acme: Acme, plant: SiteOnPaper) -> None:
    card, request = acme.card("dispatcher-1"), asked(plant)
    for name in ("dispatcher-1", "root-1", "anna"):
        with pytest.raises(RefusedError):
            enrol(acme.app, request, "staging", [card], acme.signer(name))
    assert sites(acme) == []


def test_enrolling_again_begins_anew(ready: Acme, plant: SiteOnPaper) -> None:
    carried(ready, plant)
    old = sites(ready)[0]
    new = ready.enrol(another(plant))
    assert [site.enrolment for site in sites(ready)] == [new.enrolment]
    status = {key.key: key.status for key in fleet(ready).of("site")}
    assert status == {old.key.text: "retired", new.key.text: "active"}
    with ready.app.hub.reading() as connection:
        assert current(Repository(connection), new).groups == {}
    refused(ready.export, "nothing-assigned", NotFoundError)


def test_the_same_request_after_another_root_is_answered_anew(
    acme: Acme, plant: SiteOnPaper
) -> None:
    """Also within the hour: what was answered before is not what a site should trust now."""
    data = begin_enrolment(plant.root, {}, SITE, {GROUP: TARGET}, plant.clock)
    first = acme.enrolled(data)
    assert acme.enrolled(data) == first
    signers = [acme.signer("root-1"), acme.signer("root-3")]
    with acme.app.hub.reading() as connection:
        change = draft_renewal(connection, "root", signers, acme.app.hub.now())
    acme.app.hub.commit_change(change, acme.app.hub.entry("role.renewed", "x", {"role": "root"}))
    assert acme.enrolled(data).enrolment != first.enrolment


def test_the_newest_enrolment_counts_even_if_the_clock_went_back(
    acme: Acme, plant: SiteOnPaper
) -> None:
    acme.enrol(plant)
    acme.later(days=-3)
    new = acme.enrol(another(plant))
    assert [site.enrolment for site in sites(acme)] == [new.enrolment]


def test_a_stolen_site_key_does_not_come_back(acme: Acme, plant: SiteOnPaper) -> None:
    site = acme.enrol(plant)
    keys = fleet(acme)
    again = with_site(keys, SITE, site.key.text)
    assert [k.status for k in again.of("site")] == ["active"]
    stolen = replace(
        keys,
        keys=tuple(
            replace(k, status="compromised") if k.purpose == "site" else k for k in keys.keys
        ),
    )
    refused(lambda: with_site(stolen, SITE, site.key.text), "key-of-another")


# -------------------------------------------------------------------- assignment


def test_what_cannot_be_assigned(hub: Acme, plant: SiteOnPaper) -> None:
    refused(hub.assign, "no-site", NotFoundError)
    hub.enrol(plant)
    assert "not promoted to production" in refused(hub.assign, "not-listed")
    refused(lambda: hub.assign(7), "no-version", NotFoundError)
    number = hub.promoted()
    assert number == 1
    dispatcher = hub.signer("dispatcher-1")

    def say(
        groups: dict[str, str], fallbacks: list[int] | None = None, key: Signer = dispatcher
    ) -> None:
        sign_assignment(hub.app, SITE, version(1), groups, fallbacks, key)

    refused(lambda: say({"line-9": TARGET}), "no-group", NotFoundError)
    refused(lambda: say({GROUP: "cpu-aarch64"}), "other-hardware-target", UsageError)
    refused(lambda: say({GROUP: TARGET}, [1]), "bad-fallback", UsageError)
    refused(lambda: say({GROUP: TARGET}, [2, 2]), "bad-fallback", UsageError)
    refused(lambda: say({GROUP: TARGET}, [2]), "not-listed")
    before = hub.rows()
    for name in ("fleet-1", "carla"):
        with pytest.raises(RefusedError):
            say({GROUP: TARGET}, None, hub.signer(name))
    assert hub.rows() == before


def test_a_site_takes_only_its_own_stage(hub: Acme, plant: SiteOnPaper) -> None:
    number = hub.request(1, "staging")
    hub.approve(number, "carla")
    hub.enrol(plant)
    assert "not promoted to production" in refused(hub.assign, "not-listed")


def test_what_nobody_vouches_for_any_more_cannot_become_current(
    hub: Acme, plant: SiteOnPaper
) -> None:
    hub.promoted()
    hub.enrol(plant)
    hub.change_members(lambda members: without(members, "carla"))
    assert "no longer approved" in refused(hub.assign, "not-listed")
    hub.change_members(lambda members: without(members, "dora"))
    assert "no longer counts" in refused(hub.assign, "not-listed")


def test_approvals_that_ran_out_cannot_become_current(hub: Acme, plant: SiteOnPaper) -> None:
    hub.promoted()
    hub.enrol(plant)
    hub.later(days=366)
    assert "was valid until" in refused(hub.assign, "not-listed")


def versions(assignment: Assignment) -> list[int]:
    assigned = assignment.groups[GROUP].models[MODEL]
    return [one.parsed.version for one in assigned.artifacts]


def test_fallbacks(ready: Acme) -> None:
    ready.promoted(2)
    assert versions(ready.assign(2)) == [2, 1]
    assert versions(ready.assign(1, back="It is wrong.")) == [1], "it goes away from 2"
    assert versions(ready.assign(2, [])) == [2]
    assert versions(ready.assign(2, [1])) == [2, 1]


def test_fallbacks_kept_by_themselves_are_few(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each travels in every bundle; without a limit they grow by one with every version."""
    monkeypatch.setattr(assigning, "MOST_KEPT", 0)
    ready.promoted(2)
    assert versions(ready.assign(2)) == [2]
    assert versions(ready.assign(2, [1])) == [2, 1], "what is asked for is not cut"


def test_a_fallback_outlives_its_approvals(ready: Acme) -> None:
    """The site has it and must be able to go back; nothing is newly installed from it."""
    ready.change_members(lambda members: without(members, "carla"))
    ready.new_key("gina")
    ready.entitle("gina", "approve:production")
    number = ready.request(2)
    for person in ("emil", "gina"):
        ready.approve(number, person)
    assert versions(ready.assign(2)) == [2, 1]
    refused(lambda: ready.assign(2, [1]), "not-listed")


def test_an_assignment_for_an_enrolment_that_is_over(ready: Acme, plant: SiteOnPaper) -> None:
    ready.promoted(2)
    before_writing(ready, lambda: ready.enrol(another(plant)))
    refused(lambda: ready.assign(2), "site-moved-on")


def test_the_same_again_adds_nothing(ready: Acme, plant: SiteOnPaper) -> None:
    """Its process may have been killed after it was logged, and before it had said so."""
    asked = begin_enrolment(
        plant.root.with_name("more"), {}, "plant-9", {GROUP: TARGET}, plant.clock
    )
    enrolled = ready.enrolled(asked)
    ready.assign(1)
    before = ready.rows()
    ready.assign(1)
    assert ready.enrolled(asked) == enrolled
    assert ready.rows() == before
    ready.later(hours=2)
    ready.assign(1)
    assert ready.types()[-1] == "site.assigned", "it lasts longer now"
    assert ready.enrolled(asked).enrolment != enrolled.enrolment


def test_two_dispatchers_at_once_do_not_overwrite_each_other(ready: Acme) -> None:
    ready.promoted(2)

    def once(given: tuple[Acme, int, list[int]]) -> str:
        dispatcher, number, fallbacks = given
        try:
            dispatcher.assign(number, fallbacks)
        except SealiftError as bad:
            return bad.code
        return ""

    with ready.another() as other, ThreadPoolExecutor(2) as threads:
        other.app  # noqa: B018
        told = list(threads.map(once, ((ready, 2, [1]), (other, 2, []))))
    assert sorted(told) in (["", ""], ["", "role-moved-on"])
    assert ready.types().count("site.assigned") == 1 + told.count("")


# -------------------------------------------------------------------- export


def test_the_bundle_is_logged_before_it_has_its_name(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[list[str]] = []
    record = finishing.record_bundle

    def look(*arguments: Loose, at_hub: bool) -> None:
        folders.append([p.name for p in (ready.medium / "sealift").iterdir() if p.name[0] != "."])
        record(*arguments, at_hub=at_hub)

    monkeypatch.setattr(exporting, "record_bundle", look)
    made = ready.export()
    assert folders == [[]]
    assert made.folder.is_dir()
    assert ready.types()[-2:] == ["transfer.begun", "transfer.exported"]
    body = (made.folder / layout.TRANSFER).read_bytes()
    (row,) = ready.rows()["bundle"]
    assert row[2] == body


def test_no_bundle_without_its_entry(ready: Acme) -> None:
    ready.refuses("log_entry", "disk I/O error", "NEW.type = 'transfer.exported'")
    with pytest.raises(FailedError):
        ready.export()
    assert [p.name for p in (ready.medium / "sealift").iterdir()] == [".plant-7-000001.partial"]
    assert ready.rows()["bundle"] == []
    ready.takes_again("log_entry")
    assert ready.export().transfer == "plant-7-000001"


def test_what_keeps_a_bundle_from_being_written(ready: Acme, plant: SiteOnPaper) -> None:
    def with_key(name: str, medium: Path | None = None) -> Callable[[], object]:
        hand, to = ready.dispatcher(name), medium or ready.medium
        return lambda: ready.app.exports.export(SITE, to, hand, stage)

    refused(with_key("fleet-1"), "not-the-dispatcher")
    refused(with_key("dispatcher-1", ready.folder / "no"), "medium-missing", NotFoundError)
    refused(lambda: ready.export("plant-8"), "no-site", NotFoundError)
    assert "transfer.begun" not in ready.types()


@pytest.mark.parametrize("days, role", [(91, "recall"), (366, "targets"), (731, "root")])
def test_an_expired_role_is_named(ready: Acme, days: int, role: str) -> None:
    ready.later(days=days)
    what = refused(ready.export, "role-expired")
    assert what.startswith(f"The signature of {role} expired at ")
    assert "transfer.begun" not in ready.types()


def test_no_room(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, 100)
    before = ready.rows()
    assert "100 bytes free" in refused(ready.export, "no-room", FailedError)
    assert ready.rows() == before, "the medium was asked before the log was"


def test_a_blob_that_is_damaged_or_gone(ready: Acme) -> None:
    content = (ready.folder / "tiny-1.onnx").read_bytes()
    blobs, digest = ready.app.hub.home.blobs, sha256(content).hexdigest()
    stores.spoil(blobs, digest, content[:-1] + b"!")
    refused(ready.export, "hub-blob-damaged")
    stores.spoil(blobs, digest, None)
    refused(ready.export, "hub-blob-missing", FailedError)
    assert ready.rows()["bundle"] == []
    ready.ingest(1)  # the same again brings the source's own bytes back
    assert blobs.read(digest) == content
    ready.export()


def test_an_assignment_that_changes_under_an_export(
    ready: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is of one state of the hub, and the site takes it."""
    ready.promoted(2)
    begun = exporting.Exports._begin

    def assign_first(self: exporting.Exports, *arguments: Loose) -> str:
        with ready.another() as other:
            other.assign(2)
        return begun(self, *arguments)

    monkeypatch.setattr(exporting.Exports, "_begin", assign_first)
    made = ready.export()
    assert [path.version for path in made.artifacts] == [1, 2]
    assert plant.take(made.folder).receipt.artifacts[0].outcome == "installed"


def test_freshness_is_the_settings_and_catalogs_outlive_it(ready: Acme) -> None:
    ready.close()
    ready = Acme(ready.folder, {"SEALIFT_DELIVERY__FRESHNESS_DAYS": "80"})
    ready.later(days=20)  # 70 of the catalog's 90 days are left
    ready.export()
    with ready.app.hub.reading() as connection:
        repository, now = Repository(connection), ready.app.hub.now()
        for role in ("snapshot", "catalog.vision"):
            assert repository.targets(role).signed.expires - now > timedelta(days=79), role
    ready.close()


# -------------------------------------------------------------------- what comes home


def with_names(name: str, members: Members) -> Members:
    return replace(members, people=tuple(replace(one, printed_name=name) for one in members.people))


def test_the_past_of_the_roles_that_people_sign_travels_with_their_newest_version(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    for name in ("Ann", "Anne", "Anna"):
        ready.change_members(partial(with_names, name))
    folder = carried(ready, plant)
    data = (folder / "metadata/team.vision.lineage.json").read_bytes()
    said = shape.read(Lineage, data, what="the lineage")
    with ready.app.hub.reading() as connection:
        newest = Repository(connection).metadata("team.vision")
    assert newest is not None
    numbers = [one.version for one in said.versions]
    assert numbers == list(range(newest.signed.version - 2, 0, -1))
    listed = statements.read(Transfer, (folder / "transfer.json").read_bytes(), what="it")
    assert "metadata/team.vision.lineage.json" in {one.path for one in listed.predicate.files}


def received(hub: Acme, medium: Path | None = None) -> AcceptedReturn:
    accepted, bad = hub.app.returns.receive(medium or hub.medium)
    if bad:
        raise bad[0]
    return accepted[0]


def test_the_way_home(ready: Acme, plant: SiteOnPaper) -> None:
    carried(ready, plant)
    home = received(ready, ready.returned(plant))
    assert [one.predicate.transfer for one in home.receipts] == ["plant-7-000001"]
    assert home.entries == home.size > 0
    with ready.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        (runs,) = running(connection, site)
        assert (runs.group, runs.model, runs.version) == (GROUP, MODEL, 1)
        assert last_heard(connection, site)
    assert ready.types()[-1] == "return.accepted"
    before = ready.rows()
    again = received(ready)
    assert (again.receipts, again.entries) == ((), 0)
    assert ready.rows() == before


def test_t1_86_the_last_receipt_is_the_last_in_its_log_whatever_its_clock_said(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    received(ready, ready.returned(plant))
    ready.promoted(2)
    ready.assign(2)
    plant.later(days=-20000)
    carried(ready, plant)
    received(ready, ready.returned(plant))
    with ready.app.hub.reading() as connection:
        last = receipts.newest(connection, Sites(connection).get(SITE))
    assert last is not None
    assert last.predicate.made < "2000"
    assert last.predicate.transfer == "plant-7-000002"


def test_a_bundle_tells_the_site_what_the_hub_knows_of_it(ready: Acme, plant: SiteOnPaper) -> None:
    carried(ready, plant)
    received(ready, ready.returned(plant))
    body = (ready.export().folder / layout.TRANSFER).read_bytes()
    said = statements.read(Transfer, body, what="it").predicate
    assert (said.previous, said.site_log is not None) == ("plant-7-000001", True)


def test_a_late_medium_is_no_rollback(ready: Acme, plant: SiteOnPaper) -> None:
    """Two sticks went home, and the second arrived first."""
    carried(ready, plant)
    first = ready.returned(plant, made(ready.folder / "stick-1"))
    ready.promoted(2)
    ready.assign(2)
    carried(ready, plant)
    second = ready.returned(plant, made(ready.folder / "stick-2"))
    assert received(ready, second).entries
    before = ready.rows()
    late = received(ready, first)
    assert (late.receipts, late.entries) == ((), 0)
    assert ready.rows() == before


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_part_of_a_log_that_is_missing_is_no_fork(ready: Acme, plant: SiteOnPaper) -> None:
    """A thief's bundle said that the hub had it already: then all of it is asked for."""
    carried(ready, plant)
    with plant.opened() as site, site.state.transaction():
        newest = SiteLogReader(site.state.connection).checkpoint()
        site.state.set_fact(ACKNOWLEDGED, newest.note)
        site.record(site.entry("model.stopped", {}))
    with pytest.raises(RefusedError, match="are missing from it") as caught:
        received(ready, ready.returned(plant, made(ready.folder / "stick-1")))
    assert "sealift-site return --all --to DIR" in caught.value.next_step


def test_a_log_that_forked_is_refused_and_both_checkpoints_are_kept(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    shutil.copytree(plant.root, ready.folder / "backup", symlinks=True)
    ready.promoted(2)
    ready.assign(2)
    newer = ready.export().folder
    plant.take(newer)
    received(ready, ready.returned(plant, made(ready.folder / "stick-1")))
    restored = SiteOnPaper(ready.folder / "backup", plant.now)
    for _ in range(3):  # its log grows to another history
        restored.later(seconds=1)
        restored.take(newer)
    forked = ready.returned(restored, made(ready.folder / "stick-2"))
    before = {n: r for n, r in ready.rows().items() if not n.startswith("log_")}
    with pytest.raises(RefusedError) as caught:
        received(ready, forked)
    assert caught.value.code == "log-not-continued"
    told = caught.value.next_step
    assert "plant-7 was restored from a backup, or somebody else has its key" in told
    assert "enrolled anew" in told
    assert {n: r for n, r in ready.rows().items() if not n.startswith("log_")} == before
    assert ready.types()[-1] == "return.refused"
    with ready.app.hub.engine.connect() as connection:
        body = connection.exec_driver_sql(
            "SELECT body FROM log_entry ORDER BY seq DESC LIMIT 1"
        ).scalar_one()
    for member in (b'"known":"sealift/', b'"checkpoint":"sealift/'):
        assert member in body


def test_a_forged_receipt_is_refused_with_one_entry(ready: Acme, plant: SiteOnPaper) -> None:
    carried(ready, plant)
    medium = ready.returned(plant)
    (file,) = medium.rglob("receipts/*.json")
    honest = statements.read(Receipt, file.read_bytes(), what="it")
    own = honest.predicate

    def forge(signer: Signer, **changes: Loose) -> str:
        said = replace(own, **changes)
        file.write_bytes(statements.sign(said, honest.subjects, signer))
        with pytest.raises(RefusedError) as caught:
            received(ready)
        return caught.value.code

    entries = len(ready.types())
    assert forge(ready.signer("dispatcher-1")) == "no-key"
    assert forge(ready.signer("dispatcher-1"), site="plant-8") == "receipt-of-another"
    assert forge(ready.signer("dispatcher-1"), enrolment="ab" * 32) == "receipt-of-another"
    damaged = honest.envelope.data.replace(b'"sig":"', b'"sig":"AAAA')
    file.write_bytes(damaged)
    with pytest.raises(RefusedError):
        received(ready)
    assert ready.types()[entries:] == ["return.refused"] * 4
    assert ready.rows()["receipt"] == ready.rows()["site_entry"] == []


def test_a_receipt_from_beyond_the_log_is_refused(ready: Acme, plant: SiteOnPaper) -> None:
    """Whoever held the site's key for a moment must not write what counts as newest for ever."""
    carried(ready, plant)
    (file,) = ready.returned(plant).rglob("receipts/*.json")
    honest = statements.read(Receipt, file.read_bytes(), what="it")
    with plant.opened() as site:
        far = checkpoint.sign(Checkpoint(site.origin, 2**53, b"\0" * 32), site.signer()).decode()
        said = replace(honest.predicate, log=far)
        file.write_bytes(statements.sign(said, honest.subjects, site.signer()))
    assert "9007199254740992 entries" in refused(lambda: received(ready), "receipt-of-another")
    assert ready.rows()["receipt"] == ready.rows()["site_entry"] == []


def test_a_receipt_of_another_sites_transfer(ready: Acme, plant: SiteOnPaper) -> None:
    """A site that saw its neighbour's bundle must not answer in its name."""
    ready.export()
    neighbour = another(plant, "neighbour")
    ready.enrol(neighbour, "plant-8")
    ready.assign(1, site="plant-8")
    own = ready.export("plant-8").folder
    neighbour.take(own)
    ready.returned(neighbour)
    (row,) = [row for row in ready.rows()["bundle"] if row[0] == "plant-7-000001"]
    (file,) = ready.medium.rglob("receipts/*.json")
    said = statements.read(Receipt, file.read_bytes(), what="it").predicate
    with neighbour.opened() as site:
        about = statements.subject("transfers/plant-7-000001", row[1])
        lie = statements.sign(replace(said, transfer="plant-7-000001"), [about], site.signer())
    file.with_name("plant-7-000001.json").write_bytes(lie)
    refused(lambda: received(ready), "receipt-of-another")


def test_one_bad_return_does_not_keep_another_from_being_believed(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    ready.returned(plant)
    neighbour = another(plant, "neighbour")
    ready.enrol(neighbour, "plant-8")
    ready.assign(1, site="plant-8")
    neighbour.take(ready.export("plant-8").folder)
    ready.returned(neighbour)
    (first,) = (ready.medium / "sealift/returns/plant-7").rglob("extract.json")
    first.write_bytes(b"{}")
    accepted, bad = ready.app.returns.receive(ready.medium)
    assert [one.site for one in accepted] == ["plant-8"]
    assert len(bad) == 1


def test_a_longer_return_of_somebody_else_does_not_hide_the_sites_own(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """A stick still carries the return of an earlier home, or a stranger made a folder."""
    carried(ready, plant)
    ready.returned(plant)
    returns = ready.medium / "sealift/returns" / SITE
    next(returns.iterdir()).rename(returns / "400")
    anew = another(plant, "anew")
    ready.enrol(anew)
    ready.assign(1)
    anew.take(ready.export().folder)
    ready.returned(anew)
    (returns / "999999/log").mkdir(parents=True)
    (returns / "999999/log/extract.json").write_bytes(b"{}")
    accepted, bad = ready.app.returns.receive(ready.medium)
    assert [one.site for one in accepted] == [SITE]
    assert len(accepted[0].receipts) == 1
    assert len(bad) == 2, "both are told"


def test_of_many_receipts_an_entry_names_some_and_counts_all(
    ready: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry has its largest size, and a site that was long alone must be heard."""
    from sealift_registry.delivery import returns

    ready.promoted(2)
    for number in (1, 2):
        ready.assign(number)
        plant.take(ready.export().folder)
    ready.returned(plant)
    monkeypatch.setattr(returns, "MOST_TOLD", 1)
    received(ready)
    (row,) = LogReader(ready.app.hub.database).page(Question(), limit=1)
    said: Any = row.entry.data
    assert (said["count"], said["transfers"]) == (2, ["plant-7-000002"])


def test_the_hub_has_the_words_that_a_site_reads_out(ready: Acme, plant: SiteOnPaper) -> None:
    from sealift_registry.shown.about import all_about

    carried(ready, plant)
    ready.returned(plant)
    received(ready)
    with plant.opened() as site:
        said = telephone_report(site)
    with ready.app.hub.reading() as connection:
        _, data, lines = all_about(ready.app.hub, connection, SITE)
    assert data["log"] == {"size": said.log.size, "words": said.words}
    assert any(said.words in line for line in lines)


def test_returns_of_strangers(ready: Acme, plant: SiteOnPaper) -> None:
    refused(lambda: received(ready), "no-return", NotFoundError)
    carried(ready, plant)
    ready.returned(plant)
    ready.enrol(another(plant))
    with pytest.raises(RefusedError, match="earlier enrolment"):
        received(ready)


def test_a_site_whose_entries_say_nothing_sensible_can_still_be_shown(
    ready: Acme, plant: SiteOnPaper
) -> None:
    from sealift_registry.shown.about import all_about
    from sealift_signing.transparency.entry import Term, new_entry

    odd: list[Any] = [{}, {"after": "x"}, {"after": 1}, [], {"after": 2, "words": 5}]
    terms = [Term("host-group", GROUP), Term("model", MODEL)]
    for seq, data in enumerate(odd):
        ready.site_says(
            new_entry("model.activated", "site", plant.now, data, terms if seq != 2 else [])
        )
    with ready.app.hub.reading() as connection:
        _, data, _ = all_about(ready.app.hub, connection, SITE)
    assert [one["version"] for one in data["running"]] == [2]


def test_a_site_may_be_called_as_a_promotion_in_lower_case(acme: Acme, plant: SiteOnPaper) -> None:
    from sealift_registry.shown.about import all_about

    acme.enrol(plant, "p-1")
    with acme.app.hub.reading() as connection:
        assert all_about(acme.app.hub, connection, "p-1")[0] == "site"
        with pytest.raises(NotFoundError):
            all_about(acme.app.hub, connection, "P-1")


def test_documents_of_the_fixture_are_what_sites_read(ready: Acme) -> None:
    with ready.app.hub.reading() as connection:
        assignment = current(Repository(connection), Sites(connection).get(SITE))
    assert shape.read(type(assignment), shape.write(assignment), what="it") == assignment
