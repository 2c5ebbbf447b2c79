"""Whether somebody signs what they have signed before: a command that is run again adds nothing.

A command can be cut after it was written to the log and before it said so. Whoever runs it again
means the same request and the same approval, not a second one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sealift_registry.catalog.catalog import Promotion
from sealift_signing.approvals import Rules
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Approval, Objection, Request, Signed
from sealift_signing.vocabulary import instant


def same_request(one: Signed[Request], other: Signed[Request]) -> bool:
    """Whether both ask for the same, by the same person and in the same words.

    When it was signed, and how long the log was then, is no part of what is asked.
    """
    asked = replace(one.predicate, made=other.predicate.made, log=other.predicate.log)
    return asked == other.predicate and set(one.subjects) == set(other.subjects)


def same_approval(one: Signed[Approval], other: Signed[Approval]) -> bool:
    """Whether both approve the same request, in the same words and for as long."""
    made, until = other.predicate.made, other.predicate.valid_until
    said = replace(one.predicate, made=made, valid_until=until)
    return said == other.predicate and _span(one) == _span(other)


def same_objection(one: Signed[Objection], other: Signed[Objection]) -> bool:
    """Whether both object to the same request, by the same person and in the same words."""
    return replace(one.predicate, made=other.predicate.made) == other.predicate


def _span(approval: Signed[Approval]) -> timedelta:
    return instant(approval.predicate.valid_until) - instant(approval.predicate.made)


def too_old(earlier: Promotion, rules: Rules) -> RefusedError:
    """The refusal of a request that is here already, and can be approved by nobody any more."""
    return RefusedError(
        "request-too-old",
        f"This request is {earlier.id} already, made {earlier.made}; it can be approved for "
        f"{rules.rule.within.days} days.",
        subject=earlier.id,
        next_step="Ask again in other words, or with a new signature: sealift-sign request … "
        "--anew",
    )
