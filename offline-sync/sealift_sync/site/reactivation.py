"""Trying again what is assigned: after its health check was mended, or to end a rollback.

Both are for people at the site to decide, and neither needs a medium: what is activated was
installed, approved and committed before.
"""

from __future__ import annotations

from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import sentence
from sealift_sync.site.activation import Activation, switch
from sealift_sync.site.models import ModelTree
from sealift_sync.site.opened import Site
from sealift_sync.site.standing import Choice, Place, Standing


def activate_assigned(site: Site, model: str, group: str | None, reason: str) -> Activation:
    """Switch `model` to the version that is assigned, though it failed or people went back.

    Args:
        site: the site.
        model: `team/model`.
        group: the host group, where the model is assigned in several.
        reason: why; it is logged and goes home.

    Raises:
        NotFoundError: it is not assigned here.
        UsageError: it is assigned in several host groups, and which is meant was not said.
        RefusedError: it is not installed, or was recalled or withdrawn.
    """
    standing = Standing(site.state, site.enrolment)
    place, foremost = _foremost(standing, model, group)
    running = standing.current.get(place)
    version = foremost.path.version
    if running is not None and running.sha256 == foremost.sha256 and not standing.held_back(place):
        words = f"{model} in host group {place.group} runs version {version} already."
        return Activation(place, version, version, "already", words)
    if not standing.permitted(place, foremost):
        raise RefusedError(
            "not-permitted",
            f"Version {version} of {model} is assigned to host group {place.group} and is not "
            "installed there, or was recalled or withdrawn.",
            subject=model,
            next_step="See why with: sealift-site status",
        )
    if lower := standing.goes_back(place):
        raise RefusedError(
            "goes-back",
            f"Version {version} of {model} is held: {lower}",
            subject=model,
            next_step=f"To go back from here, run: sealift-site rollback {model} --reason TEXT",
        )
    before = Choice(running.path, running.sha256) if running else None
    held = site.state.every_rollback(*place)
    tree = ModelTree(site.home, lost=site.state.lost())
    _begin(site, place, foremost, reason)

    def undo() -> None:
        """It failed again: what people here went back to holds as before."""
        for one in held:
            site.state.add_rollback(*place, one)

    why = f"activate: {sentence(reason)[:500]}"
    new = running is None or version >= running.path.version
    return switch(site, tree, place, before, foremost, why, undo, check=new)


def _begin(site: Site, place: Place, foremost: Choice, reason: str) -> None:
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


def _foremost(standing: Standing, model: str, group: str | None) -> tuple[Place, Choice]:
    """Which place is meant, and what is assigned there."""
    found = {
        place: Choice(given.current.parsed, given.current.sha256)
        for place, given in standing.assigned()
        if place.model == model and group in {None, place.group}
    }
    if not found:
        where = f" to host group {word(group)}" if group else ""
        raise NotFoundError(
            "not-assigned-here",
            f"{model} is not assigned{where} at this site.",
            subject=model,
            next_step="See what is with: sealift-site status",
        )
    if len(found) > 1:
        raise UsageError(
            "which-group",
            f"{model} is assigned to the host groups {', '.join(one.group for one in found)}.",
            subject=model,
            next_step=f"Say which one: --group {min(found).group}",
        )
    return found.popitem()
