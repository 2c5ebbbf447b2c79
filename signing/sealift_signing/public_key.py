"""A public key as a value: one spelling in our documents, one keyid in TUF.

Keys are compared as raw public bytes: one key under two keyids, or spelled in two ways, is still
one key and counts once (docs/explanation/conformance.md, "Distinct keys").
"""

from __future__ import annotations

import copy
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
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
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Key, Signature, SSlibKey

from sealift_signing import curve
from sealift_signing.errors import BadSignatureError, MalformedError, RefusedError, shown
from sealift_signing.vocabulary import PUBLIC_KEY

P256 = "ecdsa-sha2-nistp256"
SCHEMES = {"ed25519": "ed25519", P256: "ecdsa-p256"}
"""TUF's name of each signature scheme we read, and ours. Any other scheme is refused."""
ED25519 = "ed25519:"
P256_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""What stands before a P-256 point in a SubjectPublicKeyInfo (RFC 5480, section 2)."""


@dataclass(frozen=True)
class PublicKey:
    """A key somebody signs with; `text` is its one spelling, e.g. `ed25519:` and 64 digits."""

    text: str

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """The key that `text` spells, be it one that counts for nobody (`fault`).

        Raises:
            MalformedError: another spelling.
        """
        if not PUBLIC_KEY.matches(text):
            raise MalformedError(
                "bad-public-key",
                f"{shown(text)} is not {PUBLIC_KEY.words}.",
                subject=text,
                next_step="Give it as sealift key show prints it.",
            )
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
            next_step="Make one with: sealift-sign key new FILE",
        )

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """The key in a `-----BEGIN PUBLIC KEY-----` file."""
        try:
            return cls.from_crypto(load_pem_public_key(pem))
        except (ValueError, UnsupportedAlgorithm) as bad:
            raise MalformedError("bad-public-key", "That is not a PEM public key.") from bad

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
            return cls._from_tuf_pem(cast("str", key.keyval["public"]).encode())
        except ValueError as bad:
            raise MalformedError(
                "bad-public-key", "A key's value is not a public key.", subject=key.keyid
            ) from bad

    @classmethod
    def _from_tuf_pem(cls, pem: bytes) -> PublicKey:
        try:
            return cls.from_pem(pem)
        except MalformedError:
            # One key that is none must not take the other keys of its document along.
            found = b64decode(b"".join(pem.splitlines()[1:-1]), validate=True)
            unread = cls(f"ecdsa-p256:{found.removeprefix(P256_DER).hex()}")
            if PUBLIC_KEY.matches(unread.text) and _pem(unread.raw) == pem.decode("ascii"):
                return unread
            raise

    @property
    def raw(self) -> bytes:
        """The public bytes: what two keys are compared by."""
        return bytes.fromhex(self.text.partition(":")[2])

    @property
    def fault(self) -> str | None:
        """Why it is nobody's key and its signatures count for nobody, in words; None if it is."""
        return _fault(self.text)

    def check_enters(self, whose: str) -> None:
        """Check that it is a key that one person or machine can own, before a document names it.

        Raises:
            RefusedError: it is of small order, a second spelling of another, none at all, or one of
                several that the same private key signs for.
        """
        fault = self.fault
        if fault is None and self.text.startswith(ED25519) and not curve.is_prime_order(self.raw):
            fault = "is one of eight that the same private key signs for"
        if fault is not None:
            raise RefusedError(
                "weak-key",
                f"The key given for {whose} {fault}.",
                subject=self.text,
                next_step="Whoever made it so meant to: have the owner make one with: "
                "sealift-sign key new FILE",
            )

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
            BadSignatureError: it did not, or is a key that anybody can sign for.
        """
        if self.fault:
            raise BadSignatureError(
                "weak-key",
                f"The signature on {what} counts for nothing: its key {self.fault}.",
                subject=what,
                next_step="Do not use it; tell whoever entered that key.",
            )
        try:
            (_known_to_hold if len(data) <= LARGEST_KEPT else _holds)(self.text, signature, data)
        except (UnverifiedSignatureError, VerificationError) as bad:
            raise BadSignatureError(
                "bad-signature",
                f"The signature on {what} is wrong: the bytes were changed, or another key "
                "made it.",
                subject=what,
                next_step="Do not use it; ask the sender for a fresh copy.",
            ) from bad


LARGEST_KEPT = 4 << 10
"""Bytes of the largest document of which it is kept that a signature on it holds."""


def _holds(text: str, signature: bytes, data: bytes) -> None:
    key = _made(text)
    key.verify_signature(Signature(key.keyid, signature.hex()), data)


_known_to_hold = lru_cache(maxsize=4096)(_holds)
"""The same, once for the same key, signature and bytes: of those it holds for ever.

What does not hold raises, and of what raises nothing is kept.
"""


@lru_cache(maxsize=4096)
def _fault(text: str) -> str | None:
    scheme, _, digits = text.partition(":")
    raw = bytes.fromhex(digits)
    if scheme == "ed25519":
        return curve.fault(raw)
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError:
        return "is no point of the curve"
    return None


@lru_cache(maxsize=4096)
def _made(text: str) -> SSlibKey:
    """The key that `text` spells; to be looked at only, since everybody is given the same.

    Kept, because one document may name thousands of keys, each of which is looked up by its id.
    """
    scheme, _, digits = text.partition(":")
    raw = bytes.fromhex(digits)
    if scheme == "ed25519":
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(raw))
    # Written here and not by `cryptography`, which will not hold a point that is not on the curve.
    said = {"keytype": "ecdsa", "scheme": P256, "keyval": {"public": _pem(raw)}}
    keyid = sha256(str(encode_canonical(said)).encode()).hexdigest()
    return SSlibKey(keyid, "ecdsa", P256, {"public": _pem(raw)})


def _pem(raw: bytes) -> str:
    """A P-256 point as PEM: RFC 5480's SubjectPublicKeyInfo in RFC 7468's lines of 64."""
    text = b64encode(P256_DER + raw).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))
