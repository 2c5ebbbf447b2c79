"""The hub's own machines, as the fleet administrators know them: what signs by itself has a name.

Nobody writes such a name down twice: it is the one that its key has in fleet/keys.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from securesystemslib.signer import Signer
from sqlalchemy import Connection

from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing.public_key import PublicKey


@dataclass(frozen=True)
class OwnMachine:
    """A machine of the hub's: the name of its key in fleet/keys.json, and the key."""

    name: str
    signer: Signer


def own_machine(hub: Hub, connection: Connection, purpose: str) -> OwnMachine:
    """The hub's own machine for a purpose, such as `builder`.

    Raises:
        FailedError: no active key of that purpose is the hub's.
    """
    active = [
        one for one in Repository(connection).sound_fleet().of(purpose) if one.status == "active"
    ]
    signer = hub.online.signer_for(purpose, [PublicKey.parse(one.key) for one in active])
    mine = PublicKey.from_tuf(signer.public_key)
    name = next(one.name for one in active if PublicKey.parse(one.key).raw == mine.raw)
    return OwnMachine(name, signer)
