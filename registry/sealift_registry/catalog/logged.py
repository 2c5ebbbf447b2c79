"""What the log says of versions, for the rows that no statement covers.

A version's number, its aliases and its goldens were signed by nobody but the log's key, in the
entry of what was done. So whoever goes by the newest of such rows asks the log, and `audit fsck`
compares every one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress

from sqlalchemy import Connection

from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.trust import signed_log
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

INGESTED = "version.ingested"
SEEN_AGAIN = "version.seen-again"
BUILT = "variant.built"
REQUESTED = "promotion.requested"
DISCARDED = "artifact.discarded"
"""The files of some forms of a version may go."""
RESTORED = "artifact.restored"
"""The files of a form that was discarded are there again."""
GOLDENS = "goldens"


def last_version(connection: Connection, model: ModelRef) -> int:
    """The number of the version of `model` that was taken in last, by the log; 0 if none was.

    Raises:
        FailedError: the log is not the one that was signed.
    """

    def number(data: signed_log.Data) -> int | None:
        with suppress(UsageError):
            ref = VersionRef.parse(str(data.get("version")))
            return ref.number if ref.of == model else None
        return None

    return signed_log.last_number(connection, INGESTED, ("model", str(model)), number)


def last_promotion(connection: Connection) -> int:
    """The number of the promotion that was asked for last, by the log; 0 if none was.

    Raises:
        FailedError: the log is not the one that was signed.
    """

    def number(data: signed_log.Data) -> int | None:
        with suppress(UsageError):
            return parse_promotion(str(data.get("promotion")))
        return None

    return signed_log.last_number(connection, REQUESTED, None, number)


def check_aliases(
    connection: Connection, ref: VersionRef, at_first: Iterable[str], found: AbstractSet[str]
) -> None:
    """Check that a version was asked for by the aliases that have rows, and by no others.

    Args:
        connection: of one state of the hub.
        ref: the version.
        at_first: those in its source record, which it was taken in with.
        found: those that have rows.

    Raises:
        RefusedError: the log says otherwise.
        FailedError: the log is not the one that was signed.
    """
    said, name = set(at_first), str(ref)
    for entry in signed_log.every(connection, (SEEN_AGAIN,), ("model", str(ref.of)), name.encode()):
        if entry.data["version"] == name:
            said.update(entry.data["aliases"])
    row = (
        f"version_alias WHERE team = '{ref.team}' AND model = '{ref.model}' AND "
        f"number = {ref.number}"
    )
    for alias in sorted(found - said):
        raise signed_log.not_logged(f"the alias {word(alias)} of {ref}", row)
    for alias in sorted(said - found):
        raise signed_log.missing(f"the alias {word(alias)} of {ref}", row)


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
