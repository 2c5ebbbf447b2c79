"""The next metadata of a role: draft it, sign it, join signatures, check that it is enough.

A draft is a role's canonical bytes; people may sign it in different rooms on different days and
the signatures are joined. Everything here is bytes in, bytes out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from sealift_signing import floors, roles, version_links
from sealift_signing.errors import MalformedError
from sealift_signing.public_key import PublicKey
from sealift_signing.tuf_walk import PERSON_FIELD, check_listed, check_signed
from sealift_signing.version_links import VersionId
from sealift_signing.vocabulary import later

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)
P = TypeVar("P", Root, Targets)
"""What people sign."""

Holders = Mapping[str, PublicKey]
"""People (or machines) by id, each with the key they hold a role with."""


def to_bytes(metadata: Metadata[S]) -> bytes:
    """The one spelling of TUF metadata that a site reads: tuf's own, compact."""
    return JSONSerializer(compact=True).serialize(metadata)


def expiry(now: datetime, days: int) -> datetime:
    """`days` from now, in whole seconds of UTC as TUF has them.

    Raises:
        RefusedError: there is no such day.
    """
    return later(now.astimezone(UTC), days).replace(microsecond=0)


def first_root(holders: Mapping[str, tuple[int, Holders]], *, expires: datetime) -> Metadata[Root]:
    """Root 1, unsigned: for each top-level role its threshold and who holds it.

    Raises:
        MalformedError: a role that its holders could never sign.
    """
    root = Root(expires=expires, consistent_snapshot=True)
    for role, (threshold, people) in holders.items():
        _check_holders(role, threshold, people)
        root.roles[role] = Role([], threshold)
        for person, key in people.items():
            root.add_key(named_key(key, person), role)
    return Metadata(root)


def first_targets(*, expires: datetime) -> Metadata[Targets]:
    """Version 1 of `targets` or of any delegated role: nothing listed, nothing delegated."""
    return Metadata(Targets(expires=expires))


def successor(metadata: Metadata[S], *, expires: datetime) -> Metadata[S]:
    """The next version, a copy to be edited and signed anew."""
    following = copy.deepcopy(metadata)
    following.signatures.clear()
    following.signed.version += 1
    following.signed.expires = expires
    return following


def following(
    metadata: Metadata[P],
    *,
    expires: datetime,
    set_aside: Iterable[VersionId] = (),
    version: int | None = None,
) -> Metadata[P]:
    """The next version of a role that people sign: it names what it follows and sets aside.

    `version` is a higher number than the next, where the next was signed and given up.
    """
    after = successor(metadata, expires=expires)
    if version is not None:
        after.signed.version = version
    version_links.write_follows(after.signed, version_links.following(metadata, set_aside))
    return after


def delegate(
    signed: Targets, role: str, threshold: int, holders: Holders, floor: int | None = None
) -> None:
    """Give `role` to `holders`, replacing whoever had it.

    `floor` is the number from which new keys go on; where the keys stay, what was stated stays.

    Raises:
        MalformedError: our layout has no such role, or its holders could never sign it.
    """
    _check_holders(role, threshold, holders)
    if signed.delegations is None:
        signed.delegations = Delegations({}, {})
    delegations = signed.delegations
    if delegations.roles is None:
        delegations.roles = {}
    said = _floor(signed, role, holders, floor)
    delegations.roles[role] = DelegatedRole(
        role,
        [],
        threshold,
        terminating=True,
        paths=roles.paths(role),
        unrecognized_fields=said,
    )
    for person, key in holders.items():
        signed.add_key(named_key(key, person), role)
    used = {keyid for spec in delegations.roles.values() for keyid in spec.keyids}
    delegations.keys = {keyid: key for keyid, key in delegations.keys.items() if keyid in used}


def hand_on(root: Root, role: str, holders: Holders, floor: int) -> None:
    """Give the top-level `role` to `holders` in a root's next version; they go on from `floor`.

    Raises:
        MalformedError: its holders could never sign it.
    """
    threshold = root.roles[role].threshold
    _check_holders(role, threshold, holders)
    root.roles[role] = Role([], threshold, _floor(root, role, holders, floor))
    for person, key in holders.items():
        root.add_key(named_key(key, person), role)
    used = {keyid for spec in root.roles.values() for keyid in spec.keyids}
    root.keys = {keyid: key for keyid, key in root.keys.items() if keyid in used}


