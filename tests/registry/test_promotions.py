"""Requests, approvals and listings: what counts, and what changed between reading and writing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from sqlalchemy import Connection

from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.trust import hub_drafts
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, shape, statements
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import FleetKeys, Members, Status
from sealift_signing.errors import (
    NotFoundError,
    NotSignedEnoughError,
    RefusedError,
    SealiftError,
    UsageError,
)
from sealift_signing.memory import Memory
from sealift_signing.statements import Check, Request, Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment
from sealift_sync.site.setup.initialising import begin_enrolment
from tests.blob_faults import spoil
from tests.registry.hub_fixture import (
    MODEL,
    PASSPHRASE,
    STAGE,
    STEWARDS,
    TARGET,
    Acme,
    Loose,
    version,
)
from tests.registry.signing_people import enrol, members_of, sign, sign_enough, sign_members

PATH = f"catalog/{MODEL}/1/{TARGET}"


def refused(
    action: Callable[[], object], code: str, kind: type[SealiftError] = RefusedError
) -> str:
    """The sentence with which `action` is refused."""
    with pytest.raises(kind) as caught:
        action()
    assert caught.value.code == code, caught.value
    return caught.value.what


def asked(hub: Acme, why: str) -> int:
    """Ask for a promotion in other words than the fixture's."""
    return hub.asked(reason=why)


def standing(hub: Acme, number: int) -> PromotionStatus:
    with hub.app.hub.reading() as connection:
        return hub.app.promotions.status(connection, number)


def listed(hub: Acme) -> dict[str, Any]:
    """What the team's catalog role lists."""
    with hub.app.hub.reading() as connection:
        return dict(Repository(connection).targets(roles.catalog_role("vision")).signed.targets)


def test_two_approvals_list_every_variant_and_never_the_source(hub: Acme) -> None:
    number = hub.request()
    assert not hub.approve(number, "carla").listed
    assert not listed(hub)
    done = hub.approve(number, "emil")
    assert done.listed
    assert done.tally.people == ("emil", "carla")
    assert list(listed(hub)) == [PATH]
    assert hub.types()[-3:] == ["promotion.requested", "promotion.approved", "promotion.approved"]


def test_a_third_approval_is_kept_and_lists_nothing_again(hub: Acme) -> None:
    hub.new_key("gina")
    hub.entitle("gina", approve(STAGE))
    number = hub.promoted()
    before = hub.rows()["tuf_metadata"]
    assert len(hub.approve(number, "gina").tally.counted) == 3
    assert hub.rows()["tuf_metadata"] == before
    assert len(hub.rows()["listing"]) == 1


def test_approvals_that_race_to_the_threshold_list_exactly_once(hub: Acme) -> None:
    for person in ("gina", "hugo"):
        hub.new_key(person)
        hub.entitle(person, approve(STAGE))
    number, people = hub.request(), ("carla", "emil", "gina", "hugo")
    with hub.another() as other, ThreadPoolExecutor(4) as threads:
        processes = (hub, other, hub, other)
        for one in processes:
            one.app  # noqa: B018 - opened here, where nobody races
        list(threads.map(lambda one, who: one.approve(number, who), processes, people))
    assert len(hub.rows()["listing"]) == 1
    assert len(hub.rows()["approval"]) == 4
    assert len(standing(hub, number).tally.counted) == 4


def test_requests_that_race_get_numbers_of_their_own(hub: Acme) -> None:
    with hub.another() as other, ThreadPoolExecutor(4) as threads:
        processes = (hub, other, hub, other)
        for one in processes:
            one.app  # noqa: B018
        numbers = list(threads.map(asked, processes, "abcd"))
    assert sorted(numbers) == [1, 2, 3, 4]


def test_requests_of_one_commit_get_numbers_of_their_own(hub: Acme) -> None:
    """The log speaks of none of them before all of them have run."""
    log, writes, goes_on = hub.app.hub.log, threading.Event(), threading.Event()

    def waiting(_: Connection) -> tuple[Entry, None]:
        writes.set()
        assert goes_on.wait(60)
        return hub.app.hub.entry("test.waits", "tester", {}), None

    with ThreadPoolExecutor(5) as threads:
        threads.submit(log.commit, waiting)
        assert writes.wait(60)
        numbers = [threads.submit(asked, hub, reason) for reason in "abcd"]
        while log._queue.qsize() < len(numbers):
            time.sleep(0.01)
        goes_on.set()
        assert sorted(one.result() for one in numbers) == [1, 2, 3, 4]


