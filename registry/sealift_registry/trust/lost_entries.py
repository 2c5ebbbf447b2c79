"""Going on where entries of the log were lost: what is given up, and who says so.

A hub whose database lacks what the log's key signed signs nothing, until that key is replaced
(`readiness`). Sites then take the shorter log by the new key, and whatever was acknowledged in the
lost entries is gone: so two people who hold the fleet's role say so, each told how much it is.
Where one person alone holds it, nobody else can be asked, and one is enough.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from sealift_registry.trust import readiness
from sealift_registry.trust.signatures import Holders, holders, is_right
from sealift_registry.trust.stored import stored
from sealift_signing import roles
from sealift_signing.acts.names import LOST
from sealift_signing.drafts import Draft, DraftPart, decoded
from sealift_signing.errors import NotSignedEnoughError, RefusedError

PEOPLE = 2
"""Who say that entries are given up, where as many could."""


def facts(connection: Connection) -> Mapping[str, tuple[str, ...]]:
    """What the draft of another log key says besides, where entries were lost."""
    lost = readiness.seen(connection)
    return {LOST: (str(lost[-1].size),)} if lost else {}


def needed(connection: Connection, draft: Draft) -> int:
    """How many people sign `draft`, whatever its role's threshold is; 0 where it asks for none."""
    if not _gives_up(draft) or not readiness.seen(connection):
        return 0
    return min(PEOPLE, len(_people(connection)))


def check(connection: Connection, draft: Draft) -> None:
    """Check that whoever signed another log key was told of lost entries, and that two did.

    Raises:
        RefusedError: it says another thing of them than is so now.
        NotSignedEnoughError: one person signed it, where two could.
    """
    if not _gives_up(draft):
        return
    if draft.facts.get(LOST, ()) != facts(connection).get(LOST, ()):
        raise RefusedError(
            "draft-of-other-losses",
            "This draft does not say what is known by now of entries that the log has lost.",
            subject=draft.act,
            next_step="Have it drafted and signed again: sealift key rotate log",
        )
    (part,) = draft.parts
    wanted, signed = needed(connection, draft), _signed(connection, part)
    if len(signed) < wanted:
        people = ", ".join(sorted(_people(connection)))
        raise NotSignedEnoughError(
            "not-signed-enough",
            f"It gives up entries that were signed and lost: {wanted} people sign that, and "
            f"{len(signed)} did.",
            subject=part.name,
            next_step=f"Have {wanted} of {people} sign it, each with sealift-sign; then submit all "
            "their files together. What that gives up: docs/how-to/lost-and-found.md",
        )


def told(connection: Connection, draft: Draft) -> tuple[str, ...]:
    """What is said once it is done."""
    if LOST not in draft.facts:
        return ()
    alone = len(_people(connection)) < PEOPLE
    why = " One person said so, since nobody else holds fleet." if alone else ""
    return (f"What the log had lost is given up; it goes on by its new key.{why}",)


def _gives_up(draft: Draft) -> bool:
    return readiness.replaces_log(draft.act, draft.object)


def _holders(connection: Connection) -> Holders:
    owner = stored(connection).head(roles.delegator(roles.FLEET)).metadata.signed
    return holders([owner], roles.FLEET)


def _people(connection: Connection) -> set[str]:
    return {person for person, _ in _holders(connection).values()}


def _signed(connection: Connection, part: DraftPart) -> set[str]:
    """The people, not the keys: one may hold it with two."""
    held = _holders(connection)
    return {
        held[one.keyid][0]
        for one in part.signatures
        if is_right(held, one.keyid, decoded(one.signature), part.signed_data)
    }
