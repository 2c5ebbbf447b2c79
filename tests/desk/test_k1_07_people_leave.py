"""People leave, come back, have another key: what stewards sign of them, and are told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from sealift_signing import compromised, drafts, key_status, shape
from sealift_signing.approvals import tally
from sealift_signing.documents import MemberKey, Members, Person, StillCounts, members_path
from sealift_signing.drafts import Draft
from sealift_signing.enough_people import meets
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import moment
from tests.desks import STEWARDS, TEAM, Acme, Loose
from tests.trust import MODEL, STAGE, Promotion, rule

Details = dict[str, tuple[str, ...]]
WITHOUT: Details = {"without-list": ("yes",)}


@pytest.fixture
def acme() -> Acme:
    """A team in which rita asks, and carla, emil and dora approve."""
    made = Acme()
    made.trusting(*STEWARDS)
    made.publish(STEWARDS, "add-requester", TEAM, "rita", cards=["rita"])
    for name in ("carla", "emil", "dora"):
        made.publish(STEWARDS, "add-approver", TEAM, name, cards=[name])
    return made


def signed(acme: Acme) -> Promotion:
    """Statements of the organisation's people."""
    return Promotion(keys=acme.keys, now=acme.now, organisation=acme.organisation.id)


def members(acme: Acme) -> Members:
    found = acme.organisation.members(TEAM)
    assert found is not None
    return found


def person(acme: Acme, name: str) -> Person:
    found = members(acme).person(name)
    assert found is not None
    return found


def words(acme: Acme, made: Draft) -> str:
    return "\n".join(acme.examine(made, "anna").words)


def other_card(acme: Acme, name: str) -> bytes:
    """A card of another key of that person."""
    return replace(acme.person(name), signer=acme.keys[f"{name}-2"]).card(acme.now)


def does(acme: Acme, act: str, *about: str, **more: Loose) -> str:
    """The stewards sign and publish an act; what anna was told."""
    made = acme.draft(act, TEAM, *about, **more)
    told = words(acme, made)
    for name in STEWARDS:
        made = acme.sign(made, name)
    acme.submit(made)
    return told


def refused(acme: Acme, act: str, *about: str, **more: Loose) -> SealiftError:
    with pytest.raises(SealiftError) as bad:
        does(acme, act, *about, **more)
    assert bad.value.next_step
    return bad.value


# ---------------------------------------------------------------- the list


def test_k1_07_just_what_the_key_signed_and_still_counts_is_listed(acme: Acme) -> None:
    case = signed(acme)
    request = case.request(by="rita")
    mine = case.approve(request, "carla", valid_until=case.ahead(days=30))
    over = case.approve(request, "carla", valid_until=case.ago(days=1), made=case.ago(days=20))
    others = case.approve(request, "emil")
    strange = case.approve(request, "carla", key="mallory")
    elsewhere = case.approve(request, "carla", team="audio")
    brought = [case.carried[one] for one in (request, mine, over, others, strange, elsewhere)]
    told = does(acme, "retire-person", "carla", statements=brought)
    left = person(acme, "carla")
    (key,) = left.keys
    assert (left.status, key.status) == ("retired", "retired")
    assert key.counts == (StillCounts(mine, case.ahead(days=30)),)
    assert members(acme).requires == (key_status.REQUIRED,)
    assert "1 statement, as far as the hub brought them, go on counting" in told
    what = f"the approval of {TEAM}/{MODEL}/3 for {STAGE}, until {case.ahead(days=30)}: {mine[:12]}"
    assert what in told
    rules = case.rules(members=members(acme))
    counted = tally(case.read_request(request), case.read_approvals(mine, others), rules)
    assert counted.people == ("emil", "carla")


def test_k1_07_a_request_counts_until_its_last_approval_could_end(acme: Acme) -> None:
    case = signed(acme)
    asked, old = case.request(by="rita"), case.request(by="rita", made=case.ago(days=396))
    does(acme, "retire-person", "rita", statements=[case.carried[one] for one in (asked, old)])
    end = acme.now - timedelta(hours=2) + timedelta(days=30 + 365)
    assert person(acme, "rita").keys[0].counts == (StillCounts(asked, moment(end)),)


