"""What stages ask, and how long signatures last: `set-stage`, `remove-stage`, `set-lifetime`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from sealift_signing import features, roles, shape
from sealift_signing.acts import policy_words, versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.names import BEFORE_PEOPLE, CONSEQUENCE
from sealift_signing.counting_rules import rule_of
from sealift_signing.drawing import drawn, pasted
from sealift_signing.enough_people import meets, who_may
from sealift_signing.errors import RefusedError, UsageError, shown
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.organisation import Organisation
from sealift_signing.policy import (
    APPROVE_WITHIN_DAYS,
    LATER_KINDS,
    POLICY_PATH,
    Policy,
    StageRule,
    read_policy,
)
from sealift_signing.roles import TARGETS
from sealift_signing.vocabulary import NAME, SENTENCE, counted

KEY_CLASSES = ("file", "hardware")
"""Where a person's key may be kept."""
MOST_DAYS = 36_500
MOST_APPROVALS = 64
_CHANGES = ("approvals", "evidence", "key-class", "meaning", "days", "within")


def set_stage(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`set-stage STAGE [--approvals N] …`: what a stage asks from now on; or one stage more.

    What is not named stays as it is; a new stage takes it from the one that `like` names.

    Raises:
        UsageError: a value is none, or nothing is named.
        NotFoundError: there is no stage to be like.
        RefusedError: nothing would change; or no team can meet what it asks, and that is not said
            to be meant.
    """
    (stage,) = ask.object
    before = organisation.policy()
    after = policy_after(before, ask)
    earlier, rule = before.stages.get(stage), after.stages[stage]
    if not ask.values(BEFORE_PEOPLE):
        _check_met(organisation, stage, rule)
    if earlier:
        first, said = f"Change what stage {stage} asks:", policy_words.differences(earlier, rule)
    else:
        first, said = f"Add the stage {stage}:", policy_words.stage(stage, rule)
    told = [*said, *_people(organisation, stage, rule)]
    return _prepared(organisation, material, after, (first, *wording.indented(told)))


def remove_stage(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`remove-stage STAGE`: nothing is promoted to it any more, and nothing of it installed.

    Raises:
        NotFoundError: there is no such stage.
        RefusedError: it is the last one.
    """
    (stage,) = ask.object
    words = (
        f"Remove the stage {stage}: nothing is promoted to it from now on.",
        "  Sites that take what is promoted to it install nothing new; what runs there goes on.",
    )
    return _prepared(organisation, material, policy_after(organisation.policy(), ask), words)


def set_lifetime(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`set-lifetime KIND DAYS`: how long signatures of a kind of role last, from the next one on.

    Raises:
        UsageError: no such kind, or no number of days.
        RefusedError: they last so long already.
    """
    kind, before = ask.object[0], organisation.policy()
    after = policy_after(before, ask)
    days = counted(after.lifetimes_days[kind], "day")
    words = (
        f"Have signatures of {kind} last {days}, {_lifetime(before, kind)} before.",
        "  It holds for what is signed from now on; what was signed keeps its end.",
    )
    return _prepared(organisation, material, after, words)


def policy_after(policy: Policy, ask: Ask) -> Policy:
    """What the policy says after one of these acts; who could meet it is not asked here.

    Raises:
        UsageError, NotFoundError, RefusedError: as the act.
    """
    return _AFTER[ask.act](policy, ask)


def _with_stage(policy: Policy, ask: Ask) -> Policy:
    (stage,) = ask.object
    if not NAME.matches(stage):
        raise _bad(stage, f"A stage is called by {NAME.words}.", "Choose such a name.")
    earlier = policy.stages.get(stage)
    rule = _changed(ask, _base(policy, stage, ask), new=earlier is None)
    if earlier == rule:
        raise _same(f"Stage {stage} asks just that already.", stage)
    return with_stages(policy, {**policy.stages, stage: rule})


def _without_stage(policy: Policy, ask: Ask) -> Policy:
    (stage,) = ask.object
    rule_of(policy, stage)
    left = {name: rule for name, rule in policy.stages.items() if name != stage}
    if not left:
        raise RefusedError(
            "last-stage",
            f"{stage} is the only stage, and a policy has one.",
            subject=stage,
            next_step="Add the one that is to be there instead first.",
        )
    return with_stages(policy, left)


def _with_lifetime(policy: Policy, ask: Ask) -> Policy:
    kind, given = ask.object
    known = sorted(roles.LIFETIMES_DAYS)
    if kind not in known:
        raise _bad(kind, f"{shown(kind)} is no kind of role.", f"They are: {', '.join(known)}.")
    days = _number(given, "a lifetime in days", MOST_DAYS)
    if _lifetime(policy, kind) == days:
        raise _same(f"Signatures of {kind} last {counted(days, 'day')} already.", kind)
    return replace(policy, lifetimes_days={**policy.lifetimes_days, kind: days})


def _lifetime(policy: Policy, kind: str) -> int:
    return policy.lifetimes_days.get(kind, roles.LIFETIMES_DAYS[kind])


_AFTER: Mapping[str, Callable[[Policy, Ask], Policy]] = {
    "set-stage": _with_stage,
    "remove-stage": _without_stage,
    "set-lifetime": _with_lifetime,
}


def with_stages(policy: Policy, stages: Mapping[str, StageRule]) -> Policy:
    """`policy` with just these stages, requiring what they make use of and nothing else."""
    used = {
        features.APPROVE_WITHIN: any(
            one.approve_within_days is not None for one in stages.values()
        ),
        features.EVIDENCE_BY_POLICY: any(one.evidence_by_policy for one in stages.values()),
        features.LATER_EVIDENCE: any(LATER_KINDS & _kinds(one) for one in stages.values()),
    }
    others = set(policy.requires) - {one.spelled for one in used}
    needed = {one.spelled for one, is_used in used.items() if is_used}
    return replace(policy, requires=tuple(sorted(others | needed)), stages=dict(stages))


def _kinds(rule: StageRule) -> set[str]:
    by_policy = (rule.evidence_by_policy or {}).values()
    return {*rule.evidence, *(kind for kinds in by_policy for kind in kinds)}


def _prepared(
    organisation: Organisation, material: Material, after: Policy, said: Iterable[str]
) -> Prepared:
    data = shape.write(after)
    read_policy(data)
    signed, part = versions.listing(organisation, TARGETS, material, POLICY_PATH, data)
    words = (
        *said,
        *wording.indented(_consequences(material.facts.get(CONSEQUENCE, ()))),
        f"{wording.becomes(TARGETS, signed)}. The whole policy is then:",
        *wording.indented(policy_words.policy(after)),
    )
    return Prepared((part,), words)


def _consequences(said: Iterable[str]) -> Iterator[str]:
    """What would come of it: only the hub knows what is listed and what runs where."""
    lines = [drawn(one) for one in said]
    yield (
        "what would come of it today, as the hub says:"
        if lines
        else ("nothing that is listed or open would change, as the hub says")
    )
    yield from wording.indented(lines)


def _base(policy: Policy, stage: str, ask: Ask) -> StageRule:
    """What stays where nothing else is said."""
    like, known = ask.value("like"), policy.stages.get(stage)
    if like:
        return rule_of(policy, like)
    if known is None:
        raise UsageError(
            "stage-like-none",
            f"There is no stage {stage} yet, and it is not said which one it is like.",
            subject=stage,
            next_step=f"Add --like with one of: {', '.join(sorted(policy.stages))}; what you name "
            "beside it is otherwise.",
        )
    return known


def _changed(ask: Ask, rule: StageRule, *, new: bool) -> StageRule:
    if not new and not any(ask.values(name) for name in (*_CHANGES, "like")):
        raise UsageError(
            "nothing-named",
            f"What stage {ask.object[0]} is to ask is not said.",
            subject=ask.object[0],
            next_step="Name what is to be otherwise, with --approvals, --evidence, --key-class, "
            "--meaning, --days or --within.",
        )
    evidence = _known(ask, "evidence", tuple(EVIDENCE_PURPOSE), "kind of evidence")
    classes = _known(ask, "key-class", KEY_CLASSES, "class of keys")
    for one in ask.values("meaning"):
        if not SENTENCE.matches(one):
            raise _bad(one, f"A meaning must be {SENTENCE.words}.", "Choose such words.")
    if approvals := ask.value("approvals"):
        rule = replace(rule, approvals=_number(approvals, "--approvals", MOST_APPROVALS))
    if days := ask.value("days"):
        rule = replace(rule, longest_validity_days=_number(days, "--days", MOST_DAYS))
    if within := ask.value("within"):
        span = _number(within, "--within", MOST_DAYS)
        rule = replace(rule, approve_within_days=None if span == APPROVE_WITHIN_DAYS else span)
    if rule.requester_may_approve and rule.approvals > 1:
        # With two approvals, whoever asks would be one of "two people".
        rule = replace(rule, requester_may_approve=False)
    return replace(
        rule,
        evidence=evidence or rule.evidence,
        key_classes=classes or rule.key_classes,
        meanings=_once(ask, "meaning") or rule.meanings,
    )


def _known(ask: Ask, name: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    for one in ask.values(name):
        if one not in known:
            raise _bad(one, f"{shown(one)} is no {what}.", f"They are: {', '.join(known)}.")
    return tuple(sorted(_once(ask, name)))


def _once(ask: Ask, name: str) -> tuple[str, ...]:
    given = ask.values(name)
    if len(set(given)) != len(given):
        raise _bad(name, f"--{name} says the same twice.", "Say each once.")
    return given


def _number(given: str, what: str, most: int) -> int:
    if given.isascii() and given.isdecimal() and len(given) <= len(str(most)):
        number = int(given)
        if 0 < number <= most:
            return number
    raise _bad(given, f"{shown(given)} is no number for {what}.", f"It is 1 to {most:,}.")


# ---------------------------------------------------------------------- who could meet it


def _check_met(organisation: Organisation, stage: str, rule: StageRule) -> None:
    """Refuse what nobody could meet today, unless it is said to be meant."""
    teams = [found for one in organisation.teams if (found := organisation.members(one))]
    if not teams or any(meets(one, stage, rule) for one in teams):
        return
    besides = "" if rule.requester_may_approve else " by people besides the requester"
    raise RefusedError(
        "no-team-meets-it",
        f"No team could have anything promoted to {stage} today: it asks for "
        f"{counted(rule.approvals, 'approval')}{besides}, with keys of the class "
        f"{' or '.join(rule.key_classes)}.",
        subject=stage,
        next_step="Entitle the people first (sealift team approver --help), or say that it is "
        f"meant, with --{BEFORE_PEOPLE}.",
    )


def _people(organisation: Organisation, stage: str, rule: StageRule) -> Iterator[str]:
    """Of each team, who may approve for the stage, and whether they are enough."""
    for team in sorted(organisation.teams):
        members = organisation.members(team)
        if members is None:
            continue
        found = ", ".join(who_may(members, stage, rule)) or "nobody"
        enough = "" if meets(members, stage, rule) else ": TOO FEW"
        yield f"in team {team} may approve for {pasted([stage])}: {found}{enough}"


def _same(sentence: str, subject: str) -> RefusedError:
    return RefusedError(
        "nothing-changes",
        sentence,
        subject=subject,
        next_step="Name what is to be otherwise than it is.",
    )


def _bad(value: str, what: str, advice: str) -> UsageError:
    return UsageError("bad-policy-value", what, subject=value, next_step=advice)
