"""By which keys, and under which name, whoever checks the hub's log verifies it."""

from __future__ import annotations

from typing import NamedTuple

from sealift_registry.trust import key_rotation
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.checkpoint import hub_origin


class LogKeys(NamedTuple):
    """The log's key, its name, and the keys that signed it before."""

    key: PublicKey
    origin: str
    former: tuple[PublicKey, ...]


def log_keys(hub: Hub) -> LogKeys:
    """Those of the hub's log, by its own key or by what fleet administrators signed.

    Raises:
        NotFoundError: neither names one.
    """
    with hub.reading() as connection:
        repository = Repository(connection)
        origin = hub_origin(repository.organisation())
        # An auditor's copy has no key of the hub's, and goes by what fleet administrators signed.
        here = hub.online.has_public(key_rotation.LOG)
        key = hub.online.public(key_rotation.LOG) if here else repository.log_key()
        try:
            former = key_rotation.followed(connection, key)
        except SealiftError:
            former = ()  # the fleet's list is damaged, which fsck says; the log may be whole
    return LogKeys(key, origin, former)