def test_k1_07_what_only_claims_to_be_of_the_key_stops_the_draft(acme: Acme) -> None:
    """Its envelope names the key, and somebody else signed it."""
    case = signed(acme)
    keyid = acme.keys.public("carla").keyid.encode()
    strange = case.carried[case.approve(case.request(by="rita"), "carla", key="mallory")]
    named = strange.replace(acme.keys.public("mallory").keyid.encode(), keyid)
    assert keyid in named
    with pytest.raises(SealiftError) as bad:
        acme.draft("retire-person", TEAM, "carla", statements=[named])
    assert bad.value.code == "bad-signature"


def _edited(made: Draft, edit: Loose) -> Draft:
    """The draft with another list of people in it, as whoever owns the hub would write it."""
    (part,) = made.parts
    listed = tuple(
        replace(one, data=drafts.encoded(edit(drafts.decoded(one.data))))
        if one.path == members_path(TEAM)
        else one
        for one in part.documents
    )
    return replace(made, parts=(replace(part, documents=listed),))


def test_k1_07_a_hub_can_list_nothing_that_did_not_come_along(acme: Acme) -> None:
    """Such as the digest of an approval that is signed tomorrow with the key that was kept."""
    case = signed(acme)
    mine = case.approve(case.request(by="rita"), "carla")
    later = case.approve(case.request(by="rita", reason="Another."), "carla")
    made = acme.draft("retire-person", TEAM, "carla", statements=[case.carried[mine]])

    def more(data: bytes) -> bytes:
        found = shape.read(Members, data, what="it")
        keys = (found.person("carla") or found.people[0]).keys
        counts = tuple(
            sorted(((keys[0].counts or ()) + (StillCounts(later, "2027-01-01"),)), key=str)
        )
        left = tuple(
            replace(one, keys=(replace(keys[0], counts=counts),)) if one.id == "carla" else one
            for one in found.people
        )
        return shape.write(replace(found, people=left))

    with pytest.raises(SealiftError) as bad:
        acme.examine(_edited(made, more), "anna")
    assert bad.value.code == "draft-says-more"
    idle = replace(made, statements=(*made.statements, drafts.encoded(case.carried[later])))
    with pytest.raises(SealiftError) as bad:
        acme.examine(idle, "anna")
    assert bad.value.code == "draft-says-more", "what came along goes on counting, and is listed"
    bare = replace(made, statements=())
    with pytest.raises(SealiftError) as bad:
        acme.examine(bare, "anna")
    assert bad.value.code == "draft-says-more"


def test_k1_07_without_a_list_older_sites_read_it_and_nothing_counts(acme: Acme) -> None:
    case = signed(acme)
    request = case.request(by="rita")
    mine = case.approve(request, "carla")
    told = does(acme, "retire-person", "carla", details=WITHOUT)
    assert "WITHOUT a list" in told
    assert (person(acme, "carla").status, members(acme).requires) == ("retired", ())
    rules = case.rules(members=members(acme))
    assert tally(case.read_request(request), case.read_approvals(mine), rules).people == ()


# ---------------------------------------------------------------- compromised


def test_k1_08_every_key_of_somebody_is_compromised_for_ever(acme: Acme) -> None:
    case = signed(acme)
    request = case.request(by="rita")
    mine = case.approve(request, "carla")
    old = person(acme, "carla").keys[0].key
    does(acme, "retire-person", "carla", statements=[case.carried[mine]])
    told = does(acme, "call-compromised", "carla")
    assert "Call carla in team vision COMPROMISED, with every key" in told
    left = person(acme, "carla")
    assert (left.status, left.keys[0].status, left.keys[0].counts) == ("compromised", None, None)
    assert members(acme).requires == (), "what every site reads"
    rules = case.rules(members=members(acme))
    assert tally(case.read_request(request), case.read_approvals(mine), rules).people == ()
    assert (f"team.{TEAM}", old) in compromised.people_of(f"team.{TEAM}", members(acme))
    assert refused(acme, "reinstate-person", "carla", cards=["carla"]).code == "key-not-new"


