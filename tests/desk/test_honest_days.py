"""Honest days: what happens to people who do nothing wrong goes on by ordinary acts.

All of it by the commands that people type, without a terminal.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_registry.trust.stored import stored
from sealift_signing import drafts, shape
from tests.desk.days import Days, Person, digest

ROLE = "team.vision"


def newest(days: Days, role: str = ROLE) -> tuple[int, str]:
    """The number and the digest of a role's newest version at the hub."""
    acme = days.acme
    with acme.app.hub.reading() as connection:
        head = stored(connection).base(role)
    acme.close()
    return head.version, head.digest


def approvers(days: Days, team: str = "vision") -> set[str]:
    told = days.hub("team list")["people"]
    return {one["person"] for one in told if one["team"] == team and "approve" in one["may"]}


def test_t0_30_a_draft_is_signed_by_two_and_published_once(
    days: Days, anna: Person, ben: Person
) -> None:
    days.person("gina").card()
    before = len(days.acme.types())
    made = days.draft("team approver vision gina.card")
    files = [anna.sign(made), ben.sign(made)]
    (done,) = days.submit(*files)["submitted"]
    assert (done["new"], done["version"]) == (True, 4)
    (again,) = days.submit(*files)["submitted"]
    assert not again["new"]
    assert len(days.acme.types()) == before + 1
    assert approvers(days) == {"carla", "emil", "gina"}


def test_t0_31_a_draft_that_was_given_up_is_completed_later(
    days: Days, anna: Person, ben: Person
) -> None:
    """Anna signed to let gina approve, ben had doubts; hilda comes in between, and gina after."""
    for name in ("gina", "hilda"):
        days.person(name).card()
    gina = anna.sign(days.draft("team approver vision gina.card"))
    refused = anna.sign(days.draft("team approver vision hilda.card"), code=1)
    assert refused.name == "second-content"
    days.carry_out("team approver vision hilda.card", anna, ben, over=[gina])
    assert days.submit(gina, code=1)["code"] in {"not-signed-enough", "role-moved-on"}
    assert approvers(days) == {"carla", "emil", "hilda"}
    days.carry_out("team approver vision gina.card", anna, ben)
    assert approvers(days) == {"carla", "emil", "gina", "hilda"}


def test_t0_32_signed_by_one_it_is_completed_weeks_later(
    days: Days, anna: Person, ben: Person
) -> None:
    days.person("gina").card()
    made = days.draft("team approver vision gina.card")
    one = anna.sign(made)
    days.later(days=20)
    assert days.submit(one, code=1)["code"] == "not-signed-enough"
    days.submit(one, ben.sign(made))
    assert "gina" in approvers(days)


def test_t0_33_what_is_too_old_to_sign_is_drafted_again(
    days: Days, anna: Person, ben: Person
) -> None:
    made = days.draft(f"renew {ROLE}")
    one = anna.sign(made)
    days.later(days=31)
    assert ben.sign(made, code=1).name == "draft-old"
    assert anna.sign(days.draft(f"renew {ROLE}"), code=1).name == "second-content"
    days.carry_out(f"renew {ROLE}", anna, ben, over=[one])
    assert newest(days)[0] == 5


def test_t0_34_fridays_draft_is_signed_on_monday(days: Days, anna: Person, ben: Person) -> None:
    made = days.draft(f"renew {ROLE}")
    days.later(days=3)
    days.submit(anna.sign(made), ben.sign(made))
    assert newest(days)[0] == 4


def test_t0_35_two_sign_in_parallel_what_each_had_drafted(
    days: Days, anna: Person, ben: Person
) -> None:
    """Each signed a draft of their own, of one number; neither has enough, and both go on."""
    for name in ("gina", "hilda"):
        days.person(name).card()
    ours, theirs = (days.draft(f"team approver vision {one}.card") for one in ("gina", "hilda"))
    one, other = anna.sign(ours), ben.sign(theirs)
    assert days.submit(one, other, code=1)["code"] == "partly-refused"
    # One of them signs the other's, too, which does not set theirs aside: that is refused.
    assert ben.sign(ours, code=1).name == "second-content"
    both = days.draft("team approver vision gina.card", one, other)
    days.submit(anna.sign(both), ben.sign(both))
    days.carry_out("team approver vision hilda.card", anna, ben)
    assert approvers(days) == {"carla", "emil", "gina", "hilda"}


def test_t0_36_a_hub_restored_from_yesterday_gets_back_what_it_lost(
    days: Days, anna: Person, ben: Person
) -> None:
    backup = days.backup()
    days.carry_out(f"renew {ROLE}", anna, ben)
    days.later(hours=2)
    days.carry_out("renew targets", *days.trusting("targets-1", "targets-2"))
    days.looks(anna)
    lost = newest(days), newest(days, "targets")
    days.restored(backup)
    days.later(days=1)
    refused = anna.sign(days.draft(f"renew {ROLE}"), code=1)
    assert refused.name == "role-went-back"
    for role in ("targets", ROLE):
        anna("write", role, f"{role}.version")
        days.submit(anna.folder / f"{role}.version")
    assert (newest(days), newest(days, "targets")) == lost
    days.carry_out(f"renew {ROLE}", anna, ben)
    assert newest(days)[0] == lost[0][0] + 1


