"""A key is its raw public bytes, however somebody spells it."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, SSlibKey

from sealift_signing.errors import BadSignatureError, MalformedError
from sealift_signing.public_key import PublicKey

SIGNERS = [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()]


def pem(key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def tuf_key(signer: CryptoSigner) -> SSlibKey:
    key = signer.public_key
    assert isinstance(key, SSlibKey)
    return key


@pytest.mark.parametrize("signer", SIGNERS)
def test_every_way_to_a_key_leads_to_the_same(signer: CryptoSigner) -> None:
    key = PublicKey.from_tuf(signer.public_key)
    assert PublicKey.parse(key.text) == key
    assert PublicKey.from_tuf(key.tuf_key()) == key
    assert key.keyid == signer.public_key.keyid
    assert PublicKey.from_crypto(tuf_key(signer)._crypto_key()) == key


def test_a_pem_file_is_read() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    assert PublicKey.from_pem(pem(private.public_key())) == PublicKey.from_crypto(
        private.public_key()
    )


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_signature_is_checked(signer: CryptoSigner) -> None:
    key = PublicKey.from_tuf(signer.public_key)
    signature = bytes.fromhex(signer.sign(b"data").signature)
    key.verify(signature, b"data", what="the note")
    for wrong in (b"", signature[:-1], signature[:-1] + bytes([signature[-1] ^ 1])):
        with pytest.raises(BadSignatureError, match="The signature on the note is wrong"):
            key.verify(wrong, b"data", what="the note")
    with pytest.raises(BadSignatureError):
        key.verify(signature, b"date", what="the note")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ed25519:" + "00" * 31,
        "ed25519:" + "AA" * 32,
        "rsa:" + "00" * 32,
        pytest.param(SIGNERS[1].public_key.keyid, id="keyid"),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedError) as error:
        PublicKey.parse(text)
    assert error.value.code == "bad-public-key"


def test_a_compressed_point_is_not_a_second_spelling() -> None:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    compressed = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex()
    with pytest.raises(MalformedError):
        PublicKey.parse(f"ecdsa-p256:{compressed}")


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048).public_key(),
        ec.generate_private_key(ec.SECP384R1()).public_key(),
    ],
    ids=["rsa", "p384"],
)
def test_other_kinds_of_keys_are_refused(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
) -> None:
    with pytest.raises(MalformedError):
        PublicKey.from_crypto(key)
    with pytest.raises(MalformedError):
        PublicKey.from_pem(pem(key))
    with pytest.raises(MalformedError):
        PublicKey.from_tuf(SSlibKey.from_crypto(key))


def test_text_that_is_no_pem_is_refused() -> None:
    with pytest.raises(MalformedError):
        PublicKey.from_pem(b"-----BEGIN NOTHING-----")


@pytest.mark.parametrize("scheme", ["ecdsa-sha2-nistp384", "rsassa-pss-sha256", "unheard-of"])
def test_a_right_key_under_a_scheme_we_do_not_read_is_refused(scheme: str) -> None:
    key = tuf_key(SIGNERS[1])
    with pytest.raises(MalformedError, match="is not read"):
        PublicKey.from_tuf(SSlibKey(key.keyid, key.keytype, scheme, key.keyval))


@pytest.mark.parametrize("value", ["zz", "00" * 31, "\ud800", ""])
def test_a_tuf_key_whose_value_is_none_is_refused(value: str) -> None:
    with pytest.raises(MalformedError):
        PublicKey.from_tuf(SSlibKey("id", "ed25519", "ed25519", {"public": value}))
    with pytest.raises(MalformedError):
        PublicKey.from_tuf(SSlibKey("id", "ecdsa", "ecdsa-sha2-nistp256", {"public": value}))


def test_one_key_in_two_spellings_is_one_key() -> None:
    key = tuf_key(SIGNERS[0])
    loud = SSlibKey("another-id", key.keytype, key.scheme, {"public": key.keyval["public"].upper()})
    assert PublicKey.from_tuf(loud).raw == PublicKey.from_tuf(key).raw
    assert PublicKey.from_tuf(loud).keyid == key.keyid
    curve = tuf_key(SIGNERS[1])
    spread = "A key:\n" + curve.keyval["public"] + "\n"
    loose = SSlibKey("another-id", curve.keytype, curve.scheme, {"public": spread})
    assert PublicKey.from_tuf(loose) == PublicKey.from_tuf(curve)
