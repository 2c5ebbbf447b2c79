"""Going back to the next fallback: by people at the site, from committed state alone.

No metadata is looked at, so nothing can have expired; no network, no medium and no hub is needed.
"""

from __future__ import annotations

from sealift_signing.canonical import Json
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError, UsageError
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import sentence
from sealift_sync.site.activation import Activation, switch
from sealift_sync.site.models import ModelTree
from sealift_sync.site.opened import Site
from sealift_sync.site.standing import Choice, Place, Standing, digest_of
from sealift_sync.site.state import RolledBack


def roll_back(site: Site, model: str, group: str | None, reason: str) -> Activation:
    """Take `model` back to its next fallback, and stay there while the assignment is the same.

    Raises:
        NotFoundError: it does not run here.
        UsageError: it runs in several host groups, and which is meant was not said.
        RefusedError: there is nothing to go back to.
    """
    tree, standing = ModelTree(site.home), Standing(site.state, site.enrolment)
    tree.repair(standing.showing())
    place = _place(standing, model, group)
    running = standing.current[place]
    here = Choice(running.path, running.sha256)
    fallback, assigned = standing.fallback(place), standing.of(place)
    if fallback is None or assigned is None:
        raise RefusedError(
            "no-fallback",
            f"{model} in host group {place.group} has no fallback after version "
            f"{here.path.version} that is installed, healthy and neither recalled nor withdrawn.",
            subject=model,
            next_step="Have a fallback assigned, and carry a bundle.",
        )
    earlier = site.state.rollbacks().get(place)
    with site.state.transaction():
        rolled = RolledBack(digest_of(assigned), here.sha256, reason, site.clock())
        site.state.set_rollback(*place, rolled)
        terms = [
            Term("model", model),
            Term("host-group", place.group),
            Term("artifact", here.sha256),
        ]
        told: dict[str, Json] = {
            "from": here.path.version,
            "to": fallback.path.version,
            "reason": sentence(reason),
        }
        site.record(site.entry("model.rolled-back", told, terms))
    try:
        done = switch(site, tree, place, here, fallback, f"rollback: {sentence(reason)[:500]}")
    except SealiftError:
        _undo(site, place, earlier)
        raise
    if done.outcome != "activated":
        _undo(site, place, earlier)
    return done


def _undo(site: Site, place: Place, earlier: RolledBack | None) -> None:
    """Nothing was gone back to: only what was held back before is."""
    with site.state.transaction():
        site.state.clear_rollback(*place)
        if earlier is not None:
            site.state.set_rollback(*place, earlier)


def _place(standing: Standing, model: str, group: str | None) -> Place:
    runs = [place for place in sorted(standing.current) if place.model == model]
    if group is not None:
        runs = [place for place in runs if place.group == group]
    if not runs:
        where = f" in host group {group}" if group else ""
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
