"""The TUF client workflow as hub, site and desk use it: to the letter, and strict beyond it.

This is the only way to it. `sealift_signing.walk` holds the walk to TUF's letter and the layer of
rules (`layer.STRICT`), each with its reason; here they are one, and nothing that is said here can
take them apart. What the layer costs by TUF's own measure is in docs/explanation/conformance.md.

Rules about what our roles may say are in `roles` and `site_rules`, a layer above.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing.compromised import NONE, Compromised, barred, entered_by
from sealift_signing.walk import counting, reading
from sealift_signing.walk.layer import PERSON_FIELD, STRICT
from sealift_signing.walk.letter import LONGEST_NAME, LetterWalk, check_listed
from sealift_signing.walk.steps import (
    LARGEST,
    LIMITS,
    MOST_ROOTS,
    ExpiredError,
    Keep,
    MissingError,
    Need,
    RoleKey,
    S,
    Spelled,
    Steps,
    WentBackError,
    drive,
)

__all__ = [
    "LARGEST",
    "LIMITS",
    "LONGEST_NAME",
    "MOST_ROOTS",
    "PERSON_FIELD",
    "ExpiredError",
    "Keep",
    "MissingError",
    "Need",
    "RoleKey",
    "Spelled",
    "Steps",
    "Walk",
    "WentBackError",
    "check_listed",
    "check_signed",
    "drive",
    "read_metadata",
    "read_spelled",
    "signed_by",
]


class Walk(LetterWalk):
    """One visit: from a trusted root, and what was trusted before, to what is current at `now`.

    Args:
        root: the trusted root's bytes, verified when they were first trusted.
        before: metadata kept by earlier visits, by (delegator, role); never goes back behind it.
        now: the trusted time.
        check_expiry: False only to read recalls, which are honoured even when all has expired.
        compromised: what was ever called so. Such a key's signature counts for nothing that is new
            here; what was kept before stands.
        no_floor: roles of which an older version, or another of the same number, is taken too.
    """

    def __init__(
        self,
        root: bytes,
        before: Mapping[RoleKey, bytes],
        now: datetime,
        *,
        check_expiry: bool = True,
        compromised: Compromised = NONE,
        no_floor: Collection[str] = (),
    ) -> None:
        self._compromised = compromised
        super().__init__(
            root,
            before,
            now,
            rules=STRICT,
            most_roots=MOST_ROOTS,
            check_expiry=check_expiry,
            no_floor=no_floor,
        )

    @property
    def compromised(self) -> Compromised:
        """What was known to be, and what the roles that were walked say of those below them."""
        return self._compromised

    def barred(self, role: str) -> frozenset[bytes]:
        """The keys that `role`, already walked, and the roles above it call compromised."""
        above = [role]
        while above[-1] in self._delegators:
            above.append(self._delegators[above[-1]])
        return barred(self._compromised, above)

    def _trust(self, delegator: str, role: str, metadata: Metadata[Any]) -> None:
        super()._trust(delegator, role, metadata)
        if role not in {"timestamp", "snapshot"}:
            self._compromised |= entered_by(role, metadata.signed)

    def _lost(self, delegator: str, role: str, data: bytes) -> frozenset[bytes]:
        """Whose signature does not count on `data`, which stands if it was kept before.

        Not so a root: there the chain is walked anew, and every link of it is verified.
        """
        if role != "root" and self._before.get((delegator, role)) == data:
            return frozenset()
        return self.barred(delegator)


def read_metadata(data: bytes, role: str, kind: type[S]) -> Metadata[S]:
    """The metadata that `data` spells, its signatures not yet verified.

    Raises:
        MalformedError: not metadata of this kind, larger than any, or any spelling but tuf's own.
    """
    return read_spelled(data, role, kind).metadata


def read_spelled(data: bytes, role: str, kind: type[S]) -> Spelled[S]:
    """As `read_metadata`, with the bytes that its signatures are of.

    Raises:
        MalformedError: as `read_metadata`.
    """
    return reading.read(data, role, kind, STRICT)


def check_signed(
    delegator: Root | Targets,
    role: str,
    metadata: Metadata[S],
    payload: bytes | None = None,
    without: frozenset[bytes] = frozenset(),
) -> None:
    """Check that enough distinct keys of distinct people signed `metadata` (§5.3.4 and alike).

    `payload` is what its signatures are of, where that was spelled out already; `without` are the
    raw keys whose signatures do not count, since they were called compromised.

    Raises:
        BadSignatureError: too few, and one that counts is wrong.
        NotSignedEnoughError: too few, and all that count are right.
        NoKeyError: signed by nobody whom the delegator names, or no such role.
    """
    counting.check_signed(delegator, role, metadata, STRICT, payload=payload, without=without)


def signed_by(
    delegator: Root | Targets, role: str, metadata: Metadata[S], payload: bytes | None = None
) -> frozenset[str]:
    """The ids of the keys of `role` whose signatures on `metadata` are right.

    Raises:
        BadSignatureError: one of the role's keys bears a wrong signature, even if others suffice.
    """
    spec = delegator.get_delegated_role(role)
    payload = metadata.signed_bytes if payload is None else payload
    good, wrong = counting.count(delegator, spec.keyids, metadata.signatures, payload, role, STRICT)
    if wrong:
        raise counting.bad_signature(role)
    return frozenset(holder.keyid for holder in good)
