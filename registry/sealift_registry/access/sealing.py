"""Sealing the seeds of one-time codes with a key in the home, so that the database alone has none.

Each home makes a key of its own, and a row says by which it was sealed: hosts of one hub copy each
other's from `keys/access/`.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealift_registry.storage.home import Home
from sealift_signing import disk, file_access
from sealift_signing.errors import FailedError
from sealift_sync import durable

_NONCE = 12
_ID = 16


def seal(home: Home, seed: bytes, of: str) -> tuple[str, str]:
    """A seed of the account `of`, sealed, and the id of the key that opens it."""
    folder = _folder(home)
    known = sorted(folder.glob("*.key")) if folder.exists() else []
    key = disk.read(known[0]) if known else _made(folder)
    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, seed, of.encode())
    return b64encode(sealed).decode(), _id(key)


def unseal(home: Home, sealed: str, seal_id: str, of: str) -> bytes:
    """The seed of the account `of`.

    Raises:
        FailedError: the key that it was sealed with is not here, or the row is damaged.
    """
    path = _folder(home) / f"{seal_id}.key"
    data = b64decode(sealed)
    try:
        key = disk.read(path)
        return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], of.encode())
    except (OSError, InvalidTag, ValueError) as bad:
        raise FailedError(
            "seal-key-missing",
            f"What the account signs in with cannot be opened here: {path.name} is missing or is "
            "another one.",
            subject=str(path),
            next_step="Copy it from the keys/access of the host where the account was opened, or "
            "from its backup; else have the account again: sealift account recover --help",
        ) from bad


def _folder(home: Home) -> Path:
    return home.keys / "access"


def _made(folder: Path) -> bytes:
    key = secrets.token_bytes(32)
    folder.mkdir(mode=file_access.FOLDER, exist_ok=True)
    durable.write(folder / f"{_id(key)}.key", key)
    return key


def _id(key: bytes) -> str:
    return sha256(b"sealift access key\x00" + key).hexdigest()[:_ID]
