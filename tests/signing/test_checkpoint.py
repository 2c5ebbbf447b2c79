"""Checkpoints: signed notes in exactly one spelling."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from sealift_signing.errors import BadSignatureError, MalformedError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint

ORGANISATION = "0123456789abcdef" * 4
ORIGIN = checkpoint.hub_origin(ORGANISATION)
SIGNER = CryptoSigner.generate_ed25519()
KEY = PublicKey.from_tuf(SIGNER.public_key)
CHECKPOINT = Checkpoint(ORIGIN, 42, hashlib.sha256(b"root").digest())
NOTE = checkpoint.sign(CHECKPOINT, SIGNER)


def test_what_was_signed_is_read() -> None:
    assert checkpoint.verify(NOTE, KEY, ORIGIN) == CHECKPOINT
    assert checkpoint.claimed(NOTE) == CHECKPOINT


def test_origins_name_the_organisation_and_the_site() -> None:
    assert ORIGIN == "sealift/0123456789abcdef/hub"
    assert checkpoint.site_origin(ORGANISATION, "north") == "sealift/0123456789abcdef/site/north"


def test_the_note_is_the_one_of_the_specification() -> None:
    """Built again by hand from C2SP signed-note and tlog-checkpoint."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signer = CryptoSigner(private)
    key = PublicKey.from_crypto(private.public_key())
    made = checkpoint.sign(CHECKPOINT, signer)
    body = b"%s\n42\n%s\n" % (ORIGIN.encode(), base64.b64encode(CHECKPOINT.root))
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + key.raw).digest()[:4]
    signature = base64.b64encode(key_id + private.sign(body))
    assert made == body + "\n— ".encode() + ORIGIN.encode() + b" " + signature + b"\n"
    assert checkpoint.verifier_key(ORIGIN, key) == (
        f"{ORIGIN}+{key_id.hex()}+{base64.b64encode(bytes([1]) + key.raw).decode()}"
    )


@pytest.mark.parametrize("place", range(len(NOTE)))
def test_every_byte_counts(place: int) -> None:
    changed = bytearray(NOTE)
    changed[place] ^= 1
    with pytest.raises(RefusedError):
        checkpoint.verify(bytes(changed), KEY, ORIGIN)


def test_a_changed_size_is_a_bad_signature() -> None:
    with pytest.raises(BadSignatureError, match="wrong"):
        checkpoint.verify(NOTE.replace(b"\n42\n", b"\n43\n"), KEY, ORIGIN)


def test_another_log_and_another_key_are_told_apart() -> None:
    other = checkpoint.site_origin(ORGANISATION, "north")
    with pytest.raises(RefusedError, match="of the log sealift/0123456789abcdef/hub, not of"):
        checkpoint.verify(NOTE, KEY, other)
    stranger = PublicKey.from_tuf(CryptoSigner.generate_ed25519().public_key)
    with pytest.raises(RefusedError, match="another key"):
        checkpoint.verify(NOTE, stranger, ORIGIN)


def test_a_log_key_is_ed25519() -> None:
    with pytest.raises(RefusedError, match="Ed25519"):
        checkpoint.sign(CHECKPOINT, CryptoSigner.generate_ecdsa())


def test_an_origin_cannot_smuggle_lines_in() -> None:
    for origin in ("sealift/x\n9\n", "a b", "a+b", ""):
        with pytest.raises(MalformedError):
            checkpoint.sign(Checkpoint(origin, 1, CHECKPOINT.root), SIGNER)


def _spare_bits(note: bytes) -> bytes:
    """The same root, spelled with a bit that base64 ignores."""
    root = base64.b64encode(CHECKPOINT.root)
    index = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".index(root[-2:-1])
    letter = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[
        index + 1 : index + 2
    ]
    return note.replace(root, root[:-2] + letter + b"=")


@pytest.mark.parametrize(
    "spelling",
    [
        _spare_bits(NOTE),
        NOTE.replace(b"\n42\n", b"\n042\n"),
        NOTE.replace(b"\n42\n", b"\n+42\n"),
        NOTE.replace(b"\n42\n", b"\n42 \n"),
        NOTE.replace(b"\n\n", b"\nan extension\n\n"),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE + NOTE.rpartition(b"\n\n")[2],
        NOTE[:-1],
        NOTE + b"\n",
        NOTE.replace(b"\n\n", b"\n"),
        b"\n" + NOTE,
        b"",
        b"\xff\xfe",
        NOTE + b" " * 2_000,
    ],
)
def test_any_other_spelling_is_refused(spelling: bytes) -> None:
    assert spelling != NOTE
    with pytest.raises(MalformedError, match="not a signed checkpoint"):
        checkpoint.verify(spelling, KEY, ORIGIN)


def test_somebody_elses_signature_line_is_not_ours() -> None:
    body = CHECKPOINT.body()
    line = NOTE.partition(b"\n\n")[2].replace(b"/hub", b"/bub")
    with pytest.raises(MalformedError, match="did not sign it"):
        checkpoint.verify(body + b"\n" + line, KEY, ORIGIN)
