"""A stolen key, whose owner is later active again: what the thief signed counts at no site."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealift_signing import shape
from sealift_signing.compromised import FIELD
from sealift_signing.documents import MemberKey, Status, read_fleet_keys
from tests.hub_on_paper import HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE

BAD = "catalog/vision/digits/2/cpu-x86_64"
FIRST = b"the weights of catalog/vision/digits/1/cpu-x86_64"


@pytest.fixture
def first(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> Release:
    """Version 1 runs, approved by bert and carla."""
    made = hub.promote(1)
    hub.assign(made)
    site.take(hub.export(medium))
    return made


def status(hub: HubOnPaper, name: str, now: Status, **changes: Any) -> None:  # noqa: ANN401 - any member
    hub.people = [
        replace(one, status=now, **changes) if one.id == name else one for one in hub.people
    ]
    hub.publish_members()


def test_t0_05_a_thiefs_approval_counts_nowhere_when_the_person_is_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    stolen = hub.promote(2)  # bert's key, in the thief's hand, and carla's
    status(hub, "bert", "compromised")
    site.take(hub.export(medium))
    assert site.running() == FIRST, "what is installed keeps running"
    status(hub, "bert", "active")
    hub.assign(stolen)
    code, words = site.held(hub.export(medium))[BAD]
    assert code == "not-approved"
    assert "bert does not count: it is signed with a key that was called compromised" in words
    assert site.running() == FIRST


def test_who_is_reinstated_approves_with_a_new_key(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    status(hub, "bert", "compromised")
    site.take(hub.export(medium))
    new = MemberKey(hub.public("bert-2"), "file", (f"approve:{STAGE}",))
    status(hub, "bert", "active", keys=(new,))
    second = hub.vouch(hub.build(2))
    approvals = (hub.approve(second, "bert", key="bert-2"), hub.approve(second, "carla"))
    second.approvals = approvals
    hub.list_artifact(second)
    hub.assign(second)
    assert not site.held(hub.export(medium))
    assert site.running() != FIRST


def test_t0_98_a_machine_that_was_compromised_vouches_for_nothing_when_it_is_listed_again(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    path, listed = "fleet/keys.json", hub.documents["fleet/keys.json"]
    fleet = read_fleet_keys(listed)
    keys = [replace(k, status="compromised") if k.name == "scanner-1" else k for k in fleet.keys]
    hub.publish("fleet", path, shape.write(replace(fleet, keys=tuple(keys))))
    site.take(hub.export(medium))
    hub.publish("fleet", path, listed)
    hub.assign(hub.promote(2))
    assert site.held(hub.export(medium))[BAD][0] == "evidence-not-entitled"
    assert site.running() == FIRST


def enter(hub: HubOnPaper, role: str, name: str) -> None:
    with hub.repository.next(role) as signed:
        signed.unrecognized_fields[FIELD] = [hub.public(name)]


def test_t0_99_a_compromised_dispatcher_sends_nothing(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    enter(hub, "fleet", "dora")
    refusal = site.refuses(hub.export(medium, publish=False))
    assert refusal.code == "transfer-not-by-dispatcher"
    hub.assign(hub.promote(2))
    assert site.refuses(hub.export(medium)).code == "not-signed-enough"
    assert site.running() == FIRST


def test_t0_100_a_compromised_officer_recalls_nothing_new(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    enter(hub, "targets", "olga")
    site.take(hub.export(medium))
    hub.recall(first.sha256)
    assert site.refuses(hub.export(medium)).code == "not-signed-enough"
    assert site.running() == FIRST


def test_a_recall_of_before_is_not_taken_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    hub.recall(first.sha256)
    site.take(hub.export(medium))
    assert site.running() is None
    enter(hub, "targets", "olga")
    site.take(hub.export(medium))
    assert site.running() is None


def test_t0_101_a_steward_whose_key_was_stolen_is_back_and_signs_nothing(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    """`targets` forgets the word, as an older one would that was drafted from a restored hub."""
    enter(hub, "targets", "stella")
    site.take(hub.export(medium))
    with hub.repository.next("targets") as signed:
        del signed.unrecognized_fields[FIELD]
    site.take(hub.export(medium))
    hub.withdraw(sha256=first.sha256)  # a new list, by stella and stefan
    assert site.refuses(hub.export(medium)).code == "not-signed-enough"