def test_k1_08_one_of_two_keys_is_compromised_and_the_other_counts(acme: Acme) -> None:
    case = signed(acme)
    does(acme, "add-key", "carla", statements=[other_card(acme, "carla")])
    first, second = person(acme, "carla").keys
    assert second.purposes == first.purposes
    only: Details = {"only": (acme.keys.public("carla").keyid[:8],)}
    assert first.key in does(acme, "call-compromised", "carla", details=only)
    assert person(acme, "carla").active_keys == (second,)
    request = case.request(by="rita")
    both = case.approve(request, "carla"), case.approve(request, "carla", key="carla-2")
    rules = case.rules(members=members(acme))
    counted = tally(case.read_request(request), case.read_approvals(*both), rules)
    assert [one.sha256 for one in counted.counted] == [both[1]]
    assert "called compromised" in counted.set_aside[0]
    assert refused(acme, "call-compromised", "carla", details=only).code == "nothing-changes"
    last: Details = {"only": (second.key,)}
    does(acme, "call-compromised", "carla", details=last)
    assert person(acme, "carla").status == "compromised"


# ---------------------------------------------------------------- another key


def test_k1_09_a_new_laptop_voids_nothing(acme: Acme) -> None:
    case = signed(acme)
    request = case.request(by="rita")
    mine = case.approve(request, "carla")
    old = person(acme, "carla").keys[0]
    brought = [other_card(acme, "carla"), case.carried[mine]]
    told = does(acme, "replace-key", "carla", statements=brought)
    assert f"in place of {old.key}, which is retired" in told
    new = MemberKey(acme.keys.public("carla-2").text, "file", old.purposes)
    assert person(acme, "carla").active_keys == (new,)
    later = case.request(by="rita", reason="Another.")
    kept_back, next_one = case.approve(later, "carla"), case.approve(later, "carla", key="carla-2")
    rules = case.rules(members=members(acme))
    for asked, given, counts in (
        (request, mine, True),
        (later, kept_back, False),
        (later, next_one, True),
    ):
        counted = tally(case.read_request(asked), case.read_approvals(given), rules)
        assert bool(counted.counted) is counts
    assert refused(acme, "replace-key", "carla", cards=["carla"]).code == "key-not-new"


def test_k1_09_one_of_several_keys_is_removed_or_replaced_by_name(acme: Acme) -> None:
    does(acme, "add-key", "carla", statements=[other_card(acme, "carla")])
    first, second = (acme.keys.public(one) for one in ("carla", "carla-2"))
    third = replace(acme.person("carla"), signer=acme.keys["carla-3"]).card(acme.now)
    bad = refused(acme, "replace-key", "carla", statements=[third])
    assert (bad.code, first.keyid[:8] in bad.next_step) == ("which-of-keys", True)
    old: Details = {"old": (first.keyid[:12],)}
    does(acme, "replace-key", "carla", statements=[third], details=old)
    assert {one.key for one in person(acme, "carla").active_keys} == {
        second.text,
        acme.keys.public("carla-3").text,
    }
    does(acme, "remove-key", "carla", second.text)
    assert [one.status for one in person(acme, "carla").keys] == ["retired", None, "retired"]
    bad = refused(acme, "remove-key", "carla", acme.keys.public("carla-3").text)
    assert bad.code == "last-key"


def test_k1_09_without_a_list_the_old_key_leaves(acme: Acme) -> None:
    brought = [other_card(acme, "carla")]
    told = does(acme, "replace-key", "carla", statements=brought, details=WITHOUT)
    assert "leaves the list, WITHOUT a list of its own" in told
    (key,) = person(acme, "carla").keys
    assert (key.key, members(acme).requires) == (acme.keys.public("carla-2").text, ())


# ---------------------------------------------------------------- who comes back


