"""Signing again what was changed: what somebody could make who holds the keys.

So the rules behind the first signature are reached, and not only its refusal.
"""

from __future__ import annotations

from typing import Any

from tuf.api.metadata import Metadata, Root

from sealift_signing import publishing
from tests.hub_on_paper import HubOnPaper

Files = dict[str, bytes]

TAPES = (bytes(8), bytes(range(1, 25)), bytes(range(3, 64)), b"\x02\x05\x04\x01\x02" * 6)
"""Tapes to begin from."""


def resigned(hub: HubOnPaper, role: str, data: bytes) -> bytes:
    """`data` signed by the holders of `role`, if it can be read at all: what a thief could make."""
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
        metadata.signatures.clear()
        signers = hub.repository.signers(role)
        if isinstance(metadata.signed, Root):
            signers = hub.repository.signers("root")
        publishing.sign(metadata, signers)
        return publishing.to_bytes(metadata)
    except Exception:  # noqa: BLE001 - whatever the library makes of it: then it stays unsigned
        return data


def role_of(path: str) -> str:
    """The role whose metadata lies at `path`."""
    name = path.rpartition("/")[2].removesuffix(".json")
    version, dot, role = name.partition(".")
    return role if dot and version.isdigit() else name