def test_t0_37_or_what_it_lost_is_given_up(days: Days, anna: Person, ben: Person) -> None:
    backup = days.backup()
    days.person("gina").card()
    days.carry_out("team approver vision gina.card", anna, ben)
    days.looks(anna)
    days.restored(backup)
    assert "gina" not in approvers(days)
    assert anna.sign(days.draft(f"renew {ROLE}"), code=1).name == "role-went-back"
    anna("write", ROLE, "lost")
    made = days.draft(f"renew {ROLE}", anna.folder / "lost")
    assert anna.sign(made, code=2).name == "not-confirmed", "what was published is typed"
    typed = ("--confirm", digest(anna.folder / "lost"))
    days.submit(anna.sign(made, *typed), ben.sign(made, *typed))
    assert newest(days)[0] == 5
    assert "gina" not in approvers(days)
    ben.learns(anna.shares())


def test_t0_157_also_within_the_hour(days: Days, anna: Person, ben: Person) -> None:
    """A renewal that sets something aside says more than one that was signed just now."""
    days.person("gina").card()
    days.later(days=1)
    days.carry_out(f"renew {ROLE}", anna, ben)
    backup = days.backup()
    days.carry_out("team approver vision gina.card", anna, ben)
    anna.learns(days.draft("team requester vision gina.card").file)
    days.restored(backup)
    anna("write", ROLE, "lost")
    before = newest(days)[0]
    made = days.draft(f"renew {ROLE}", anna.folder / "lost")
    typed = ("--confirm", digest(anna.folder / "lost"))
    days.submit(anna.sign(made, *typed), ben.sign(made, *typed))
    assert newest(days)[0] == before + 2
    told = days.hub(f"renew {ROLE} --over {anna.folder / 'lost'}")
    assert told["version"] == before + 2, "the same again adds nothing"


@pytest.mark.parametrize("role", [ROLE, "root"])
def test_t0_38_a_hub_that_lost_two_versions_gets_both_back(
    days: Days, anna: Person, ben: Person, role: str
) -> None:
    """From somebody who signed neither, and saw each of them once."""
    backup = days.backup()
    holders = [anna, ben] if role == ROLE else days.trusting("root-1", "root-2")
    (carla,) = days.trusting("carla")
    for _ in range(2):
        days.carry_out(f"renew {role}", *holders)
        days.looks(carla)
    lost = newest(days, role)
    days.restored(backup)
    carla("write", role, "second")
    refused = days.submit(carla.folder / "second", code=1)
    assert refused["code"] == "role-moved-on"
    first = lost[0] - 1
    assert f"write {role} FILE --at {first}" in refused["next"]
    carla("write", role, "first", "--at", str(first))
    days.submit(carla.folder / "first")
    days.submit(carla.folder / "second")
    assert newest(days, role) == lost
    assert not days.submit(carla.folder / "first")["submitted"][0]["new"]
    days.later(hours=2)
    days.carry_out(f"renew {role}", *holders)
    assert carla("write", role, "none", "--at", "99", code=3)["code"] == "no-head"


def test_t0_39_or_both_are_given_up(days: Days, anna: Person, ben: Person) -> None:
    backup = days.backup()
    for name in ("gina", "hilda"):
        days.person(name).card()
        days.carry_out(f"team approver vision {name}.card", anna, ben)
    days.looks(anna)
    days.restored(backup)
    anna("write", ROLE, "lost")
    made = days.draft(f"renew {ROLE}", anna.folder / "lost")
    assert anna.sign(made, code=2).name == "not-confirmed", "what was published is typed"
    typed = ("--confirm", digest(anna.folder / "lost"))
    days.submit(anna.sign(made, *typed), ben.sign(made, *typed))
    assert newest(days)[0] == 6
    assert approvers(days) == {"carla", "emil"}


def test_t0_40_a_lost_version_comes_back_whole_or_not_at_all(
    days: Days, anna: Person, ben: Person
) -> None:
    """Without its document nobody could read the role any more."""
    days.person("gina").card()
    backup = days.backup()
    days.carry_out("team approver vision gina.card", anna, ben)
    days.looks(anna)
    days.restored(backup)
    anna("write", ROLE, "lost")
    file = anna.folder / "lost"
    whole = shape.read(drafts.RoleVersion, file.read_bytes(), what="it")
    bare = days.folder / "bare"
    bare.write_bytes(shape.write(replace(whole, documents=())))
    assert days.submit(bare, code=1)["code"] == "document-missing"
    days.submit(file)
    assert "gina" in approvers(days)


def test_the_fingerprint_of_a_new_root_is_told_when_it_is_submitted(days: Days) -> None:
    holders = days.trusting("root-1", "root-2")
    days.later(hours=2)
    made = days.draft("renew root")
    (done,) = days.submit(*(one.sign(made) for one in holders))["submitted"]
    assert done["fingerprint"] == newest(days, "root")[1]
