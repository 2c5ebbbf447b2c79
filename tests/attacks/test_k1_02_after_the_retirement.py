"""Whoever owns the hub, and what comes up after a key was retired: it counts at no site."""

from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing.documents import MemberKey, StillCounts
from tests.hub_on_paper import HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE

HELD = "catalog/vision/digits/1/cpu-x86_64"


def retire(hub: HubOnPaper, name: str, *counts: str, leaves: bool = True) -> None:
    """The stewards retire every key of `name`, of which these statements go on counting."""
    listed = tuple(StillCounts(one, hub.ahead(days=300)) for one in sorted(counts))
    hub.people = [
        replace(
            one,
            status="retired" if leaves else "active",
            keys=tuple(replace(key, status="retired", counts=listed) for key in one.keys),
        )
        if one.id == name
        else one
        for one in hub.people
    ]
    hub.publish_members()


@pytest.fixture
def asked(hub: HubOnPaper) -> Release:
    """Anna asked, and carla approved."""
    made = hub.vouch(hub.build(1))
    made.approvals = (hub.approve(made, "carla"),)
    hub.list_artifact(made)
    return made


def test_k1_02_an_approval_that_turns_up_later_and_is_dated_before_counts_for_nothing(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, asked: Release
) -> None:
    """Nobody can tell when bert signed it, so the date that it bears decides nothing."""
    other = hub.vouch(hub.build(2))
    retire(hub, "bert", hub.approve(other, "bert"))
    asked.approvals += (hub.approve(asked, "bert", made=hub.ago(hours=1)),)
    hub.assign(asked)
    code, words = site.held(hub.export(medium))[HELD]
    assert code == "not-approved"
    assert "the key of bert that it is signed with is retired" in words
    assert site.running() is None


def test_k1_02_what_was_listed_goes_on_counting_and_what_is_new_does_not(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, asked: Release
) -> None:
    asked.approvals += (listed := hub.approve(asked, "bert"),)
    retire(hub, "bert", listed)
    hub.assign(asked)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    second = hub.promote(2)  # by bert, with the key that is retired, and carla
    hub.assign(second)
    ((code, words),) = site.held(hub.export(medium)).values()
    assert code == "not-approved"
    assert "is retired" in words


def test_k1_02_a_new_laptop_voids_nothing_and_the_old_key_makes_nothing_new(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, asked: Release
) -> None:
    """Bert has a new key; with the old one, which lies in a drawer, somebody signs."""
    asked.approvals += (listed := hub.approve(asked, "bert"),)
    retire(hub, "bert", listed, leaves=False)
    new = MemberKey(hub.public("bert-2"), "file", (f"approve:{STAGE}",))
    hub.people = [
        replace(one, keys=(*one.keys, new)) if one.id == "bert" else one for one in hub.people
    ]
    hub.publish_members()
    hub.assign(asked)
    site.take(hub.export(medium))
    second = hub.vouch(hub.build(2))
    second.approvals = (hub.approve(second, "bert"), hub.approve(second, "carla"))
    hub.list_artifact(second)
    hub.assign(second)
    assert [code for code, _ in site.held(hub.export(medium)).values()] == ["not-approved"]
    second.approvals = (hub.approve(second, "bert", key="bert-2"), second.approvals[1])
    hub.assign(second)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"


def test_k1_02_one_person_counts_once_with_the_old_key_and_the_new_one(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, asked: Release
) -> None:
    asked.approvals = (old := hub.approve(asked, "bert"),)
    retire(hub, "bert", old, leaves=False)
    new = MemberKey(hub.public("bert-2"), "file", (f"approve:{STAGE}",))
    hub.people = [
        replace(one, keys=(*one.keys, new)) if one.id == "bert" else one for one in hub.people
    ]
    hub.publish_members()
    asked.approvals += (hub.approve(asked, "bert", key="bert-2"),)
    hub.assign(asked)
    code, words = site.held(hub.export(medium))[HELD]
    assert code == "not-approved"
    assert "one person counts once" in words


def test_k1_02_a_listed_approval_of_a_key_that_is_called_compromised_counts_no_more(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, asked: Release
) -> None:
    """Compromised is more than retired, and for ever: also where a list says retired again."""
    asked.approvals += (listed := hub.approve(asked, "bert"),)
    retire(hub, "bert", listed, leaves=False)
    before = hub.people
    hub.people = [
        replace(one, keys=(replace(one.keys[0], status="compromised", counts=None),))
        if one.id == "bert"
        else one
        for one in before
    ]
    hub.publish_members()
    hub.assign(asked)
    assert site.held(hub.export(medium))[HELD][0] == "not-approved"
    hub.people = before
    hub.publish_members()
    code, words = site.held(hub.export(medium))[HELD]
    assert code == "not-approved"
    assert "called compromised" in words
