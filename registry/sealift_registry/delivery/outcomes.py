"""How switches and checks at a site ended, as its own log says it: what people should look at.

A site that did not switch runs what it ran, so that what runs there tells nobody of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sealift_registry.delivery import receipts, site_rows
from sealift_registry.delivery.site_entries import (
    OUTCOMES,
    CheckOutcome,
    Place,
    RefusedThere,
    Running,
    WentBack,
)
from sealift_registry.delivery.sites import EnrolledSite
from sealift_signing.canonical import Json
from sealift_signing.documents import Assignment
from sealift_signing.drawing import drawn, word
from sealift_signing.shape import More
from sealift_signing.statements import ArtifactOutcome

LONGEST_SHOWN = 600
"""Characters of a site's words."""


@dataclass(frozen=True)
class OtherThanAssigned:
    """A place that runs another version than it is assigned; 0: none."""

    place: Place
    runs: int
    assigned: int


@dataclass(frozen=True)
class Outcomes:
    """What a log says of each place that is assigned something or runs something.

    Attributes:
        running: what runs.
        failed: switches that failed and that no later one made good, where something is assigned.
        checks: the newest of what runs.
        unlike: where that is not what is assigned, in the log's words at its end.
        heard: when the newest of its entries was made.
        back: where somebody had it go back, and other than that version is assigned.
        refused: the newest bundle that it did not believe, where none was imported since.
        held: what its newest receipt says was not installed, where that is assigned.
    """

    running: Mapping[Place, Running] = field(default_factory=dict)
    failed: Mapping[Place, Running] = field(default_factory=dict)
    checks: Mapping[Place, CheckOutcome] = field(default_factory=dict)
    unlike: tuple[OtherThanAssigned, ...] = ()
    heard: str | None = None
    back: Mapping[Place, WentBack] = field(default_factory=dict)
    refused: RefusedThere | None = None
    held: tuple[ArtifactOutcome, ...] = ()

    @property
    def is_amiss(self) -> bool:
        """Whether a person should look at it."""
        return bool(self.failed or self.unlike or self.back or self.refused or self.held)


def outcomes_at(connection: Connection, site: EnrolledSite, assignment: Assignment) -> Outcomes:
    """How it ended at `site`, in the places that are assigned something or run something."""
    state, wanted = site_rows.state_of(connection, site), _assigned(assignment)
    runs = {place: one.what for place, one in state.runs.items()}
    unlike = [
        OtherThanAssigned(place, runs[place].version if place in runs else 0, version)
        for place, version in sorted(wanted.items())
        if place not in runs or runs[place].version != version
    ]
    return Outcomes(
        running=runs,
        failed={place: one.what for place, one in state.failed.items() if place in wanted},
        checks={place: one.what for place, one in state.checks.items()},
        unlike=() if state.heard is None else tuple(unlike),
        heard=None if state.heard is None else state.heard.what,
        back={
            place: one.what
            for place, one in sorted(state.back.items())
            if wanted.get(place) not in {None, one.what.version}
        },
        refused=None if state.refused is None else state.refused.what,
        held=_held(connection, site, assignment),
    )


def _held(
    connection: Connection, site: EnrolledSite, assignment: Assignment
) -> tuple[ArtifactOutcome, ...]:
    """What the site's newest receipt says was held, of what it is assigned now."""
    receipt = receipts.newest(connection, site)
    wanted = {
        (group, one.path, one.sha256)
        for group, assigned in assignment.groups.items()
        for versions in assigned.models.values()
        for one in versions.artifacts
    }
    return tuple(
        one
        for one in (receipt.predicate.artifacts if receipt is not None else ())
        if one.outcome == "held" and (one.group, one.artifact, one.sha256) in wanted
    )


