"""The policy is changed by acts that holders of `targets` sign, each shown in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sealift_signing import drafts, features
from sealift_signing.acts.material import Ask
from sealift_signing.enough_people import meets, who_may
from sealift_signing.errors import SealiftError
from sealift_signing.policy import POLICY_PATH, Policy, StageRule
from tests.desks import STEWARDS, TARGETS_HOLDERS, TEAM, Acme
from tests.trust import STAGE, person, rule

Details = dict[str, tuple[str, ...]]
TWO = TARGETS_HOLDERS[:2]


@pytest.fixture
def acme() -> Acme:
    """An organisation with a team of one requester and two approvers."""
    made = Acme()
    made.trusting(*TWO, *STEWARDS)
    for act, name in (
        ("add-requester", "rita"),
        ("add-approver", "carla"),
        ("add-approver", "emil"),
    ):
        made.publish(STEWARDS, act, TEAM, name, cards=[name])
    return made


def policy(acme: Acme) -> Policy:
    return acme.organisation.policy()


def words(acme: Acme, act: str, *about: str, **details: tuple[str, ...]) -> str:
    made = acme.draft(act, *about, details={k.replace("_", "-"): v for k, v in details.items()})
    return "\n".join(acme.examine(made, "tina").words)


def refused(acme: Acme, *act: str, **details: tuple[str, ...]) -> SealiftError:
    with pytest.raises(SealiftError) as bad:
        words(acme, act[0], *act[1:], **details)
    assert bad.value.next_step
    return bad.value


CHANGES: list[tuple[Details, StageRule, str]] = [
    ({"approvals": ("1",)}, rule(approvals=1), "1 approval, 2 before: LESS IS ASKED"),
    (
        {"evidence": ("scan",)},
        rule(evidence=("scan",)),
        "evidence parity no longer: LESS IS ASKED",
    ),
    (
        {"key-class": ("hardware",), "before-people": ("yes",)},
        rule(key_classes=("hardware",)),
        "keys of the class file no longer: more is asked",
    ),
    (
        {"meaning": ("validated", "read the report")},
        rule(meanings=("validated", "read the report")),
        "“read the report” from now on: LESS IS ASKED",
    ),
    (
        {"days": ("90",)},
        rule(longest_validity_days=90),
        "valid for 90 days at most, 365 before: more is asked",
    ),
    (
        {"within": ("7",)},
        rule(approve_within_days=7),
        "made within 7 days of their request, 30 before: more is asked",
    ),
]


@pytest.mark.parametrize("details, after, said", CHANGES, ids=lambda one: None)
def test_k1_130_a_stage_is_changed_and_the_difference_is_shown(
    acme: Acme, details: Details, after: StageRule, said: str
) -> None:
    made = acme.draft("set-stage", STAGE, details=details)
    assert said in "\n".join(acme.examine(made, "tina").words)
    acme.publish(TWO, "set-stage", STAGE, details=details)
    assert policy(acme).stages == {STAGE: after}
    needed = (features.APPROVE_WITHIN.spelled,) if after.approve_within_days else ()
    assert policy(acme).requires == needed


def test_k1_130_what_is_no_longer_used_is_no_longer_required(acme: Acme) -> None:
    for days, needed in (("7", (features.APPROVE_WITHIN.spelled,)), ("30", ())):
        acme.publish(TWO, "set-stage", STAGE, details={"within": (days,)})
        assert policy(acme).requires == needed
    kinds = {"evidence": ("scan", "parity", "runtimes")}
    acme.publish(TWO, "set-stage", STAGE, details=kinds)
    assert policy(acme).requires == (features.LATER_EVIDENCE.spelled,)


def test_k1_130_a_stage_comes_and_goes(acme: Acme) -> None:
    like = {"like": (STAGE,), "approvals": ("1",)}
    bad = refused(acme, "set-stage", "pilot", **like)
    assert (bad.code, "--before-people" in bad.next_step) == ("no-team-meets-it", True)
    meant: Details = {**like, "before-people": ("yes",)}
    assert "in team vision may approve for pilot: nobody: TOO FEW" in words(
        acme, "set-stage", "pilot", **{k.replace("-", "_"): v for k, v in meant.items()}
    )
    acme.publish(TWO, "set-stage", "pilot", details=meant)
    assert policy(acme).stages == {STAGE: rule(), "pilot": rule(approvals=1)}
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    members = acme.organisation.members(TEAM)
    assert members is not None
    assert meets(members, "pilot", policy(acme).stages["pilot"])
    acme.publish(TWO, "remove-stage", "pilot")
    assert policy(acme).stages == {STAGE: rule()}


def test_k1_130_how_long_signatures_last(acme: Acme) -> None:
    assert "Have signatures of team last 60 days, 180 before." in words(
        acme, "set-lifetime", "team", "60"
    )
    acme.publish(TWO, "set-lifetime", "team", "60")
    assert policy(acme).lifetimes_days["team"] == 60
    assert acme.organisation.lifetime(f"team.{TEAM}") == 60


REFUSED: list[tuple[tuple[str, ...], Details, str, str]] = [
    (("set-stage", "pilot"), {"approvals": ("1",)}, "stage-like-none", "--like"),
    (("set-stage", "pilot"), {"like": ("nowhere",)}, "no-stage", STAGE),
    (("set-stage", "No Name"), {"like": (STAGE,)}, "bad-policy-value", "name"),
    (("set-stage", STAGE), {}, "nothing-named", "--approvals"),
    (("set-stage", STAGE), {"approvals": ("2",)}, "nothing-changes", "otherwise"),
    (("set-stage", STAGE), {"approvals": ("0",)}, "bad-policy-value", "1 to"),
    (("set-stage", STAGE), {"approvals": ("-1",)}, "bad-policy-value", "1 to"),
    (("set-stage", STAGE), {"approvals": ("9" * 400,)}, "bad-policy-value", "1 to"),
    (("set-stage", STAGE), {"approvals": ("3",)}, "no-team-meets-it", "--before-people"),
    (("set-stage", STAGE), {"key-class": ("hardware",)}, "no-team-meets-it", "--before-people"),
    (("set-stage", STAGE), {"key-class": ("phone",)}, "bad-policy-value", "hardware"),
    (("set-stage", STAGE), {"evidence": ("scam",)}, "bad-policy-value", "scan"),
    (("set-stage", STAGE), {"evidence": ("scan", "scan")}, "bad-policy-value", "once"),
    (("set-stage", STAGE), {"meaning": ("a\x07",)}, "bad-policy-value", "words"),
    (("set-stage", STAGE), {"days": ("36501",)}, "bad-policy-value", "1 to"),
    (("set-stage", STAGE), {"within": ("soon",)}, "bad-policy-value", "1 to"),
    (("remove-stage", STAGE), {}, "last-stage", "first"),
    (("remove-stage", "pilot"), {}, "no-stage", STAGE),
    (("set-lifetime", "teams", "60"), {}, "bad-policy-value", "team"),
    (("set-lifetime", "team", "180"), {}, "nothing-changes", "otherwise"),
    (("set-lifetime", "team", "0"), {}, "bad-policy-value", "1 to"),
]


@pytest.mark.parametrize("about, details, code, advice", REFUSED, ids=lambda one: None)
def test_k1_130_what_no_policy_may_say_is_refused_by_name(
    acme: Acme, about: tuple[str, ...], details: Details, code: str, advice: str
) -> None:
    bad = refused(acme, *about, **{k.replace("-", "_"): v for k, v in details.items()})
    assert bad.code == code
    assert advice in bad.next_step


def _forged(acme: Acme, forged: Policy) -> Iterator[str]:
    """Why a draft is refused whose policy says something else than its act."""
    from sealift_signing import shape

    made = acme.draft("set-stage", STAGE, details={"days": ("90",)})
    (part,) = made.parts
    data = shape.write(forged)
    listed = tuple(
        replace(one, data=drafts.encoded(data)) if one.path == POLICY_PATH else one
        for one in part.documents
    )
    with pytest.raises(SealiftError) as bad:
        acme.examine(replace(made, parts=(replace(part, documents=listed),)), "tina")
    yield bad.value.code


def test_k1_130_a_policy_that_says_more_than_was_asked_is_not_signed(acme: Acme) -> None:
    asked = rule(longest_validity_days=90)
    ours = policy(acme)
    for forged in (
        replace(ours, stages={STAGE: replace(asked, approvals=1)}),
        replace(ours, stages={STAGE: asked, "pilot": asked}),
        replace(ours, stages={STAGE: asked}, lifetimes_days={**ours.lifetimes_days, "root": 9}),
    ):
        assert list(_forged(acme, forged)) == ["draft-says-more"]


def test_k1_130_who_names_another_act_signs_nothing(acme: Acme) -> None:
    made = acme.draft("set-stage", STAGE, details={"approvals": ("1",)})
    ask = Ask("set-stage", (STAGE,), {"days": ("90",)})
    with pytest.raises(SealiftError):
        acme.examine(made, "tina", ask)


def test_k1_131_who_could_meet_a_stage() -> None:
    from sealift_signing.documents import Members
    from tests.trust import Keyring

    keys, approve = Keyring(), f"approve:{STAGE}"

    def team(*people: tuple[str, ...], status: str = "active") -> Members:
        found = tuple(person(keys, name, *may, status=status) for name, *may in people)
        return Members(1, (), TEAM, found, ())

    two = (("bert", approve), ("carla", approve))
    assert meets(team(("anna", "request"), *two), STAGE, rule())
    assert not meets(team(*two), STAGE, rule())
    assert not meets(team(("bert", approve, "request"), ("carla", approve)), STAGE, rule())
    assert meets(team(("bert", approve, "request"), ("carla", approve)), STAGE, rule(approvals=1))
    assert not meets(team(("anna", "request"), *two, status="retired"), STAGE, rule())
    hardware = rule(key_classes=("hardware",))
    assert who_may(team(*two), STAGE, hardware) == ()
    assert who_may(team(*two), STAGE, rule()) == ("bert", "carla")
    alone = rule(approvals=1, requester_may_approve=True)
    assert meets(team(("anna", "request", approve)), STAGE, alone)
