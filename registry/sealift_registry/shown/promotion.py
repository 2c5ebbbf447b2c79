"""A promotion as it is shown, and as whoever asks or approves is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.regression import comparison_words
from sealift_registry.regression.regression_report import KIND
from sealift_registry.shown.comments import comment_lines, comments_data
from sealift_registry.shown.told import refusal_lines
from sealift_registry.views.promotions import PromotionView
from sealift_signing import shape
from sealift_signing.documents import Withdrawal
from sealift_signing.drawing import drawn, pasted
from sealift_signing.more_member import LOOK, first_words, mark
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import PORTABLE, CatalogPath, moment


def promotion_lines(view: PromotionView) -> list[str]:
    """All about a promotion, in words."""
    said = comment_lines(view.comments)
    if said:
        said = ["", "  What people said of it, which nobody signed:", *said]
    said += refusal_lines(view.untold_comments, "a comment, {}")
    if view.older_comments:
        asked = [f"promotion={view.status.promotion.id}"]
        said.append(f"  More:  sealift audit list --term {pasted(asked)}")
    return [*view.stale, *status_lines(view.status), *said]


def promotion_data(view: PromotionView) -> dict[str, Any]:
    """All about a promotion, for machines."""
    more = {
        KIND: _compared(view.status),
        "stale": list(view.stale),
        "comments": comments_data(view.comments),
        "older_comments": view.older_comments,
    }
    return status_data(view.status) | more


def status_lines(status: PromotionStatus) -> list[str]:
    """A promotion in words: what it is about, the evidence, who approved."""
    promotion = status.promotion
    said = promotion.request.predicate
    have, need = len(status.tally.counted), status.tally.needed
    lines = [
        *despite_lines(status),
        *doubt_lines(status),
        *first_lines(status),
        f"{promotion.id}: {promotion.ref} to {promotion.stage}",
        f"  asked for by   {said.person}, {said.made}",
        f"  reason         {drawn(said.reason)}",
        f"  request        {promotion.request.sha256[:12]}, at entry {said.log.size} of the log",
        f"  approvals      {have} of {need}; {'listed' if status.listed else 'not listed'}",
    ]
    for one in status.tally.counted:
        a, until = one.predicate, moment(status.tally.ends(one))
        lines += [f"    {a.person}: {drawn(a.meaning)}, until {until}: {drawn(a.reason)}"]
    lines += [f"    not counted: {reason}" for reason in status.tally.set_aside]
    lines += [
        f"  OBJECTED to by {said.person}, {said.made}: {drawn(said.reason)}"
        for said in (one.predicate for one in status.objections)
    ]
    lines += [f"    no objection of theirs: {reason}" for reason in status.not_heard]
    return lines + evidence_lines(status)


def doubt_lines(status: PromotionStatus) -> list[str]:
    """Why nobody vouches for a request, where it does not count."""
    if not status.doubt:
        return []
    return [f"This request does not count, and what follows is what the hub says: {status.doubt}"]


def first_lines(status: PromotionStatus) -> list[str]:
    """What the evidence has to say before all else."""
    return [
        text
        for one in status.vouched
        for text in first_of(one.artifact.path, first_words(one.evidence))
    ]


def first_of(path: CatalogPath, sentences: Iterable[str]) -> list[str]:
    """The same, of one artifact, whose evidence has these to say."""
    return [f"{LOOK}, of {path}: {drawn(words)}" for words in sentences]


def despite_lines(status: PromotionStatus) -> list[str]:
    """The withdrawals that a request sets aside: the first thing that whoever approves reads."""
    if not status.despite:
        return []
    lines = ["This request sets aside what the team's stewards withdrew:"]
    for digest, one in status.despite.items():
        if one is None:
            lines.append(f"  {digest}: no withdrawal of the team's present list")
            continue
        lines += [
            f"  {one.id}: {_covered(one)} for {one.stage}, withdrawn {one.made}",
            f"    reason       {drawn(one.reason)}",
            f"    sha256       {digest}",
        ]
    return [*lines, ""]


def _covered(one: Withdrawal) -> str:
    return f"{one.model} below {one.below}" if one.model else f"the artifact {one.sha256}"


def evidence_lines(status: PromotionStatus) -> list[str]:
    """Every artifact and every piece of evidence that a request names, in words."""
    lines = []
    for one in status.vouched:
        lines += ["", f"  {one.artifact.path}  {one.artifact.sha256[:12]}"]
        policy = status.promotion.request.predicate.artifact_policy(str(one.artifact.path))
        lines += [f"    its request calls it {policy}"] if policy != PORTABLE else []
        for evidence in one.evidence:
            said, signer = evidence.predicate, _signer(evidence, status.machines)
            whose = "" if evidence.sha256 in status.machines else "the hub says "
            words = f"{said.kind}: {said.verdict}, on {drawn(said.machine)}, signed by {signer}"
            lines.append(f"    {whose}{words}")
            lines += [f"      {mark(check):4}  {drawn(check.words)}" for check in said.checks]
            lines += [f"      {text}" for text in comparison_words.shown(said)]
    return lines


def status_data(status: PromotionStatus) -> dict[str, Any]:
    """A promotion for machines."""
    promotion, counted = status.promotion, status.tally
    members = ("person", "meaning", "reason", "made", "valid_until")
    return {
        "promotion": promotion.id,
        "version": str(promotion.ref),
        "stage": promotion.stage,
        "requester": promotion.person,
        "reason": promotion.request.predicate.reason,
        "request": promotion.request.sha256,
        "made": promotion.made,
        "despite": [
            {"withdrawal": digest} | (shape.to_json(one) if one else {})
            for digest, one in status.despite.items()
        ],
        "approvals": [
            {name: getattr(one.predicate, name) for name in members}
            | {"counts_until": moment(counted.ends(one)), "sha256": one.sha256}
            for one in counted.counted
        ],
        "set_aside": list(counted.set_aside),
        "objections": [
            {name: getattr(one.predicate, name) for name in ("person", "reason", "made")}
            | {"sha256": one.sha256}
            for one in status.objections
        ],
        "not_heard": list(status.not_heard),
        "doubt": status.doubt,
        "have": len(counted.counted),
        "need": counted.needed,
        "listed": status.listed,
        "artifacts": [
            {
                "path": str(one.artifact.path),
                "sha256": one.artifact.sha256,
                "evidence": {e.predicate.kind: e.predicate.verdict for e in one.evidence},
                "signers": {e.predicate.kind: _signer(e, status.machines) for e in one.evidence},
                "told_first": first_words(one.evidence),
            }
            for one in status.vouched
        ],
    }


def _compared(status: PromotionStatus) -> list[dict[str, Any]]:
    """What each variant was compared with and how it differs, as all evidence named has it."""
    return [
        {"path": str(one.artifact.path)} | dict(evidence.predicate.details)
        for one in status.vouched
        for evidence in one.all_of(KIND)
    ]


def _signer(evidence: Signed[Evidence], machines: Mapping[str, str]) -> str:
    """The machine of ours that signed evidence."""
    return machines.get(evidence.sha256, "no machine of ours")
