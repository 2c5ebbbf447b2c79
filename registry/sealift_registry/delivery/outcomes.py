"""How switches and checks at a site ended, as its own log says it: what people should look at.

A site that did not switch runs what it ran, so that what runs there tells nobody of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sealift_registry.delivery import site_records
from sealift_registry.delivery.running import FAILED, Running, last_heard, switched
from sealift_registry.delivery.sites import Site
from sealift_signing.canonical import Json
from sealift_signing.documents import Assignment
from sealift_signing.drawing import drawn, word
from sealift_signing.shape import More
from sealift_signing.transparency.entry import Entry, read_entry

ACTIVATED, CHECKED = "model.activated", "model.checked"
NOT_CHECKED = "not-checked"
OUTCOMES = {"passed": "passed", "failed": "FAILED", NOT_CHECKED: "was not made"}
"""How a check ended, and the word for it."""
LONGEST_SHOWN = 600
"""Characters of a site's words."""

Place = tuple[str, str]
"""A host group and a model in it."""


@dataclass(frozen=True)
class CheckOutcome:
    """How the newest check of what runs in a place ended."""

    outcome: str
    words: str
    at: str


@dataclass(frozen=True)
class OtherThanAssigned:
    """A place that runs another version than it is assigned; 0: none."""

    place: Place
    runs: int
    assigned: int


@dataclass
class Outcomes:
    """What a log says of each place.

    Attributes:
        running: what runs, by the newest switch; version 0 where nothing does.
        failed: switches that failed and that no later one made good.
        checks: the newest of what runs.
        unlike: where that is not what is assigned, in the log's words at its end.
        heard: when the newest of its entries was made.
    """

    running: dict[Place, Running] = field(default_factory=dict)
    failed: dict[Place, Running] = field(default_factory=dict)
    checks: dict[Place, CheckOutcome] = field(default_factory=dict)
    unlike: tuple[OtherThanAssigned, ...] = ()
    heard: str | None = None

    def read(self, entry: Entry) -> None:
        """Go on with the next entry of the log."""
        if entry.type == CHECKED:
            self._read_checks(entry)
        one = switched(entry)
        if one is None:
            return
        place = (one.group, one.model)
        known = self.running.get(place)
        if known is None or known.version != one.version:
            self.checks.pop(place, None)
        self.running[place] = one
        if entry.type == FAILED:
            self.failed[place] = one
        if entry.type == ACTIVATED:
            self.failed.pop(place, None)
            self._keep(place, _member(entry.data, "checked"), entry.at)

    def _read_checks(self, entry: Entry) -> None:
        told = _member(entry.data, "checked")
        for one in told if isinstance(told, list | tuple) else ():
            place = str(_member(one, "group")), str(_member(one, "model"))
            running = self.running.get(place)
            if running is not None and running.version == _member(one, "version"):
                self._keep(place, one, entry.at)

    def _keep(self, place: Place, said: object, at: str) -> None:
        """A check that was not made says nothing against one that was."""
        outcome, words = _member(said, "outcome"), _member(said, "words")
        if not isinstance(outcome, str) or not isinstance(words, str) or outcome not in OUTCOMES:
            return
        known = self.checks.get(place)
        if known is None or outcome != NOT_CHECKED or known.outcome == NOT_CHECKED:
            self.checks[place] = CheckOutcome(outcome, words, at)


def outcomes_at(connection: Connection, site: Site, assignment: Assignment) -> Outcomes:
    """How it ended at `site`, in the places that are assigned something or run something."""
    found = Outcomes(heard=last_heard(connection, site))
    for body in site_records.entries(connection, site):
        found.read(read_entry(body))
    wanted = _assigned(assignment)
    runs = {place: one.version for place, one in found.running.items() if one.version}
    found.failed = {place: one for place, one in found.failed.items() if place in wanted}
    found.checks = {place: one for place, one in found.checks.items() if place in runs}
    if found.heard is not None:
        found.unlike = tuple(
            OtherThanAssigned(place, runs.get(place, 0), version)
            for place, version in sorted(wanted.items())
            if runs.get(place) != version
        )
    return found


def first_lines(found: Outcomes) -> Iterator[str]:
    """What whoever asks after a site should look at first."""
    for _, one in sorted(found.failed.items()):
        yield f"DID NOT START, {one.since}, the site says: {drawn(one.words, LONGEST_SHOWN)}"
    for place in found.unlike:
        group, model = map(word, place.place)
        runs = f"version {place.runs} of {model} runs" if place.runs else f"nothing of {model} runs"
        yield f"In {group} {runs}, by its log as of {found.heard}; {place.assigned} is assigned"
    yield from (line for place, line in _checks(found) if found.checks[place].outcome == "failed")


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


def _member(said: object, name: str) -> object:
    """A member of what a site's software wrote; None where it wrote something else."""
    return said.get(name) if isinstance(said, Mapping) else None
