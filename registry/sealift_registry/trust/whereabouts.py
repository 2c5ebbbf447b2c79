"""Where a hub is, by what its log says, as the fleet's list names the log's key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlalchemy import Connection

from sealift_registry.audit import edge as log_edge
from sealift_registry.audit import signed_moves
from sealift_registry.audit.edge import Edge, Vouch
from sealift_registry.audit.moved import MovedHubError
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import NotFoundError
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.verdict import LogFault


def refusal(connection: Connection, blobs: str | None = None) -> MovedHubError | None:
    """Why this database takes no entry; None where it does.

    `blobs` is where whoever asks keeps blobs.

    Raises:
        RefusedError: the fleet's list is not what its holders signed, and is to be asked.
        FailedError: the log is not what was signed, and is to be asked.
    """
    return signed_moves.refusal(connection, partial(vouch, connection), blobs)


def went_to(connection: Connection) -> str | None:
    """Where the rows went, if they did.

    Raises:
        RefusedError, FailedError: as `refusal`.
    """
    return signed_moves.went_to(connection, partial(vouch, connection))


def blobs_at(connection: Connection) -> str | None:
    """Where blobs are; None where they never were moved.

    Raises:
        RefusedError, FailedError: as `refusal`.
    """
    return signed_moves.blobs_at(connection, partial(vouch, connection))


def faults(connection: Connection) -> Iterator[LogFault]:
    """Every row that says something of where the hub is which nobody signed."""
    yield from signed_moves.faults(connection, partial(vouch, connection))


def edge(connection: Connection) -> Edge:
    """Where the log ends, if all of it is what was signed.

    Raises:
        FailedError: it is not.
        RefusedError: as `refusal`.
    """
    return log_edge.verified(connection, vouch(connection))


def vouch(connection: Connection) -> Vouch | None:
    """Whose signature counts under the log; None where the fleet's list names no key of it.

    Raises:
        RefusedError: the fleet's list is not what its holders signed.
    """
    from sealift_registry.trust import key_rotation  # which asks first whether the hub is here

    repository = Repository(connection)
    try:
        key = repository.log_key()
    except NotFoundError:  # a log without a key has signed nothing that counts
        return None
    former = partial(key_rotation.former, connection, key)
    return Vouch(key, hub_origin(repository.organisation()), former)
