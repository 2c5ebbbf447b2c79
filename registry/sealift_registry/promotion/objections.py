"""Objections: whose count, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sealift_signing.approvals import NotCountedError, Rules, check_objection
from sealift_signing.statements import Objection, Request, Signed


def heard(
    request: Signed[Request], found: Iterable[Signed[Objection]], rules: Rules
) -> tuple[list[Signed[Objection]], list[str]]:
    """The objections by people who may approve, and why the others are none."""
    theirs, not_heard = [], []
    for one in found:
        try:
            check_objection(one, request, rules)
            theirs.append(one)
        except NotCountedError as bad:
            not_heard.append(bad.what)
    return theirs, not_heard


def words(objections: Sequence[Signed[Objection]], promotion: str) -> str:
    """That there are objections, which a draft that was made before them did not show."""
    people = sorted({one.predicate.person for one in objections})
    if not people:
        return ""
    return (
        f" {' and '.join(people)} objected. A draft that was made before that does not show it: "
        f"sealift show {promotion}"
    )