def test_the_same_request_that_races_is_made_once(hub: Acme) -> None:
    """A command is run again by somebody who does not know that the first run still goes on."""
    with hub.another() as other, ThreadPoolExecutor(4) as threads:
        processes = (hub, other, hub, other)
        for one in processes:
            one.app  # noqa: B018
        numbers = list(threads.map(lambda one: one.request(), processes))
    assert numbers == [1, 1, 1, 1]
    assert hub.types().count("promotion.requested") == 1


def test_a_request_is_the_same_only_while_everything_is(hub: Acme) -> None:
    assert hub.request() == hub.request() == 1
    assert hub.request(stage="staging") == 2
    assert asked(hub, "It is faster.") == 3
    assert hub.request(2) == 4
    assert hub.request() == 1
    hub.change_members(lambda members: without(members, "dora"))
    hub.new_key("dora-2")
    hub.entitle("dora", REQUEST, key=hub.public("dora-2"))
    assert hub.request(by="dora-2") == 5, "the key of the first counts no more"
    assert hub.request(by="dora-2") == 5


def test_after_new_evidence_it_is_another_request(hub: Acme) -> None:
    assert hub.request() == 1
    hub.ingest(1, hub.goldens(7))
    hub.convert(1)
    assert hub.request() == 2


def test_real_processes_take_their_turns(hub: Acme) -> None:
    """Four commands on one home at once: each has its own number, and none meets a lock.

    Each has a memory of its own: of one memory, a command refuses what another changed meanwhile.
    """
    trust = {why: hub.folder / f"trust-{why}" for why in "abcd"}
    for folder in trust.values():
        hub.trusted(Memory(folder))
    hub.close()
    (hub.folder / "pass").write_text(PASSPHRASE)
    command = [sys.executable, "-c", "from sealift_registry.cli import main; main()"]
    line = f"promote {MODEL}/1 --to staging --json --at-hub --home {hub.root}"
    keys = f"--key {hub.key('dora')} --passphrase-file {hub.folder / 'pass'}"
    given = [*command, *line.split(), *keys.split()]
    started = [
        subprocess.Popen(
            [*given, "--reason", why],
            stdout=subprocess.PIPE,
            env={**os.environ, "SEALIFT_TRUST": str(folder)},
        )
        for why, folder in trust.items()
    ]
    said = [json.loads(one.communicate(timeout=120)[0]) for one in started]
    assert [one.returncode for one in started] == [0] * 4
    assert sorted(one["promotion"] for one in said) == [f"P-00000{n}" for n in (1, 2, 3, 4)]
    assert hub.types().count("promotion.requested") == 4


def test_nobody_approves_twice_but_an_approval_is_renewed_before_it_ends(hub: Acme) -> None:
    number = hub.promoted()
    what = refused(lambda: hub.approve(number, "carla", days=30), "approved-twice")
    assert what == "carla has approved P-000001 already, in other words or for another time."
    hub.approve(asked(hub, "Again."), "carla", days=80)
    hub.later(days=25)
    renewed = hub.approve(2, "carla")
    (counted,) = renewed.tally.counted
    assert counted.predicate.valid_until == moment(hub.app.hub.now() + timedelta(days=365))


