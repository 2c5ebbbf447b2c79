"""By what statements are counted: what an organisation's files say of a team and a stage."""

from __future__ import annotations

from datetime import datetime

from sealift_signing import roles
from sealift_signing.approvals import Rules
from sealift_signing.compromised import NONE, Compromised, barred, entered_by, people_of, union
from sealift_signing.errors import NotFoundError
from sealift_signing.organisation import Organisation
from sealift_signing.policy import Policy, StageRule
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import ROOT, TARGETS


def rule_of(policy: Policy, stage: str) -> StageRule:
    """What the policy asks for at a stage.

    Raises:
        NotFoundError: there is no such stage.
    """
    if stage not in policy.stages:
        raise NotFoundError(
            "no-stage",
            f"The policy has no stage {stage}.",
            subject=stage,
            next_step=f"Its stages are: {', '.join(sorted(policy.stages))}.",
        )
    return policy.stages[stage]


def rules_for(
    organisation: Organisation,
    team: str,
    stage: str,
    now: datetime,
    known: Compromised = NONE,
) -> Rules:
    """By what a team's requests and approvals for a stage are counted.

    `known` are the keys that were called compromised earlier, and perhaps no longer are there.

    Raises:
        NotFoundError: there is no such stage, or the team has no members yet.
    """
    rule = rule_of(organisation.policy(), stage)
    members = organisation.members(team)
    if members is None:
        raise NotFoundError(
            "no-members",
            f"Team {team} has nobody who may request or approve.",
            subject=team,
            next_step=f"Add them, signed by stewards: sealift team requester {team} --help",
        )
    machines = organisation.once("machine keys", lambda: _machine_keys(organisation))
    role = roles.team_role(team)
    above = (
        entered_by(one.role, one.metadata.signed)
        for one in (*organisation.roots, organisation.head(TARGETS))
    )
    lost = barred(union((known, people_of(role, members), *above)), (role, TARGETS, ROOT))
    return Rules(organisation.id, members, stage, rule, now, machines, lost)


def _machine_keys(organisation: Organisation) -> frozenset[bytes]:
    """The raw keys of machines, and of the roles that the hub signs by itself; none is a person's.

    Not of roles that people hold: one person may hold several offices with one key.
    """
    found = {PublicKey.parse(one.key).raw for one in organisation.fleet_keys().keys}
    root, targets = organisation.root.metadata.signed, organisation.head(TARGETS).targets
    online = [(root, roles.SNAPSHOT), (root, roles.TIMESTAMP)]
    online += [(targets, role) for role in organisation.delegated(roles.CATALOG)]
    for owner, role in online:
        found |= {key.raw for key in roles.keyholders(owner, role).keys}
    return frozenset(found)
