"""What may be set aside, and what is said of it: nothing that is not known to be so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_signing import drafting, drafts
from sealift_signing.drafts import Draft, Superseded
from sealift_signing.errors import RefusedError
from tests.desks import STEWARDS, TEAM, Acme, over

ROLE = f"team.{TEAM}"


@pytest.fixture
def acme() -> Acme:
    made = Acme()
    made.trusting(*STEWARDS, "tina", "toni", "flora")
    made.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    return made


def published(acme: Acme, count: int = 1) -> list[Draft]:
    found = []
    for _ in range(count):
        acme.later(hours=1)
        found.append(acme.publish(STEWARDS, "renew", ROLE))
    acme.later(hours=1)
    return found


def refused(acme: Acme, code: str, other: Draft, role: str = ROLE) -> str:
    with pytest.raises(RefusedError) as error:
        acme.draft("renew", role, over=[over(other)])
    assert error.value.code == code
    return f"{error.value.what} {error.value.next_step}"


def hostile(acme: Acme, monkeypatch: pytest.MonkeyPatch, other: Draft, role: str = ROLE) -> Draft:
    """What a hub drafts that has this check taken out."""
    with monkeypatch.context() as patch:
        patch.setattr(drafting, "check_over", lambda *_: None)
        return acme.draft("renew", role, over=[over(other)])


def at_the_desk(acme: Acme, draft: Draft, name: str = "anna") -> str:
    with pytest.raises(RefusedError) as error:
        acme.examine(draft, name)
    return error.value.code


def test_t1_10_the_version_that_a_draft_stands_on_is_not_set_aside(acme: Acme) -> None:
    (newest,) = published(acme)
    assert "the one that this draft is made from" in refused(acme, "over-own-past", newest)
    other = over(newest)
    carried = Superseded(ROLE, drafts.encoded(other.data), ())
    forced = replace(acme.draft("renew", ROLE), superseded=(carried,))
    assert at_the_desk(acme, drafts.read(drafts.write(forced))) == "over-own-past"


@pytest.mark.parametrize("ago", [1, 2, 3])
def test_t1_11_nor_is_one_that_it_came_from(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, ago: int
) -> None:
    """Nothing would be undone, and all who sign would be told that it is; at the desk, too."""
    older = published(acme, 4)[-1 - ago]
    assert "Leave out --over for it." in refused(acme, "over-own-past", older)
    assert at_the_desk(acme, hostile(acme, monkeypatch, older)) == "over-own-past"


def test_t1_12_nor_is_one_of_another_role(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was left out in silence at the hub, and refused as a draft that holds more at the desk."""
    (other,) = published(acme)
    said = refused(acme, "over-other-role", other, "fleet")
    assert f"of {ROLE} cannot be set aside by a draft of fleet." in said
    assert at_the_desk(acme, hostile(acme, monkeypatch, other, role="fleet"), "flora") == (
        "over-other-role"
    )


def test_t1_13_what_enough_people_signed_was_not_therefore_published(acme: Acme) -> None:
    """Both stewards signed it, the hub refused it, and it never was published."""
    made = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    for name in STEWARDS:
        made = acme.sign(made, name)
    acme.later(hours=1)
    draft = acme.draft("renew", ROLE, over=[over(made)])
    (asked,) = acme.examine(draft, "anna").confirm
    assert "which may have been: enough people signed it" in asked.what
    assert "which was seen published" not in asked.what


def test_t1_14_of_what_is_set_aside_the_difference_is_shown(acme: Acme) -> None:
    made = acme.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna")
    acme.later(hours=1)
    words = acme.examine(acme.draft("renew", ROLE, over=[over(made)]), "ben").words
    start = words.index("It differs from the version that this one is made from:")
    end = next(n for n, one in enumerate(words) if one.startswith("Renew"))
    said = "\n".join(words[start:end])
    assert acme.keys.public("emil").text in said
    assert "carla" not in said


def test_t1_15_a_renewal_that_is_set_aside_undoes_nothing_and_that_is_said(acme: Acme) -> None:
    made = acme.sign(acme.draft("renew", ROLE), "anna")
    acme.later(hours=1)
    words = acme.examine(acme.draft("renew", ROLE, over=[over(made)]), "ben").words
    assert "It says just what the version says that this one is made from." in words


def test_t1_16_a_draft_of_before_is_to_be_drafted_again_first_of_all(acme: Acme) -> None:
    """It was signed, published by others, and this draft lay about since before that."""
    old = acme.draft("renew", ROLE)
    acme.later(hours=1)
    mine = acme.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna")
    with pytest.raises(RefusedError) as error:
        acme.sign(old, "anna")
    assert error.value.code == "second-content"
    assert "published" not in error.value.what
    first, *_, last = error.value.next_step.split(". ")
    assert first.endswith("this draft was made before it: have it drafted again")
    assert "--over" in last
    acme.submit(acme.sign(mine, "ben"))
    acme.sign(acme.draft("renew", ROLE), "anna")


def test_t1_17_so_is_one_that_is_older_than_what_is_known(acme: Acme) -> None:
    old = acme.draft("renew", ROLE)
    acme.later(hours=1)
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    acme.examine(acme.draft("renew", ROLE), "anna")
    acme.later(hours=1)
    acme.sign(acme.draft("renew", ROLE), "anna")
    with pytest.raises(RefusedError) as error:
        acme.sign(old, "anna")
    assert error.value.code == "role-went-back"
    first, *_, last = error.value.next_step.split(". ")
    assert first.endswith("have it drafted again")
    assert "--over" in last
