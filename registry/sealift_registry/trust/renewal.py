"""Signing a role again as it stands, because a signature lasts only so long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from securesystemslib.signer import Signer
from sqlalchemy import Connection
from tuf.api.metadata import Metadata, Targets

from sealift_registry.trust.repository import Change, Repository, sign_enough
from sealift_signing import publishing, roles
from sealift_signing.errors import NotFoundError


def draft_renewal(
    connection: Connection, role: str, signers: Sequence[Signer], now: datetime
) -> Change:
    """The next version of `role`, unchanged but for its version and expiry, signed.

    Raises:
        NotFoundError: nothing was published for that role, or the hub renews it by itself.
        RefusedError: not signed by enough of its keys.
    """
    repository = Repository(connection)
    before = repository.metadata(role)
    if before is None or roles.is_online(role):
        raise NotFoundError(
            "not-renewable",
            f"There is no role {role} that people renew.",
            subject=role,
            next_step="`sealift next` names the roles whose signature runs out.",
        )
    expires = publishing.expiry(now, repository.lifetime(role))
    renewed = publishing.following(before, expires=expires)
    owner = repository.root() if role in roles.TOP_ROLES else _owner(repository, role)
    sign_enough(renewed, role, signers, owner.signed)
    return Change({role: renewed})


def _owner(repository: Repository, role: str) -> Metadata[Targets]:
    return repository.targets(roles.delegator(role))
