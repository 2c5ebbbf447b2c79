"""DSSE envelopes, in the one spelling that Sealift accepts.

The Dead Simple Signing Envelope, version 1.0.2, leaves a reader much freedom: several signatures,
spare base64 bits, unsigned members. An envelope here is canonical JSON (RFC 8785) with exactly one
signature and canonical base64, so that an envelope has one sha256 and that names it for ever.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from securesystemslib.signer import Signer

from sealift_signing import shape
from sealift_signing.errors import MalformedError, NoKeyError
from sealift_signing.public_key import PublicKey
from sealift_signing.vocabulary import Base64, Sha256

IN_TOTO = "application/vnd.in-toto+json"
LARGEST_ENVELOPE = 16 * 1024 * 1024


@dataclass(frozen=True)
class _Signature:
    keyid: Sha256
    sig: Base64


@dataclass(frozen=True)
class _Envelope:
    payload: Base64
    payloadType: str  # noqa: N815 - DSSE's own member name
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True)
class Envelope:
    """Signed bytes and who says to have signed them; nothing is verified yet.

    Attributes:
        data: the envelope's own bytes, as they travel.
        payload: the bytes that were signed (within DSSE's pre-authentication encoding).
        keyid: TUF's id of the key that is said to have signed.
        signature: the signature's raw bytes.
    """

    data: bytes
    payload_type: str
    payload: bytes
    keyid: str
    signature: bytes

    @property
    def sha256(self) -> str:
        """The digest by which other documents name this one."""
        return sha256(self.data).hexdigest()

    def verify(self, key: PublicKey, *, what: str) -> None:
        """Check that `key` signed this payload.

        Raises:
            NoKeyError: the envelope says that some other key signed it.
            BadSignatureError: the signature is wrong.
        """
        if key.keyid != self.keyid:
            raise NoKeyError(
                "no-key",
                f"{what} is signed by a key that is not the expected one.",
                subject=what,
                next_step="Ask who signed it, and have that key entitled first.",
            )
        key.verify(self.signature, encoding(self.payload_type, self.payload), what=what)


def encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding (DSSE v1, "Signature Definition")."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """The envelope of `payload`, signed once by `signer`.

    Raises:
        MalformedError: it is larger than a reader takes.
    """
    signature = signer.sign(encoding(payload_type, payload))
    keyid = PublicKey.from_tuf(signer.public_key).keyid
    return joined(payload_type, payload, keyid, bytes.fromhex(signature.signature))


def joined(payload_type: str, payload: bytes, keyid: str, signature: bytes) -> bytes:
    """The envelope of `payload` and a signature that was made elsewhere, which is not verified.

    Raises:
        MalformedError: it is larger than a reader takes.
    """
    said = _Signature(keyid, base64.b64encode(signature).decode())
    data = shape.write(_Envelope(base64.b64encode(payload).decode(), payload_type, (said,)))
    _check_size(data, "the statement to be signed")
    return data


def read(data: bytes, *, what: str) -> Envelope:
    """The envelope that `data` spells; `what` names it in errors.

    Raises:
        MalformedError: too large, not canonical, or with any number of signatures but one.
    """
    _check_size(data, what)
    found = shape.read(_Envelope, data, what=what)
    if len(found.signatures) != 1:
        raise MalformedError(
            "envelope-signatures",
            f"{what} carries {len(found.signatures)} signatures; it must carry exactly one.",
            subject=what,
        )
    (signature,) = found.signatures
    return Envelope(
        data=data,
        payload_type=found.payloadType,
        payload=_bytes(found.payload, what),
        keyid=signature.keyid,
        signature=_bytes(signature.sig, what),
    )


def _check_size(data: bytes, what: str) -> None:
    if len(data) > LARGEST_ENVELOPE:
        raise MalformedError(
            "too-large",
            f"{what} is larger than the {LARGEST_ENVELOPE:,} bytes of any signed statement.",
            subject=what,
        )


def _bytes(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as bad:
        raise MalformedError("base64", f"{what} holds bad base64.", subject=what) from bad
    if base64.b64encode(data).decode() != text:
        # Spare bits: six one-bit changes of a DSSE envelope would otherwise still verify.
        raise MalformedError("base64", f"{what} holds base64 in a second spelling.", subject=what)
    return data
