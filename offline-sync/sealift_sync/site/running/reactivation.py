"""Trying again what is assigned: after its health check was mended, or to end a rollback.

Both are for people at the site to decide, and neither needs a medium: what is activated was
installed, approved and committed before. While the runtime is asked, others may work here; what
they changed by then is theirs, and is not undone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import sentence
from sealift_sync.site.running import runtime_checks
from sealift_sync.site.running.activation import Activation, stop_recalled, switch
from sealift_sync.site.running.choices import Choice, Choices, Place
from sealift_sync.site.running.model_tree import ModelTree
from sealift_sync.site.running.runtime_checks import CheckOutcome
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.records import Current, RolledBack


def activate_assigned(site: OpenSite, model: str, group: str | None, reason: str) -> Activation:
    """Switch `model` to the version that is assigned, though it failed or people went back.

    Args:
        site: the site.
        model: `team/model`.
        group: the host group, where the model is assigned in several.
        reason: why; it is logged and goes home.

    Raises:
        NotFoundError: it is not assigned here.
        UsageError: it is assigned in several host groups, and which is meant was not said.
        RefusedError: it is not installed, or was recalled or withdrawn; or others changed what runs
            there while its runtime was asked.
    """
    meant = _meant(site, model, group)
    answered: CheckOutcome | None = None
    if isinstance(meant, _Meant) and meant.is_new:
        if meant.running is not None and meant.running.sha256 in site.state.recalls():
            stop_recalled(site, meant.place, f"activate: {sentence(reason)[:500]}")
            meant = replace(meant, running=None)
        answered = runtime_checks.ask(site, meant.place, meant.foremost)
        site = site.as_set_now()
        before, meant = meant, _meant(site, model, group)
        if isinstance(meant, _Meant) and meant != before:
            raise _changed(meant.place)
    if isinstance(meant, Activation):
        return meant
    return _try_again(site, meant, reason, answered)


@dataclass(frozen=True)
class _Meant:
    """What is to be switched to, and what was decided about its place by then.

    Attributes:
        rollbacks: each time that people went back there, and that still holds.
    """

    place: Place
    foremost: Choice
    running: Current | None
    rollbacks: tuple[RolledBack, ...]

    @property
    def is_new(self) -> bool:
        """Whether nothing is gone back to by it."""
        running = self.running
        return running is None or self.foremost.path.version >= running.path.version


def _meant(site: OpenSite, model: str, group: str | None) -> _Meant | Activation:
    """What is meant; or that it runs already.

    Raises:
        SealiftError: as `activate_assigned`.
    """
    choices = Choices(site.state, site.enrolment)
    place, foremost = _foremost(choices, model, group)
    running = choices.current.get(place)
    version = foremost.path.version
    if running is not None and running.sha256 == foremost.sha256 and not choices.held_back(place):
        words = f"{model} in host group {place.group} runs version {version} already."
        return Activation(place, version, version, "already", words)
    if not choices.permitted(place, foremost):
        raise RefusedError(
            "not-permitted",
            f"Version {version} of {model} is assigned to host group {place.group} and is not "
            "installed there, or was recalled or withdrawn.",
            subject=model,
            next_step="See why with: sealift-site status",
        )
    if lower := choices.goes_back(place):
        raise RefusedError(
            "goes-back",
            f"Version {version} of {model} is held: {lower}",
            subject=model,
            next_step=f"To go back from here, run: sealift-site rollback {model} --reason TEXT",
        )
    return _Meant(place, foremost, running, site.state.every_rollback(*place))


def _try_again(
    site: OpenSite, meant: _Meant, reason: str, answered: CheckOutcome | None
) -> Activation:
    place, running = meant.place, meant.running
    before = Choice(running.path, running.sha256) if running else None
    tree = ModelTree(site.home, lost=site.state.lost())
    _begin(site, place, meant.foremost, reason)

    def undo() -> None:
        """It failed again: what people here went back to holds as before."""
        for one in meant.rollbacks:
            site.state.add_rollback(*place, one)

    why = f"activate: {sentence(reason)[:500]}"
    return switch(site, tree, place, before, meant.foremost, why, undo, answered=answered)


def _changed(place: Place) -> RefusedError:
    return RefusedError(
        "changed-meanwhile",
        f"What runs of {place.model} in host group {place.group} was changed while its runtime was "
        "asked; nothing was switched.",
        subject=place.model,
        next_step="See what runs with: sealift-site status",
    )


def _begin(site: OpenSite, place: Place, foremost: Choice, reason: str) -> None:
    """Who tries again, and why; said again after a cut, it is the same attempt."""
    failed = (*place, foremost.sha256) in site.state.failures()
    if not failed and not site.state.every_rollback(*place):
        return
    terms = [Term("model", place.model), Term("host-group", place.group)]
    told: dict[str, Json] = {"version": foremost.path.version, "reason": sentence(reason)}
    with site.state.transaction():
        site.state.clear_failure(*place, foremost.sha256)
        site.state.clear_rollbacks(*place)
        site.record(site.entry("model.tried-again", told, terms))


def _foremost(choices: Choices, model: str, group: str | None) -> tuple[Place, Choice]:
    """Which place is meant, and what is assigned there."""
    found = {
        place: Choice(given.current.parsed, given.current.sha256)
        for place, given in choices.assigned()
        if place.model == model and group in {None, place.group}
    }
    if not found:
        where = f" to host group {word(group)}" if group else ""
        raise NotFoundError(
            "not-assigned-here",
            f"{model} is not assigned{where} at this site.",
            subject=model,
            next_step="See what is assigned with: sealift-site status",
        )
    if len(found) > 1:
        raise UsageError(
            "which-group",
            f"{model} is assigned to the host groups {', '.join(one.group for one in found)}.",
            subject=model,
            next_step=f"Say which one: --group {min(found).group}",
        )
    return found.popitem()
