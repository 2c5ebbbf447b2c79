"""Honest days of sites: they are behind, are between two stewardships, are ten, and are the first.

All of it by the commands that people type, without a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import models
from tests.desk.days import Days, Told, digest
from tests.desk.test_honest_days import ROLE
from tests.registry.hub_fixture import GROUP, MODEL, SITE, STEWARDS, TARGET, assigned, copied

__all__ = ["assigned"]

DISPATCH = "--key offline/dispatcher-1.pem"


@pytest.fixture
def days(assigned: Path, tmp_path: Path) -> Iterator[Days]:
    """A hub whose site, in `site`, runs version 1 by its first bundle."""
    copied(assigned, tmp_path)
    made = Days(tmp_path)
    (tmp_path / "medium").mkdir(exist_ok=True)
    made.trusting("dispatcher-1")
    carried(made)
    yield made
    made.close()


def carried(days: Days, site: str = SITE, home: str = "site") -> Told:
    """A bundle for a site, from the hub to the site; what the site says of it."""
    days.later(hours=1)
    told = days.hub(f"export {site} --to medium {DISPATCH}")
    return days.site(f"import {told['folder']}", home)


def test_t0_50_between_two_stewardships_nothing_is_exported_and_then_the_site_goes_on(
    days: Days,
) -> None:
    """The site refuses nobody honest: what it has runs on, and the new stewards' list is taken."""
    anna, ben = days.trusting(*STEWARDS)
    targets = days.trusting("targets-1", "targets-2")
    names = ("cora", "dirk", "eva")
    for name in names:
        days.person(name).card()
    cards = " ".join(f"--card {name}.card" for name in names)
    days.carry_out(f"team stewards vision anna ben {cards}", *targets)
    # Until three of the five have signed the list, no site would take it.
    refused = days.hub(f"export {SITE} --to medium {DISPATCH}", code=1)
    assert f"sealift renew {ROLE}" in refused["next"], refused
    assert ROLE in json.dumps(days.hub("next"))
    assert days.hub("audit fsck")["ok"]
    assert days.site("status")["runs"][0]["version"] == 1
    (cora,) = days.trusting("cora")
    days.carry_out(f"renew {ROLE}", anna, ben, cora)
    carried(days)
    dirk, eva = days.trusting("dirk", "eva")
    for one in (dirk, eva):
        days.looks(one)
    days.carry_out("team stewards vision cora dirk eva", *targets)
    days.carry_out(f"renew {ROLE}", dirk, eva)
    carried(days)
    assert days.site("status")["runs"][0]["version"] == 1
    days.site("audit fsck")


def test_t0_51_a_site_ten_linked_versions_behind_takes_the_next_bundle(days: Days) -> None:
    anna, ben = days.trusting(*STEWARDS)
    for _ in range(10):
        days.later(hours=2)
        days.carry_out(f"renew {ROLE}", anna, ben)
    carried(days)


def test_t0_52_a_site_that_holds_what_the_hub_lost(days: Days) -> None:
    """Restored, the hub gives it up and says so; the site takes what sets it aside, and says so."""
    anna, ben = days.trusting(*STEWARDS)
    backup = days.backup()
    days.person("gina").card()
    days.carry_out("team approver vision gina.card", anna, ben)
    carried(days)
    days.looks(anna)
    days.restored(backup)
    days.later(days=1)
    anna("write", ROLE, "lost")
    # Made without knowledge of it, the next version would be refused by the site as a fork.
    made = days.draft(f"renew {ROLE}", anna.folder / "lost")
    typed = ("--confirm", digest(anna.folder / "lost"))
    days.submit(anna.sign(made, *typed), ben.sign(made, *typed))
    # The hub's own numbers went back with it, too. Both refusals say what goes on.
    (days.folder / "medium").rename(days.folder / "old medium")
    (days.folder / "medium").mkdir()
    told = days.hub(f"export {SITE} --to medium {DISPATCH}")
    refused = days.site(f"import {told['folder']}", code=1)
    assert (refused["code"], refused["subject"]) == ("role-forked", "timestamp")
    assert "sealift renew" in refused["next"]
    for role, holders in (("targets", ("targets-1", "targets-2")), ("fleet", ("fleet-1",))):
        days.carry_out(f"renew {role}", *days.trusting(*holders))
    told = days.hub(f"export {SITE} --to medium {DISPATCH}")
    said = json.dumps(carried(days))
    assert f"{ROLE}: version 4" in said
    assert "is given up: version 5 set it aside" in said
    assert "which anna and ben signed" in said
    days.site("audit fsck")


