"""What another policy would change, of all that is approved, listed and open today.

Told before anybody signs it. What runs at a site goes on running, whatever the policy says: another
policy bears on what is newly installed. What a site has is known as of what came home of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from sealift_registry.catalog import pages
from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.delivery import running, site_software
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.promotion import gates
from sealift_registry.promotion.status import Counted, Counting
from sealift_signing import features, statements
from sealift_signing.approvals import ApprovalTally, tally
from sealift_signing.errors import SealiftError
from sealift_signing.policy import Policy, StageRule
from sealift_signing.site_rules import MOST_PINNED
from sealift_signing.statements import Approval, Signed, SiteAnswer
from sealift_signing.vocabulary import PORTABLE, CatalogPath, counted, moment

MOST = 40
"""Sentences that are told; of more it is said how many there are."""
_AT_ONCE = 200

Asked = tuple[Promotion, Sequence[Signed[Approval]]]
"""A promotion with its approvals, none verified yet."""


def consequences(
    connection: Connection, now: datetime, before: Policy, after: Policy
) -> tuple[str, ...]:
    """What would be otherwise at `now` if `after` stood in place of `before`: a sentence each."""
    found: list[str] = []
    for stage, rule in sorted(before.stages.items()):
        other = after.stages.get(stage)
        if other != rule:
            found += _Stage(connection, now, stage, rule, other).told()
    more = len(found) - MOST
    return tuple(found if more <= 0 else [*found[:MOST], f"and {more:,} more"])


@dataclass(frozen=True)
class _Stage:
    """A stage whose rule becomes another, or that goes."""

    connection: Connection
    now: datetime
    stage: str
    before: StageRule
    after: StageRule | None

    def told(self) -> Iterator[str]:
        if self.after is None:
            yield from self._removed()
            return
        concerned, longer = False, list[str]()
        counting = Counting(self.connection, self.now)
        for number, read in self._promotions():
            try:
                promotion, approvals = read()
                if promotion.request.predicate.stage != self.stage:
                    continue
                stands = counting.counted(promotion, approvals)
                rules = replace(counting.rules(promotion.ref.team, self.stage), rule=self.after)
                words = self._otherwise(stands, tally(promotion.request, approvals, rules))
            except SealiftError as bad:
                yield f"{promotion_id(number)} cannot be counted: {bad.what}"
                continue
            if words:
                concerned = True
                yield f"{promotion.id}, {promotion.ref}: {words}{self._runs(promotion)}"
            if stands.tally.enough and _cut(stands.tally, self.after):
                longer.append(promotion.id)
        yield from self._sites(longer, concerned=concerned)

    def _promotions(self) -> Iterator[tuple[int, Callable[[], Asked]]]:
        """All of them, to be read one by one: a column that says the stage is nobody's word."""
        numbers = Catalog(self.connection).numbers()
        for start in range(0, len(numbers), _AT_ONCE):
            rows = pages.promotions_named(self.connection, numbers[start : start + _AT_ONCE])
            requests = pages.Requests(self.connection, rows)
            for row in rows:
                yield row.number, partial(_read, requests, row)

    def _otherwise(self, stands: Counted, would: ApprovalTally) -> str:
        """What would be otherwise of a promotion; empty where nothing would."""
        was = stands.tally
        if stands.doubt or not (was.enough or would.enough):
            return ""
        if not would.enough:
            return (
                f"would NO LONGER BE APPROVED, with {len(would.counted)} of "
                f"{counted(would.needed, 'approval')}"
            )
        if not was.enough:
            return "would BE APPROVED with what was signed so far"
        lacks = self._lacks(stands.promotion)
        if lacks:
            return f"would be held where it is not installed yet, for it names no {lacks}"
        ends, other = _last_day(was), _last_day(would)
        return "" if ends == other else f"would count until {other}, and not until {ends}"

    def _lacks(self, promotion: Promotion) -> str:
        """The kinds of evidence that would be asked for and that its request does not name."""
        if self.after is None or self.after.evidence == self.before.evidence:
            return ""
        said = promotion.request.predicate.artifact_policies or {}
        found = set[str]()
        for one in gates.named(Catalog(self.connection), promotion.request):
            path = str(one.artifact.path)
            if not CatalogPath.parse(path).is_source:
                asked = self.after.evidence_of(said.get(path, PORTABLE))
                found |= {kind for kind in asked if one.of_kind(kind, self.stage) is None}
        return " and no ".join(sorted(found))

    def _runs(self, promotion: Promotion) -> str:
        ref = promotion.ref
        places = running.where(self.connection, str(ref.of), ref.number)
        there = sorted({f"{one.site} (as of {one.heard[:10]})" for one in places})
        return f"; it runs at {', '.join(there)} and goes on there" if there else ""

    def _sites(self, longer: Sequence[str], *, concerned: bool) -> Iterator[str]:
        """What sites would make of it that differs from what the policy says."""
        assert self.after is not None  # noqa: S101 - as `told` sees to
        sites = Sites(self.connection)
        for site in (sites.get(name) for name in sites.names(stage=self.stage)):
            pinned = max(_pinned(site), min(self.before.approvals, MOST_PINNED))
            if pinned > self.after.approvals:
                yield (
                    f"{site.id} goes on insisting on {counted(pinned, 'approval')}: pins of sites "
                    "rise by themselves, and do not fall"
                )
            unread = features.CUT_VALIDITY.full in site_software.lacking(
                site_software.software_of(self.connection, site)
            )
            if longer and unread:
                yield (
                    f"{site.id} has software that refuses approvals for longer than "
                    f"{self.after.longest.days} days, and does not cut them: install newer there, "
                    f"or have approved again {', '.join(longer)}"
                )
            if concerned and not running.last_heard(self.connection, site):
                yield f"what {site.id} has is not known: nothing came home of it yet"

    def _removed(self) -> Iterator[str]:
        counting, names = Counting(self.connection, self.now), list[str]()
        for number, read in self._promotions():
            with suppress(SealiftError):  # what cannot be counted is approved for nothing
                promotion, approvals = read()
                stage = promotion.request.predicate.stage
                if stage == self.stage and counting.counted(promotion, approvals).tally.enough:
                    names.append(f"{promotion.ref} ({promotion_id(number)})")
        if names:
            told, more = ", ".join(names[:MOST]), len(names) - MOST
            rest = f" and {more:,} more" if more > 0 else ""
            yield f"approved for {self.stage}, and installed nowhere any more: {told}{rest}"
        sites = Sites(self.connection).names(stage=self.stage)
        if sites:
            yield f"take what is promoted to {self.stage}, and nothing any more: {', '.join(sites)}"


def _read(requests: pages.Requests, row: pages.AnyRow) -> Asked:
    promotion = requests.promotion(row)
    return promotion, requests.approvals(promotion.number)


def _last_day(found: ApprovalTally) -> str:
    return "" if found.valid_until is None else moment(found.valid_until)[:10]


def _cut(found: ApprovalTally, after: StageRule) -> bool:
    """Whether one of the approvals that count is for longer than the other rule lets it be."""
    return any(
        replace(found, longest=after.longest).ends(one) < found.ends(one) for one in found.counted
    )


def _pinned(site: EnrolledSite) -> int:
    answer = statements.read(SiteAnswer, site.answer, what=f"the answer to {site.id}")
    return answer.predicate.pins.least_approvals
