"""`sealift-site check`: what runs is asked once more, as it was before it was switched to.

A runtime may have been updated since. Nothing is switched: people here decide what a wrong answer
means, and can go back. Others may work here while the runtime is asked; a rollback must never wait.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from sealift_signing.canonical import Json
from sealift_signing.errors import NotFoundError
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import sentence
from sealift_sync.site.log.restored_site import check_remembered
from sealift_sync.site.running import runtime_checks
from sealift_sync.site.running.choices import Choice, Choices, Place
from sealift_sync.site.running.model_tree import ModelTree
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import (
    CheckResult,
    RecordedCheck,
    check_json,
    record_check,
    recorded_checks,
)
from sealift_sync.site.state.records import Current

CHECKED = "model.checked"
MOST_IN_ENTRY = 30
"""Checks that an entry names; the newest of each is in the state."""
ADVICE = {
    "runtime": "name the Python that serves the models as runtime in settings.toml",
    "rows": "have the team let check rows travel with the next bundle",
}
"""What to do about what a check lacks."""
NOT_YET = "it was not asked yet; run: sealift-site check"


@dataclass(frozen=True)
class PlaceCheck:
    """What runs in a place, and how its check ended.

    Attributes:
        checked: None where nobody expects a check.
        fallback: the version that a rollback would go to.
        lacks: what was not there to be checked with: `runtime`, `rows`.
    """

    place: Place
    version: int
    sha256: str
    checked: CheckResult | None
    fallback: int | None
    lacks: frozenset[str]

    @property
    def was_asked(self) -> bool:
        """Whether its runtime was asked."""
        return self.checked is not None and self.checked.outcome != "not-checked"


def check_running(
    site: OpenSite, models: Collection[str], group: str | None, asking: Callable[[Place], None]
) -> tuple[PlaceCheck, ...]:
    """Check what runs, or of that what is named; one entry of the log tells of what was asked.

    Args:
        site: the site.
        models: each `team/model`; of all where none is named.
        group: the host group; all of them where none is named.
        asking: told of each place whose runtime is asked.

    Raises:
        NotFoundError: a model that is named does not run here.
        RestoredError: the log takes no entry of it.
    """
    check_remembered(site.state)
    runs = _meant(site, models, group)
    tree = ModelTree(site.home, lost=site.state.lost())
    due = {
        place: runtime_checks.due_check(site, tree, place, Choice(one.path, one.sha256))
        for place, one in runs.items()
    }
    found = {}
    with site.aside():
        for place, one in due.items():
            if one is not None:
                asking(place)
                found[place] = one.ask()
    choices = Choices(site.state, site.enrolment)
    told = tuple(_found(site, choices, place, one, found.get(place)) for place, one in runs.items())
    _record(site, [one for one in told if one.was_asked])
    return told


def advice(checks: Collection[PlaceCheck]) -> str:
    """What to do where nothing of this could be asked: of places that lack least, what they do."""
    fewest = min(len(one.lacks) for one in checks)
    lacks = {name for one in checks if len(one.lacks) == fewest for name in one.lacks}
    words = ", and ".join(told for name, told in ADVICE.items() if name in lacks)
    return f"{words[0].upper()}{words[1:]}."


def newest_check(
    site: OpenSite, place: Place, running: Current
) -> RecordedCheck | CheckResult | None:
    """How the newest check of what runs in `place` ended, or why there was none, if any is due."""
    choice = Choice(running.path, running.sha256)
    known = recorded_checks(site.state).get((place.group, running.sha256))
    if known is not None:
        return known
    why = runtime_checks.why_unchecked(site, place, choice) or NOT_YET
    return runtime_checks.passed_over(site, place, choice, why)


def told_in_receipt(site: OpenSite) -> dict[str, Json]:
    """The newest check of what runs, for people at the hub; only where there is one."""
    known = recorded_checks(site.state)
    told: dict[str, Json] = {}
    for (group, _), one in sorted(site.state.current().items()):
        last = known.get((group, one.sha256))
        if last is not None and len(told) < MOST_IN_ENTRY:
            words = f"{last.checked.outcome} {last.made:%Y-%m-%d}: {last.checked.words}"
            told[f"{one.path.full_version} in {group}"] = sentence(words)[:500]
    return {"checks": told} if told else {}


def _meant(site: OpenSite, models: Collection[str], group: str | None) -> dict[Place, Current]:
    choices = Choices(site.state, site.enrolment)
    runs = {Place(one.group, one.path.full_model): one for one in choices.showing()}
    found = {
        place: one
        for place, one in sorted(runs.items())
        if group in {None, place.group} and (not models or place.model in models)
    }
    for model in sorted(models):
        if model not in {place.model for place in found}:
            raise NotFoundError(
                "not-running",
                f"{model} does not run here.",
                subject=model,
                next_step="See what runs with: sealift-site status",
            )
    return found


def _found(
    site: OpenSite, choices: Choices, place: Place, running: Current, checked: CheckResult | None
) -> PlaceCheck:
    choice = Choice(running.path, running.sha256)
    if checked is None:
        why = runtime_checks.why_unchecked(site, place, choice)
        checked = runtime_checks.passed_over(site, place, choice, why)
    return PlaceCheck(
        place,
        running.path.version,
        running.sha256,
        checked,
        back.path.version if (back := choices.fallback(place)) else None,
        runtime_checks.lacking(site, place, choice),
    )


def _record(site: OpenSite, asked: Collection[PlaceCheck]) -> None:
    if not asked:
        return
    told: list[Json] = list(_told(asked))
    models = sorted({one.place.model for one in asked})
    terms = [Term("model", model) for model in models[:MOST_IN_ENTRY]]
    with site.state.transaction():
        for one in asked:
            if one.checked is not None:
                record_check(site.state, one.place.group, one.sha256, one.checked, site.clock())
        failed = sum(1 for one in asked if one.checked and one.checked.failure)
        words = f"{len(asked)} checked, of which {failed} failed."
        data: dict[str, Json] = {"checked": told[:MOST_IN_ENTRY], "words": words}
        site.record(site.entry(CHECKED, data, terms))


def _told(asked: Collection[PlaceCheck]) -> Iterator[Json]:
    """The failures first."""
    for one in sorted(asked, key=lambda one: not (one.checked and one.checked.failure)):
        if one.checked is not None:
            about: dict[str, Json] = {"group": one.place.group, "model": one.place.model}
            about |= {"version": one.version}
            said = check_json(one.checked)
            yield about | said | {"words": one.checked.words[:500]}
