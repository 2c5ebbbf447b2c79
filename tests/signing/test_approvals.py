"""Which approvals count, and the sentence with which every other is set aside."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sealift_signing import canonical, statements
from sealift_signing.approvals import ApprovalTally, NotCountedError, check_request, tally
from sealift_signing.documents import MemberKey, Person
from sealift_signing.errors import BadSignatureError
from sealift_signing.vocabulary import moment
from tests.trust import STAGE, Promotion, rule

APPROVE = f"approve:{STAGE}"


@pytest.fixture
def promotion() -> Promotion:
    return Promotion()


def counted(promotion: Promotion, request: str, *approvals: str, **rules: Any) -> ApprovalTally:  # noqa: ANN401 - any rule
    return tally(
        promotion.read_request(request),
        promotion.read_approvals(*approvals),
        promotion.rules(**rules),
    )


def test_two_people_are_enough(promotion: Promotion) -> None:
    request = promotion.request()
    found = counted(
        promotion, request, promotion.approve(request, "bert"), promotion.approve(request, "carla")
    )
    assert found.enough
    assert set(found.people) == {"bert", "carla"}
    assert found.set_aside == ()
    assert found.valid_until == promotion.now + timedelta(days=300)


def test_one_person_is_not(promotion: Promotion) -> None:
    request = promotion.request()
    found = counted(promotion, request, promotion.approve(request, "bert"))
    assert not found.enough
    assert found.people == ("bert",)
    assert found.valid_until is None


def test_a_policy_that_asks_for_none_still_needs_one(promotion: Promotion) -> None:
    request = promotion.request()
    assert not counted(promotion, request, rule=rule(approvals=0)).enough
    approval = promotion.approve(request, "bert")
    assert counted(promotion, request, approval, rule=rule(approvals=0)).enough


def test_a_request_is_approved_until_too_few_are_left(promotion: Promotion) -> None:
    request = promotion.request()
    approvals = [
        promotion.approve(request, name, valid_until=promotion.ahead(days=days))
        for name, days in (("bert", 10), ("carla", 20), ("dirk", 30))
    ]
    found = counted(promotion, request, *approvals)
    assert found.valid_until == promotion.now + timedelta(days=20)
    assert counted(promotion, request, *approvals, rule=rule(approvals=3)).valid_until == (
        promotion.now + timedelta(days=10)
    )


# ---------------------------------------------------------------- one approval that does not count


def second_key(promotion: Promotion, name: str, owner: str, *purposes: str) -> None:
    """Give `owner` another key, which the test calls `name`."""
    key = MemberKey(promotion.keys.public(name).text, "file", purposes)
    promotion.people = [
        replace(person, keys=(*person.keys, key)) if person.id == owner else person
        for person in promotion.people
    ]


def status(promotion: Promotion, name: str, now: Any) -> None:  # noqa: ANN401 - a Literal
    promotion.people = [
        replace(person, status=now) if person.id == name else person for person in promotion.people
    ]


def another_request(promotion: Promotion, request: str) -> str:
    return promotion.approve(promotion.request(reason="Another."), "bert")


def by_requester(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "anna")


def by_requester_behind_a_false_name(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "bert", key="anna")


def by_requester_with_a_second_key(promotion: Promotion, request: str) -> str:
    second_key(promotion, "anna-2", "anna", APPROVE)
    return promotion.approve(request, "anna", key="anna-2")


def by_requester_as_two_people(promotion: Promotion, request: str) -> str:
    """Stewards who let one key be in two people's hands: read_members refuses it, so does this."""
    key = MemberKey(promotion.keys.public("anna").text, "file", (APPROVE,))
    promotion.people.append(Person("zoe", "Zoe", "active", (key,)))
    return promotion.approve(request, "zoe", key="anna")


def by_nobody(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "eve")


def by_machine(promotion: Promotion, request: str) -> str:
    second_key(promotion, "builder-1", "bert", APPROVE)
    return promotion.approve(request, "bert", key="builder-1")


def of_another(**changes: Any) -> Callable[[Promotion, str], str]:  # noqa: ANN401 - any field
    return lambda promotion, request: promotion.approve(request, "bert", **changes)


def of_fewer(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "bert", subjects=promotion.subjects[:1])


def of_more(promotion: Promotion, request: str) -> str:
    extra = statements.subject("catalog/vision/digits/3/cpu-aarch64", "9" * 64)
    return promotion.approve(request, "bert", subjects=(*promotion.subjects, extra))


def of_another_digest(promotion: Promotion, request: str) -> str:
    first, second = promotion.subjects
    other = statements.subject(first.name, "9" * 64)
    return promotion.approve(request, "bert", subjects=(other, second))


def expired(promotion: Promotion, request: str) -> str:
    return promotion.approve(
        request, "bert", made=promotion.ago(days=100), valid_until=promotion.ago(seconds=0)
    )


def dated_ahead(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "bert", made=promotion.ahead(days=1, seconds=1))


def meaning_nothing(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "bert", meaning="looks nice")


