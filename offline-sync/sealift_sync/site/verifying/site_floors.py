"""Step (4) of an import: the floors as this site keeps them; `sealift_signing.floors` has the rule.

A floor from before key sets were told apart, or of an enrolment answer, is of whatever keys. The
latter gives way to a row of its own once the role was seen. The former belongs to the keys under
which the site kept the role: those that its kept delegator names. Else a site that was counted far
ahead before it was updated would stay barred.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuf.api.metadata import Root, Targets

from sealift_signing import roles
from sealift_signing.errors import RefusedError
from sealift_signing.floors import ANY, FloorKey, VisitedRole, raised, stated
from sealift_signing.tuf_walk import RoleKey, Walk, read_metadata
from sealift_sync.site.state.database import State


def known_floors(state: State) -> dict[FloorKey, int]:
    """The floors of this site, each of its keys as far as that can be told."""
    kept = state.trusted()
    found: dict[FloorKey, int] = {}
    for (delegator, role, keys), number in state.floors().items():
        of_kept = keys == ANY and role != roles.ROOT and (delegator, role) in kept
        whose = _kept_under(state, kept, delegator, role) if of_kept else keys
        key = (delegator, role, whose)
        found[key] = max(number, found.get(key, 0))
    return found


def seen_by(walk: Walk) -> tuple[VisitedRole, ...]:
    """Every role that was walked, with the keys that its delegator gives it now."""
    return tuple(
        _seen(walk, delegator, role, n) for (delegator, role), n in walk.versions().items()
    )


def raise_floors(state: State, seen: tuple[VisitedRole, ...]) -> None:
    """Within the commit of a visit: no role that was `seen` goes back behind it."""
    known = known_floors(state)
    state.set_floors(known)
    state.set_floors(raised(known, seen))
    for one in seen:
        if one.keys != ANY:
            state.drop_floor((one.delegator, one.role, ANY))


def _seen(walk: Walk, delegator: str, role: str, version: int) -> VisitedRole:
    if role == roles.ROOT:
        return VisitedRole(delegator, role, version, ANY, None)
    owner = walk.root if delegator == roles.ROOT else _walked(walk, delegator)
    keys = roles.key_set(owner, role)
    return VisitedRole(delegator, role, version, keys, stated(owner, role))


def _walked(walk: Walk, role: str) -> Targets:
    return walk.role(roles.delegator(role), role)


def _kept_under(state: State, kept: Mapping[RoleKey, bytes], delegator: str, role: str) -> str:
    """The key set under which a role was kept; whatever keys, where that cannot be told."""
    try:
        if delegator == roles.ROOT:
            known = state.roots()
            signed: Root | Targets = read_metadata(known[max(known)], delegator, Root).signed
        else:
            above = roles.delegator(delegator)
            signed = read_metadata(kept[above, delegator], delegator, Targets).signed
        return roles.key_set(signed, role)
    except (KeyError, ValueError, RefusedError):
        return ANY
