"""A site as it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealift_registry.delivery import outcomes, site_software
from sealift_registry.shown.outcome import outcome_line
from sealift_registry.views.sites import SiteView
from sealift_signing.documents import Assignment
from sealift_signing.drawing import drawn
from sealift_signing.more_member import more_json, more_words
from sealift_signing.vocabulary import counted
from sealift_signing.words import eight_words, words_of


def site_lines(view: SiteView) -> list[str]:
    """All about a site, in words."""
    return [*_enrolment_lines(view), "", *_assigned_lines(view.assignment), *_home_lines(view)]


def _enrolment_lines(view: SiteView) -> Iterator[str]:
    site = view.site
    yield f"Site {site.id}, stage {site.stage}, enrolled {site.made}"
    yield from (f"  {text}" for text in outcomes.first_lines(view.ended))
    yield f"  enrolment      {site.enrolment[:12]}"
    yield f"  its request    {site.request_words}"
    yield f"  its answer     {site.words}"
    yield f"  fingerprint    {words_of(site.fingerprint)}"
    for group, hardware_target in sorted(site.groups.items()):
        yield f"  host group     {group}: {hardware_target}"


def _assigned_lines(assignment: Assignment) -> Iterator[str]:
    for group, model, current, fallbacks in _assigned(assignment):
        behind = ", ".join(fallbacks) or "nothing"
        yield f"  assigned       {group}: {model} {current}, falling back to {behind}"
    for one in assignment.back or ():
        words = f"{one.group}: {one.model}, from version {one.version}: {drawn(one.reason)}"
        yield f"  goes back      {words}"
    for gone in assignment.retire or ():
        yield f"  retired        {gone.group}: {gone.model}: {drawn(gone.reason)}"


def _home_lines(view: SiteView) -> Iterator[str]:
    """What came home from it."""
    reads = view.reads
    yield f"  its software   {drawn(reads.software, site_software.LONGEST_SHOWN)}, by {reads.where}"
    if view.lacks:
        yield f"    does not read  {', '.join(view.lacks)}: what needs one is refused here"
    if view.log:
        words = eight_words(view.log.body())
        yield f"  its log        {counted(view.log.size, 'entry', 'entries')} came home; {words}"
    if view.receipt is None:
        yield "  It has sent no receipt yet."
        return
    said = view.receipt.predicate
    yield f"  last receipt   {said.transfer}, {said.made}"
    yield from (f"    {outcome_line(artifact)}" for artifact in said.artifacts)
    yield from (f"    {text}" for text in more_words(outcomes.receipt_news(view.ended, said.more)))
    if said.lost:
        yield f"    lost           {counted(len(said.lost), 'blob')} of what it had"
    for one in view.running:
        yield f"  runs           {one.group}: {one.model}/{one.version}, since {one.since}"
    yield from (f"  {text}" for text in outcomes.check_lines(view.ended))
    if said.unprotected:
        yield "  UNPROTECTED: " + "; ".join(map(drawn, said.unprotected))


def site_data(view: SiteView) -> dict[str, Any]:
    """All about a site, for machines."""
    site, receipt, log = view.site, view.receipt, view.log
    return {
        "site": site.id,
        "stage": site.stage,
        "enrolment": site.enrolment,
        "request_words": site.request_words,
        "words": site.words,
        "fingerprint": site.fingerprint,
        "groups": site.groups,
        "assigned": [
            {"group": group, "model": model, "current": current, "fallbacks": fallbacks}
            for group, model, current, fallbacks in _assigned(view.assignment)
        ],
        "retired": [
            {"group": one.group, "model": one.model, "reason": one.reason}
            for one in view.assignment.retire or ()
        ],
        "running": [
            {"group": r.group, "model": r.model, "version": r.version, "since": r.since}
            for r in view.running
        ],
        "heard": view.heard,
        "software": view.reads.software,
        "does_not_read": list(view.lacks),
        "log": {"size": log.size, "words": eight_words(log.body())} if log else None,
        "last_receipt": receipt.predicate.transfer if receipt else None,
        **outcomes.outcomes_json(view.ended),
        **more_json(receipt.predicate.more if receipt else None),
    }


def _assigned(assignment: Assignment) -> Iterator[tuple[str, str, str, list[str]]]:
    """Host group, model, current version and fallbacks."""
    for group, assigned in sorted(assignment.groups.items()):
        for model, versions in sorted(assigned.models.items()):
            behind = [str(one.parsed.version) for one in versions.fallbacks]
            yield group, model, str(versions.current.parsed.version), behind
