"""What a site demands on top of TUF, beside the floors (docs/explanation/six-conditions.md).

    (1) `catalog.<team>`, delegated directly by `targets`, lists the manifest with this digest
    (2) `site.<id>` names that digest for that host group, whose hardware target ends the path
    (3) one request and enough approvals of it, for the stage to which the site was enrolled
    (4) the evidence that the policy asks for, named by that request
    (5) it is not recalled
    (6) the site's own pins allow it

Pure: verified values in, a verdict out. 1 and 2 are signed by keys that are kept online and are no
wall; 3 to 6 are. An authentic artifact that fails one is *held*, with the reason; the rest of the
bundle installs. Forged bytes are another matter: they raise, and the whole transfer is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from textwrap import shorten

from tuf.api.metadata import Root, Targets

from sealift_signing import floors, roles, statements
from sealift_signing.approvals import ApprovalTally, NotCountedError, Rules, check_request, tally
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    FleetKeys,
    Members,
    Recall,
    Withdrawal,
)
from sealift_signing.drawing import drawn
from sealift_signing.errors import BadSignatureError, RefusedError
from sealift_signing.evidence import entitled_machine
from sealift_signing.policy import Policy, StageRule
from sealift_signing.statements import Approval, Evidence, P, Pins, Request, Signed
from sealift_signing.vocabulary import CatalogPath

MOST_QUOTED = 1200
"""Characters of other people's words, so that the sentence around them still fits a receipt."""
MOST_PINNED = 2
"""To what a site's pins rise by themselves: more than one person. More is for people to pin."""


class HeldError(RefusedError):
    """An authentic artifact that this site does not install, and why."""


@dataclass(frozen=True)
class ConditionFacts:
    """All that the six conditions look at, each item verified before it stands here.

    Attributes:
        groups: this site's own host groups, each with its hardware target.
        catalog: per team, the TUF targets that `catalog.<team>` lists, path to sha256.
        withdrawn: per team, every withdrawal it ever signed. Two that differ are both kept, also
            where they bear one id: a rewritten list must not take one back.
        recalled: every recall ever seen, by digest.
        statement: the bytes of a carried statement by sha256, None if it was not carried.
        machine_keys: raw public keys of machines, and of the roles that the hub signs by itself.
        compromised: per team, raw public keys that count for nothing in it, and never will.
    """

    organisation: str
    site: str
    stage: str
    groups: Mapping[str, str]
    pins: Pins
    now: datetime
    policy: Policy
    members: Mapping[str, Members]
    fleet: FleetKeys
    assignment: Assignment
    catalog: Mapping[str, Mapping[str, str]]
    withdrawn: Mapping[str, Iterable[Withdrawal]]
    recalled: Mapping[str, Recall]
    machine_keys: frozenset[bytes]
    compromised: Mapping[str, frozenset[bytes]]
    statement: Callable[[str], bytes | None]


def judge(facts: ConditionFacts, group: str, artifact: AssignedArtifact) -> ApprovalTally:
    """The six conditions, for one artifact in one host group; returns who approved.

    Raises:
        HeldError: a condition does not hold; the sentence names it.
        BadSignatureError, MalformedError: a carried statement was forged or damaged.
        RefusedError: a carried statement needs a newer version of this software.
    """
    path = artifact.parsed
    _listed(facts, path, artifact.sha256)  # (1)
    _assigned(facts, group, path, artifact)  # (2)
    request, approved = _approved(facts, path, artifact)  # (3)
    _evidenced(facts, path, artifact, request)  # (4)
    _not_recalled(facts, path, artifact.sha256)  # (5)
    _pinned(facts, path)  # (6)
    return approved


