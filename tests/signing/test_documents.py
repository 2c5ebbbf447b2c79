"""What TUF signs as targets, and what a shape alone cannot say of it."""

from dataclasses import replace

import pytest

from sealift_signing import documents, shape
from sealift_signing.documents import (
    Assignment,
    FleetKeys,
    MachineKey,
    MemberKey,
    Person,
    Recall,
    RecallList,
    Withdrawal,
)
from sealift_signing.errors import MalformedError
from sealift_signing.policy import APPROVE_WITHIN, Policy, read_policy
from sealift_signing.vocabulary import CatalogPath
from tests.trust import GROUP, MODEL, SITE, STAGE, TEAM, Promotion, rule

PROMOTION = Promotion()
ARTIFACT = PROMOTION.assigned()
MEMBERS = PROMOTION.members()
BY_DIGEST = Withdrawal("w-1", STAGE, "a" * 64, None, None, "Wrong labels.", PROMOTION.ago(days=1))
BY_MODEL = replace(BY_DIGEST, id="w-2", sha256=None, model=f"{TEAM}/{MODEL}", below=4)
OFF_CURVE = "ecdsa-p256:04" + "00" * 64


def policy(**stages: object) -> bytes:
    return shape.write(Policy(1, (), "Example", stages or {STAGE: rule()}, {"root": 730}))  # type: ignore[arg-type]  # wrong rules among them


def test_each_document_is_read_as_written() -> None:
    assert read_policy(policy()).stages == {STAGE: rule()}
    assert documents.read_members(shape.write(MEMBERS), TEAM) == MEMBERS
    assert documents.read_fleet_keys(shape.write(PROMOTION.fleet())) == PROMOTION.fleet()
    assignment = PROMOTION.facts(ARTIFACT).assignment
    assert documents.read_assignment(shape.write(assignment), SITE) == assignment
    recalls = RecallList(1, (), (Recall("r-1", "a" * 64, "Unsafe.", PROMOTION.ago(days=1)),))
    assert documents.read_recalls(shape.write(recalls)) == recalls


def test_paths_name_the_team_and_the_site() -> None:
    assert documents.members_path("vision") == "teams/vision/members.json"
    assert documents.assignment_path("plant-7") == "sites/plant-7/assignment.json"


def test_a_policy_needs_a_stage() -> None:
    with pytest.raises(MalformedError, match="has no stage"):
        read_policy(shape.write(Policy(1, (), "Example", {}, {})))


def test_the_requester_is_never_one_of_several_approvers() -> None:
    lone = rule(requester_may_approve=True, approvals=1)
    assert read_policy(policy(solo=lone)).stages == {"solo": lone}
    with pytest.raises(MalformedError, match="lets the requester approve"):
        read_policy(policy(production=replace(lone, approvals=2)))


def test_a_span_for_approvals_is_written_only_where_used_and_then_required() -> None:
    assert b"approve_within_days" not in policy()
    spanned = {STAGE: rule(approve_within_days=90)}
    with pytest.raises(MalformedError, match="does not require approve-within"):
        read_policy(policy(**spanned))
    named = Policy(1, (APPROVE_WITHIN,), "Example", spanned, {})
    assert read_policy(shape.write(named)) == named


@pytest.mark.parametrize("days", [0, 36_501, 2**53])
def test_days_are_days_that_a_calendar_has(days: int) -> None:
    with pytest.raises(MalformedError, match="a number from 1 to 36500"):
        read_policy(policy(production=rule(longest_validity_days=days)))


def test_members_of_another_team_are_refused() -> None:
    with pytest.raises(MalformedError) as error:
        documents.read_members(shape.write(MEMBERS), "audio")
    assert error.value.code == "wrong-team"


def test_one_key_stands_for_one_person() -> None:
    anna, bert, *_ = MEMBERS.people
    double = replace(bert, keys=(*bert.keys, *anna.keys))
    with pytest.raises(MalformedError) as error:
        documents.read_members(shape.write(replace(MEMBERS, people=(anna, double))), TEAM)
    assert error.value.code == "key-of-two-people"
    assert "anna and bert" in error.value.what


@pytest.mark.parametrize("part", ["people", "keys"])
def test_nobody_and_no_key_is_listed_twice(part: str) -> None:
    anna = MEMBERS.people[0]
    people = (anna, anna) if part == "people" else (replace(anna, keys=anna.keys * 2),)
    with pytest.raises(MalformedError, match="is there twice"):
        documents.read_members(shape.write(replace(MEMBERS, people=people)), TEAM)


