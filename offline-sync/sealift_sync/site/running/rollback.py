"""Going back to the next fallback: by people at the site, from committed state alone.

No metadata is looked at, so nothing can have expired; no network, no medium and no hub is needed.
"""

from __future__ import annotations

from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import sentence
from sealift_sync.site.running.activation import Activation, stop_again, switch
from sealift_sync.site.running.choices import Choice, Choices, Place
from sealift_sync.site.running.model_tree import ModelTree
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.records import RolledBack


def roll_back(
    site: OpenSite, model: str, group: str | None, reason: str, away_from: int | None = None
) -> Activation:
    """Take `model` back to its next fallback, and stay there while the same version is assigned.

    Said again it is the same rollback, and changes nothing: whoever runs the command once more
    after a power cut must not end up one version further back. To go further, say from where.

    Args:
        site: the site.
        model: `team/model`.
        group: the host group, where the model runs in several.
        reason: why; it is logged and goes home.
        away_from: the version to go back from; by default the one that runs, unless a rollback
            holds already.

    Raises:
        NotFoundError: it does not run here, or not that version.
        UsageError: it runs in several host groups, and which is meant was not said.
        RefusedError: there is nothing to go back to.
        FailedError: it could not be written; what was recorded of it is finished by the next run.
    """
    tree = ModelTree(site.home, lost=site.state.lost())
    choices = Choices(site.state, site.enrolment)
    tree.repair(choices.showing())
    if untold := _untold(site, choices, model, group):
        return stop_again(site, tree, untold, f"rollback: {sentence(reason)[:500]}")
    place = _place(choices, model, group)
    running = choices.current[place]
    if _done_before(site, choices, place, away_from):
        return _already(site, choices, place)
    if away_from not in {None, running.path.version}:
        raise NotFoundError(
            "not-running",
            f"{model} runs version {running.path.version} in host group {place.group}, not "
            f"version {away_from}.",
            subject=model,
            next_step="See what runs with: sealift-site status",
        )
    fallback = _fallback(choices, place)
    if not choices.unfinished(place):
        _record(site, choices, place, fallback, reason)
    here = Choice(running.path, running.sha256)
    why = f"rollback: {sentence(reason)[:500]}"

    def undo() -> None:
        """Nothing was gone back to: only what was held back before is."""
        site.state.take_rollback_back(*place)

    try:
        return switch(site, tree, place, here, fallback, why, undo)
    except KeyboardInterrupt as stop:
        stop.add_note("The rollback is recorded, and is finished by the next run.")
        raise
    except FailedError:
        raise  # a full disk, say: it stays recorded, as after a cut, and the next run finishes it
    except SealiftError:
        with site.state.transaction():
            undo()
        raise


def _untold(site: OpenSite, choices: Choices, model: str, group: str | None) -> Place | None:
    """Where `model` was stopped, which its hook is still to say; and where else nothing runs."""
    found = {Place(*one) for one in site.state.untold()} - choices.current.keys()
    meant = sorted(one for one in found if one.model == model and group in {None, one.group})
    runs = any(one.model == model and group is None for one in choices.current)
    return meant[0] if meant and not runs else None


def _done_before(site: OpenSite, choices: Choices, place: Place, away_from: int | None) -> bool:
    """Whether the rollback that is asked for holds already, switch and all."""
    if not choices.held_back(place) or choices.unfinished(place):
        return False
    left = _left(site, place)
    return away_from is None or (
        away_from in left and away_from != choices.current[place].path.version
    )


def _left(site: OpenSite, place: Place) -> list[int]:
    """The versions that people here went away from, the last one first."""
    versions = {one.sha256: one.path.version for one in site.state.installed()}
    return [
        versions[one.away_from]
        for one in reversed(site.state.every_rollback(*place))
        if one.away_from in versions
    ]


def _already(site: OpenSite, choices: Choices, place: Place) -> Activation:
    running = choices.current[place].path.version
    left = next(iter(_left(site, place)), 0)
    words = (
        f"{place.model} in host group {place.group} went back from version {left} already, and "
        f"runs version {running}; nothing changed."
    )
    if choices.fallback(place) is not None:
        words += f" To go further back, add: --from {running}"
    return Activation(place, left, running, "already", words)


def _fallback(choices: Choices, place: Place) -> Choice:
    found = choices.fallback(place)
    if found is None:
        raise RefusedError(
            "no-fallback",
            f"{place.model} in host group {place.group} has no fallback after version "
            f"{choices.current[place].path.version} that is installed, healthy and neither "
            "recalled nor withdrawn.",
            subject=place.model,
            next_step="Have a fallback assigned, and carry a bundle.",
        )
    return found


def _record(site: OpenSite, choices: Choices, place: Place, fallback: Choice, reason: str) -> None:
    """Who goes back, and why; from here on it is finished, whatever happens in between."""
    here, assigned = choices.current[place], choices.of(place)
    digest = assigned.current.sha256 if assigned else ""
    terms = [
        Term("model", place.model),
        Term("host-group", place.group),
        Term("artifact", here.sha256),
    ]
    told: dict[str, Json] = {
        "from": here.path.version,
        "to": fallback.path.version,
        "reason": sentence(reason),
    }
    with site.state.transaction():
        site.state.add_rollback(*place, RolledBack(digest, here.sha256, reason, site.clock()))
        site.record(site.entry("model.rolled-back", told, terms))


def _place(choices: Choices, model: str, group: str | None) -> Place:
    runs = [place for place in sorted(choices.current) if place.model == model]
    if group is not None:
        runs = [place for place in runs if place.group == group]
    if not runs:
        where = f" in host group {word(group)}" if group else ""
        raise NotFoundError(
            "not-running",
            f"{model} does not run here{where}.",
            subject=model,
            next_step="See what runs with: sealift-site status",
        )
    if len(runs) > 1:
        raise UsageError(
            "which-group",
            f"{model} runs in the host groups {', '.join(place.group for place in runs)}.",
            subject=model,
            next_step=f"Say which one: --group {runs[0].group}",
        )
    return runs[0]