def check_pinned_policy(facts: ConditionFacts, root: Root, targets: Targets) -> None:
    """Check (6) for what concerns a whole bundle: thresholds below the site's pins.

    Raises:
        RefusedError: a role needs fewer signatures than this site insists on.
    """
    for role, least in facts.pins.least_thresholds.items():
        if roles.delegator(f"{role}.x") == roles.FLEET:
            raise RefusedError(
                "pin-unknown",
                f"This site pins a threshold of {role}, which this version cannot check.",
                subject=role,
                next_step="Update Sealift here.",
            )
        owner = root if role in roles.TOP_ROLES else targets
        found = [role] if role in roles.TOP_ROLES else _roles_of_kind(targets, role)
        for name in found:
            if roles.keyholders(owner, name).real_threshold < least:
                raise RefusedError(
                    "threshold-lowered",
                    f"{name} needs fewer than the {least} signatures this site insists on.",
                    subject=name,
                    next_step="Ask the hub's administrators why the threshold was lowered.",
                )


def raised_pins(pins: Pins, rule: StageRule | None, root: Root, targets: Targets) -> Pins:
    """The pins after an accepted bundle: they rise by themselves, to `MOST_PINNED`, and never fall.

    A site that pinned what its one large team needs would refuse every bundle once there is a
    second, smaller team.
    """
    pins = capped_pins(pins)
    seen = {role: roles.keyholders(root, role).real_threshold for role in ("root", "targets")}
    teams = [
        roles.keyholders(targets, name).real_threshold
        for name in _roles_of_kind(targets, roles.TEAM)
    ]
    if teams:
        seen[roles.TEAM] = min(teams)
    thresholds = {
        role: max(pins.least_thresholds.get(role, 0), min(seen.get(role, 0), MOST_PINNED))
        for role in seen | dict(pins.least_thresholds)
    }
    approvals = max(pins.least_approvals, min(rule.approvals if rule else 0, MOST_PINNED))
    return replace(pins, least_approvals=approvals, least_thresholds=thresholds)


def capped_pins(pins: Pins) -> Pins:
    """`pins` as far as they may rise by themselves; earlier releases let them rise without end."""
    return replace(
        pins,
        least_approvals=min(pins.least_approvals, MOST_PINNED),
        least_thresholds={
            role: min(count, MOST_PINNED) for role, count in pins.least_thresholds.items()
        },
    )


def brought_back(pins: Pins) -> tuple[str, ...]:
    """A sentence for each of `pins` that had risen too high by itself."""
    high = {f"signatures of {role}": n for role, n in sorted(pins.least_thresholds.items())}
    high["approvals"] = pins.least_approvals
    return tuple(
        f"This site insisted on {count} {what}, as many as it once saw; it goes back to "
        f"{MOST_PINNED}, so that a smaller team does not bar every bundle."
        for what, count in high.items()
        if count > MOST_PINNED
    )


def _roles_of_kind(targets: Targets, kind: str) -> list[str]:
    return [name for name in floors.delegated(targets) if roles.kind(name) == kind]


def _listed(facts: ConditionFacts, path: CatalogPath, sha256: str) -> None:
    listed = facts.catalog.get(path.team, {}).get(str(path))
    if path.is_source:
        raise HeldError(
            "source-assigned", f"{path} is a source artifact, not a variant.", subject=str(path)
        )
    if listed is None:
        raise HeldError("not-listed", f"The hub's catalog does not list {path}.", subject=str(path))
    if listed != sha256:
        raise HeldError(
            "listed-differently",
            f"The catalog lists {path} with a digest other than the one assigned.",
            subject=str(path),
        )


def _assigned(
    facts: ConditionFacts, group: str, path: CatalogPath, artifact: AssignedArtifact
) -> None:
    assigned = facts.assignment.groups.get(group)
    pinned = facts.groups.get(group)
    if pinned is None or assigned is None:
        raise HeldError("no-such-group", f"This site has no host group {group!r}.", subject=group)
    model = assigned.models.get(path.full_model)
    if facts.assignment.site != facts.site or not model or artifact not in model.artifacts:
        raise HeldError(
            "not-assigned",
            f"The assignment gives host group {group} of {facts.site} no {path} with this digest.",
            subject=str(path),
        )
    if assigned.hardware_target != pinned or path.form != pinned:
        raise HeldError(
            "wrong-hardware-target",
            f"{path} is not for host group {group}, whose hardware target is {pinned}.",
            subject=str(path),
            next_step=f"Have the variant for {pinned} assigned.",
        )


