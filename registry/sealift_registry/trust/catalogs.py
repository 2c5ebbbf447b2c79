"""The teams' catalogs: what the hub lists by itself, with the key that targets gives it."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from tuf.api.metadata import Metadata, Targets

from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Repository
from sealift_signing import floors, publishing, roles


def following(
    repository: Repository, role: str, owner: Targets, now: datetime
) -> Metadata[Targets]:
    """The next version of a catalog, to be changed and signed; its first, if there is none.

    `owner` is the version of targets that delegates it: from its floor on the role is counted.
    """
    expires = publishing.expiry(now, repository.lifetime(roles.CATALOG))
    # Not what former keys signed, which whoever stole them could have put there.
    before = cast("Metadata[Targets] | None", repository.metadata(role))
    catalog = (
        publishing.successor(before, expires=expires)
        if before is not None
        else publishing.first_targets(expires=expires)
    )
    catalog.signed.version = max(catalog.signed.version, floors.stated(owner, role) or 0)
    return catalog


def sign(online: OnlineKeys, catalog: Metadata[Targets], role: str, owner: Targets) -> None:
    """Have the hub sign a catalog, with the key that `owner` gives the role.

    Raises:
        FailedError: it does not have that key.
    """
    publishing.sign(catalog, [online.signer_for("catalog", roles.keyholders(owner, role).keys)])
