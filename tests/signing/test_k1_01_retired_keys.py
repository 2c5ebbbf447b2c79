"""Keys that were retired: what goes on counting, and what a list of members may say of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sealift_signing import compromised, key_status, shape
from sealift_signing.approvals import NotCountedError, check_before_signing, check_request, tally
from sealift_signing.documents import MemberKey, Members, Person, Status, StillCounts, read_members
from sealift_signing.errors import MalformedError
from sealift_signing.statements import Approval
from sealift_signing.vocabulary import moment
from tests.trust import TEAM, Promotion


@pytest.fixture
def promotion() -> Promotion:
    return Promotion()


def retired(promotion: Promotion, name: str, *counts: str, status: Status = "active") -> Person:
    """Every key of `name`, of which these statements go on counting."""
    listed = tuple(StillCounts(one, promotion.ahead(days=300)) for one in sorted(counts))
    (found,) = (one for one in promotion.people if one.id == name)
    keys = tuple(replace(key, status="retired", counts=listed) for key in found.keys)
    left = replace(found, status=status, keys=keys)
    promotion.people = [left if one.id == name else one for one in promotion.people]
    return left


@pytest.mark.parametrize("status", ["active", "retired"])
def test_k1_01_just_the_listed_approval_of_a_retired_key_counts(
    promotion: Promotion, status: Status
) -> None:
    request, other = promotion.request(), promotion.request(reason="Another.")
    listed, later = promotion.approve(request, "bert"), promotion.approve(other, "bert")
    retired(promotion, "bert", listed, status=status)
    found = promotion.read_approvals(listed), promotion.rules()
    assert tally(promotion.read_request(request), *found).people == ("bert",)
    counted = tally(
        promotion.read_request(other), promotion.read_approvals(later), promotion.rules()
    )
    assert counted.people == ()
    (why,) = counted.set_aside
    assert "the key of bert that it is signed with is retired" in why


def test_k1_01_so_it_is_with_requests(promotion: Promotion) -> None:
    listed, later = promotion.request(), promotion.request(reason="Another.")
    retired(promotion, "anna", listed, status="retired")
    check_request(promotion.read_request(listed), promotion.rules())
    with pytest.raises(NotCountedError) as error:
        check_request(promotion.read_request(later), promotion.rules())
    assert error.value.code == "key-retired"


def test_k1_01_what_is_listed_still_ends_when_it_says(promotion: Promotion) -> None:
    request = promotion.request()
    listed = promotion.approve(request, "bert", valid_until=promotion.ahead(days=1))
    retired(promotion, "bert", listed)
    later = promotion.rules(now=promotion.now + timedelta(days=2))
    counted = tally(promotion.read_request(request), promotion.read_approvals(listed), later)
    assert counted.people == ()
    assert "was valid until" in counted.set_aside[0]


def test_k1_01_whoever_left_with_a_list_approves_none_of_their_own_requests(
    promotion: Promotion,
) -> None:
    request = promotion.request()
    approval = promotion.approve(request, "anna")
    retired(promotion, "anna", request, approval, status="retired")
    found = promotion.read_approvals(approval), promotion.rules()
    assert tally(promotion.read_request(request), *found).people == ()


def test_k1_01_the_older_form_of_a_person_who_left_lists_nothing(promotion: Promotion) -> None:
    request = promotion.request()
    approval = promotion.approve(request, "bert")
    promotion.people = [
        replace(one, status="retired") if one.id == "bert" else one for one in promotion.people
    ]
    assert promotion.members().requires == ()
    found = promotion.read_approvals(approval), promotion.rules()
    assert tally(promotion.read_request(request), *found).people == ()


def test_k1_01_a_retired_key_signs_nothing_new(promotion: Promotion) -> None:
    request = promotion.request()
    approval = promotion.approve(request, "bert")
    retired(promotion, "bert", approval)
    said: Approval = promotion.read_approvals(approval)[0].predicate
    with pytest.raises(NotCountedError) as error:
        check_before_signing(said, promotion.keys.public("bert"), promotion.rules())
    assert error.value.code == "key-retired"


def test_k1_01_one_key_that_is_compromised_counts_nowhere_and_the_other_does(
    promotion: Promotion,
) -> None:
    request = promotion.request()
    bert = next(one for one in promotion.people if one.id == "bert")
    new = replace(bert.keys[0], key=promotion.keys.public("bert-2").text)
    stolen = replace(bert.keys[0], status="compromised")
    both = replace(bert, keys=(stolen, new))
    promotion.people = [both if one is bert else one for one in promotion.people]
    assert compromised.people_of("team.vision", promotion.members()) == {
        ("team.vision", stolen.key)
    }
    approvals = promotion.approve(request, "bert"), promotion.approve(request, "bert", key="bert-2")
    counted = tally(
        promotion.read_request(request), promotion.read_approvals(*approvals), promotion.rules()
    )
    assert counted.people == ("bert",)
    assert "called compromised" in counted.set_aside[0]
    assert [one.key for one in both.active_keys] == [new.key]


# ---------------------------------------------------------------- what a list may say


KEY = "1" * 64


def members(promotion: Promotion, **key: object) -> Members:
    bert = next(one for one in promotion.people if one.id == "bert")
    changed = replace(bert, keys=(replace(bert.keys[0], **key),))  # type: ignore[arg-type]
    return Members(1, (key_status.REQUIRED,), TEAM, (changed,), ())


def test_k1_01_the_feature_is_required_where_a_key_has_a_status_and_only_there(
    promotion: Promotion,
) -> None:
    right = members(promotion, status="retired", counts=())
    assert read_members(shape.write(right), TEAM) == right
    for wrong in (replace(right, requires=()), members(promotion)):
        with pytest.raises(MalformedError) as error:
            read_members(shape.write(wrong), TEAM)
        assert error.value.code == "key-status-unrequired"
        assert key_status.requiring(wrong) == (
            right if wrong.requires == () else replace(wrong, requires=())
        )


@pytest.mark.parametrize(
    "key",
    [
        {"status": "retired"},
        {"status": "compromised", "counts": ()},
        {"counts": ()},
        {
            "status": "retired",
            "counts": (
                StillCounts("2" * 64, "2027-01-01T00:00:00.000000Z"),
                StillCounts("1" * 64, "2027-01-01T00:00:00.000000Z"),
            ),
        },
    ],
)
def test_k1_01_a_list_stands_with_a_retired_key_and_is_in_order(
    promotion: Promotion, key: dict[str, object]
) -> None:
    with pytest.raises(MalformedError) as error:
        read_members(shape.write(members(promotion, **key)), TEAM)
    assert error.value.code == "bad-key-status"


def test_k1_01_who_is_compromised_has_no_key_that_is_less(promotion: Promotion) -> None:
    found = members(promotion, status="retired", counts=())
    said = replace(found, people=tuple(replace(p, status="compromised") for p in found.people))
    with pytest.raises(MalformedError) as error:
        read_members(shape.write(said), TEAM)
    assert error.value.code == "bad-key-status"
    assert said.people[0].status_of(said.people[0].keys[0]) == "compromised"


def test_k1_01_what_expired_leaves_the_list_and_the_key_stays(promotion: Promotion) -> None:
    ends = {"1" * 64: 1, "2" * 64: 30}
    listed = tuple(StillCounts(one, promotion.ahead(days=n)) for one, n in ends.items())
    found = members(promotion, status="retired", counts=listed)
    later = promotion.now + timedelta(days=2)
    left = key_status.without_expired(found, later).people[0].keys[0]
    assert left.counts == (StillCounts("2" * 64, moment(promotion.now + timedelta(days=30))),)
    for when in (later, promotion.now + timedelta(days=31)):
        (key,) = key_status.without_expired(found, when).people[0].keys
        assert isinstance(key, MemberKey)
        assert key.status == "retired"
