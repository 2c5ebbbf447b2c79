"""policy.json: what each stage asks before an artifact counts as promoted to it.

Signed by `targets`, through TUF. The reader also checks what a shape cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from sealift_signing import features, shape
from sealift_signing.errors import MalformedError
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import (
    PORTABLE,
    ArtifactPolicy,
    Count,
    Days,
    Name,
    RoleKind,
    Sentence,
)

POLICY_PATH = "policy.json"

APPROVE_WITHIN_DAYS = 30
"""How long after its request an approval may be made: what was asked long ago fits no more."""

APPROVE_WITHIN = features.APPROVE_WITHIN.spelled

LATER_KINDS = frozenset({"regression", "runtimes"})
"""Kinds of evidence that came after the first release of a policy's format: a stage that asks for
one requires the feature."""


@dataclass(frozen=True)
class StageRule:
    """What the policy asks before an artifact counts as promoted to a stage."""

    approvals: Count
    requester_may_approve: bool
    evidence: Annotated[tuple[Name, ...], Distinct()]
    """The kinds of evidence that must be there, about each artifact."""
    key_classes: Annotated[tuple[Name, ...], Distinct()]
    """Where an approver's key may be kept."""
    meanings: Annotated[tuple[Sentence, ...], Distinct()]
    """What an approval may mean, in the words that the approver signs."""
    longest_validity_days: Days
    """How far ahead an approval's end may lie."""
    approve_within_days: Days | None = None
    """How long after its request an approval may be made, if not 30 days."""
    evidence_by_policy: Mapping[ArtifactPolicy, Annotated[tuple[Name, ...], Distinct()]] | None = (
        None
    )
    """In place of `evidence`, for artifacts that their request calls other than portable."""

    @property
    def within(self) -> timedelta:
        """How long after its request an approval may be made."""
        return timedelta(days=self.approve_within_days or APPROVE_WITHIN_DAYS)

    @property
    def longest(self) -> timedelta:
        """How long after it was made an approval counts at most."""
        return timedelta(days=self.longest_validity_days)

    def evidence_of(self, artifact_policy: str) -> tuple[str, ...]:
        """The kinds of evidence that there must be about an artifact of this artifact policy."""
        return (self.evidence_by_policy or {}).get(artifact_policy, self.evidence)


@dataclass(frozen=True)
class Policy:
    """policy.json, signed by `targets`: the stages, and how long each role's signature lasts."""

    DOCUMENT: ClassVar[str] = "policy"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation_name: Sentence
    stages: Mapping[Name, StageRule]
    lifetimes_days: Mapping[RoleKind, Days]


def read_policy(data: bytes) -> Policy:
    """The policy that `data` spells.

    Raises:
        MalformedError: no stage, or one where the requester counts among several approvers; or one
            with a span of its own for approvals, with evidence by artifact policy or of a later
            kind, which the policy does not require to be read.
    """
    policy = shape.read(Policy, data, what=POLICY_PATH)
    if not policy.stages:
        raise MalformedError("bad-policy", "policy.json has no stage.", subject=POLICY_PATH)
    for name, rule in policy.stages.items():
        # Who may approve his own request is alone; with two approvals he would be one of "two".
        if rule.requester_may_approve and rule.approvals > 1:
            raise MalformedError(
                "bad-policy",
                f"policy.json lets the requester approve for {name} and asks for "
                f"{rule.approvals} approvals; only where one suffices may they be one person.",
                subject=POLICY_PATH,
            )
        _check_evidence(policy, name, rule)
        _check_kinds(policy, name, rule)
        if rule.approve_within_days is not None and APPROVE_WITHIN not in policy.requires:
            raise MalformedError(
                "bad-policy",
                f"policy.json says for {name} how long after its request an approval may be made, "
                f"and does not require {APPROVE_WITHIN}.",
                subject=POLICY_PATH,
            )
    return policy


def _check_kinds(policy: Policy, stage: str, rule: StageRule) -> None:
    """A reader of before knows nobody who may vouch for a later kind, and would hold everything."""
    by_policy = (rule.evidence_by_policy or {}).values()
    asked = {*rule.evidence, *(kind for kinds in by_policy for kind in kinds)}
    later = ", ".join(sorted(asked & LATER_KINDS))
    if later and features.LATER_EVIDENCE.spelled not in policy.requires:
        raise MalformedError(
            "bad-policy",
            f"policy.json asks for {stage} for evidence of the kind {later}, and does not require "
            f"{features.LATER_EVIDENCE.spelled}.",
            subject=POLICY_PATH,
        )


def _check_evidence(policy: Policy, stage: str, rule: StageRule) -> None:
    """Other evidence is asked of artifacts that are not portable, never none, and by a feature."""
    asked = rule.evidence_by_policy
    if asked is None:
        return
    if not asked or PORTABLE in asked or not all(asked.values()):
        raise MalformedError(
            "bad-policy",
            f"policy.json asks for {stage} no evidence of some artifacts, or of portable ones in "
            "two places.",
            subject=POLICY_PATH,
        )
    if features.EVIDENCE_BY_POLICY.spelled not in policy.requires:
        raise MalformedError(
            "bad-policy",
            f"policy.json says for {stage} what evidence it asks of each artifact policy, and does "
            f"not require {features.EVIDENCE_BY_POLICY.spelled}.",
            subject=POLICY_PATH,
        )