@pytest.mark.parametrize("how", ["retired", "without a list", "compromised"])
def test_k1_10_who_comes_back_has_a_new_key_and_the_old_one_stays_as_it_was(
    acme: Acme, how: str
) -> None:
    case = signed(acme)
    request = case.request(by="rita")
    mine = case.approve(request, "carla")
    brought = [case.carried[mine]]
    if how == "compromised":
        does(acme, "call-compromised", "carla")
    else:
        details = WITHOUT if how == "without a list" else {}
        does(acme, "retire-person", "carla", statements=brought, details=details)
    before = person(acme, "carla").keys[0]
    told = does(acme, "reinstate-person", "carla", statements=[other_card(acme, "carla")])
    assert "Take carla in team vision back, with a new key" in told
    back = person(acme, "carla")
    new = MemberKey(acme.keys.public("carla-2").text, "file", before.purposes)
    assert (back.status, back.active_keys) == ("active", (new,))
    later = case.request(by="rita", reason="Another.")
    kept_back, next_one = case.approve(later, "carla"), case.approve(later, "carla", key="carla-2")
    rules = case.rules(members=members(acme))
    for asked, given, counts in (
        (request, mine, how == "retired"),
        (later, kept_back, False),
        (later, next_one, True),
    ):
        counted = tally(case.read_request(asked), case.read_approvals(given), rules)
        assert bool(counted.counted) is counts


# ---------------------------------------------------------------- what is said besides


def test_k1_11_who_is_left_and_what_somebody_holds_elsewhere_is_told(acme: Acme) -> None:
    assert "which asks for 2: dora, emil: none of them may be away, or ask" in does(
        acme, "retire-person", "carla"
    )
    assert meets(members(acme), STAGE, rule())
    assert "which asks for 2: dora: TOO FEW" in does(acme, "call-compromised", "emil")
    assert not meets(members(acme), STAGE, rule()), "nor does a policy count them"
    acme.publish(STEWARDS, "add-approver", TEAM, "anna", cards=["anna"])
    told = does(acme, "retire-person", "anna")
    assert "anna holds elsewhere, and goes on to hold: steward of team vision" in told
    assert "The key of anna that leaves teams/vision/members.json GOES ON elsewhere" in told


def test_k1_11_what_would_come_of_it_is_shown_as_the_hubs_word(acme: Acme) -> None:
    said = {"consequence": ("P-000001:\nNO LONGER APPROVED\nSign it.",)}
    told = words(acme, acme.draft("retire-person", TEAM, "carla", facts=said))
    assert "as the hub says:" in told
    assert "NO LONGER APPROVED" in told
    assert "Sign it." not in told.split("\n"), "it begins no line of ours"
    bare = words(acme, acme.draft("retire-person", TEAM, "carla"))
    assert "nothing that is listed or open would change, as the hub says" in bare


REFUSED: list[tuple[str, tuple[str, ...], Details, str]] = [
    ("retire-person", ("nobody",), {}, "no-such-member"),
    ("call-compromised", ("nobody",), {}, "no-such-member"),
    ("call-compromised", ("carla",), {"only": ("7",)}, "no-such-key"),
    ("remove-key", ("carla", "ed25519:00"), {}, "no-such-key"),
    ("reinstate-person", ("carla",), {}, "nothing-changes"),
    ("add-key", ("carla",), {}, "no-card"),
    ("replace-key", ("carla",), {}, "no-card"),
]


@pytest.mark.parametrize("act, about, details, code", REFUSED, ids=lambda one: None)
def test_k1_11_what_is_not_so_is_refused_by_name(
    acme: Acme, act: str, about: tuple[str, ...], details: Details, code: str
) -> None:
    assert refused(acme, act, *about, details=details).code == code


def test_k1_11_who_left_is_neither_retired_again_nor_given_a_key(acme: Acme) -> None:
    does(acme, "retire-person", "carla")
    assert refused(acme, "retire-person", "carla").code == "nothing-changes"
    card = [other_card(acme, "carla")]
    for act in ("add-key", "replace-key"):
        assert refused(acme, act, "carla", statements=card).code == "person-not-active"
    assert refused(acme, "reinstate-person", "carla", cards=["carla"]).code == "key-not-new"
    emils = [acme.person("emil").card(acme.now).replace(b"emil", b"rita")]
    assert sha256(emils[0]).hexdigest()
    with pytest.raises(SealiftError):
        does(acme, "replace-key", "rita", statements=emils)