def test_a_key_that_is_none_is_read_and_the_others_with_it() -> None:
    """Its signatures count for nobody (`test_weak_keys`)."""
    nobody = Person("eve", "Eve", "active", (MemberKey(OFF_CURVE, "file", ("request",)),))
    members = replace(MEMBERS, people=(*MEMBERS.people, nobody))
    assert documents.read_members(shape.write(members), TEAM) == members
    machine = MachineKey(OFF_CURVE, "scanner-1", "scanner", "active")
    fleet = FleetKeys(1, (), (machine,))
    assert documents.read_fleet_keys(shape.write(fleet)) == fleet


def test_a_key_is_found_by_its_id() -> None:
    anna = MEMBERS.person("anna")
    assert anna is not None
    assert anna.key_for(PROMOTION.keys.public("anna").keyid) == anna.keys[0]
    assert anna.key_for(PROMOTION.keys.public("bert").keyid) is None
    assert MEMBERS.person("nobody") is None


@pytest.mark.parametrize(
    "wrong",
    [
        replace(BY_DIGEST, sha256=None),
        replace(BY_DIGEST, below=3),
        replace(BY_DIGEST, model=f"{TEAM}/{MODEL}"),
        replace(BY_MODEL, below=None),
        replace(BY_MODEL, sha256="a" * 64),
        replace(BY_MODEL, model="audio/digits"),
    ],
)
def test_an_unclear_or_foreign_withdrawal_is_refused(wrong: Withdrawal) -> None:
    assert documents.read_members(
        shape.write(replace(MEMBERS, withdrawn=(BY_DIGEST, BY_MODEL))), TEAM
    ).withdrawn == (BY_DIGEST, BY_MODEL)
    with pytest.raises(MalformedError) as error:
        documents.read_members(shape.write(replace(MEMBERS, withdrawn=(wrong,))), TEAM)
    assert error.value.code == "bad-withdrawal"


def path(version: int, model: str = MODEL) -> CatalogPath:
    return CatalogPath(TEAM, model, version, "cpu-x86_64")


def test_a_withdrawal_covers_a_digest_in_its_stage() -> None:
    assert BY_DIGEST.covers(path(9), "a" * 64, STAGE)
    assert not BY_DIGEST.covers(path(9), "b" * 64, STAGE)
    assert not BY_DIGEST.covers(path(9), "a" * 64, "staging")


def test_a_withdrawal_covers_versions_below_one() -> None:
    assert BY_MODEL.covers(path(3), "b" * 64, STAGE)
    assert not BY_MODEL.covers(path(4), "b" * 64, STAGE)
    assert not BY_MODEL.covers(path(3, "letters"), "b" * 64, STAGE)
    assert not BY_MODEL.covers(path(3), "b" * 64, "staging")


def test_compromised_machines_have_no_purpose_and_retired_ones_keep_theirs() -> None:
    scanner, _ = PROMOTION.fleet().keys
    retired = replace(scanner, status="retired", key=PROMOTION.keys.public("a").text)
    stolen = replace(scanner, status="compromised", key=PROMOTION.keys.public("b").text)
    keys = FleetKeys(1, (), (scanner, retired, stolen))
    assert keys.of("scanner") == (scanner, retired)
    assert keys.of("builder") == ()


def test_an_assignment_of_another_site_is_refused() -> None:
    with pytest.raises(MalformedError) as error:
        documents.read_assignment(shape.write(PROMOTION.facts(ARTIFACT).assignment), "ship-2")
    assert error.value.code == "wrong-site"


def test_an_artifact_stands_under_its_own_model() -> None:
    assignment = PROMOTION.facts(ARTIFACT).assignment
    (group,) = assignment.groups.values()
    (models,) = group.models.values()
    moved = Assignment(
        1, (), SITE, "e" * 64, {GROUP: replace(group, models={f"{TEAM}/letters": models})}
    )
    with pytest.raises(MalformedError) as error:
        documents.read_assignment(shape.write(moved), SITE)
    assert error.value.code == "bad-assignment"


def test_every_artifact_of_an_assignment_is_told() -> None:
    assignment = PROMOTION.facts(ARTIFACT).assignment
    assert list(assignment.artifacts()) == [(GROUP, f"{TEAM}/{MODEL}", ARTIFACT)]
