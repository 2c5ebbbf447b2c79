"""What an act is about, for rights: a team, a site, or the organisation as a whole.

It decides who may hand in, never who may sign: whatever is handed in is counted by its signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from sealift_registry.catalog import tables
from sealift_registry.catalog.reference import VersionRef, parse_promotion
from sealift_registry.trust.returned_signatures import OWN
from sealift_registry.web.callers import Where
from sealift_signing import roles, statements
from sealift_signing.acts.names import OF_PEOPLE
from sealift_signing.drafts import Draft
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.trust.hub import Hub

HUB = Where()
OF_TEAM = frozenset({"add-approver", "add-requester", "set-check-rows", *OF_PEOPLE})
OF_SITE = frozenset({"enroll", "assign", "unassign"})
OF_PROMOTION = frozenset({"approve", "object"})


def about_act(hub: Hub, act: str, named: Sequence[str]) -> Where:
    """What an act on what is named is about; what cannot be found is the hub as a whole."""
    first = named[0] if named else ""
    try:
        if act == "request":
            return Where(team=VersionRef.parse(first).team)
        if act in OF_PROMOTION:
            return _of_promotion(hub, parse_promotion(first))
    except SealiftError:
        return HUB
    if act in OF_TEAM:
        return Where(team=first)
    if act in OF_SITE:
        return Where(site=first)
    return about_role(first) if act == "renew" else HUB


def about_signed(hub: Hub, signed: Draft) -> Where:
    """What a signed draft is about.

    Of a statement of somebody's own the statement says it. What stands beside it is a label, which
    whoever hands it in writes: by that the envelopes of another team could be handed in.

    Raises:
        MalformedError: it is no such statement.
    """
    for part in signed.parts:
        if part.name in OWN:
            said, _ = statements.read_payload(OWN[part.name], part.data, what=f"the {part.name}")
            return Where(team=said.team)
    return about_act(hub, signed.act, signed.object)


def about_role(role: str) -> Where:
    """What a role is about."""
    kind = roles.kind(role)
    if kind == roles.TEAM:
        return Where(team=roles.whose(role))
    return Where(site=roles.whose(role)) if kind == roles.SITE else HUB


def _of_promotion(hub: Hub, number: int) -> Where:
    t = tables.promotion.c
    with hub.reading() as connection:
        team = connection.execute(select(t.team).where(t.number == number)).scalar()
    return Where(team=team)