def test_t0_53_a_second_smaller_team_bars_no_bundle(days: Days) -> None:
    targets = days.trusting("targets-1", "targets-2")
    for name in ("kim", "lena", "mona"):
        days.person(name).card()
    days.carry_out("team add sound --steward kim.card --steward lena.card", *targets)
    days.carry_out("team approver sound mona.card", *days.trusting("kim", "lena"))
    carried(days)


def test_t0_54_a_tenth_site(days: Days) -> None:
    """Each enrolment is a next version of `fleet`; the newest site is like the first."""
    (fleet,) = days.trusting("fleet-1")
    name = ""
    for number in range(2, 11):
        name = f"plant-{number}0"
        days.enrols(name, fleet, "dispatcher-1")
        days.later(minutes=5)
    days.hub(f"assign {name} {MODEL}/1 --for {GROUP}={TARGET} {DISPATCH}")
    carried(days, name, home=name)
    carried(days)
    assert days.site("status", name)["runs"][0]["version"] == 1
    assert days.hub("audit fsck")["ok"]


def test_t0_55_everything_lapsed_over_a_long_holiday(days: Days) -> None:
    """All roles have expired, and each is renewed by those who hold it; the site goes on."""
    holders = {
        "root": ("root-1", "root-2"),
        "targets": ("targets-1", "targets-2"),
        "fleet": ("fleet-1",),
        "recall": ("recall-1",),
        ROLE: STEWARDS,
        f"site.{SITE}": ("dispatcher-1",),
    }
    days.trusting(*(one for names in holders.values() for one in names if one != "dispatcher-1"))
    days.later(days=800)
    for role in reversed(holders):
        days.carry_out(f"renew {role}", *days.people(*holders[role]))
    done = carried(days)
    assert done["receipt"]["transfer"]


def test_t0_184_from_an_empty_folder_to_a_model_that_runs_in_one_day(days: Days) -> None:
    """Nobody has met anybody: the first of all begins alone, and everybody else from somebody."""
    new = days.empty("new")
    told = new.hub("init --offline-keys offline --name Acme")
    (new.folder / "paper").write_text(told["fingerprint"])
    (new.folder / "medium").mkdir()
    names = ("anna", "ben", "carla", "emil", "dora", "otto")
    for name in names:
        new.person(name).card()
    new.operator()
    targets = new.trusting("targets-1", "targets-2")
    new.carry_out("team add vision --steward anna.card --steward ben.card", *targets)
    anna, ben, carla, emil, dora, _ = new.trusting(*names)
    for line in ("approver vision carla", "approver vision emil", "requester vision dora"):
        new.carry_out(f"team {line}.card", anna, ben)
    models.tiny_onnx(new.folder / "tiny.onnx", 1)
    models.tiny_goldens(new.folder / "goldens.npz")
    new.hub(f"ingest onnx tiny.onnx --as {MODEL} --goldens goldens.npz")
    new.hub(f"convert {MODEL}/1 --for {TARGET}")
    new.carry_out(f"promote {MODEL}/1 --to production --reason first", dora)
    for one in (carla, emil):
        new.carry_out("approve P-1 --meaning validated --reason tested", one)
    (fleet,) = new.trusting("fleet-1")
    new.enrols("plant-1", fleet, "otto.card")
    key = f"--key {new.person('otto').folder / 'otto.pem'}"
    new.hub(f"assign plant-1 {MODEL}/1 --for {GROUP}={TARGET} {key}")
    told = new.hub(f"export plant-1 --to medium {key}")
    assert told["unprotected"] == []
    new.site(f"import {told['folder']}", "plant-1")
    assert new.site("status", "plant-1")["runs"][0]["version"] == 1
    new.site("return --to medium", "plant-1")
    new.hub("receive medium")
    assert new.hub("audit fsck")["ok"]
