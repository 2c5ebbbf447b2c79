"""What holds for a renewal on honest days holds for every act, and for every role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_signing.acts.names import ACTS as LIST
from tests.desk.days import Days
from tests.interruptions.acts import ACTS, AT_SERVERS, Signed, with_keys
from tests.interruptions.story import other_keys
from tests.registry.hub_fixture import GROUP, MODEL, SITE, TARGET, assigned, copied

__all__ = ["assigned"]

DISPATCH = "--key offline/dispatcher-1.pem"
HOLDERS = {
    "root": ("root-1", "root-2"),
    "fleet": ("fleet-1",),
    f"site.{SITE}": ("dispatcher-1",),
    "recall": ("recall-1",),
}


@pytest.fixture
def days(assigned: Path, tmp_path: Path) -> Iterator[Days]:
    """A hub whose site is to run version 1; version 2 could be promoted."""
    copied(assigned, tmp_path)
    made = Days(tmp_path)
    (tmp_path / "medium").mkdir(exist_ok=True)
    yield made
    made.close()


def carried_out(days: Days, one: Signed, **wait: float) -> None:
    """An act from draft to submission, each signature so much later."""
    words = one.drafts.replace(f"{MODEL}/3", f"{MODEL}/2")
    made = days.draft(with_keys(words, days.folder))
    signed, people = [], days.people(*one.signers)
    for person in people:
        days.later(**wait)
        if person is not people[0]:
            person.learns(people[0].shares())
        signed.append(person.sign(made))
    done = days.hub(f"submit {one.submits}", *signed)["submitted"]
    assert [told["new"] for told in done] == [True]


def test_t0_177_fridays_draft_of_every_act_is_signed_on_monday(days: Days) -> None:
    """From six in the evening to eight; where two sign, the second does so as much later."""
    for name in ("anna", "gina", "hilda", "shop-2", "shop-2-scanner"):
        days.person(name).card()
    acme = days.acme
    other_keys(acme)
    acme.close()
    days.site(f"init --id plant-9 --group {GROUP}={TARGET} --request plant-9.request", "plant-9")
    assert {one.act for one in ACTS} == LIST.keys() - AT_SERVERS
    days.trusting("recall-1", *{name for one in ACTS for name in one.signers})
    for count, one in enumerate(ACTS):
        carried_out(days, one, hours=62)
        days.later(hours=2)
        if count % 10 == 9:  # of these a signature lasts 90 days
            days.carry_out("renew recall", *days.people("recall-1"))
            days.carry_out(f"renew site.{SITE}", *days.people("dispatcher-1"))
    days.site("import medium")
    assert days.site("status")["runs"][0]["version"] == 2
    assert days.hub("audit fsck")["ok"]


@pytest.mark.parametrize("role", HOLDERS)
def test_t0_178_a_split_view_of_any_role_is_found_when_two_meet(days: Days, role: str) -> None:
    """By file in either direction, and by telephone; of recalls it is said and not refused."""
    one, other = days.trusting("carla", "emil")
    backup = days.backup()
    for person in (one, other):
        days.later(hours=2)
        made = days.draft(f"renew {role}")
        days.submit(*days.splits(made, *HOLDERS[role]))
        days.looks(person, role)
        days.restored(backup)
    assert one.heads(role) != other.heads(role)
    for reader, told in ((one, other.shares()), (other, one.shares())):
        if role == "recall":
            assert "recall has forked: version 2" in str(reader.learns(told)["roles"])
            continue
        refused = reader.learns(told, code=1)
        assert (refused["code"], refused["subject"]) in {
            ("role-forked", role),
            ("root-forked", role),
        }


def test_t0_179_a_split_view_comes_home_on_a_returned_medium(days: Days) -> None:
    """The site was sent another history than a steward was shown."""
    anna, ben = days.trusting("anna", "ben")
    days.trusting("dispatcher-1")
    backup = days.backup()
    days.later(hours=2)
    days.carry_out("renew team.vision", anna, ben)
    days.looks(anna)
    days.restored(backup)
    days.later(hours=2)
    days.submit(*days.splits(days.draft("renew team.vision"), "anna", "ben"))
    told = days.hub(f"export {SITE} --to medium {DISPATCH}")
    days.site(f"import {told['folder']}")
    refused = anna("learn", str(days.folder / "medium"), code=1)
    assert (refused["code"], refused["subject"]) == ("role-forked", "team.vision")