def _approved(
    facts: ConditionFacts, path: CatalogPath, artifact: AssignedArtifact
) -> tuple[Signed[Request], ApprovalTally]:
    """(3), and the withdrawals."""
    rule = facts.policy.stages.get(facts.stage)
    members = facts.members.get(path.team)
    if rule is None or members is None:
        missing = f"the stage {facts.stage}" if rule is None else f"the members of {path.team}"
        raise HeldError(
            "no-rule", f"{path} cannot be judged: {missing} is not known here.", subject=str(path)
        )
    # (6) The site's own pin counts where the policy was lowered below it; and where more than one
    # must approve, a policy that was made "solo" does not let the requester be one of them.
    needed = max(rule.approvals, facts.pins.least_approvals)
    alone = rule.requester_may_approve and needed <= 1
    rules = Rules(
        facts.organisation,
        members,
        facts.stage,
        replace(rule, approvals=needed, requester_may_approve=alone),
        facts.now,
        facts.machine_keys,
        facts.compromised.get(path.team, frozenset()),
    )
    request = _request(facts, path, artifact, rules)
    carried = {
        digest: _carried(facts, Approval, digest, f"the approval {digest[:12]}")
        for digest in artifact.approvals
    }
    counted = tally(request, [one for one in carried.values() if one], rules)
    if not counted.enough:
        absent = [
            f"the approval {n[:12]} was not carried." for n, one in carried.items() if not one
        ]
        reasons = [f"{said[0].upper()}{said[1:]}" for said in (*absent, *counted.set_aside)]
        raise HeldError(
            "not-approved",
            f"{path} has {len(counted.counted)} of the {max(needed, 1)} approvals it needs for "
            f"{facts.stage}. {_short(' '.join(reasons))}".strip(),
            subject=str(path),
            next_step="Have it approved, and carry a newer bundle.",
        )
    _not_withdrawn(facts, path, artifact.sha256, request)
    return request, counted


def _carried(facts: ConditionFacts, kind: type[P], digest: str, what: str) -> Signed[P] | None:
    """The statement that `digest` names, None if it was not carried."""
    data = facts.statement(digest)
    if data is None:
        return None
    if hashlib.sha256(data).hexdigest() != digest:
        # Names are only as good as the hash behind them, wherever the bytes came from.
        raise BadSignatureError(
            "statement-differs",
            f"The bytes of {what} are not the ones it is named by.",
            subject=what,
        )
    return statements.read(kind, data, what=what)


def _short(text: str) -> str:
    """What others gave cause to, cut so that the sentence around it still fits a receipt."""
    return shorten(text, MOST_QUOTED, placeholder=" …")


def _request(
    facts: ConditionFacts, path: CatalogPath, artifact: AssignedArtifact, rules: Rules
) -> Signed[Request]:
    request = _carried(facts, Request, artifact.request, f"the request {artifact.request[:12]}")
    if request is None:
        raise HeldError(
            "no-request", f"{path} comes without the request for its promotion.", subject=str(path)
        )
    said = request.predicate
    try:
        check_request(request, rules)
    except NotCountedError as reason:
        raise HeldError("not-requested", f"{path}: {reason.what}", subject=str(path)) from reason
    same_version = (said.team, said.model, said.version) == (path.team, path.model, path.version)
    if not same_version or not request.about(str(path), artifact.sha256):
        raise HeldError(
            "request-of-another",
            f"The request and its approvals are not about {path} with this digest.",
            subject=str(path),
        )
    return request


