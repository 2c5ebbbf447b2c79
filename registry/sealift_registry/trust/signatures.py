"""Which signatures on a role's version are right, and of somebody who holds the role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import roles
from sealift_signing.errors import BadSignatureError, RefusedError
from sealift_signing.public_key import PublicKey

Holders = Mapping[str, tuple[str, PublicKey]]
"""Who may sign, and with which key, by the key's id."""


class Stray(NamedTuple):
    """A signature that does not count: wrong, or of nobody (`person` is empty)."""

    keyid: str
    person: str


def holders(owners: Iterable[Root | Targets], role: str) -> dict[str, tuple[str, PublicKey]]:
    """Who holds `role` by the word of any of `owners`."""
    return {keyid: held for owner in owners for keyid, held in roles.holders(owner, role).items()}


def is_right(held: Holders, keyid: str, signature: bytes, payload: bytes) -> bool:
    """Whether the key of this id is somebody's in `held`, and signed `payload`."""
    if keyid not in held:
        return False
    try:
        held[keyid][1].verify(signature, payload, what="it")
    except BadSignatureError:
        return False
    return True


def strays(metadata: Metadata[Any], held: Holders) -> list[Stray]:
    """The signatures on a role's version that are wrong, or of nobody in `held`."""
    payload = metadata.signed_bytes
    return [
        Stray(keyid, held[keyid][0] if keyid in held else "")
        for keyid, one in sorted(metadata.signatures.items())
        if not is_right(held, keyid, bytes.fromhex(one.signature), payload)
    ]


def without_strays(metadata: Metadata[Any], held: Holders) -> None:
    """Take out of `metadata` every signature that does not count."""
    for one in strays(metadata, held):
        del metadata.signatures[one.keyid]


def check_no_strays(role: str, metadata: Metadata[Any], owners: Iterable[Root | Targets]) -> None:
    """Check that no signature is published, and no key logged, that does not count.

    Raises:
        RefusedError: there is one.
    """
    for one in strays(metadata, holders(owners, role)):
        of = one.person or "a key of nobody's"
        raise RefusedError(
            "signature-stray",
            f"The signature by {of} ({one.keyid[:12]}) on {role} does not count, so it is not "
            "published.",
            subject=role,
            next_step="Submit the files as sealift-sign wrote them.",
        )
