"""An envelope has one spelling: whatever else verifies is still refused."""

import base64
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import CryptoSigner

from sealift_signing import canonical, dsse
from sealift_signing.errors import BadSignatureError, MalformedError, NoKeyError, RefusedError
from sealift_signing.public_key import PublicKey

SIGNER = CryptoSigner.generate_ed25519()
KEY = PublicKey.from_tuf(SIGNER.public_key)
DATA = dsse.sign(dsse.IN_TOTO, b'{"a":1}', SIGNER)


def parts() -> Any:  # noqa: ANN401 - JSON, to be spoiled
    return canonical.decode(DATA, what="it")


def spoiled(**members: Any) -> bytes:  # noqa: ANN401 - any member, wrong ones among them
    return canonical.encode(parts() | members)


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=50)
def test_what_was_signed_is_read_and_verified(payload: bytes) -> None:
    data = dsse.sign(dsse.IN_TOTO, payload, SIGNER)
    envelope = dsse.read(data, what="it")
    envelope.verify(KEY, what="it")
    assert (envelope.payload, envelope.payload_type) == (payload, dsse.IN_TOTO)
    assert (envelope.keyid, envelope.data) == (KEY.keyid, data)
    assert envelope.sha256 == sha256(data).hexdigest()


@pytest.mark.parametrize("bit", range(8))
def test_no_single_bit_can_change(bit: int) -> None:
    for position in range(len(DATA)):
        changed = bytearray(DATA)
        changed[position] ^= 1 << bit
        with pytest.raises(RefusedError):
            dsse.read(bytes(changed), what="it").verify(KEY, what="it")


def test_the_pre_authentication_encoding_of_the_specification() -> None:
    # The example of DSSE v1's protocol.md.
    assert (
        dsse.encoding("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_others_verify_what_we_sign() -> None:
    other = OtherEnvelope.from_dict(parts())
    assert other.verify([SIGNER.public_key], 1)


def test_a_signature_of_another_key_says_so() -> None:
    stranger = PublicKey.from_tuf(CryptoSigner.generate_ed25519().public_key)
    with pytest.raises(NoKeyError, match="a key that is not the expected one"):
        dsse.read(DATA, what="it").verify(stranger, what="it")


def test_a_signature_that_lies_about_its_key_is_wrong() -> None:
    stranger = PublicKey.from_tuf(CryptoSigner.generate_ed25519().public_key)
    lying = [{"keyid": stranger.keyid, "sig": parts()["signatures"][0]["sig"]}]
    with pytest.raises(BadSignatureError):
        dsse.read(spoiled(signatures=lying), what="it").verify(stranger, what="it")


def test_the_payload_type_is_signed_too() -> None:
    with pytest.raises(BadSignatureError):
        dsse.read(spoiled(payloadType="text/plain"), what="it").verify(KEY, what="it")


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_exactly_one_signature(count: int) -> None:
    with pytest.raises(MalformedError) as error:
        dsse.read(spoiled(signatures=parts()["signatures"] * count), what="it")
    assert error.value.code == "envelope-signatures"


@pytest.mark.parametrize(
    "payload",
    [
        "eyJhIjoxfR==",  # spare bits
        "eyJhIjoxfQ",  # no padding
        "eyJhIjoxf",  # impossible length
        "eyJhIjoxfQ===",
        "eyJh\nIjoxfQ==",
        "eyJhIjox_Q==",
        "",
    ],
)
def test_base64_has_one_spelling(payload: str) -> None:
    with pytest.raises(MalformedError):
        dsse.read(spoiled(payload=payload), what="it")


def test_spare_bits_of_the_signature_are_refused() -> None:
    (signature,) = parts()["signatures"]
    assert signature["sig"].endswith("==")
    spare = signature["sig"][:-3] + chr(ord(signature["sig"][-3]) + 1) + "=="
    assert base64.b64decode(spare) == base64.b64decode(signature["sig"])
    with pytest.raises(MalformedError, match="second spelling"):
        dsse.read(spoiled(signatures=[signature | {"sig": spare}]), what="it")


@pytest.mark.parametrize(
    "members",
    [{"extra": 1}, {"payload": 1}, {"signatures": {}}, {"signatures": [{"sig": "AA=="}]}],
)
def test_an_envelope_of_another_shape_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        dsse.read(spoiled(**members), what="it")


def test_an_envelope_spelled_otherwise_is_refused() -> None:
    with pytest.raises(MalformedError):
        dsse.read(DATA + b"\n", what="it")


def test_a_huge_envelope_is_neither_read_nor_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsse, "LARGEST_ENVELOPE", len(DATA))
    assert dsse.read(DATA, what="it").data == DATA
    monkeypatch.setattr(dsse, "LARGEST_ENVELOPE", len(DATA) - 1)
    with pytest.raises(MalformedError, match="larger than"):
        dsse.read(DATA, what="it")
    with pytest.raises(MalformedError, match="larger than"):
        dsse.sign(dsse.IN_TOTO, b'{"a":1}', SIGNER)
