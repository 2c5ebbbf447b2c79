"""From a file's bytes to metadata of the kind that its role must have."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError, MetadataDeserializer

from sealift_signing.canonical import check_values
from sealift_signing.errors import MalformedError
from sealift_signing.walk.layer import Rules
from sealift_signing.walk.steps import LARGEST, LIMITS, S, Spelled


class _NoFractions(MetadataDeserializer):
    """tuf's own reading, but for fractions, which no signature can be of."""

    def deserialize(self, raw_data: bytes) -> Metadata[Any]:
        """The metadata that `raw_data` spells."""
        try:
            text = raw_data.decode()
            found = json.loads(text, parse_float=_no_fraction, parse_constant=_no_fraction)
            return Metadata.from_dict(found)
        except Exception as bad:  # as tuf's: what a stranger's file makes of its types is open
            raise DeserializationError from bad


def _no_fraction(text: str) -> NoReturn:
    msg = f"{text} has no canonical spelling"
    raise ValueError(msg)


def read(data: bytes, role: str, kind: type[S], rules: Rules) -> Spelled[S]:
    """The metadata that `data` spells, its signatures not yet verified.

    Raises:
        MalformedError: not metadata of this kind, larger than any, or a rule says no.
    """
    # Not every file comes by way of a `Need`: roots in an answer, recalls beside a bundle.
    check_length(data, role, LIMITS[role] if role in {"root", "timestamp"} else LARGEST)
    check_values(data, what=f"The metadata of {role}")
    try:
        metadata = Metadata[S].from_bytes(data, _NoFractions())
        found = _spelled(metadata, data)
        _check_names(metadata.signed)
    except (
        RepositoryError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as bad:
        raise MalformedError(
            "metadata-unreadable", f"The metadata of {role} is not readable.", subject=role
        ) from bad
    if metadata.signed.type != kind.type:
        raise MalformedError(
            "metadata-of-other-kind",
            f"The metadata of {role} is of type {metadata.signed.type!r}.",
            subject=role,
        )
    for rule in rules:
        rule.check_file(found, role)
    return found


def _spelled(metadata: Metadata[S], data: bytes) -> Spelled[S]:
    """With the file as tuf's own writer spells it (compact), and what its signatures are of.

    The latter is canonical JSON (specification §4.2.1), which differs from the file's only in what
    the file escapes; there are no fractions. tuf spells it in Python and piece by piece: for a
    role of 20,000 artifacts that took longer than to read it.
    """
    said = _compact(metadata.signed.to_dict())
    signatures = _compact([one.to_dict() for one in metadata.signatures.values()])
    payload = metadata.signed_bytes if b"\\" in said else said
    spelled = b'{"signatures":%b,"signed":%b}' % (signatures, said)
    return Spelled(metadata, data, payload, spelled)


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def check_length(data: bytes, role: str, limit: int) -> None:
    """Check that `data` is no longer than it may be.

    Raises:
        MalformedError: it is.
    """
    if len(data) > limit:
        raise MalformedError(
            "too-large", f"The metadata of {role} is larger than {limit:,} bytes.", subject=role
        )


def _check_names(signed: Root | Timestamp | Snapshot | Targets) -> None:
    """Check that what a targets role delegates bears a name, which the library does not ask.

    Raises:
        TypeError: a number, say, where everybody after us expects a string.
    """
    delegations = signed.delegations if isinstance(signed, Targets) else None
    delegated = (delegations.roles or {}) if delegations else {}
    if not all(isinstance(name, str) for name in delegated):
        msg = "a delegated role whose name is not a string"
        raise TypeError(msg)
