"""What may run and what should, derived from committed state alone.

what is assigned runs, once it is installed and neither recalled nor withdrawn;
where people here rolled back, what they went back to runs until another version is assigned;
what runs already goes on running, also where it is left out of an assignment, unless it is recalled
or the dispatcher retires it by name; what is lower than that takes its place only by name, too;
what is recalled stops, and the next fallback that may run takes its place, or nothing does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sealift_signing import documents
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    ModelAssignment,
    Retired,
    Withdrawal,
)
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.site.running import downgrades
from sealift_sync.site.setup.enrolment import Enrolment
from sealift_sync.site.state.database import State
from sealift_sync.site.state.records import Current

ASSIGNMENT = "assignment"


class Place(NamedTuple):
    """One model in one host group."""

    group: str
    model: str


class Choice(NamedTuple):
    """The artifact that should run somewhere."""

    path: CatalogPath
    sha256: str


class Choices:
    """What may and what should run in each place, by the site's state when this was made."""

    def __init__(self, state: State, known: Enrolment) -> None:
        data = state.fact(ASSIGNMENT)
        self.assignment: Assignment | None = (
            documents.read_assignment(data, known.site) if data else None
        )
        self.current: dict[Place, Current] = {
            Place(*key): one for key, one in state.current().items()
        }
        self._groups = known.groups
        self._stage = known.stage
        self._installed = {(i.group, str(i.path), i.sha256): i for i in state.installed()}
        self._recalled = set(state.recalls())
        self._withdrawn = state.withdrawals()
        self._failed = set(state.failures())
        self._rollbacks = state.rollbacks()

    def wanted(self) -> Iterator[tuple[Place, Choice | None]]:
        """What should run in each place that runs something, or should; None if nothing."""
        assigned = {place for place, _ in self.assigned()}
        for place in sorted(assigned | set(self.current)):
            yield place, self.wants(place)

    def assigned(self) -> Iterator[tuple[Place, ModelAssignment]]:
        """What the last accepted assignment gives this site's own host groups."""
        for group, given in self.assignment.groups.items() if self.assignment else ():
            if group in self._groups:
                for model, versions in given.models.items():
                    yield Place(group, model), versions

    def of(self, place: Place) -> ModelAssignment | None:
        """What is assigned to `place`."""
        if self.assignment is None or place.group not in self._groups:
            return None
        return self.assignment.of(*place)

    def held_back(self, place: Place) -> bool:
        """Whether a rollback by people here holds in `place`.

        To be left out of an assignment ends it as little as it stops what runs.
        """
        rolled = self._rollbacks.get(place)
        if rolled is None:
            return False
        assigned = self.of(place)
        if assigned is None:
            return self.retired(place) is None
        return assigned.current.sha256 == (rolled.assigned or rolled.away_from)

    def retired(self, place: Place) -> Retired | None:
        """That the dispatcher has `place` stop, if it is said."""
        return self.assignment.retired(*place) if self.assignment else None

    def goes_back(self, place: Place) -> str:
        """Why what is assigned to `place` is held, being lower than what runs; empty if not."""
        assigned = self.of(place)
        if self.assignment is None or assigned is None:
            return ""
        foremost = _choice(assigned.current)
        running = self.current.get(place)
        return downgrades.why_held(self.assignment, place.group, *foremost, running, self._recalled)

    def moves_on(self, place: Place, choice: Choice | None) -> bool:
        """Whether `choice` is what is assigned to `place`, and nothing is gone back to by it."""
        assigned, running = self.of(place), self.current.get(place)
        if assigned is None or choice != _choice(assigned.current) or self.held_back(place):
            return False
        return running is None or choice.path.version >= running.path.version

    def unfinished(self, place: Place) -> bool:
        """Whether a rollback in `place` was recorded, and what it goes away from still runs."""
        running = self.current.get(place)
        return self.held_back(place) and running is not None and running.sha256 == self._left(place)

    def fallback(self, place: Place) -> Choice | None:
        """The next assigned version after the one that runs in `place`, of those that may run.

        Where nothing runs, after the one that people here went away from: never forward to it.
        """
        ordered = self._behind(place)
        running = self.current.get(place)
        here = running.sha256 if running else self._left(place)
        digests = [one.sha256 for one in ordered]
        after = ordered[digests.index(here) + 1 :] if here in digests else ordered[1:]
        if self.goes_back(place):
            after = ordered  # all of it is behind what runs
        return next((one for one in after if self.may_run(place, one)), None)

    def _behind(self, place: Place) -> list[Choice]:
        """What is assigned, in order; where nothing is, what is installed, the newest first."""
        assigned = self.of(place)
        if assigned is not None:
            return [_choice(one) for one in assigned.artifacts]
        found = (
            Choice(one.path, one.sha256)
            for one in self._installed.values()
            if one.group == place.group
        )
        mine = (one for one in found if one.path.full_model == place.model)
        return sorted(mine, key=lambda one: (-one.path.version, one.sha256))

    def may_run(self, place: Place, choice: Choice) -> bool:
        """Whether `choice` is permitted there and has not failed."""
        failed = (place.group, place.model, choice.sha256) in self._failed
        return not failed and self.permitted(place, choice)

    def permitted(self, place: Place, choice: Choice) -> bool:
        """Whether `choice` is installed there, and neither recalled nor withdrawn."""
        installed = self._installed.get((place.group, str(choice.path), choice.sha256))
        if installed is None or self.recalled(choice):
            return False
        against = covering(
            self._withdrawn.get(choice.path.team, ()), choice.path, choice.sha256, self._stage
        )
        return set(against) <= set(installed.despite)

    def showing(self) -> Iterator[Current]:
        """What consumers may see: what runs, unless it was recalled and is only not stopped yet."""
        return (one for one in self.current.values() if one.sha256 not in self._recalled)

    def recalled(self, choice: Choice) -> bool:
        """Whether `choice` must stop."""
        return choice.sha256 in self._recalled

    def wants(self, place: Place) -> Choice | None:
        """What should run in `place`; None if nothing."""
        assigned = self.of(place)
        running = self.current.get(place)
        here = Choice(running.path, running.sha256) if running else None
        stays = here if here and not self.recalled(here) else None
        if self.unfinished(place):
            return self.fallback(place) or stays
        if self.held_back(place):
            return stays or self.fallback(place)
        if assigned is None:
            return None if self.retired(place) else stays
        return self._assigned(place, _choice(assigned.current), here, stays)

    def _assigned(
        self, place: Place, foremost: Choice, here: Choice | None, stays: Choice | None
    ) -> Choice | None:
        """What should run where `foremost` is assigned, and no rollback holds."""
        may = self.may_run(place, foremost) and not self.goes_back(place)
        if foremost == stays or may:
            return foremost
        if stays:
            return stays
        # Something ran here, or would if it were not recalled: what comes after it may. A first
        # version that failed its health check is no reason to run an older one unasked.
        return self.fallback(place) if here or self.recalled(foremost) else None

    def _left(self, place: Place) -> str:
        """The digest that people here went away from, while that holds; else empty."""
        return self._rollbacks[place].away_from if self.held_back(place) else ""


def covering(
    withdrawn: Iterable[Withdrawal], path: CatalogPath, digest: str, stage: str
) -> tuple[str, ...]:
    """Those of `withdrawn` that cover an artifact, each by its sha256.

    By digest and not by id: a later list could give the id to another withdrawal.
    """
    return tuple(sorted(one.digest for one in withdrawn if one.covers(path, digest, stage)))


def _choice(one: AssignedArtifact) -> Choice:
    return Choice(one.parsed, one.sha256)
