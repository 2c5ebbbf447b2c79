"""The six conditions: each holds an artifact by itself; only forged bytes refuse the bundle."""

import base64
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from sealift_signing import canonical, statements
from sealift_signing.approvals import ApprovalTally
from sealift_signing.documents import (
    AssignedArtifact,
    GroupAssignment,
    MachineKey,
    ModelAssignment,
    Recall,
    Status,
    Withdrawal,
)
from sealift_signing.errors import BadSignatureError, MalformedError, RefusedError
from sealift_signing.policy import Policy
from sealift_signing.site_rules import (
    ConditionFacts,
    HeldError,
    brought_back,
    check_pinned_policy,
    judge,
    raised_pins,
)
from sealift_signing.statements import Pins
from sealift_signing.vocabulary import SENTENCE
from tests.trust import GROUP, MODEL, STAGE, TARGET, TEAM, Promotion, Repository, rule

FULL_MODEL = f"{TEAM}/{MODEL}"
Change = Callable[[Promotion, AssignedArtifact], dict[str, Any]]


@pytest.fixture
def promotion() -> Promotion:
    return Promotion()


def judged(promotion: Promotion, artifact: AssignedArtifact, **facts: Any) -> ApprovalTally:  # noqa: ANN401 - any fact
    return judge(promotion.facts(artifact, **facts), GROUP, artifact)


def held(promotion: Promotion, artifact: AssignedArtifact, **facts: Any) -> HeldError:  # noqa: ANN401 - any fact
    with pytest.raises(HeldError) as error:
        judged(promotion, artifact, **facts)
    assert SENTENCE.matches(error.value.what)
    return error.value


def test_an_artifact_that_meets_all_six_is_installed(promotion: Promotion) -> None:
    assert set(judged(promotion, promotion.assigned()).people) == {"bert", "carla"}


# ---------------------------------------------------------------- (1) listed


@pytest.mark.parametrize(
    "catalog,code",
    [
        ({}, "not-listed"),
        ({"audio": {"catalog/vision/digits/3/cpu-x86_64": "a"}}, "not-listed"),
        ({TEAM: {}}, "not-listed"),
        ({TEAM: {f"catalog/vision/digits/3/{TARGET}": "9" * 64}}, "listed-differently"),
    ],
)
def test_1_what_the_catalog_does_not_list_is_held(
    promotion: Promotion, catalog: dict[str, dict[str, str]], code: str
) -> None:
    assert held(promotion, promotion.assigned(), catalog=catalog).code == code


def test_1_a_source_is_held_even_where_it_is_listed(promotion: Promotion) -> None:
    source = replace(
        promotion.assigned(), path=promotion.source, sha256=promotion.subjects[1].sha256
    )
    assert held(promotion, source).code == "source-assigned"


# ---------------------------------------------------------------- (2) assigned


