"""What the log says of versions, for the rows that no statement covers.

A version's number, its aliases and its goldens were signed by nobody but the log's key, in the
entry of what was done. So whoever goes by the newest of such rows asks the log, and `audit fsck`
compares every one of them.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sealift_registry.catalog.reference import ModelRef, VersionRef, promotion_id
from sealift_registry.trust import signed_log

INGESTED = "version.ingested"
SEEN_AGAIN = "version.seen-again"
BUILT = "variant.built"
REQUESTED = "promotion.requested"
GOLDENS = "goldens"


def check_newest(connection: Connection, model: ModelRef, number: int) -> None:
    """Check that the newest version of `model` is one that was taken in.

    Raises:
        RefusedError: the log does not say so.
        FailedError: the log is not the one that was signed.
    """
    name = str(VersionRef(model.team, model.model, number))
    where = f"team = '{model.team}' AND model = '{model.model}' AND number = {number}"
    row = f"model_version WHERE {where}"
    signed_log.check(connection, INGESTED, ("version", name), ("model", str(model)), row)


def check_newest_promotion(connection: Connection, number: int) -> None:
    """Check that the newest promotion is one that was asked for.

    Raises:
        RefusedError: the log does not say so.
        FailedError: the log is not the one that was signed.
    """
    name = promotion_id(number)
    row = f"promotion WHERE number = {number}"
    signed_log.check(connection, REQUESTED, ("promotion", name), ("promotion", name), row)


def check_goldens(connection: Connection, ref: VersionRef, turn: int, digest: str) -> None:
    """Check that goldens are those that the log says were given last.

    Raises:
        RefusedError: it says otherwise.
        FailedError: the log is not the one that was signed.
    """
    found = signed_log.newest(
        connection,
        (INGESTED, SEEN_AGAIN),
        ("model", str(ref.of)),
        lambda kind, data: (
            data.get("version") == str(ref) and (GOLDENS in data or kind == INGESTED)
        ),
    )
    said = {} if found is None else found[1]
    # An entry from before any named the first ones says nothing of them.
    is_unnamed = found is not None and GOLDENS not in said and turn == 1
    if said.get(GOLDENS) != digest and not is_unnamed:
        raise signed_log.not_logged(
            f"the goldens {digest[:12]} of {ref}",
            f"goldens WHERE team = '{ref.team}' AND model = '{ref.model}' AND "
            f"number = {ref.number} AND turn = {turn}",
        )
