"""A key file of another tool is named for what it is, and badly wrapped ones are told of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sealift_signing import key_forms, keys
from sealift_signing.errors import MalformedError, RefusedError, UsageError
from sealift_signing.keys import Passphrases
from sealift_signing.pkcs8 import ROUNDS, encrypted_pem

PRIVATE = ed25519.Ed25519PrivateKey.generate()
PLAIN = PRIVATE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
WRAPPED = encrypted_pem(PLAIN, b"secret", ROUNDS)


def opened(tmp_path: Path, pem: bytes, typed: str = "secret") -> list[str]:
    """What is told of a key that is opened."""
    told: list[str] = []
    file = tmp_path / "anna.pem"
    file.write_bytes(pem)
    keys.open_signer(str(file), Passphrases(None, {}, lambda _: typed, told.append))
    return told


def by_a_tool(tmp_path: Path, *words: str) -> bytes:
    """What a tool of this machine writes to a file `out`."""
    out = tmp_path / "out"
    command = [words[0], *[one.format(out=out) for one in words[1:]]]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def test_what_we_make_is_well_wrapped(tmp_path: Path) -> None:
    assert opened(tmp_path, WRAPPED) == []


@pytest.mark.system
@pytest.mark.parametrize("passphrase", ["secret", ""])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_key_of_openssh_is_named_so(tmp_path: Path, passphrase: str, kind: str) -> None:
    pem = by_a_tool(tmp_path, "ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", "{out}")
    with pytest.raises(RefusedError, match="OpenSSH") as error:
        opened(tmp_path, pem)
    assert ("without a passphrase" in error.value.what) == (not passphrase)
    assert "ssh-keygen -p -m PKCS8" in error.value.next_step
    assert "openssl" not in error.value.next_step


@pytest.mark.system
def test_that_advice_helps(tmp_path: Path) -> None:
    by_a_tool(tmp_path, "ssh-keygen", "-q", "-t", "ecdsa", "-N", "secret", "-f", "{out}")
    words = ("-p", "-m", "PKCS8", "-P", "secret", "-N", "secret", "-f", "{out}")
    told = opened(tmp_path, by_a_tool(tmp_path, "ssh-keygen", *words))
    assert "2,048 times" in told[0]
    again = ("openssl", "pkcs8", "-topk8", "-v2prf", "hmacWithSHA256", "-iter", "600000")
    files = ("-in", str(tmp_path / "anna.pem"), "-out", "{out}")
    secret = ("-passin", "pass:secret", "-passout", "pass:secret")
    assert opened(tmp_path, by_a_tool(tmp_path, *again, *files, *secret)) == []


def test_an_encrypted_key_under_another_header_is_named_so(tmp_path: Path) -> None:
    pem = WRAPPED.replace(b"ENCRYPTED ", b"")
    with pytest.raises(RefusedError, match="under the header of one that is not") as error:
        opened(tmp_path, pem)
    assert error.value.code == "key-form"
    fixed = pem.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY")
    assert opened(tmp_path, fixed) == []


def test_a_key_that_is_not_encrypted_is_refused_under_either_header(tmp_path: Path) -> None:
    plain = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem in (plain, plain.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY")):
        with pytest.raises(RefusedError, match="without a passphrase"):
            opened(tmp_path, pem)


def old_pem() -> bytes:
    private = ec.generate_private_key(ec.SECP256R1())
    encryption = BestAvailableEncryption(b"secret")
    return private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption)


def few_rounds() -> bytes:
    return encrypted_pem(PLAIN, b"secret", 1)


def library() -> bytes:
    encryption = BestAvailableEncryption(b"secret")
    return PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "pem, words",
    [(old_pem, "hashed once"), (few_rounds, "only 1 times"), (library, "only 2,048 times")],
)
def test_a_badly_wrapped_key_is_opened_and_told_of(tmp_path: Path, pem: object, words: str) -> None:
    assert callable(pem)
    (told,) = opened(tmp_path, pem())
    assert words in told
    assert f"-iter {ROUNDS}" in told


@pytest.mark.system
@pytest.mark.parametrize("cipher", ["PBE-SHA1-3DES", "PBE-MD5-DES"])
def test_a_cipher_of_the_last_century_is_seen(tmp_path: Path, cipher: str) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    old = ("-v1", cipher, "-provider", "legacy", "-provider", "default")
    words = ("openssl", "pkcs8", "-topk8", *old, "-in", str(plain), "-out", "{out}")
    pem = by_a_tool(tmp_path, *words, "-passout", "pass:secret")
    assert "last century" in key_forms.weakness(pem)


@pytest.mark.system
def test_scrypt_is_dear(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    words = ("openssl", "pkcs8", "-topk8", "-scrypt", "-in", str(plain), "-out", "{out}")
    assert opened(tmp_path, by_a_tool(tmp_path, *words, "-passout", "pass:secret")) == []


def version_2() -> bytes:
    """RFC 5958 §2: with the public key, as some libraries write it."""
    seed, public = PRIVATE.private_bytes_raw(), PRIVATE.public_key().public_bytes_raw()
    body = bytes.fromhex("020101300506032b657004220420") + seed + b"\x81\x21\x00" + public
    return encrypted_pem(bytes([0x30, len(body)]) + body, b"secret", ROUNDS)


def test_a_key_of_another_version_is_not_called_a_wrong_passphrase(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="PKCS#8 version 2"):
        opened(tmp_path, version_2())
    told = set()
    for _ in range(4):  # of one in 256 the padding comes out right by chance
        with pytest.raises(MalformedError) as error:
            opened(tmp_path, encrypted_pem(PLAIN, b"secret", 1), "no")
        told.add(error.value.what.partition("could not be opened: ")[2])
    assert "the passphrase is wrong." in told


@pytest.mark.parametrize("cut", [0, 1, 30, 60, 100])
def test_whatever_a_file_holds_it_has_a_form(cut: int) -> None:
    lines = WRAPPED.splitlines()
    for pem in (WRAPPED[:cut], WRAPPED[cut:], b"\n".join([lines[0], lines[1][:cut], lines[-1]])):
        assert key_forms.form(pem) in {"pkcs8", "unknown", "plain", "mislabelled"}
        assert isinstance(key_forms.weakness(pem), str)


# ---------------------------------------------------------------------- passphrases


def test_a_passphrase_that_is_no_utf_8_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    given = [
        Passphrases(None, {"SEALIFT_PASSPHRASE_ANNA": "gr\udcfcn"}, None),
        Passphrases(None, {}, lambda _: "gr\udcfcn"),
        Passphrases(file, {}, None),
    ]
    for data in (b"gr\xfcn\n", "grün\n".encode("utf-16")):
        file.write_bytes(data)
        for one in given:
            with pytest.raises(UsageError, match="not UTF-8"):
                one.of(Path("anna.pem"))


def test_a_mark_that_an_editor_puts_first_is_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_bytes(b"\xef\xbb\xbfgr\xc3\xbcn\r\nmore")
    assert Passphrases(file, {}, None).of(Path("anna.pem")) == "grün".encode()


def test_a_passphrase_is_no_longer_than_every_tool_reads(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="longer than the 1,023 bytes"):
        keys.new_key(tmp_path / "a.pem", b"x" * 1_024, rounds=1)
    assert not list(tmp_path.iterdir())
    keys.new_key(tmp_path / "a.pem", b"x" * 1_023, rounds=1)


@pytest.mark.system
def test_a_tool_reads_the_longest_passphrase(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "a.pem", b"x" * 1_023, rounds=1)
    (tmp_path / "pass").write_bytes(b"x" * 1_023 + b"\n")
    files = ("-in", str(tmp_path / "a.pem"), "-passin", f"file:{tmp_path / 'pass'}")
    assert by_a_tool(tmp_path, "openssl", "pkey", *files, "-out", "{out}")
