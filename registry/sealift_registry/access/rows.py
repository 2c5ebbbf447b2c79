"""What lies in the rows of accounts, as documents: an entry has the sha256 of the bytes of each.

So whoever adds or changes such a row, and cannot have the log say so, lets nobody in by it. None of
them holds a secret: of what is random there is its sha256, of a password a slow hash, and the seed
of one-time codes is sealed with a key that is not in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Literal

from sealift_registry.access.calling import Way
from sealift_signing import shape
from sealift_signing.vocabulary import Base64, Moment, Sentence, Sha256


@dataclass(frozen=True)
class Row:
    """What every one of them has: `digest` is what an entry names it by."""

    DOCUMENT: ClassVar[str] = "account-row"

    format: Literal[1]
    requires: tuple[str, ...]
    id: Sentence
    account: Sentence
    made: Moment

    def body(self) -> bytes:
        """The bytes that the row keeps."""
        return shape.write(self)

    def digest(self) -> str:
        """Their sha256."""
        return sha256(self.body()).hexdigest()


@dataclass(frozen=True)
class InvitationRow(Row):
    """An invitation: whoever shows its secret chooses what the account signs in with."""

    DOCUMENT: ClassVar[str] = "account-invitation"

    secret: Sha256
    ends: Moment


@dataclass(frozen=True)
class SecretRow(Row):
    """What an account signs in with.

    Attributes:
        password: its hash, by argon2id.
        seed: that of one-time codes, sealed.
        seal: the id of the key that it is sealed with.
    """

    DOCUMENT: ClassVar[str] = "account-secret"

    password: Sentence
    seed: Base64
    seal: Sentence


@dataclass(frozen=True)
class SessionRow(Row):
    """A session.

    Attributes:
        secret: the sha256 of what is shown.
        way: from where it was opened: a token has no session.
        era: what the account signed in with then (`Standing.era`).
        ends: when it is over, however much it is used.
        note: what its owner knows it by, such as a machine's name.
        csrf: what a browser's page must send besides; empty for a desk's.
    """

    DOCUMENT: ClassVar[str] = "account-session"

    secret: Sha256
    way: Way
    era: Sentence
    ends: Moment
    note: Sentence
    csrf: str


@dataclass(frozen=True)
class TokenRow(Row):
    """A token.

    Attributes:
        secret: the sha256 of what is shown.
        era: of the account, as a session's: who recovers an account has it without old tokens.
        scopes: the actions that it is for.
        ends: when it is over.
        note: what it is for, in its owner's words.
    """

    DOCUMENT: ClassVar[str] = "account-token"

    secret: Sha256
    era: Sentence
    scopes: tuple[Sentence, ...]
    ends: Moment
    note: Sentence


def is_so(body: bytes, digest: str | None) -> bool:
    """Whether a row holds what an entry named."""
    return digest is not None and sha256(body).hexdigest() == digest
