"""A public key as a value: one spelling in our documents, one keyid in TUF.

Keys are compared as raw public bytes (DESIGN section 3): one key under two keyids, or spelled in
two ways, is still one key and counts once.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, Signature, SSlibKey

from sealift_signing.errors import BadSignatureError, MalformedError, shown
from sealift_signing.vocabulary import PUBLIC_KEY

SCHEMES = {"ed25519": "ed25519", "ecdsa-sha2-nistp256": "ecdsa-p256"}
"""TUF's name of each signature scheme we read, and ours. Any other scheme is refused."""


@dataclass(frozen=True)
class PublicKey:
    """A key somebody signs with; `text` is its one spelling, e.g. `ed25519:` and 64 digits."""

    text: str

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """The key that `text` spells.

        Raises:
            MalformedError: another spelling, or a point that is not on the curve.
        """
        if not PUBLIC_KEY.matches(text):
            raise MalformedError(
                "bad-public-key", f"{shown(text)} is not {PUBLIC_KEY.words}.", subject=text
            )
        _made(text)
        return cls(text)

    @classmethod
    def from_crypto(cls, key: object) -> PublicKey:
        """The key of a `cryptography` public key object."""
        if isinstance(key, Ed25519PublicKey):
            raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
            return cls(f"ed25519:{raw.hex()}")
        if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            raw = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return cls(f"ecdsa-p256:{raw.hex()}")
        raise MalformedError(
            "bad-public-key",
            "Only Ed25519 and ECDSA P-256 keys are used.",
            next_step="Make one with: sealift key new FILE",
        )

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """The key in a `-----BEGIN PUBLIC KEY-----` file."""
        try:
            return cls.from_crypto(load_pem_public_key(pem))
        except (ValueError, UnsupportedAlgorithm) as bad:
            raise MalformedError("bad-public-key", "That is no PEM public key.") from bad

    @classmethod
    def from_tuf(cls, key: Key) -> PublicKey:
        """The key of a TUF key, whatever its keyid says.

        Raises:
            MalformedError: a scheme we do not read, or a value that is no key.
        """
        if key.scheme not in SCHEMES or not isinstance(key, SSlibKey):
            raise MalformedError(
                "bad-public-key",
                f"Signature scheme {shown(key.scheme)} is not read.",
                subject=key.keyid,
            )
        try:
            if key.scheme == "ed25519":
                raw = bytes.fromhex(cast("str", key.keyval["public"]))
                return cls.from_crypto(Ed25519PublicKey.from_public_bytes(raw))
            return cls.from_pem(cast("str", key.keyval["public"]).encode())
        except ValueError as bad:
            raise MalformedError(
                "bad-public-key", "A key's value is no public key.", subject=key.keyid
            ) from bad

    @property
    def raw(self) -> bytes:
        """The public bytes: what two keys are compared by."""
        return bytes.fromhex(self.text.partition(":")[2])

    @property
    def keyid(self) -> str:
        """TUF's id of this key, computed from it (TUF specification §4.2)."""
        return _made(self.text).keyid

    def tuf_key(self) -> SSlibKey:
        """This key as TUF metadata carries it."""
        return copy.deepcopy(_made(self.text))

    def verify(self, signature: bytes, data: bytes, *, what: str) -> None:
        """Check that this key signed `data`; `what` names the thing in the error.

        Raises:
            BadSignatureError: it did not.
        """
        try:
            key = _made(self.text)
            key.verify_signature(Signature(key.keyid, signature.hex()), data)
        except (UnverifiedSignatureError, VerificationError) as bad:
            raise BadSignatureError(
                "bad-signature",
                f"The signature on {what} is wrong: the bytes were changed, or another key "
                "made it.",
                subject=what,
                next_step="Do not use it; ask the sender for a fresh copy.",
            ) from bad


@lru_cache(maxsize=4096)
def _made(text: str) -> SSlibKey:
    """The key that `text` spells; to be looked at only, since everybody is given the same.

    Kept, because one document may name thousands of keys, each of which is looked up by its id.
    """
    scheme, _, digits = text.partition(":")
    raw = bytes.fromhex(digits)
    try:
        if scheme == "ed25519":
            return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(raw))
        return SSlibKey.from_crypto(EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw))
    except ValueError as bad:
        raise MalformedError("bad-public-key", f"{text!r} is no public key.", subject=text) from bad
