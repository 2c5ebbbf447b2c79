"""A policy in words: what each stage asks, and what would be otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sealift_signing.drawing import drawn
from sealift_signing.policy import Policy, StageRule
from sealift_signing.vocabulary import counted

LESS, MORE = "LESS IS ASKED THAN BEFORE", "more is asked than before"


def policy(found: Policy) -> list[str]:
    """What each stage asks for, and how long signatures last."""
    lines = [f"organisation {drawn(found.organisation_name)}"]
    for name, rule in sorted(found.stages.items()):
        lines += stage(name, rule)
    spans = (f"{role} {days} days" for role, days in sorted(found.lifetimes_days.items()))
    return [*lines, f"signatures last: {', '.join(spans)}"]


def stage(name: str, rule: StageRule) -> list[str]:
    """What a stage asks for."""
    alone = ", the requester may approve" if rule.requester_may_approve else ""
    first = (
        f"stage {name}: {counted(rule.approvals, 'approval')}{alone}, evidence "
        f"{', '.join(rule.evidence) or 'none'}, keys {', '.join(rule.key_classes)}, valid for "
        f"{rule.longest_validity_days} days at most"
    )
    lines = [first]
    lines += [
        f"  of {kind} artifacts it asks for evidence {', '.join(kinds)} instead"
        for kind, kinds in sorted((rule.evidence_by_policy or {}).items())
    ]
    if rule.approve_within_days is not None:
        lines.append(f"  approvals are made within {rule.within.days} days of their request")
    return lines + [f"  an approval may mean {drawn(one)}" for one in rule.meanings]


def differences(before: StageRule, after: StageRule) -> list[str]:
    """What a stage asks otherwise than before: each difference in a line, and which way it goes."""
    return [*_counts(before, after), *_lists(before, after)]


def _counts(before: StageRule, after: StageRule) -> Iterator[str]:
    asked = after.approvals - before.approvals
    if asked:
        yield (
            f"{counted(after.approvals, 'approval')}, {before.approvals} before: "
            f"{MORE if asked > 0 else LESS}"
        )
    if before.requester_may_approve != after.requester_may_approve:
        yield (
            f"whoever asks MAY APPROVE as well: {LESS}"
            if after.requester_may_approve
            else f"whoever asks no longer approves: {MORE}"
        )
    longer = after.longest_validity_days - before.longest_validity_days
    if longer:
        yield (
            f"approvals are valid for {after.longest_validity_days} days at most, "
            f"{before.longest_validity_days} before: {LESS if longer > 0 else MORE}"
        )
    later = after.within - before.within
    if later:
        yield (
            f"approvals are made within {after.within.days} days of their request, "
            f"{before.within.days} before: {LESS if later.days > 0 else MORE}"
        )


def _lists(before: StageRule, after: StageRule) -> Iterator[str]:
    for what, old, new, fewer_is_less in (
        ("evidence", before.evidence, after.evidence, True),
        ("keys of the class", before.key_classes, after.key_classes, False),
        ("approvals that mean", _drawn(before.meanings), _drawn(after.meanings), False),
    ):
        for one in sorted(set(new) - set(old)):
            yield f"{what} {one} from now on: {MORE if fewer_is_less else LESS}"
        for one in sorted(set(old) - set(new)):
            yield f"{what} {one} no longer: {LESS if fewer_is_less else MORE}"
        if old != new and set(old) == set(new):
            yield f"{what} in another order: {', '.join(new)}"


def _drawn(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(drawn, texts))