def _floor(
    signed: Root | Targets, role: str, holders: Holders, floor: int | None
) -> dict[str, Any]:
    same = role in floors.delegated(signed) and roles.key_set(signed, role) == floors.key_set(
        holders.values()
    )
    said = floors.stated(signed, role) if same else floor
    return {} if said is None else {floors.FIELD: said}


def list_document(signed: Targets, path: str, data: bytes) -> None:
    """List `data` under `path`, in place of what was listed there."""
    signed.targets[path] = target_file(path, len(data), sha256(data).hexdigest())


def target_file(path: str, length: int, digest: str) -> TargetFile:
    """A target of `length` bytes with this SHA-256."""
    return TargetFile(length, {"sha256": digest}, path)


def next_snapshot(
    previous: Metadata[Snapshot] | None, versions: Mapping[str, int], *, expires: datetime
) -> Metadata[Snapshot]:
    """The snapshot of all targets roles at `versions`.

    Raises:
        WentBackError: a role that `previous` lists is missing or lower: no site would go back.
    """
    following = (
        successor(previous, expires=expires) if previous else Metadata(Snapshot(expires=expires))
    )
    following.signed.meta = {f"{role}.json": MetaFile(n) for role, n in sorted(versions.items())}
    if previous is not None:
        check_listed(following.signed, previous.signed)
    return following


def next_timestamp(
    previous: Metadata[Timestamp] | None, snapshot: Metadata[Snapshot], *, expires: datetime
) -> Metadata[Timestamp]:
    """The timestamp of `snapshot`."""
    following = (
        successor(previous, expires=expires) if previous else Metadata(Timestamp(expires=expires))
    )
    following.signed.snapshot_meta = MetaFile(snapshot.signed.version)
    return following


def sign(metadata: Metadata[S], signers: Iterable[Signer]) -> None:
    """Add a signature of each signer, keeping the ones that are there."""
    for signer in signers:
        metadata.sign(signer, append=True)


def join(draft: bytes, others: Sequence[bytes]) -> bytes:
    """The draft with the signatures that `others`, signed copies of exactly it, bear.

    A copy of other content is left out: its signature would be of something else.

    Raises:
        MalformedError: one of them is not TUF metadata.
    """
    metadata = _read(draft)
    for data in others:
        signed_copy = _read(data)
        if signed_copy.signed_bytes == metadata.signed_bytes:
            metadata.signatures.update(signed_copy.signatures)
    return to_bytes(metadata)


def check_publishable(metadata: Metadata[S], role: str, delegator: Root | Targets) -> None:
    """Check what every site will check: enough signatures, and our layout.

    Raises:
        NotSignedEnoughError, BadSignatureError, NoKeyError, MalformedError: as the walk does.
    """
    check_signed(delegator, role, metadata)
    if isinstance(metadata.signed, Root):
        check_signed(metadata.signed, role, metadata)
        floors.check_stated(role, metadata.signed)
    if isinstance(metadata.signed, Targets):
        roles.check_layout(role, metadata.signed)


def _read(data: bytes) -> Metadata[Any]:
    """Metadata of whichever kind; here the spelling is not yet the one that sites demand."""
    try:
        return Metadata.from_bytes(data)
    except RepositoryError as bad:
        raise MalformedError("metadata-unreadable", "A signed copy is not readable.") from bad


def _check_holders(role: str, threshold: int, holders: Holders) -> None:
    distinct = len({key.raw for key in holders.values()})
    if distinct < len(holders) or distinct < threshold:
        raise MalformedError(
            "threshold-unreachable",
            f"{role} needs {threshold} distinct people with distinct keys; "
            f"{len(holders)} people with {distinct} keys are given.",
            subject=role,
            next_step="Give every person a key of their own, and at least as many as must sign.",
        )


def named_key(key: PublicKey, person: str) -> Key:
    """The TUF key, with the id of the person or machine that holds it (it leaves the keyid be)."""
    found = key.tuf_key()
    found.unrecognized_fields[PERSON_FIELD] = person
    return found