def test_2_what_is_not_assigned_to_the_group_is_held(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    facts = promotion.facts(artifact)
    other = replace(artifact, approvals=artifact.approvals[:1])
    for wrong in (
        replace(facts.assignment, site="ship-2"),
        replace(facts.assignment, groups={GROUP: GroupAssignment(TARGET, {})}),
        promotion.facts(other).assignment,
    ):
        error = held(promotion, artifact, assignment=wrong)
        assert error.code == "not-assigned"


def test_2_a_fallback_is_assigned_too(promotion: Promotion) -> None:
    artifact, newer = promotion.assigned(), Promotion(promotion.keys, version=4).assigned()
    models = {FULL_MODEL: ModelAssignment(newer, (artifact,))}
    assignment = replace(
        promotion.facts(artifact).assignment, groups={GROUP: GroupAssignment(TARGET, models)}
    )
    assert judged(promotion, artifact, assignment=assignment).enough


@pytest.mark.parametrize(
    "groups,code",
    [
        ({}, "no-such-group"),
        ({"sorting": TARGET}, "no-such-group"),
        ({GROUP: "cpu-aarch64"}, "wrong-hardware-target"),
    ],
)
def test_2_another_group_or_hardware_target_is_held(
    promotion: Promotion, groups: dict[str, str], code: str
) -> None:
    assert held(promotion, promotion.assigned(), groups=groups).code == code


def test_2_the_assignment_cannot_change_a_group_s_hardware_target(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    group = promotion.facts(artifact).assignment.groups[GROUP]
    other = {GROUP: replace(group, hardware_target="cpu-aarch64")}
    assignment = replace(promotion.facts(artifact).assignment, groups=other)
    assert held(promotion, artifact, assignment=assignment).code == "wrong-hardware-target"


def test_2_an_artifact_for_other_hardware_is_held_in_the_right_group(promotion: Promotion) -> None:
    path = "catalog/vision/digits/3/cpu-aarch64"
    artifact = replace(promotion.assigned(), path=path)
    assert held(promotion, artifact).code == "wrong-hardware-target"


def test_2_a_group_that_the_assignment_does_not_know_is_held(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    facts = promotion.facts(artifact, groups={GROUP: TARGET, "sorting": TARGET})
    with pytest.raises(HeldError) as error:
        judge(facts, "sorting", artifact)
    assert error.value.code == "no-such-group"


# ---------------------------------------------------------------- (3) requested and approved


def test_3_too_few_approvals_are_held_with_their_count(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    error = held(promotion, replace(artifact, approvals=artifact.approvals[:1]))
    assert error.code == "not-approved"
    assert "has 1 of the 2 approvals" in error.what


def test_3_why_an_approval_does_not_count_is_said(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    own = promotion.approve(artifact.request, "anna")
    error = held(promotion, replace(artifact, approvals=(artifact.approvals[0], own)))
    assert "whoever requests does not approve" in error.what


def test_3_where_one_approval_suffices_it_is_not_the_requester_s(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    own = replace(artifact, approvals=(promotion.approve(artifact.request, "anna"),))
    for alone in (False, True):
        one = rule(approvals=1, requester_may_approve=alone)
        policy = Policy(1, (), "Example", {STAGE: one}, {})
        if alone:
            assert judged(promotion, own, policy=policy).people == ("anna",)
        else:
            assert held(promotion, own, policy=policy).code == "not-approved"


def test_3_an_approval_that_was_not_carried_is_named(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    del promotion.carried[artifact.approvals[1]]
    error = held(promotion, artifact)
    assert f"The approval {artifact.approvals[1][:12]} was not carried." in error.what


def test_3_a_thousand_reasons_still_fit_a_receipt(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    many = tuple(
        promotion.approve(artifact.request, "anna", reason=f"Number {n}.") for n in range(100)
    )
    assert held(promotion, replace(artifact, approvals=many)).code == "not-approved"


def test_3_without_the_request_it_is_held(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    del promotion.carried[artifact.request]
    assert held(promotion, artifact).code == "no-request"


@pytest.mark.parametrize(
    "changes",
    [{"stage": "staging"}, {"organisation": "9" * 64}, {"team": "audio"}, {"by": "bert"}],
)
def test_3_a_request_that_does_not_stand_is_held(
    promotion: Promotion, changes: dict[str, Any]
) -> None:
    artifact = promotion.assigned()
    request = promotion.request(artifact.evidence, **changes)
    approvals = tuple(promotion.approve(request, name) for name in ("dirk", "carla"))
    error = held(promotion, replace(artifact, request=request, approvals=approvals))
    assert error.code == "not-requested"


def letters(promotion: Promotion, artifact: AssignedArtifact) -> str:
    return promotion.request(artifact.evidence, model="letters")


def another_version(promotion: Promotion, artifact: AssignedArtifact) -> str:
    return promotion.request(artifact.evidence, version=4)


def another_artifact(promotion: Promotion, artifact: AssignedArtifact) -> str:
    other = statements.subject("catalog/vision/digits/3/cpu-aarch64", artifact.sha256)
    return promotion.request(artifact.evidence, subjects=(other,))


def another_digest(promotion: Promotion, artifact: AssignedArtifact) -> str:
    other = statements.subject(artifact.path, "9" * 64)
    return promotion.request(artifact.evidence, subjects=(other,))


@pytest.mark.parametrize("ask", [letters, another_version, another_artifact, another_digest])
def test_3_approvals_of_something_else_do_not_serve(
    promotion: Promotion, ask: Callable[[Promotion, AssignedArtifact], str]
) -> None:
    artifact = promotion.assigned()
    request = ask(promotion, artifact)
    said = promotion.read_request(request)
    approvals = tuple(
        promotion.approve(
            request,
            name,
            model=said.predicate.model,
            version=said.predicate.version,
            subjects=said.subjects,
        )
        for name in ("bert", "carla")
    )
    error = held(promotion, replace(artifact, request=request, approvals=approvals))
    assert error.code == "request-of-another"


@pytest.mark.parametrize("facts", [{"stage": "staging"}, {"members": {}}])
def test_3_what_cannot_be_judged_is_held(promotion: Promotion, facts: dict[str, Any]) -> None:
    assert held(promotion, promotion.assigned(), **facts).code == "no-rule"


def test_3_past_valid_until_nothing_is_newly_installed(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    later = Promotion(promotion.keys, now=promotion.now.replace(year=2027, month=12))
    assert held(promotion, artifact, now=later.now).code == "not-approved"


# ---------------------------------------------------------------- withdrawals


def withdrawal(promotion: Promotion, **changes: Any) -> Withdrawal:  # noqa: ANN401 - any field
    usual = Withdrawal(
        "w-1", STAGE, promotion.digest, None, None, "Wrong labels.", promotion.ago(hours=1)
    )
    return replace(usual, **changes)


@pytest.mark.parametrize(
    "changes", [{}, {"sha256": None, "model": FULL_MODEL, "below": 4}], ids=["digest", "model"]
)
def test_a_withdrawn_artifact_is_held(promotion: Promotion, changes: dict[str, Any]) -> None:
    one = withdrawal(promotion, **changes)
    error = held(promotion, promotion.assigned(), withdrawn={TEAM: [one]})
    assert error.code == "withdrawn"
    assert "Wrong labels." in error.what


@pytest.mark.parametrize(
    "team,changes",
    [
        (TEAM, {"stage": "staging"}),
        (TEAM, {"sha256": "9" * 64}),
        (TEAM, {"sha256": None, "model": FULL_MODEL, "below": 3}),
        ("audio", {}),
    ],
)
def test_other_withdrawals_do_not_concern_it(
    promotion: Promotion, team: str, changes: dict[str, Any]
) -> None:
    one = withdrawal(promotion, **changes)
    assert judged(promotion, promotion.assigned(), withdrawn={team: [one]}).enough


def despite(promotion: Promotion, *named: str, **changes: Any) -> AssignedArtifact:  # noqa: ANN401 - any field
    """The artifact by a request that names withdrawals, approved again."""
    artifact = promotion.assigned()
    request = promotion.request(artifact.evidence, despite=named, **changes)
    approvals = tuple(promotion.approve(request, name) for name in ("bert", "carla"))
    return replace(artifact, request=request, approvals=approvals)


def test_a_request_that_names_the_withdrawal_permits_again(promotion: Promotion) -> None:
    one = withdrawal(promotion)
    assert judged(promotion, despite(promotion, one.digest), withdrawn={TEAM: [one]}).enough


def test_a_request_that_names_another_withdrawal_permits_nothing(promotion: Promotion) -> None:
    artifact = despite(promotion, withdrawal(promotion, reason="Another.").digest)
    error = held(promotion, artifact, withdrawn={TEAM: [withdrawal(promotion)]})
    assert error.code == "withdrawn"


def test_t0_127_a_withdrawal_with_an_id_used_before_bars_whatever_its_date(
    promotion: Promotion,
) -> None:
    """The request was approved despite w-1; then w-1 became another withdrawal, dated before."""
    first = withdrawal(promotion)
    artifact = despite(promotion, first.digest, made=promotion.ago(minutes=5))
    again = withdrawal(promotion, reason="Sees what is not there.", made=promotion.ago(days=9))
    error = held(promotion, artifact, withdrawn={TEAM: [first, again]})
    assert error.code == "withdrawn"
    assert again.reason in error.what


def test_t0_128_a_withdrawal_named_by_its_id_is_not_set_aside(promotion: Promotion) -> None:
    """As requests did before: ids can be guessed, and given to something else."""
    artifact = despite(promotion, *(f"w-{n}" for n in range(1, 11)), made=promotion.ago(minutes=5))
    error = held(promotion, artifact, withdrawn={TEAM: [withdrawal(promotion)]})
    assert error.code == "withdrawn"
    assert "names only its id w-1" in error.what
    assert error.next_step.startswith("Ask again")


def test_every_withdrawal_that_covers_it_must_be_named(promotion: Promotion) -> None:
    both = [withdrawal(promotion), withdrawal(promotion, id="w-2")]
    artifact = despite(promotion, both[0].digest)
    assert held(promotion, artifact, withdrawn={TEAM: both}).code == "withdrawn"
    artifact = despite(promotion, *(one.digest for one in both))
    assert judged(promotion, artifact, withdrawn={TEAM: both}).enough


# ---------------------------------------------------------------- (4) evidence


def with_evidence(promotion: Promotion, *evidence: str, named: bool = True) -> AssignedArtifact:
    """The artifact with just this evidence, requested and approved."""
    request = promotion.request(evidence if named else ())
    approvals = tuple(promotion.approve(request, name) for name in ("bert", "carla"))
    return AssignedArtifact(promotion.path, promotion.digest, request, approvals, evidence)


def test_4_missing_evidence_is_held_and_named(promotion: Promotion) -> None:
    artifact = with_evidence(promotion, promotion.evidence("scan", "scanner-1"))
    error = held(promotion, artifact)
    assert error.code == "no-evidence"
    assert error.what.endswith("asks for: parity.")


def test_4_evidence_that_was_not_carried_is_missing(promotion: Promotion) -> None:
    artifact = promotion.assigned()
    del promotion.carried[artifact.evidence[1]]
    assert held(promotion, artifact).code == "no-evidence"


def test_4_evidence_that_the_request_does_not_name_is_held(promotion: Promotion) -> None:
    evidence = promotion.evidence("scan", "scanner-1"), promotion.evidence("parity", "builder-1")
    error = held(promotion, with_evidence(promotion, *evidence, named=False))
    assert error.code == "evidence-not-named"


@pytest.mark.parametrize("by", ["builder-1", "bert", "stranger", "hub-snapshot"])
def test_4_evidence_by_a_key_of_another_purpose_is_held(promotion: Promotion, by: str) -> None:
    scan, parity = promotion.evidence("scan", by), promotion.evidence("parity", "builder-1")
    assert held(promotion, with_evidence(promotion, scan, parity)).code == "evidence-not-entitled"


def test_4_evidence_with_a_wrong_signature_refuses_the_bundle(promotion: Promotion) -> None:
    scan = forged(promotion, promotion.evidence("scan", "scanner-1"))
    parity = promotion.evidence("parity", "builder-1")
    with pytest.raises(BadSignatureError) as error:
        judged(promotion, with_evidence(promotion, scan, parity))
    assert error.value.code == "bad-signature"


def forged(promotion: Promotion, digest: str) -> str:
    """The statement with other words, as if the machine had signed those; carried, and named."""
    value = canonical.decode(promotion.carried[digest], what="it")
    assert isinstance(value, dict)
    payload = base64.b64decode(str(value["payload"])).replace(b"Looked at.", b"Never read")
    data = canonical.encode(value | {"payload": base64.b64encode(payload).decode()})
    name = sha256(data).hexdigest()
    promotion.carried[name] = data
    return name


@pytest.mark.parametrize("changes", [{"verdict": "fail"}, {"check": "fail"}])
def test_4_failed_evidence_is_held(promotion: Promotion, changes: dict[str, Any]) -> None:
    scan = promotion.evidence("scan", "scanner-1", **changes)
    parity = promotion.evidence("parity", "builder-1")
    good = promotion.evidence("scan", "scanner-1", machine="another")
    error = held(promotion, with_evidence(promotion, scan, good, parity))
    assert error.code == "evidence-failed"


def about_another_artifact(promotion: Promotion) -> dict[str, Any]:
    return {"subjects": (promotion.subjects[1],)}


def about_another_digest(promotion: Promotion) -> dict[str, Any]:
    return {"subjects": (statements.subject(promotion.path, "9" * 64),)}


def about_another_name(promotion: Promotion) -> dict[str, Any]:
    other = "catalog/vision/digits/4/cpu-x86_64"
    return {"subjects": (statements.subject(other, promotion.digest),)}


def of_another_organisation(promotion: Promotion) -> dict[str, Any]:
    return {"organisation": "9" * 64}


@pytest.mark.parametrize(
    "changes",
    [about_another_artifact, about_another_digest, about_another_name, of_another_organisation],
)
def test_4_evidence_about_something_else_does_not_serve(
    promotion: Promotion, changes: Callable[[Promotion], dict[str, Any]]
) -> None:
    scan = promotion.evidence("scan", "scanner-1", **changes(promotion))
    parity = promotion.evidence("parity", "builder-1")
    assert held(promotion, with_evidence(promotion, scan, parity)).code == "no-evidence"


@pytest.mark.parametrize("status,code", [("retired", ""), ("compromised", "evidence-not-entitled")])
def test_4_a_retired_machine_s_evidence_counts_and_a_compromised_one_s_does_not(
    promotion: Promotion,
    status: Status,
    code: str,
) -> None:
    scanner, builder = promotion.fleet().keys
    fleet = replace(promotion.fleet(), keys=(replace(scanner, status=status), builder))
    artifact = promotion.assigned()
    if code:
        assert held(promotion, artifact, fleet=fleet).code == code
    else:
        assert judged(promotion, artifact, fleet=fleet).enough


def test_4_evidence_that_the_policy_does_not_ask_for_is_not_gone_by(promotion: Promotion) -> None:
    """A newer hub's kinds of evidence, or a failed one that people accepted, hold nothing."""
    artifact = with_evidence(
        promotion,
        promotion.evidence("scan", "scanner-1"),
        promotion.evidence("parity", "builder-1"),
        promotion.evidence("bias-report", "stranger", verdict="fail"),
    )
    assert judged(promotion, artifact).enough


def test_4_a_kind_that_no_machine_may_sign_never_serves(promotion: Promotion) -> None:
    policy = Policy(1, (), "Example", {STAGE: rule(evidence=("bias-report",))}, {})
    artifact = with_evidence(promotion, promotion.evidence("bias-report", "scanner-1"))
    assert held(promotion, artifact, policy=policy).code == "evidence-not-entitled"


# ---------------------------------------------------------------- (5) recalled


def test_5_a_recalled_artifact_is_held(promotion: Promotion) -> None:
    recall = Recall("r-1", promotion.digest, "It " + "x" * 1990, promotion.ago(days=900))
    error = held(promotion, promotion.assigned(), recalled={promotion.digest: recall})
    assert error.code == "recalled"


def test_5_another_recall_does_not_concern_it(promotion: Promotion) -> None:
    recall = Recall("r-1", "9" * 64, "Unsafe.", promotion.ago(days=1))
    assert judged(promotion, promotion.assigned(), recalled={"9" * 64: recall}).enough


# ---------------------------------------------------------------- (6) pins


@pytest.mark.parametrize(
    "pins,code",
    [
        (Pins(3, {}, (), ()), "not-approved"),
        (Pins(0, {}, ("audio",), ()), "team-not-pinned"),
        (Pins(0, {}, (), ("vision/letters",)), "model-not-pinned"),
    ],
)
def test_6_the_site_s_pins_hold(promotion: Promotion, pins: Pins, code: str) -> None:
    assert held(promotion, promotion.assigned(), pins=pins).code == code


def test_6_pins_that_allow_it_allow_it(promotion: Promotion) -> None:
    pins = Pins(2, {}, ("audio", TEAM), (FULL_MODEL,))
    assert judged(promotion, promotion.assigned(), pins=pins).enough


def test_6_a_lowered_policy_does_not_lower_the_site(promotion: Promotion) -> None:
    lowered = Policy(1, (), "Example", {STAGE: rule(approvals=1)}, {})
    artifact = promotion.assigned()
    one = replace(artifact, approvals=artifact.approvals[:1])
    assert judged(promotion, one, policy=lowered).enough
    error = held(promotion, one, policy=lowered, pins=Pins(2, {}, (), ()))
    assert "has 1 of the 2 approvals" in error.what


def test_6_a_policy_made_solo_does_not_let_the_requester_count(promotion: Promotion) -> None:
    solo = Policy(1, (), "Example", {STAGE: rule(approvals=1, requester_may_approve=True)}, {})
    artifact = promotion.assigned()
    own = promotion.approve(artifact.request, "anna")
    two = replace(artifact, approvals=(artifact.approvals[0], own))
    assert judged(promotion, two, policy=solo).enough
    assert held(promotion, two, policy=solo, pins=Pins(2, {}, (), ())).code == "not-approved"


# ---------------------------------------------------------------- forged bytes refuse the bundle


@pytest.mark.parametrize("part", ["request", "approvals", "evidence"])
def test_bytes_under_another_s_name_refuse_the_bundle(promotion: Promotion, part: str) -> None:
    artifact = promotion.assigned()
    named = getattr(artifact, part)
    digest = named if isinstance(named, str) else named[0]
    promotion.carried[digest] = promotion.carried[digest] + b" "
    with pytest.raises(BadSignatureError) as error:
        judged(promotion, artifact)
    assert error.value.code == "statement-differs"


@pytest.mark.parametrize("part", ["request", "approvals", "evidence"])
def test_a_statement_of_another_kind_refuses_the_bundle(promotion: Promotion, part: str) -> None:
    artifact = promotion.assigned()
    wrong: Any = artifact.evidence[0] if part == "request" else (artifact.request,)
    changed = replace(artifact, **{part: wrong})
    with pytest.raises(MalformedError) as error:
        judged(promotion, changed)
    assert error.value.code == "wrong-statement"


# ---------------------------------------------------------------- pins of a bundle


def facts_with(promotion: Promotion, **thresholds: int) -> ConditionFacts:
    return promotion.facts(promotion.assigned(), pins=Pins(0, thresholds, (), ()))


@pytest.mark.parametrize("role", ["root", "targets", "team", "fleet", "recall", "catalog"])
def test_a_threshold_below_the_site_s_pin_refuses_the_bundle(
    promotion: Promotion, role: str
) -> None:
    repository = Repository(promotion.keys)
    root, targets = repository.current["root"].signed, repository.current["targets"].signed
    enough = 2 if role in {"root", "targets", "team"} else 1
    check_pinned_policy(facts_with(promotion, **{role: enough}), root, targets)
    with pytest.raises(RefusedError) as error:
        check_pinned_policy(facts_with(promotion, **{role: enough + 1}), root, targets)
    assert error.value.code == "threshold-lowered"


def test_a_pin_that_cannot_be_checked_refuses_the_bundle(promotion: Promotion) -> None:
    repository = Repository(promotion.keys)
    root, targets = repository.current["root"].signed, repository.current["targets"].signed
    with pytest.raises(RefusedError) as error:
        check_pinned_policy(facts_with(promotion, site=1), root, targets)
    assert error.value.code == "pin-unknown"


def test_pins_rise_by_themselves_and_never_fall() -> None:
    repository = Repository()
    root, targets = repository.current["root"].signed, repository.current["targets"].signed
    raised = raised_pins(Pins(1, {"team": 1, "recall": 1}, (TEAM,), ()), rule(), root, targets)
    assert raised == Pins(2, {"root": 2, "targets": 2, "team": 2, "recall": 1}, (TEAM,), ())
    again = raised_pins(raised, None, root, targets)
    assert again == raised


def test_pins_rise_to_two_at_most_and_are_brought_back_where_they_were_higher() -> None:
    """A team of 3 of 5 would bar a second team of 2 of 2, and so every bundle."""
    repository = Repository()
    repository.holders["team.vision"] = (3, ("stella", "stefan", "sven", "sara", "simon"))
    with repository.next("targets") as signed:
        repository.delegate(signed, "team.vision")
    root, targets = repository.current["root"].signed, repository.current["targets"].signed
    two = Pins(2, {"root": 2, "targets": 2, "team": 2}, (), ())
    assert raised_pins(Pins(0, {}, (), ()), rule(approvals=3), root, targets) == two
    high = Pins(3, {"root": 3, "targets": 2, "team": 3}, (), ())
    assert raised_pins(high, None, root, targets) == two
    assert [text.partition(",")[0] for text in brought_back(high)] == [
        "This site insisted on 3 signatures of root",
        "This site insisted on 3 signatures of team",
        "This site insisted on 3 approvals",
    ]
    assert brought_back(two) == ()


def test_the_weakest_team_is_what_teams_are_pinned_at() -> None:
    repository = Repository()
    repository.holders["team.audio"] = (1, ("uwe",))
    with repository.next("targets") as signed:
        repository.delegate(signed, "team.audio")
    root, targets = repository.current["root"].signed, repository.current["targets"].signed
    assert raised_pins(Pins(0, {}, (), ()), None, root, targets).least_thresholds["team"] == 1


def test_a_machine_is_what_the_fleet_says_it_is(promotion: Promotion) -> None:
    """One key listed for both purposes would serve for both; keys.json allows it only once."""
    key = promotion.keys.public("scanner-1").text
    fleet = replace(promotion.fleet(), keys=(MachineKey(key, "scanner-1", "builder", "active"),))
    assert held(promotion, promotion.assigned(), fleet=fleet).code == "evidence-not-entitled"
