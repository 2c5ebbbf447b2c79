"""Whose signatures count, and whether they are enough."""

from __future__ import annotations

from collections.abc import Mapping

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing.errors import BadSignatureError, NoKeyError, NotSignedEnoughError
from sealift_signing.walk.layer import Rules
from sealift_signing.walk.steps import Holder, S


def check_signed(
    delegator: Root | Targets,
    role: str,
    metadata: Metadata[S],
    rules: Rules,
    *,
    payload: bytes | None = None,
    without: frozenset[bytes] = frozenset(),
) -> None:
    """Check that enough distinct keys signed `metadata` (§5.3.4 and alike).

    `payload` is what its signatures are of, where that was spelled out already; `without` are the
    raw keys whose signatures do not count, since they were called compromised.

    Raises:
        BadSignatureError: too few, and one that counts is wrong.
        NotSignedEnoughError: too few, and all that count are right.
        NoKeyError: signed by nobody whom the delegator names, or no such role.
    """
    try:
        spec = delegator.get_delegated_role(role)
    except ValueError as bad:
        raise NoKeyError(
            "no-key", f"Nothing that is trusted delegates the role {role}.", subject=role
        ) from bad
    # Spelled out once: a file may bear thousands of signatures.
    payload = metadata.signed_bytes if payload is None else payload
    right, wrong = count(delegator, spec.keyids, metadata.signatures, payload, role, rules)
    good = [holder for holder in right if not without or holder.public.raw not in without]
    people = min(
        [len({holder.keyid for holder in good})]
        + [len({rule.counted_as(holder) for holder in good}) for rule in rules]
    )
    if people >= spec.threshold:
        return
    if wrong:
        raise bad_signature(role)
    if not right:
        raise NoKeyError("no-key", f"No key that is trusted for {role} signed it.", subject=role)
    lost = len(good) < len(right)
    raise NotSignedEnoughError(
        "not-signed-enough",
        f"{role} is signed by {people} of the {spec.threshold} people it needs"
        f"{', others by keys that were called compromised' if lost else ''}.",
        subject=role,
    )


def count(
    delegator: Root | Targets,
    keyids: list[str],
    signatures: Mapping[str, Signature],
    payload: bytes,
    role: str,
    rules: Rules,
) -> tuple[list[Holder], int]:
    """The keys whose signatures are right, and how many signatures were wrong."""
    good = []
    wrong = 0
    for keyid in keyids:
        if keyid not in signatures:
            continue
        try:
            holder = Holder(role, keyid, delegator.get_key(keyid))
        except ValueError:
            continue  # the role names a key that its delegator does not hold: nobody's
        if not all(rule.counts(holder) for rule in rules):
            continue
        try:
            holder.key.verify_signature(signatures[keyid], payload)
        except (UnverifiedSignatureError, VerificationError):
            wrong += 1
            continue
        good.append(holder)
    return good, wrong


def bad_signature(role: str) -> BadSignatureError:
    """The refusal of a signature that is of other bytes, or by another key."""
    return BadSignatureError(
        "bad-signature",
        f"The signature on {role} is wrong: the bytes were changed, or another key made it.",
        subject=role,
        next_step="Do not use this medium; have the bundle copied or exported again.",
    )