def test_t0_108_a_request_of_long_ago_is_asked_again_and_not_approved(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla")
    hub.later(days=31)
    what = refused(lambda: hub.approve(number, "emil"), "approval-too-late")
    assert "was made 31 days after its request" in what
    again = hub.request()
    assert again != number
    hub.approve(again, "carla")
    assert hub.approve(again, "emil").listed


def test_the_same_person_twice_at_once_counts_once(hub: Acme) -> None:
    """Both read before either wrote: the second finds the first within the transaction."""
    number = hub.request()
    with hub.another() as other, ThreadPoolExecutor(2) as threads:
        other.app, hub.app  # noqa: B018
        told = list(
            threads.map(lambda one: outcome(lambda: one.approve(number, "carla")), (hub, other))
        )
    assert told == ["", ""]
    assert len(hub.rows()["approval"]) == 1


def test_the_same_approval_again_adds_nothing_and_mends_the_copies(hub: Acme) -> None:
    """Its process may have been killed after it was logged, and before it had said so."""
    number = hub.promoted()
    before = hub.rows()
    shutil.rmtree(hub.app.hub.home.metadata)
    assert hub.approve(number, "carla") == standing(hub, number)
    assert hub.rows() == before
    assert (hub.app.hub.home.metadata / "2.catalog.vision.json").exists()


def outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except SealiftError as bad:
        return bad.code
    return ""


def test_the_requester_approves_neither_by_name_nor_behind_another(hub: Acme) -> None:
    hub.entitle("dora", REQUEST, approve(STAGE))
    number = hub.request()
    assert "whoever requests does not approve" in refused(
        lambda: hub.approve(number, "dora"), "requester-approves"
    )
    with pytest.raises(RefusedError, match="one key has one owner"):
        hub.entitle("carla", approve(STAGE), key=hub.public("dora"))


def test_a_key_of_nobody_and_a_person_without_the_right(hub: Acme) -> None:
    number = hub.request()
    hub.new_key("stranger")
    refused(lambda: hub.approve(number, "stranger"), "key-unknown")
    refused(lambda: hub.request(by="stranger"), "key-unknown")
    refused(lambda: hub.request(by="carla"), "not-entitled")
    refused(lambda: hub.approve(number, "dora"), "not-entitled")


def test_an_approver_who_left_between_reading_and_writing(hub: Acme) -> None:
    """The approval was signed while she was one of them; what holds when it is written counts."""
    number = hub.request()
    left_meanwhile(hub, "carla", lambda: hub.approve(number, "carla"))
    assert hub.rows()["approval"] == []


def test_a_requester_who_left_between_reading_and_writing(hub: Acme) -> None:
    left_meanwhile(hub, "dora", hub.request)
    assert hub.rows()["promotion"] == []


def left_meanwhile(hub: Acme, person: str, action: Callable[[], object]) -> None:
    before_writing(hub, lambda: hub.change_members(lambda members: without(members, person)))
    with pytest.raises(RefusedError, match=f"knows no {person}"):
        action()


def before_writing(hub: Acme, meanwhile: Callable[[], object]) -> None:
    """Have `meanwhile` happen between an action's reading and its writing."""
    log = hub.app.hub.log
    commit = log.commit

    def first(given: Loose) -> Loose:
        setattr(log, "commit", commit)  # noqa: B010 - types would not let a method be replaced
        meanwhile()
        return commit(given)

    setattr(log, "commit", first)  # noqa: B010 - likewise


def without(members: Members, person: str) -> Members:
    return replace(members, people=tuple(p for p in members.people if p.id != person))


def test_approvals_of_somebody_who_left_count_no_more(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla")
    hub.change_members(lambda members: without(members, "carla"))
    done = hub.approve(number, "emil")
    assert (len(done.tally.counted), done.listed) == (1, False)
    assert "team vision knows no carla" in done.tally.set_aside[0]


def test_a_request_by_somebody_who_left_is_approved_by_nobody(hub: Acme) -> None:
    number = hub.request()
    hub.change_members(lambda members: without(members, "dora"))
    with pytest.raises(RefusedError, match="knows no dora"):
        hub.approve(number, "carla")


def with_status(status: Status) -> Callable[[Members], Members]:
    def edit(members: Members) -> Members:
        people = (replace(p, status=status) if p.id == "carla" else p for p in members.people)
        return replace(members, people=tuple(people))

    return edit


def test_a_new_key_does_not_bring_a_retired_person_back(hub: Acme) -> None:
    hub.change_members(with_status("retired"))
    key = hub.new_key("carla-2")
    refused(lambda: hub.entitle("carla", approve(STAGE), key=key), "person-not-active")


def test_t0_109_who_was_compromised_comes_back_with_a_new_key_and_no_other(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla")
    hub.change_members(with_status("compromised"))
    refused(lambda: hub.entitle("carla", approve(STAGE)), "key-compromised")
    hub.entitle("carla", approve(STAGE), key=hub.new_key("carla-2"))
    refused(lambda: hub.entitle("carla", approve(STAGE)), "key-compromised")
    refused(lambda: hub.entitle("zoe", approve(STAGE), key=hub.public("carla")), "key-compromised")
    assert not standing(hub, number).tally.people
    assert hub.approve(number, "carla-2").tally.people == ("carla",)


def test_goldens_that_were_replaced_after_the_request(hub: Acme) -> None:
    number = hub.request()
    hub.ingest(1, hub.goldens(7))
    assert "on goldens other than" in refused(lambda: hub.approve(number, "carla"), "gate")
    assert "on goldens other than" in refused(hub.request, "gate")
    again = hub.convert()
    assert (again.new, hub.types()[-1]) == (False, "variant.measured")
    hub.approve(number, "carla")


def test_newer_evidence_that_failed_stops_an_approval(hub: Acme) -> None:
    """The request names the evidence of its day; nobody approves against a newer failure."""
    number = hub.request()
    failed(hub, "parity", "builder")
    what = refused(lambda: hub.approve(number, "carla"), "gate")
    assert what.startswith(f"production asks for parity evidence about {PATH}, and it failed:")


def test_evidence_that_no_machine_of_ours_signed_misleads_nobody(hub: Acme) -> None:
    """Whoever writes to the database and has no scanner's key cannot make a gate pass."""
    failed(hub, "scan", "catalog", verdict="pass")
    assert "not signed by any machine" in refused(hub.request, "gate")


def failed(hub: Acme, kind: str, signer: str, verdict: Literal["pass", "fail"] = "fail") -> None:
    """Add evidence about version 1's variant."""
    with hub.behind() as connection:
        catalog = Catalog(connection)
        old = next(e for e in catalog.evidence(version(1).path(TARGET)) if e.predicate.kind == kind)
        checks = (Check("told", verdict, "as the test says"),)
        made = old.predicate.made[:-4] + "999Z"
        said = replace(old.predicate, verdict=verdict, checks=checks, made=made)
        body = statements.sign(said, old.subjects, hub.app.hub.online.signer(signer))
        recording.add_evidence(connection, body, version(1).path(TARGET))


def test_a_request_for_what_this_hub_cannot_show_is_signed_by_nobody(hub: Acme) -> None:
    """A requester with tools of his own has approvers sign an artifact that no screen shows."""
    with hub.behind() as connection:
        catalog = Catalog(connection)
        hub_request = catalog.promotion(hub.request()).request
        hidden = statements.subject(f"catalog/{MODEL}/1/cpu-aarch64", "ab" * 32)
        body = statements.sign(
            hub_request.predicate, (*hub_request.subjects, hidden), hub.signer("dora")
        )
        forged: Signed[Request] = statements.read(Request, body, what="it")
        recording.add_promotion(connection, 9, forged)
    refused(lambda: hub.approve(9, "carla"), "request-unknown-parts")


def test_gates_and_names(acme: Acme) -> None:
    refused(acme.request, "no-version", NotFoundError)
    acme.ingest()
    refused(acme.request, "no-variant", NotFoundError)
    refused(lambda: acme.request(stage="moon"), "no-stage", NotFoundError)


def test_meanings_and_days(hub: Acme) -> None:
    number = hub.request()

    def say(meaning: str, days: int | None) -> PromotionStatus:
        return hub.approved(number, "carla", meaning, "why", days)

    refused(lambda: say("like it", None), "bad-meaning", UsageError)
    for days in (0, -1, 366):
        refused(lambda days=days: say("validated", days), "bad-validity", UsageError)  # type: ignore[misc]
    assert say("validated", 1).tally.people == ("carla",)
    refused(lambda: hub.approve(7, "carla"), "no-promotion", NotFoundError)


def test_approvals_run_out(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla", days=1)
    hub.later(days=2)
    done = hub.approve(number, "emil")
    assert not done.listed
    assert "was valid until" in done.tally.set_aside[0]
    assert hub.approve(number, "carla").listed


def test_a_damaged_manifest_is_not_listed(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla")
    row = standing(hub, number).vouched[-1].artifact
    spoil(hub.app.hub.home.blobs, row.sha256, b"{}")
    before = hub.rows()
    refused(lambda: hub.approve(number, "emil"), "blob-damaged")
    assert hub.rows() == before


@pytest.mark.parametrize("key", ["anna", "dispatcher-1", "root-1", "targets-1", "recall-1"])
def test_one_key_has_one_owner(acme: Acme, key: str) -> None:
    """Who enters somebody's key under another name could approve what that somebody asked for."""
    what = refused(lambda: enrolled_then(acme, "gina", key), "key-of-another")
    assert what.startswith(f"The key given for gina is that of {key.removesuffix('-1')}")


def test_no_machines_key_is_a_persons(acme: Acme) -> None:
    builder = acme.app.hub.online.public("builder")
    what = refused(lambda: acme.entitle("gina", approve(STAGE), key=builder), "key-of-another")
    assert "that of the machine hub-builder (fleet/keys.json, builder)" in what


def enrolled_then(acme: Acme, person: str, key: str) -> None:
    from tests.site_on_paper import SiteOnPaper

    plant = SiteOnPaper(acme.folder / "site", acme.app.hub.now())
    acme.enrol(plant)
    acme.entitle(person, approve(STAGE), key=acme.public(key))


@pytest.mark.parametrize("person,key", [("anna", "anna"), ("dispatcher-1", "dispatcher-1")])
def test_t0_110_one_person_may_hold_several_offices_with_one_key(
    hub: Acme, person: str, key: str
) -> None:
    """Steward or dispatcher, and approver: the approval counts as any other."""
    enrolled_then(hub, person, key)
    number = hub.request()
    hub.approve(number, "carla")
    assert hub.approve(number, key).listed


def test_t0_111_who_is_made_a_dispatcher_loses_no_approval(hub: Acme) -> None:
    from tests.site_on_paper import SiteOnPaper

    number = hub.request()
    hub.approve(number, "carla")
    plant = SiteOnPaper(hub.folder / "site", hub.app.hub.now())
    asked = begin_enrolment(plant.root, {}, "plant-7", {"line-1": TARGET}, plant.clock)
    enrol(hub.app, asked, STAGE, [hub.card("carla")], hub.signer("fleet-1"))
    assert hub.approve(number, "emil").listed


def test_a_stewards_key_is_nobody_elses_nor_the_hubs(acme: Acme) -> None:
    stewards = {"hans": acme.public("carla"), "ines": acme.new_key("ines")}
    what = refused(lambda: acme.add_team("fraud", stewards), "key-of-another")
    assert "carla (teams/vision/members.json)" in what
    stewards["hans"] = acme.app.hub.online.public("catalog")
    refused(lambda: acme.add_team("fraud", stewards), "key-of-the-hub")
    stewards["hans"] = stewards["ines"]
    refused(lambda: acme.add_team("fraud", stewards), "too-few-stewards")
    refused(lambda: acme.add_team("source", stewards), "bad-name")
    refused(lambda: acme.add_team("../x", stewards), "bad-name")
    refused(lambda: acme.add_team("vision", stewards), "team-exists")
    before = acme.rows()
    acme.add_team("vision", {name: acme.public(name) for name in STEWARDS})
    assert acme.rows() == before, "the same again adds nothing"


def test_t0_85_of_four_stewards_three_must_sign(acme: Acme) -> None:
    """Of a team that two of them could sign for, two halves would sign two versions."""
    four = {name: acme.new_key(name) for name in ("hans", "ines", "jana", "karl")}
    acme.add_team("audio", four)
    with acme.app.hub.reading() as connection:
        repository = Repository(connection)
        held = roles.keyholders(repository.targets().signed, "team.audio")
        assert (held.threshold, repository.unprotected()) == (3, ())
        members = members_of(repository, "audio")
        signers = [acme.signer(name) for name in four]
        for few in (signers[:2], signers[2:]):
            with pytest.raises(NotSignedEnoughError):
                sign_members(connection, members, few, acme.app.hub.now())
        sign_members(connection, members, signers[:3], acme.app.hub.now())


def test_t0_112_a_machine_that_was_compromised_vouches_for_nothing_when_it_is_listed_again(
    hub: Acme,
) -> None:
    with hub.app.hub.reading() as connection:
        before = Repository(connection).fleet_keys()
    lost = [replace(k, status="compromised") if k.purpose == "scanner" else k for k in before.keys]
    for keys in (tuple(lost), before.keys):
        list_machines(hub, replace(before, keys=keys))
        refused(hub.request, "gate")


def list_machines(hub: Acme, keys: FleetKeys) -> None:
    """Have a fleet administrator sign this list."""
    data, path = shape.write(keys), documents.FLEET_KEYS_PATH
    with hub.app.hub.reading() as connection:
        repository, now = Repository(connection), hub.app.hub.now()
        expires = publishing.expiry(now, repository.lifetime(roles.FLEET))
        fleet = publishing.following(repository.targets(roles.FLEET), expires=expires)
        publishing.list_document(fleet.signed, path, data)
        signers = [hub.signer("fleet-1")]
        sign_enough(fleet, roles.FLEET, signers, repository.targets().signed)
    change = Change({roles.FLEET: fleet}, {path: data})
    hub.app.hub.commit_change(change, hub.app.hub.entry("fleet.changed", "fleet-1", {}))


def test_t1_36_who_approves_by_a_draft_of_before_an_objection_is_told_of_it(hub: Acme) -> None:
    """The draft shows what there was when it was made; the answer to it says what came since."""
    number = hub.request()
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, number, "validated", "Good.", None)
        made = hub_drafts.draft(hub.app.hub, connection, wanted)
    signed = sign(made, wanted.ask, [hub.signer("carla")], hub.app.hub.now())
    assert "objected" not in hub.app.submit(signed, at_hub=False).sentence
    hub.objects(number, "emil")
    said = hub.app.submit(signed, at_hub=False).sentence
    assert "emil objected. A draft that was made before that does not show it" in said
