"""An encrypted private key file whose passphrase is dear to guess.

PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 §3) by PBES2 (RFC 8018 §6.2): PBKDF2 with HMAC-SHA-256,
then AES-256 in CBC mode. The library that reads these files writes them with 2,048 rounds and no
way to ask for more; a stolen root key deserves better, so the few bytes around the ciphertext are
put together here. Any tool that reads PKCS#8 reads the result, `openssl pkey` for one.
"""

from __future__ import annotations

import base64
import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

ROUNDS = 600_000
"""Of PBKDF2 for a passphrase that a person chose: OWASP's Password Storage Cheat Sheet (2023)."""
ROUNDS_RANDOM = 2_048
"""For a passphrase of 32 random bytes, which no number of rounds makes harder to guess."""

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d02090500")
_AES256_CBC = bytes.fromhex("060960864801650304012a")
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_BLOCK = 16
_LINE = 64


def encrypted_pem(private_key_info: bytes, passphrase: bytes, rounds: int) -> bytes:
    """The PEM file of the key `private_key_info` (PKCS#8, DER), encrypted with `passphrase`."""
    salt, vector = os.urandom(_BLOCK), os.urandom(_BLOCK)
    key = PBKDF2HMAC(SHA256(), AES256.key_size // 8, salt, rounds).derive(passphrase)
    padder = PKCS7(AES256.block_size).padder()
    padded = padder.update(private_key_info) + padder.finalize()
    cipher = Cipher(AES256(key), CBC(vector)).encryptor()
    sealed = cipher.update(padded) + cipher.finalize()
    count = rounds.to_bytes(rounds.bit_length() // 8 + 1, "big")
    derivation = _der(
        _SEQUENCE,
        _der(_OCTETS, salt) + _der(_INTEGER, count) + _der(_SEQUENCE, _HMAC_SHA256),
    )
    scheme = _der(_SEQUENCE, _PBKDF2 + derivation) + _der(
        _SEQUENCE, _AES256_CBC + _der(_OCTETS, vector)
    )
    algorithm = _der(_SEQUENCE, _PBES2 + _der(_SEQUENCE, scheme))
    return _pem(_der(_SEQUENCE, algorithm + _der(_OCTETS, sealed)))


def _der(tag: int, content: bytes) -> bytes:
    """One element of DER (X.690 §8.1, lengths §8.1.3)."""
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - the short form ends there
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _pem(der: bytes) -> bytes:
    """RFC 7468 §11."""
    text = base64.b64encode(der).decode()
    lines = [text[n : n + _LINE] for n in range(0, len(text), _LINE)]
    name = "ENCRYPTED PRIVATE KEY"
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""]).encode()
