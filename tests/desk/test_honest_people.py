"""Honest days on which people come and go, lose things, are late, or are many.

All of it by the commands that people type, without a terminal.
"""

from __future__ import annotations

import pytest

from tests.desk.days import Days, Person
from tests.desk.test_honest_days import ROLE, approvers, newest


def test_t0_41_a_lost_laptop_a_new_memory_from_a_colleague(
    days: Days, anna: Person, ben: Person
) -> None:
    """The key was on a stick; what anna remembered of her own signatures is gone."""
    days.carry_out(f"renew {ROLE}", anna, ben)
    days.looks(ben)
    again = days.person("anna", machine="new laptop")
    made = days.draft(f"renew {ROLE}")
    assert again.sign(made, code=3).name == "not-trusted"
    again.begins_with(ben.shares())
    days.submit(again.sign(made), ben.sign(made))
    assert newest(days)[0] == 5


def test_t0_42_a_lost_key_is_replaced_by_the_holders_of_targets(
    days: Days, anna: Person, ben: Person
) -> None:
    """Ben lost his key: a steward under another id takes his place, and signs the list again."""
    targets = days.trusting("targets-1", "targets-2")
    days.person("ben2").card()
    days.carry_out("team stewards vision anna --card ben2.card", *targets)
    (ben2,) = days.trusting("ben2")
    assert ben.sign(days.draft(f"renew {ROLE}"), code=1).name == "not-a-holder"
    days.carry_out(f"renew {ROLE}", anna, ben2)
    assert set(days.hub("team list")["stewards"]["vision"]) == {"anna", "ben2"}
    assert approvers(days) == {"carla", "emil"}


def test_t0_43_the_same_person_gets_a_new_key(days: Days, anna: Person) -> None:
    """Under the same id: `team stewards` with a card of the new key replaces the old one."""
    targets = days.trusting("targets-1", "targets-2")
    again = days.person("ben", machine="ben anew")
    (again.folder / "ben.pem").unlink()
    again.card()
    days.carry_out("team stewards vision anna --card ben.card", *targets)
    again.begins_with(anna.shares())
    days.carry_out(f"renew {ROLE}", anna, again)


@pytest.mark.parametrize("delegator", [False, True])
def test_t0_44_a_role_that_lapsed_over_a_holiday(
    days: Days, anna: Person, ben: Person, *, delegator: bool
) -> None:
    people = days.trusting("root-1", "root-2", "targets-1", "targets-2")
    span = 400 if not delegator else 4000
    days.later(days=span)
    made = days.draft(f"renew {ROLE}")
    told = anna.says(made)
    assert "EXPIRED" in told.upper()
    days.submit(anna.sign(made), ben.sign(made))
    days.carry_out("renew targets", *people[2:])
    if delegator:
        days.carry_out("renew root", *people[:2])
    days.person("gina").card()
    days.carry_out("team approver vision gina.card", anna, ben)


def test_t0_45_five_stewards_become_three(days: Days, anna: Person, ben: Person) -> None:
    targets = days.trusting("targets-1", "targets-2")
    names = ("cora", "dirk", "eva")
    for name in names:
        days.person(name).card()
    cards = " ".join(f"--card {name}.card" for name in names)
    days.carry_out(f"team stewards vision anna ben {cards}", *targets)
    cora, dirk, eva = days.trusting(*names)
    made = days.draft(f"renew {ROLE}")
    two = [anna.sign(made), ben.sign(made)]
    assert days.submit(*two, code=1)["code"] == "not-signed-enough"
    days.submit(*two, cora.sign(made))
    days.later(days=1)
    days.carry_out("team stewards vision cora dirk eva", *targets)
    # Dirk never saw what anna, ben and cora signed: he asks one of them before he goes by it, and
    # looking at it a second time, or at what the hub says of it, is not asking.
    made = days.draft(f"renew {ROLE}")
    for _ in range(2):
        assert dirk.sign(made, code=2).name == "not-confirmed"
        dirk.learns(made.file)
    (told,) = cora("heads", "--at", f"{ROLE}=4")["heads"]
    one = dirk.sign(made, "--confirm", told["sha256"])
    eva.learns(dirk.shares())
    days.submit(one, eva.sign(made))
    days.person("gina").card()
    days.carry_out("team approver vision gina.card", cora, eva)
    assert approvers(days) == {"carla", "emil", "gina"}
    days.later(hours=2)
    assert anna.sign(days.draft(f"renew {ROLE}"), code=1).name == "not-a-holder"


def test_t0_46_a_second_smaller_team(days: Days, anna: Person, ben: Person) -> None:
    targets = days.trusting("targets-1", "targets-2")
    for name in ("anna", "kim", "gina"):
        days.person(name).card()
    days.carry_out("team add sound --steward anna.card --steward kim.card", *targets)
    (kim,) = days.trusting("kim")
    days.carry_out("team approver sound gina.card", anna, kim)
    days.carry_out("team approver vision gina.card", anna, ben)
    assert approvers(days, "sound") == {"gina"}
    assert approvers(days) == {"carla", "emil", "gina"}


def test_t0_47_the_first_day(days: Days) -> None:
    """From an empty folder, by whoever sets the hub up, and people who never met it."""
    new = days.empty("new")
    told = new.hub("init --offline-keys offline --name Acme")
    (new.folder / "paper").write_text(told["fingerprint"])
    operator = new.operator()
    for name in ("anna", "ben", "carla", "dora"):
        new.person(name).card()
    targets = new.people("targets-1", "targets-2")
    made = new.draft("team add vision --steward anna.card --steward ben.card")
    targets[0].takes(made.file)
    assert targets[0].sign(made, code=3).name == "not-trusted"
    targets[0]("trust", told["fingerprint"], made.file.name, "--alone")
    targets[1].begins_with(operator)
    new.submit(*(one.sign(made) for one in targets))
    targets[0].learns(targets[1].shares())
    new.later(hours=2)
    assert "ALONE" not in targets[0].says(new.draft("renew targets"))
    stewards = new.people("anna", "ben")
    for one in stewards:
        one.begins_with(targets[1].shares())
    new.carry_out("team approver vision carla.card", *stewards)
    new.carry_out("team requester vision dora.card", *stewards)
    assert approvers(new) == {"carla"}
    assert new.hub("audit fsck")["ok"]


def test_t0_48_a_split_view_is_found_at_the_next_meeting_of_any_two(
    days: Days, anna: Person, ben: Person
) -> None:
    """The hub shows one steward one history and the others another; each has a quorum's names."""
    targets = days.trusting("targets-1", "targets-2", "targets-3")
    for name in ("gina", "hilda"):
        days.person(name).card()
    backup = days.backup()
    days.carry_out("renew targets", targets[0], targets[1])
    days.looks(anna, "targets")
    days.restored(backup)
    days.later(days=1)
    # Whoever saw nothing of it signs another version of that number.
    (other,) = days.trusting("fleet-1")
    days.looks(other, "targets")
    made = days.draft("team stewards vision anna --card gina.card")
    assert targets[1].sign(made, code=1).name in {"second-content", "role-went-back"}
    with_other = days.splits(made, "targets-2", "targets-3")
    days.submit(*with_other)
    days.looks(other, "targets")
    mine, theirs = (one.heads("targets") for one in (anna, other))
    assert mine != theirs
    assert anna.learns(other.shares(), code=1)["code"] == "role-forked"
    assert other.learns(anna.shares(), code=1)["code"] == "role-forked"