def _not_withdrawn(
    facts: ConditionFacts, path: CatalogPath, sha256: str, request: Signed[Request]
) -> None:
    """A request sets a withdrawal aside by its digest alone: who approved, approved of just that.

    An id may be given to another withdrawal, and a withdrawal may be dated as one likes.
    """
    despite = request.predicate.despite
    for one in facts.withdrawn.get(path.team, ()):
        if not one.covers(path, sha256, facts.stage) or one.digest in despite:
            continue
        by_id = f" The request names only its id {one.id}." if one.id in despite else ""
        raise HeldError(
            "withdrawn",
            f"{path} was withdrawn from {facts.stage}: {drawn(one.reason, MOST_QUOTED)}{by_id}",
            subject=str(path),
            next_step="Ask again: a new request that names the withdrawal by its digest, "
            "approved, permits it again.",
        )


def _evidenced(
    facts: ConditionFacts, path: CatalogPath, artifact: AssignedArtifact, request: Signed[Request]
) -> None:
    policy = request.predicate.artifact_policy(str(path))
    asked = facts.policy.stages[facts.stage].evidence_of(policy)
    found = set()
    for digest in artifact.evidence:
        evidence = _carried(facts, Evidence, digest, f"the evidence {digest[:12]}")
        if evidence is None:
            continue
        said = evidence.predicate
        if digest not in request.predicate.evidence:
            raise HeldError(
                "evidence-not-named",
                f"{path} comes with evidence ({said.kind}) that its request does "
                "not name: whoever approved did not see it.",
                subject=digest,
            )
        if said.kind not in asked:
            _not_failed(facts, path, artifact, evidence)
            continue  # a kind that this site does not go by, and may not even know
        _signed_for_purpose(facts, path, evidence)
        if said.organisation == facts.organisation and evidence.about(str(path), artifact.sha256):
            _passed(path, evidence)
            found.add(said.kind)
    missing = [kind for kind in asked if kind not in found]
    if missing:
        raise HeldError(
            "no-evidence",
            f"{path} comes without the evidence that {facts.stage} asks for: {', '.join(missing)}.",
            subject=str(path),
        )


def _not_failed(
    facts: ConditionFacts, path: CatalogPath, artifact: AssignedArtifact, evidence: Signed[Evidence]
) -> None:
    """What is not asked of this artifact policy, and is asked of others, has not failed either.

    Nobody calls a conversion something else because its parity failed.
    """
    said = evidence.predicate
    usual = facts.policy.stages[facts.stage].evidence
    if said.kind in usual and evidence.about(str(path), artifact.sha256):
        _passed(path, evidence)


def _passed(path: CatalogPath, evidence: Signed[Evidence]) -> None:
    said = evidence.predicate
    failed = [check.name for check in said.failures]
    if not said.passed:
        raise HeldError(
            "evidence-failed",
            f"{path} failed its {said.kind}{': ' if failed else ''}{_short(', '.join(failed))}.",
            subject=str(path),
        )


def _signed_for_purpose(
    facts: ConditionFacts, path: CatalogPath, evidence: Signed[Evidence]
) -> None:
    if entitled_machine(evidence, facts.fleet) is None:
        # Held, not refused: a scanner that was compromised must not stop every other delivery.
        raise HeldError(
            "evidence-not-entitled",
            f"{path}: the evidence {evidence.sha256[:12]} ({evidence.predicate.kind}) is not "
            "signed by any machine that may sign evidence of its kind.",
            subject=evidence.sha256,
        )


def _not_recalled(facts: ConditionFacts, path: CatalogPath, sha256: str) -> None:
    recall = facts.recalled.get(sha256)
    if recall is not None:
        raise HeldError(
            "recalled",
            f"{path} was recalled: {drawn(recall.reason, MOST_QUOTED)}",
            subject=str(path),
        )


def _pinned(facts: ConditionFacts, path: CatalogPath) -> None:
    """(6), but for the least approvals, which (3) counts by."""
    pins = facts.pins
    if pins.teams and path.team not in pins.teams:
        raise HeldError(
            "team-not-pinned", f"This site takes nothing of team {path.team}.", subject=str(path)
        )
    if pins.models and path.full_model not in pins.models:
        raise HeldError(
            "model-not-pinned", f"This site does not take {path.full_model}.", subject=str(path)
        )
