"""What somebody who is signed in is, holds and may: asked by themselves, of the log and now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from sealift_registry.access import offices, rights, sessions, standing, tables, tokens
from sealift_registry.access.calling import HUB, Caller, Reach
from sealift_registry.access.refusals import signed_out
from sealift_registry.access.standing import Standing
from sealift_registry.trust.hub import Hub
from sealift_signing.acts.offices import Office


@dataclass(frozen=True)
class Own:
    """Somebody, as they stand now.

    Attributes:
        caller: who is signed in, and how.
        account: theirs, by the log.
        ends: when the session or the token is over, however much it is used.
        offices: what they may sign, by what was published last.
        may: how far each action goes for them, and whether they may do it of the hub as a whole;
            what they may nowhere is left out.
    """

    caller: Caller
    account: Standing
    ends: str
    offices: tuple[Office, ...]
    may: Mapping[str, tuple[Reach, bool]]


def read(hub: Hub, caller: Caller) -> Own:
    """Who is signed in, as they stand now.

    Raises:
        SignedOutError: they are no longer.
    """
    by_token = caller.by == "token"
    t = tables.api_token if by_token else tables.session
    with hub.reading() as connection:
        of = standing.known(connection, caller.name)
        body = connection.execute(select(t.c.body).where(t.c.id == caller.credential)).scalar()
        everybody = offices.read(connection)
    if body is None:
        raise signed_out()
    ends = (tokens.read if by_token else sessions.read)(bytes(body)).ends
    held = everybody.held(of.person, of.keyid)
    reaches = {
        action: (rights.reach(action, caller, held), rights.may(action, caller, held, HUB))
        for action in rights.ACTIONS
    }
    may = {action: one for action, one in reaches.items() if one != (Reach(), False)}
    return Own(caller, of, ends, everybody.of(of.person, of.keyid), may)
