"""What a walk asks for, what it hands on, and in which ways it refuses."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from sealift_signing.errors import BadSignatureError, RefusedError
from sealift_signing.public_key import PublicKey

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)

LIMITS = {"root": 512_000, "timestamp": 16_384, "snapshot": 2_000_000, "targets": 5_000_000}
"""Bytes that are read of a role whose length nobody signed; delegated roles have targets' limit."""

LARGEST = 64 * 1024 * 1024
"""Bytes that are read of any role, whatever length was signed: a stolen online key signs that."""

MOST_ROOTS = 256
"""New roots that one visit follows (§5.3.9's bound against an endless chain)."""


class ExpiredError(RefusedError):
    """Metadata that was right once and is too old now."""


class WentBackError(RefusedError):
    """Metadata older than what was already seen: a replay, or a restored backup."""


class MissingError(RefusedError):
    """Metadata that must be there is not."""


@dataclass(frozen=True)
class Need:
    """Send the bytes of this role; of this version, or of any if None; at most `limit` of them."""

    role: str
    version: int | None
    limit: int

    @property
    def file_name(self) -> str:
        """TUF's name of the file (specification §6.2 for the version prefix)."""
        prefix = "" if self.version is None else f"{self.version}."
        return f"{prefix}{self.role}.json"


@dataclass(frozen=True)
class Keep:
    """These bytes of this role are verified."""

    delegator: str
    role: str
    version: int
    data: bytes


@dataclass(frozen=True)
class Spelled(Generic[S]):
    """Metadata that was read from `data`.

    Attributes:
        payload: what its signatures are of.
        spelled: the same file as tuf's own writer spells it, without what TUF does not know.
    """

    metadata: Metadata[S]
    data: bytes
    payload: bytes
    spelled: bytes


@dataclass(frozen=True)
class Holder:
    """A key as a delegator holds it for `role`, under the id that it is held by."""

    role: str
    keyid: str
    key: Key

    @cached_property
    def public(self) -> PublicKey:
        """The key as a value.

        Raises:
            MalformedError: of a scheme we do not read, or no key.
        """
        return PublicKey.from_tuf(self.key)


Steps = Generator[Need | Keep, bytes | None, None]
RoleKey = tuple[str, str]


def drive(
    steps: Steps, fetch: Callable[[Need], bytes | None], keep: Callable[[Keep], None]
) -> None:
    """Run `steps` to their end, answering each need from `fetch` and handing on each keep."""
    answer: bytes | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        answer = None
        if isinstance(step, Need):
            answer = fetch(step)
        else:
            keep(step)


def went_back(role: str, found: int, seen: int) -> WentBackError:
    """The refusal of a version that is lower than what was seen."""
    return WentBackError(
        "role-went-back",
        f"{role} is at version {found} here; version {seen} was already seen.",
        subject=role,
        next_step="Use a newer bundle; an older one is never taken again.",
    )


def differs(role: str) -> BadSignatureError:
    """The refusal of a file that is not the one whose length and hashes were signed."""
    return BadSignatureError(
        "metadata-differs",
        f"The metadata of {role} is not the file that was signed for.",
        subject=role,
    )