def with_the_wrong_class(promotion: Promotion, request: str) -> str:
    second_key(promotion, "bert-2", "bert", APPROVE)
    bert = next(person for person in promotion.people if person.id == "bert")
    passkey = replace(bert.keys[1], key_class="passkey")
    promotion.people = [
        replace(person, keys=(bert.keys[0], passkey)) if person is bert else person
        for person in promotion.people
    ]
    return promotion.approve(request, "bert", key="bert-2")


def without_the_purpose(promotion: Promotion, request: str) -> str:
    second_key(promotion, "bert-2", "bert", "request", "approve:staging")
    return promotion.approve(request, "bert", key="bert-2")


def with_another_s_key(promotion: Promotion, request: str) -> str:
    return promotion.approve(request, "bert", key="carla")


def by_retired(promotion: Promotion, request: str) -> str:
    status(promotion, "bert", "retired")
    return promotion.approve(request, "bert")


def by_compromised(promotion: Promotion, request: str) -> str:
    status(promotion, "bert", "compromised")
    return promotion.approve(request, "bert")


@pytest.mark.parametrize(
    "approve,why",
    [
        (another_request, "is of another request"),
        (by_requester, "anna made the request, and whoever requests does not approve"),
        (by_requester_behind_a_false_name, "not signed with a key of bert"),
        (by_requester_with_a_second_key, "anna made the request"),
        (by_requester_as_two_people, "anna made the request"),
        (by_nobody, "team vision knows no eve"),
        (by_machine, "the key of a machine"),
        (of_another(team="audio"), "is for team audio"),
        (of_another(stage="staging"), "stage staging"),
        (of_another(organisation="9" * 64), "not for this organisation's team"),
        (of_another(model="letters"), "names vision/letters/3"),
        (of_another(version=4), "names vision/digits/4"),
        (of_fewer, "is about artifacts other than the request's"),
        (of_more, "is about artifacts other than the request's"),
        (of_another_digest, "is about artifacts other than the request's"),
        (expired, "was valid until"),
        (dated_ahead, "more than a day ahead"),
        (meaning_nothing, "'looks nice', which is not one of the policy's meanings"),
        (with_the_wrong_class, "a key of class passkey, which the policy does not count"),
        (without_the_purpose, "not signed with a key of bert that may approve for production"),
        (with_another_s_key, "not signed with a key of bert"),
        (by_retired, "bert is retired"),
        (by_compromised, "bert is compromised"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_this_approval_does_not_count(
    promotion: Promotion, approve: Callable[[Promotion, str], str], why: str
) -> None:
    request = promotion.request()
    right = promotion.approve(request, "dirk")
    wrong = approve(promotion, request)
    found = counted(promotion, request, right, wrong)
    assert found.people == ("dirk",)
    assert not found.enough
    (sentence,) = found.set_aside
    assert why in sentence


def test_the_same_approvals_count_without_the_mistake(promotion: Promotion) -> None:
    request = promotion.request()
    edges = [
        promotion.approve(request, "bert", made=promotion.ahead(days=1)),
        promotion.approve(
            request, "carla", made=promotion.ago(hours=0), valid_until=promotion.ahead(days=365)
        ),
        promotion.approve(request, "dirk", meaning="accepts the risk"),
    ]
    assert len(counted(promotion, request, *edges).people) == 3


def test_one_person_counts_once_with_however_many_approvals(promotion: Promotion) -> None:
    request = promotion.request()
    second_key(promotion, "bert-2", "bert", APPROVE)
    found = counted(
        promotion,
        request,
        promotion.approve(request, "bert"),
        promotion.approve(request, "bert", reason="Again."),
        promotion.approve(request, "bert", key="bert-2"),
    )
    assert found.people == ("bert",)
    assert len(found.set_aside) == 2
    assert all("one person counts once" in sentence for sentence in found.set_aside)


def test_one_key_counts_once_under_however_many_names(promotion: Promotion) -> None:
    key = MemberKey(promotion.keys.public("bert").text, "file", (APPROVE,))
    promotion.people.append(Person("zoe", "Zoe", "active", (key,)))
    request = promotion.request()
    found = counted(
        promotion,
        request,
        promotion.approve(request, "bert"),
        promotion.approve(request, "zoe", key="bert"),
    )
    assert len(found.people) == 1


def test_approvals_of_two_requests_do_not_add_up(promotion: Promotion) -> None:
    first, second = promotion.request(), promotion.request(reason="Once more.")
    approvals = promotion.approve(first, "bert"), promotion.approve(second, "carla")
    assert not counted(promotion, first, *approvals).enough
    assert not counted(promotion, second, *approvals).enough


def test_k1_131_what_was_signed_for_longer_counts_as_long_as_the_policy_lets(
    promotion: Promotion,
) -> None:
    made = promotion.ago(days=80)
    request = promotion.request(made=made)
    long = promotion.approve(request, "bert", made=made, valid_until=promotion.ahead(days=200))
    short = promotion.approve(request, "carla", made=made, valid_until=promotion.ahead(days=1))
    for days, people, left in ((365, 2, 1), (90, 2, 1), (80, 0, None), (79, 0, None)):
        now = rule(longest_validity_days=days, approve_within_days=90)
        found = counted(promotion, request, long, short, rule=now)
        assert len(found.people) == people
        until = found.valid_until
        assert (until is None) == (left is None)
        if until is not None:
            assert moment(until) == promotion.ahead(days=1)
    one = counted(promotion, request, long, rule=rule(longest_validity_days=90, approvals=1))
    assert [moment(one.ends(signed)) for signed in one.counted] == [promotion.ahead(days=10)]
    gone = counted(promotion, request, long, rule=rule(longest_validity_days=80))
    (why,) = gone.set_aside
    assert "the policy lets none count for more than 80 days" in why


def test_the_longest_valid_approval_of_a_person_counts(promotion: Promotion) -> None:
    request = promotion.request()
    old = promotion.approve(request, "bert", valid_until=promotion.ahead(days=1))
    renewed = promotion.approve(request, "bert", valid_until=promotion.ahead(days=200))
    for order in ((old, renewed), (renewed, old)):
        (found,) = counted(promotion, request, *order, rule=rule(approvals=1)).counted
        assert found.sha256 == renewed


def test_alone_the_requester_may_approve_and_with_any_key(promotion: Promotion) -> None:
    solo = rule(requester_may_approve=True, approvals=1)
    request = promotion.request()
    approval = promotion.approve(request, "anna")
    keys = frozenset({promotion.keys.public("anna").raw})
    found = counted(promotion, request, approval, rule=solo, machine_keys=keys)
    assert found.people == ("anna",)
    check_request(promotion.read_request(request), promotion.rules(rule=solo, machine_keys=keys))


def test_a_forged_approval_is_no_opinion_but_an_attack(promotion: Promotion) -> None:
    request = promotion.request()
    right = promotion.carried[promotion.approve(request, "bert")]
    other = promotion.carried[promotion.approve(request, "bert", reason="Something else.")]
    ours, theirs = (canonical.decode(data, what="it") for data in (right, other))
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    promotion.carried["forged"] = canonical.encode(ours | {"payload": theirs["payload"]})
    with pytest.raises(BadSignatureError):
        counted(promotion, request, "forged")


def test_t0_114_a_request_that_was_made_long_ago_is_approved_by_nobody(
    promotion: Promotion,
) -> None:
    for days, seconds, enough in ((900, 0, False), (30, 1, False), (30, 0, True)):
        made = promotion.ago(days=days, hours=1, seconds=seconds)
        request = promotion.request(made=made)
        approvals = [promotion.approve(request, name) for name in ("bert", "carla")]
        found = counted(promotion, request, *approvals)
        assert found.enough == enough
        assert all(f"{days} days after its request" in why for why in found.set_aside)


def test_an_approval_is_not_older_than_its_request_but_for_a_days_lead(
    promotion: Promotion,
) -> None:
    for seconds, count in ((0, 1), (1, 0)):
        request = promotion.request(made=promotion.ahead(hours=23, seconds=seconds))
        found = counted(promotion, request, promotion.approve(request, "bert"))
        assert len(found.people) == count
        assert all("more than a day before its request" in why for why in found.set_aside)


def test_a_policy_may_give_approvals_another_span(promotion: Promotion) -> None:
    for days, span, count in ((40, 40, 1), (40, 39, 0), (5, 4, 0)):
        request = promotion.request(made=promotion.ago(days=days, hours=1))
        approval = promotion.approve(request, "bert")
        found = counted(promotion, request, approval, rule=rule(approve_within_days=span))
        assert len(found.people) == count


# ---------------------------------------------------------------- the request itself


def test_a_request_by_an_entitled_person_stands(promotion: Promotion) -> None:
    check_request(promotion.read_request(promotion.request()), promotion.rules())


@pytest.mark.parametrize(
    "changes,code",
    [
        ({"organisation": "9" * 64}, "for-another-place"),
        ({"team": "audio"}, "for-another-place"),
        ({"stage": "staging"}, "for-another-place"),
        ({"by": "eve"}, "person-unknown"),
        ({"by": "bert"}, "not-entitled"),
        ({"by": "anna", "key": "bert"}, "not-entitled"),
        ({"made": "2026-11-21T12:00:00.000001Z"}, "dated-ahead"),
    ],
)
def test_this_request_does_not_stand(
    promotion: Promotion, changes: dict[str, Any], code: str
) -> None:
    request = promotion.read_request(promotion.request(**changes))
    with pytest.raises(NotCountedError) as error:
        check_request(request, promotion.rules())
    assert error.value.code == code


@pytest.mark.parametrize("now", ["retired", "compromised"])
def test_who_left_requests_nothing(promotion: Promotion, now: str) -> None:
    request = promotion.read_request(promotion.request())
    status(promotion, "anna", now)
    with pytest.raises(NotCountedError) as error:
        check_request(request, promotion.rules())
    assert error.value.code == "person-not-active"


def test_a_machine_requests_nothing(promotion: Promotion) -> None:
    second_key(promotion, "builder-1", "anna", "request")
    request = promotion.read_request(promotion.request(key="builder-1"))
    with pytest.raises(NotCountedError) as error:
        check_request(request, promotion.rules())
    assert error.value.code == "machine-key"
