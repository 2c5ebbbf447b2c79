"""The roles of the organisation: which versions count, who signed them, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sealift_registry.catalog.pages import PagePlace
from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import Page, page_names, told_or_refused
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
        unprotected: why one person could promote alone; empty where nobody could.
    """

    organisation: str
    fingerprint: str
    unprotected: tuple[str, ...]


def trust(connection: Connection) -> TrustView:
    """What the organisation is known by.

    Raises:
        RefusedError: there is no root that leads anywhere.
    """
    repository = Repository(connection)
    return TrustView(repository.organisation(), repository.fingerprint(), repository.unprotected())


def role_list(connection: Connection, place: PagePlace) -> Page[RoleView]:
    """A page of the roles that people sign, by name."""
    repository = Repository(connection)
    there = repository.stored.rows.newest_numbers()
    here, after = page_names(place, [one for one in there if not roles.is_online(one)])
    found, refused = told_or_refused(here, lambda role: _role(repository, role))
    return Page(found, refused, after)


def _role(repository: Repository, role: str) -> RoleView:
    head = repository.stored.base(role)
    handed_on = repository.stored.is_superseded(role)
    return RoleView(role, head.version, head.expires, head.signers, handed_on)
