"""Stopping what a medium recalls, whatever else is wrong with the medium or with this site.

A recall needs a safety officer's signature and the site's own log, and nothing else: no room for a
copy, no turn at the medium's lock, no whole bundle, no time that has not passed, and no log that
holds all that its key signed. What it stands on is read into memory and judged there, file by file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from sealift_signing import statements
from sealift_signing.canonical import Json
from sealift_signing.documents import Recall
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Transfer
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import sentence
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.quarantine import ForRecalls
from sealift_sync.site.importing.finding_transfer import bundles_beside
from sealift_sync.site.log.restored_site import (
    AHEAD,
    RestoredError,
    check_notes,
    check_remembered,
    notes_beside,
    own_notes,
)
from sealift_sync.site.running.activation import Activation, activate
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.authentic_recalls import Grounds, authentic_recalls

MOST_TOLD = 30
"""Recalls that an entry names, which has its largest size; the state holds all of them."""

RecallsTold = Callable[[tuple[Recall, ...], tuple[Activation, ...]], None]


@dataclass(frozen=True)
class _Found:
    """What a medium says before anything of it is copied.

    Attributes:
        recalls: those that this site had not seen, each authentic.
        behind: that this site's key signed more than its log holds.
        problem: why not all of that could be read.
    """

    recalls: tuple[Recall, ...]
    behind: RestoredError | None
    problem: SealiftError | None


def honour_recalls(site: OpenSite, medium: Medium, told: RecallsTold) -> tuple[Recall, ...]:
    """Stop what is recalled on `medium`, and what was before and still runs; returns what is new.

    What else lies on the same medium counts as well, for another site or older: an officer's order
    is for everybody, and whoever lays a newer bundle beside it must not hide it.

    Raises:
        RestoredError: this site imports nothing, for its log is not all that was signed; what is
            recalled was stopped all the same.
        FailedError: likewise, where the medium failed; or it could not be recorded, and goes on
            with the next import of any medium.
    """
    found = _read(site, medium)
    if found.behind is not None and site.state.fact(AHEAD) is None:
        with site.state.transaction():
            site.state.set_fact(AHEAD, found.behind.note)
    _stop(site, found.recalls, told)
    if bad := found.behind or found.problem:
        raise bad
    return found.recalls


def recalls_on(site: OpenSite, medium: Medium) -> tuple[Recall, ...]:
    """The recalls on `medium` that this site had not seen; nothing is stopped or remembered.

    Raises:
        SealiftError: as `honour_recalls`.
    """
    found = _read(site, medium)
    if bad := found.behind or found.problem:
        raise bad
    return found.recalls


def _read(site: OpenSite, medium: Medium) -> _Found:
    """What `medium` says, judged while others work here: once more, where they changed by what."""
    while True:
        grounds, key = Grounds.of(site), site.key
        with site.aside():
            carried = ForRecalls(medium)
            recalls = dict.fromkeys(authentic_recalls(carried, grounds))
            for other in bundles_beside(medium):
                recalls |= dict.fromkeys(authentic_recalls(ForRecalls(other), grounds))
            notes = own_notes(_accepted_by_hub(carried), key, site.origin)
            problem: SealiftError | None = carried.failure
            try:
                notes += own_notes(notes_beside(medium, site.enrolment.site), key, site.origin)
            except SealiftError as bad:
                problem = problem or bad
        if grounds == Grounds.of(site):
            known = set(site.state.every_recall())
            new = tuple(one for one in recalls if one not in known)
            return _Found(new, _behind(site, notes), problem)


def _behind(site: OpenSite, notes: list[bytes]) -> RestoredError | None:
    """Whether this log holds all that its key signed, as it was found out before or is now.

    Nothing of transfer.json is verified yet, but a checkpoint that this site's own key signed is
    one, wherever it comes from.
    """
    try:
        check_remembered(site.state)
        check_notes(site.state, notes)
    except RestoredError as bad:
        return bad
    return None


def _accepted_by_hub(carried: ForRecalls) -> Iterator[bytes]:
    with suppress(SealiftError):  # what is wrong with transfer.json is said where it is read
        data = carried.get(layout.TRANSFER) or b""
        said = statements.read(Transfer, data, what=layout.TRANSFER)
        yield (said.predicate.site_log or "").encode()


def _stop(site: OpenSite, recalls: tuple[Recall, ...], told: RecallsTold) -> None:
    """Never forget `recalls`, and stop what they name, at once and for good.

    So does what was recalled by a medium before, if a power cut kept it from being stopped, or a
    hook that failed from being unloaded.
    """
    if recalls:
        _remember(site, recalls)
    known = site.state.recalls()
    due = [known[one.sha256] for one in site.state.current().values() if one.sha256 in known]
    reasons = [*recalls, *due]
    if reasons or site.state.untold():
        reason = f"recall {reasons[0].id}" if reasons else "its hook failed before"
        told(recalls, activate(site, reason, stopping=True))


def _remember(site: OpenSite, recalls: tuple[Recall, ...]) -> None:
    terms = [Term("artifact", recall.sha256) for recall in recalls]
    told: Json = [
        {"id": one.id, "sha256": one.sha256, "reason": sentence(one.reason)[:200]}
        for one in recalls[:MOST_TOLD]
    ]
    with site.state.transaction():
        for recall in recalls:
            site.state.add_recall(recall)
        data: dict[str, Json] = {"recalls": told, "count": len(recalls)}
        site.record(site.entry("recall.honoured", data, terms[:200]))
