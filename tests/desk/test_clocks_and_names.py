"""A clock that was wrong is no dead end, and what is named in another spelling is no attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import as_drafted
from sealift_signing.drafts import Draft
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Approval
from tests.desk.every_act import every_act
from tests.desk.people import Signer
from tests.desk.test_signing import said
from tests.desks import STEWARDS, TEAM, Acme

ROLE = f"team.{TEAM}"
GIVEN = {"meaning": ("validated",), "reason": ("I saw it",)}


def approving(acme: Acme) -> tuple[Draft, str]:
    """A draft of an approval, and the number by which the hub calls it."""
    draft = next(one.draft for one in every_act(acme) if one.draft.act == "approve")
    return draft, draft.object[0]


def test_t1_30_what_was_signed_by_a_clock_that_was_ahead_is_signed_anew(tmp_path: Path) -> None:
    """The hub refuses it for its date; given out again it would be refused for ever."""
    acme = Acme()
    draft, number = approving(acme)
    carla = Signer(acme, "carla", tmp_path / "carla")
    carla.trust()
    right = acme.now
    acme.later(days=20)
    ahead = carla.sign(draft, Ask("approve", (number,), GIVEN))
    acme.now = right
    with pytest.raises(RefusedError) as error:
        carla.sign(draft, Ask("approve", (number,), GIVEN))
    assert error.value.code == "signed-ahead"
    assert "--anew" in error.value.next_step
    assert said(Approval, ahead).made in error.value.what
    anew = carla.sign(draft, Ask("approve", (number,), GIVEN), anew=True)
    assert said(Approval, anew).made < said(Approval, ahead).made
    assert carla.sign(draft, Ask("approve", (number,), GIVEN)) == anew, "the newest is given out"


def test_t1_31_a_laptop_that_is_a_month_ahead_is_told_to_look_at_its_clock() -> None:
    acme = Acme()
    acme.trusting(*STEWARDS)
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    draft = acme.draft("renew", ROLE)
    drafted = draft.made
    acme.later(days=31)
    with pytest.raises(RefusedError) as error:
        acme.examine(draft, "anna")
    assert error.value.code == "draft-old"
    assert drafted in error.value.what
    assert "the clock here says" in error.value.what
    assert "If it is ahead, set it" in error.value.next_step


@pytest.mark.parametrize("spelled", ["P-1", "p-1", "P-01", "P-000001"])
def test_t1_32_a_promotion_is_named_as_the_hub_and_the_tutorial_name_it(
    tmp_path: Path, spelled: str
) -> None:
    acme = Acme()
    draft, number = approving(acme)
    assert number == "P-000001"
    carla = Signer(acme, "carla", tmp_path / "carla")
    carla.trust()
    once = carla.sign(draft, Ask("approve", (spelled,), GIVEN))
    assert once.object == (number,)
    acme.later(hours=1)
    for again in (number, spelled):
        assert carla.sign(draft, Ask("approve", (again,), GIVEN)) == once, "it is the same act"
        assert not carla.said.asked


@pytest.mark.parametrize("spelled", ["P-2", "P-0000010", "P-", "1", "P-1x"])
def test_t1_33_and_no_other_is_signed(tmp_path: Path, spelled: str) -> None:
    acme = Acme()
    draft, _ = approving(acme)
    carla = Signer(acme, "carla", tmp_path / "carla")
    carla.trust()
    with pytest.raises(RefusedError) as error:
        carla.sign(draft, Ask("approve", (spelled,), GIVEN))
    assert error.value.code == "other-act"


def test_t1_34_of_stewards_the_order_says_nothing_and_who_they_are_does(tmp_path: Path) -> None:
    acme = Acme()
    acme.trusting("tina", "toni")
    draft = acme.draft("set-stewards", TEAM, "anna", "ben", "cora", cards=["cora"])
    tina = Signer(acme, "tina", tmp_path / "tina")
    tina.trust()
    with pytest.raises(RefusedError) as error:
        tina.sign(draft, Ask("set-stewards", (TEAM, "ben", "anna")))
    assert error.value.code == "other-act"
    signed = tina.sign(draft, Ask("set-stewards", (TEAM, "cora", "ben", "anna")))
    assert signed.object == draft.object
    assert tina.sign(draft, Ask("set-stewards", (TEAM, "ben", "cora", "anna"))) == signed


def test_t1_35_of_options_the_order_counts_only_where_it_means_something() -> None:
    ask = Ask("assign", ("plant-7", "v"), {"for": ("b", "a"), "fallback": ("2", "1")})
    drafted = {"for": ("a", "b"), "fallback": ("1", "2")}
    assert as_drafted(ask, ask.object, drafted).details == {**drafted, "fallback": ("2", "1")}
    assert as_drafted(ask, ("plant-9", "v"), drafted).object == ask.object