def first_lines(found: Outcomes) -> Iterator[str]:
    """What whoever asks after a site should look at first."""
    if found.refused is not None:
        yield _refusal_line(found.refused)
    for (group, model), back in sorted(found.back.items()):
        where = f"{word(model)} in {word(group)} from version {back.left} to {back.version}"
        reason = drawn(back.reason, LONGEST_SHOWN)
        yield f"ROLLED BACK, {back.at}, {where}, by {word(back.by)}, who says: {reason}"
    for _, one in sorted(found.failed.items()):
        yield f"DID NOT START, {one.since}, the site says: {drawn(one.words, LONGEST_SHOWN)}"
    for held in found.held:
        words = drawn(held.words, LONGEST_SHOWN)
        yield f"HELD in {word(held.group)}, {held.artifact}, the site says: {words}"
    for place in found.unlike:
        if place.place in found.back and found.back[place.place].version == place.runs:
            continue  # that was said, and why
        group, model = map(word, place.place)
        runs = f"version {place.runs} of {model} runs" if place.runs else f"nothing of {model} runs"
        yield f"In {group} {runs}, by its log as of {found.heard}; {place.assigned} is assigned"
    yield from (line for place, line in _checks(found) if found.checks[place].outcome == "failed")


def _refusal_line(found: RefusedThere) -> str:
    """What a site did not believe; that somebody signed twice is no matter of a disk."""
    what = ", ".join(map(word, found.transfers)) or "A medium"
    begin = "SOMEBODY SIGNED TWICE: " if found.is_forked else ""
    words = drawn(found.words, LONGEST_SHOWN)
    return f"{begin}{what} was REFUSED there, {found.at}, the site says: {words}"


def receipt_news(found: Outcomes, more: More | None) -> More | None:
    """What a receipt says besides, without the checks that the log tells anew.

    A receipt is made before what it brings is switched to, and so it tells of older ones.
    """
    if more is None or not found.checks:
        return more
    return {name: said for name, said in more.items() if name != "checks"}


def check_lines(found: Outcomes) -> Iterator[str]:
    """How the other newest checks of what runs ended."""
    yield from (line for place, line in _checks(found) if found.checks[place].outcome != "failed")


def outcomes_json(found: Outcomes) -> dict[str, Json]:
    """As the lines, for machines."""
    return {
        "not_started": [
            {"group": g, "model": m, "runs": one.version, "at": one.since, "words": one.words}
            for (g, m), one in sorted(found.failed.items())
        ],
        "unlike_assigned": [
            {
                "group": one.place[0],
                "model": one.place[1],
                "runs": one.runs,
                "assigned": one.assigned,
            }
            for one in found.unlike
        ],
        "attention": [*first_lines(found)],
        "rolled_back": [
            {
                "group": g,
                "model": m,
                "before": one.left,
                "after": one.version,
                "by": one.by,
                "at": one.at,
                "reason": one.reason,
            }
            for (g, m), one in sorted(found.back.items())
        ],
        "refused_there": [
            {
                "transfers": [*one.transfers],
                "code": one.code,
                "words": one.words,
                "at": one.at,
            }
            for one in ([] if found.refused is None else [found.refused])
        ],
        "held": [
            {"group": one.group, "artifact": one.artifact, "code": one.code, "words": one.words}
            for one in found.held
        ],
        "checks": [
            {
                "group": g,
                "model": m,
                "version": found.running[g, m].version,
                "outcome": one.outcome,
                "at": one.at,
                "words": one.words,
            }
            for (g, m), one in sorted(found.checks.items())
        ],
    }


def _checks(found: Outcomes) -> Iterator[tuple[Place, str]]:
    for place, one in sorted(found.checks.items()):
        group, model = map(word, place)
        version = found.running[place].version
        ended_so = f"{OUTCOMES[one.outcome]}, {one.at}"
        said = f"the site says: {drawn(one.words, LONGEST_SHOWN)}"
        yield place, f"The newest check of {model}/{version} in {group} {ended_so}, {said}"


def _assigned(assignment: Assignment) -> dict[Place, int]:
    return {
        (group, model): versions.current.parsed.version
        for group, assigned in assignment.groups.items()
        for model, versions in assigned.models.items()
    }
