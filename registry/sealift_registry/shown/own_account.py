"""Somebody's own account as it is shown to them: who they are, what they hold, what they may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sealift_registry.access.calling import Reach
from sealift_registry.access.own_account import Own
from sealift_registry.access.rights import ACTIONS
from sealift_registry.access.sessions import IDLE
from sealift_registry.shown import accounts
from sealift_registry.shown.told import Told
from sealift_signing.drawing import pasted
from sealift_signing.vocabulary import counted

IDLE_WORDS = f"until {counted(int(IDLE.total_seconds() // 60), 'minute')} pass without a request"
WAYS = {"browser": "a browser's session", "desk": "a desk's session", "token": "a token"}


def told(own: Own) -> Told:
    """All of it."""
    caller = own.caller
    data: dict[str, Any] = {
        **accounts.data(own.account),
        "by": caller.by,
        "credential": caller.credential,
        "ends": own.ends,
        "offices": [{"place": one.place, "name": one.name} for one in own.offices],
        "may": [
            {
                "action": action,
                "hub": hub,
                "everything": reach.everything,
                "all_sites": reach.all_sites,
                "teams": sorted(reach.teams),
                "sites": sorted(reach.sites),
                "own": reach.owner is not None,
            }
            for action, (reach, hub) in own.may.items()
        ],
    }
    if caller.csrf:
        data["csrf"] = caller.csrf
    return Told(data, _lines(own))


def _lines(own: Own) -> list[str]:
    caller = own.caller
    found = accounts.lines(own.account)
    if own.account.person is None and own.account.kind == "person":
        found.append(f"  Prove a key of yours:  sealift login {pasted([own.account.name])} --bind")
    idle = "" if caller.by == "token" else f", or {IDLE_WORDS}"
    found.append(f"Signed in by {WAYS[caller.by]}, {caller.credential}: until {own.ends}{idle}.")
    if own.offices:
        found += ["", "Signs as:", *(f"  {one.name}" for one in own.offices)]
    found += ["", "May:"]
    found += [
        f"  {ACTIONS[action].words}{_where(action, reach, hub)}"
        for action, (reach, hub) in own.may.items()
    ]
    return found


def _where(action: str, reach: Reach, hub: bool) -> str:  # noqa: FBT001 - it is one of two words
    """How far it goes, in words; nothing where there is no limit, or its own words have it."""
    if reach.everything:
        return ""
    parts = ["the hub as a whole"] * hub
    parts += ["every site"] * reach.all_sites
    parts += [*_named("team", reach.teams), *_named("site", reach.sites)]
    parts += ["one's own"] * (reach.owner is not None and bool(ACTIONS[action].roles))
    if not parts:
        return ""
    return f": {', '.join(parts)}"


def _named(kind: str, names: Iterable[str]) -> list[str]:
    return [f"{kind} {one}" for one in sorted(names)]
