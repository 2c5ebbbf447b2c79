"""In which form a private key file is, and how well it is wrapped; told without its passphrase.

Many tools write keys, each in a form of its own. What is not read here is named for what it is: a
reader who is told "wrong passphrase" tries passphrases for an hour. A header is only a claim, so
the bytes under it are looked at.
"""

from __future__ import annotations

import base64
import binascii
import re

ENOUGH = 100_000
"""Rounds of PBKDF2 below which its owner is told: OpenSSL does 2,048 unless asked for more."""

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_SEQUENCE, _INTEGER = 0x30, 0x02
_PBES2, _PBKDF2 = "2a864886f70d01050d", "2a864886f70d01050c"
_SSH = b"openssh-key-v1\0\0\0\0\4none"
_SHORT = 0x80
"""Lengths below it are spelled in one byte (X.690 §8.1.3)."""

Element = tuple[int, bytes]


def form(pem: bytes) -> str:
    """What the file holds.

    One of `pkcs8` (encrypted), `plain`, `ssh`, `ssh-plain`, `mislabelled` (encrypted, and its
    header says otherwise), `old` (encrypted as before PKCS#8), and `unknown`.
    """
    label, body = _unwrapped(pem)
    if label == "OPENSSH PRIVATE KEY":
        return "ssh-plain" if body.startswith(_SSH) else "ssh"
    if not label.endswith("PRIVATE KEY"):
        return "unknown"
    if b"Proc-Type: 4,ENCRYPTED" in pem:
        return "old"
    inner = _elements(_inside(body))
    first = inner[0][0] if inner else None
    if first == _SEQUENCE:
        return "pkcs8" if label == "ENCRYPTED PRIVATE KEY" else "mislabelled"
    return "plain" if first == _INTEGER else "unknown"


def weakness(pem: bytes) -> str:
    """Why somebody who copies the file guesses its passphrase cheaply; empty where they do not."""
    kind = form(pem)
    if kind == "old":
        return "is encrypted as before PKCS#8: its passphrase is hashed once"
    if kind != "pkcs8":
        return ""
    _, body = _unwrapped(pem)
    scheme = _elements(_inside(_inside(body)))
    if not scheme or scheme[0][1].hex() != _PBES2:
        return "is encrypted by a cipher of the last century"
    derivation = _elements(_inside(scheme[1][1])) if len(scheme) > 1 else []
    if not derivation or derivation[0][1].hex() != _PBKDF2:
        return ""  # scrypt, which is dear
    given = derivation[1][1] if len(derivation) > 1 else b""
    numbers = [one for tag, one in _elements(given) if tag == _INTEGER]
    rounds = int.from_bytes(numbers[0], "big") if numbers else 0
    return f"hashes its passphrase only {rounds:,} times" if rounds < ENOUGH else ""


def _unwrapped(pem: bytes) -> tuple[str, bytes]:
    """The label of a PEM file and the bytes in it; nothing of what is none."""
    found = _PEM.search(pem)
    if found is None:
        return "", b""
    try:
        text = found[2].rpartition(b"\n\n")[2] if b":" in found[2] else found[2]
        return found[1].decode(), base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return found[1].decode(), b""


def _inside(data: bytes) -> bytes:
    """What the first element of `data` holds."""
    found = _elements(data)
    return found[0][1] if found else b""


def _elements(data: bytes) -> list[Element]:
    """The elements of DER that `data` begins with, each by its tag; none where it is no DER."""
    found = []
    while len(data) > 1:
        size, start = data[1], 2
        if size >= _SHORT:
            start = 2 + size - _SHORT
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            break
        found.append((data[0], data[start : start + size]))
        data = data[start + size :]
    return found
