"""Floors by (delegator, role, key set): the rule, over values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_signing import floors, roles
from sealift_signing.floors import ANY, VisitedRole
from sealift_signing.tuf_walk import WentBackError
from tests.trust import Keyring, Repository

OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64


def seen(
    version: int, keys: str = NEW, stated: int | None = None, role: str = "fleet"
) -> VisitedRole:
    return VisitedRole("targets", role, version, keys, stated)


def rows(**numbers: int) -> dict[floors.FloorKey, int]:
    named = {"old": OLD, "new": NEW, "other": OTHER, "any": ANY}
    return {("targets", "fleet", named[name]): number for name, number in numbers.items()}


@pytest.mark.parametrize(
    "known, stated, least",
    [
        (rows(), None, 0),
        (rows(new=7), None, 7),
        (rows(old=9, new=7), None, 7),
        (rows(old=9), None, 9),
        (rows(old=9, other=11), None, 11),
        (rows(old=9, any=12), None, 12),
        (rows(old=9), 3, 3),
        (rows(old=9, new=7), 3, 7),
        (rows(old=9, new=7), 8, 8),
        (rows(any=12), 3, 12),
        (rows(any=12, new=7), None, 12),
        ({("root", "fleet", NEW): 50, ("targets", "recall", NEW): 60}, None, 0),
    ],
)
def test_the_floor_of_a_role_and_its_keys(
    known: floors.Floors, stated: int | None, least: int
) -> None:
    assert floors.floor(known, seen(1, stated=stated)) == least
    floors.check(known, [seen(max(least, 1), stated=stated)])
    if least > 1:
        with pytest.raises(WentBackError) as error:
            floors.check(known, [seen(least - 1, stated=stated)])
        assert (error.value.code, error.value.subject) == ("below-floor", "fleet")


def test_recall_has_no_floor() -> None:
    known = {("targets", "recall", NEW): 9}
    floors.check(known, [seen(1, role="recall")])
    assert floors.raised(known, [seen(1, role="recall")]) == known


@given(
    st.dictionaries(st.sampled_from([OLD, NEW, OTHER, ANY]), st.integers(1, floors.LARGEST)),
    st.integers(1, floors.LARGEST),
    st.one_of(st.none(), st.integers(1, floors.LARGEST)),
)
def test_what_was_taken_is_not_gone_back_behind(
    numbers: dict[str, int], version: int, stated: int | None
) -> None:
    known = {("targets", "fleet", keys): number for keys, number in numbers.items()}
    one = seen(version, stated=stated)
    after = known | floors.raised(known, [one])
    assert floors.floor(after, seen(1)) >= max(version, floors.floor(known, one))
    assert floors.floor(after, seen(1, keys=OLD)) >= numbers.get(OLD, 0)


def test_a_key_set_is_its_keys_whatever_their_order_and_how_often_each_stands_there() -> None:
    keys = Keyring()
    one, two = keys.public("one"), keys.public("two")
    assert floors.key_set([one, two]) == floors.key_set([two, one, two])
    assert len({floors.key_set(each) for each in ([], [one], [two], [one, two])}) == 4


def test_the_people_and_the_threshold_are_no_part_of_a_key_set() -> None:
    repository = Repository()
    before = repository.current["targets"].signed
    repository.holders["team.vision"] = (3, repository.holders["team.vision"][1])
    with repository.next("targets") as signed:
        repository.delegate(signed, "team.vision")
    assert roles.key_set(signed, "team.vision") == roles.key_set(before, "team.vision")
