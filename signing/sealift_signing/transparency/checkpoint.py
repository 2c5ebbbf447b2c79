"""Checkpoints: how large a log is and what its root is, signed (C2SP tlog-checkpoint, signed-note).

A checkpoint is text that a person can read and a standard tool can check:

    sealift/0123456789abcdef/hub
    42
    qlqNLzsQXfMJMZ7HeeNDsxc9sp6GKkgAVchr8aXFhQE=

    — sealift/0123456789abcdef/hub bF0KA…

There is one spelling of it: exactly one signature, by the log's own key, and base64 without spare
bits. Whoever changes a byte has no checkpoint any more, rather than another one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from securesystemslib.signer import Signer

from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.merkle import HASH_BYTES

ED25519 = b"\x01"
"""The signature type in a note's key hash (C2SP signed-note, "Signature types")."""
ORIGIN_DIGITS = 16
"""How much of the organisation's digest an origin shows."""
LARGEST_NOTE = 2_000
"""Bytes; an origin, a number, a root and a signature need no more."""

_ORIGIN = re.compile(r"[a-z0-9._-]+(?:/[a-z0-9._-]+)*")
_BODY = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,15})\n(?P<root>[^\n]+)\n")
_SIGNATURE = re.compile(r"— (?P<name>[^ \n]+) (?P<signature>[^ \n]+)\n")


@dataclass(frozen=True)
class Checkpoint:
    """A log's `size` in entries and its 32-byte `root`; `origin` says whose log it is."""

    origin: str
    size: int
    root: bytes

    def body(self) -> bytes:
        """The text that is signed (C2SP tlog-checkpoint, "Note text")."""
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n".encode()


def hub_origin(organisation: str) -> str:
    """The name of the hub's log; `organisation` is the sha256 of its first TUF root."""
    return f"sealift/{organisation[:ORIGIN_DIGITS]}/hub"


def site_origin(organisation: str, site: str) -> str:
    """The name of a site's log."""
    return f"sealift/{organisation[:ORIGIN_DIGITS]}/site/{site}"


def sign(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The signed note that says `checkpoint`.

    Raises:
        RefusedError: the signer's key is not Ed25519, or the origin cannot name a note's key.
    """
    if not _ORIGIN.fullmatch(checkpoint.origin):
        raise MalformedError(
            "bad-origin", f"{checkpoint.origin!r} cannot name a log.", subject=checkpoint.origin
        )
    key = PublicKey.from_tuf(signer.public_key)
    body = checkpoint.body()
    made = bytes.fromhex(signer.sign(body).signature)
    line = f"— {checkpoint.origin} {_encode(_key_hash(checkpoint.origin, key) + made)}\n"
    return body + b"\n" + line.encode()


def verify(note: bytes, key: PublicKey, origin: str) -> Checkpoint:
    """The checkpoint of the log `origin` that `key` signed in `note`.

    Raises:
        MalformedError: not a signed checkpoint, or not in its one spelling.
        RefusedError: it is of another log, or signed by another key.
        BadSignatureError: the signature is wrong.
    """
    checkpoint, key_hash, signature = _parse(note)
    if checkpoint.origin != origin:
        raise RefusedError(
            "checkpoint-of-another-log",
            f"This is a checkpoint of the log {checkpoint.origin}, not of {origin}.",
            subject=origin,
            next_step="Give the checkpoint of the log that is looked at.",
        )
    if key_hash != _key_hash(origin, key):
        raise RefusedError(
            "checkpoint-by-another-key",
            f"The checkpoint of the log {origin} was signed with another key, and not "
            "with the one trusted for it.",
            subject=origin,
            next_step="If the log's key was replaced, import the metadata that says so first.",
        )
    key.verify(signature, checkpoint.body(), what=f"the checkpoint of the log {origin}")
    return checkpoint


def claimed(note: bytes) -> Checkpoint:
    """What `note` says, with NO look at its signature: to be compared with, never to be trusted.

    Raises:
        MalformedError: not a signed checkpoint, or not in its one spelling.
    """
    return _parse(note)[0]


def names_key(note: bytes, key: PublicKey, origin: str) -> bool:
    """Whether `note` says that `key` signed it, with NO look at whether it did: that is cheap."""
    try:
        said, key_hash, _ = _parse(note)
    except MalformedError:
        return False
    return said.origin == origin and key_hash == _key_hash(origin, key)


def verifier_key(origin: str, key: PublicKey) -> str:
    """The key as other tools for signed notes take it (C2SP signed-note, "Verifier keys")."""
    return f"{origin}+{_key_hash(origin, key).hex()}+{_encode(ED25519 + key.raw)}"


def _parse(note: bytes) -> tuple[Checkpoint, bytes, bytes]:
    """The checkpoint in `note`, the key hash and the signature, none of them checked."""
    try:
        text = note[: LARGEST_NOTE + 1].decode()
    except UnicodeDecodeError:
        _malformed("it is not UTF-8")
    if len(note) > LARGEST_NOTE:
        _malformed("it is too long")
    head, _, tail = text.partition("\n\n")
    body, line = _BODY.fullmatch(head + "\n"), _SIGNATURE.fullmatch(tail)
    if body is None or line is None:
        _malformed("it needs an origin, a size, a root and exactly one signature line")
    if line["name"] != body["origin"] or not _ORIGIN.fullmatch(body["origin"]):
        _malformed("the log itself did not sign it")
    root, signed = _decode(body["root"]), _decode(line["signature"])
    if len(root) != HASH_BYTES:
        _malformed("its root is not 32 bytes long")
    return Checkpoint(body["origin"], int(body["size"]), root), signed[:4], signed[4:]


def _key_hash(origin: str, key: PublicKey) -> bytes:
    if not key.text.startswith("ed25519:"):
        raise RefusedError(
            "log-key-not-ed25519",
            "A log's checkpoints are signed with an Ed25519 key; this is another kind.",
            subject=key.text,
            next_step="Make one with: sealift-sign key new FILE",
        )
    return sha256(origin.encode() + b"\n" + ED25519 + key.raw).digest()[:4]


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    """Base64 in its one spelling: spare bits, line breaks and missing padding are refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or _encode(data) != text:
        _malformed("its base64 is not in the one canonical spelling")
    return data


def _malformed(why: str) -> NoReturn:
    raise MalformedError(
        "checkpoint-malformed", f"This is not a signed checkpoint of a log: {why}."
    )
