"""The roles of the organisation: which versions count, who signed them, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import FalseRow, each
from sealift_signing import roles


@dataclass(frozen=True)
class RoleView:
    """A role as its newest version has it.

    Attributes:
        signers: the people who signed it; of a role of the hub's own, nobody.
        handed_on: others hold it since: until they sign it, it counts for nothing.
    """

    role: str
    version: int
    expires: datetime
    signers: tuple[str, ...]
    handed_on: bool


@dataclass(frozen=True)
class TrustView:
    """An organisation.

    Attributes:
        organisation: the sha256 of its first root.
        fingerprint: the digest of its newest root, as people compare it.
        roles: all that have a version, by name.
        refused: those of which nothing can be told.
        unprotected: why one person could promote alone; empty where nobody could.
    """

    organisation: str
    fingerprint: str
    roles: tuple[RoleView, ...]
    refused: tuple[FalseRow, ...]
    unprotected: tuple[str, ...]


def trust(connection: Connection) -> TrustView:
    """What the organisation's roles say now.

    Raises:
        RefusedError: there is no root that leads anywhere.
    """
    repository = Repository(connection)
    names = [role for role in repository.stored.rows.roles() if not roles.is_online(role)]
    found, refused = each(names, lambda role: _role(repository, role))
    return TrustView(
        repository.organisation(),
        repository.fingerprint(),
        found,
        refused,
        repository.unprotected(),
    )


def _role(repository: Repository, role: str) -> RoleView:
    head = repository.stored.base(role)
    handed_on = repository.stored.is_superseded(role)
    return RoleView(role, head.version, head.expires, head.signers, handed_on)
