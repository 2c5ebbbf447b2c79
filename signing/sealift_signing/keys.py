"""Signers by URI: the one module of this package that opens anything.

`file:PATH` is an encrypted PKCS#8 PEM file (RFC 5958). PKCS#11, Vault and KMS come as further
schemes, each a securesystemslib `Signer`, so nothing that signs needs to know where a key lives.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, Signer

from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from sealift_signing.pkcs8 import ROUNDS, encrypted_pem
from sealift_signing.public_key import PublicKey

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


@dataclass(frozen=True)
class Passphrases:
    """Where a key file's passphrase comes from, in this order (DESIGN section 8, choice 6).

    Attributes:
        file: a file whose first line it is, for every key of the command.
        environment: where `SEALIFT_PASSPHRASE_<NAME>` is looked up.
        ask: asks a person, given the question; None where nobody can be asked.
    """

    file: Path | None
    environment: Mapping[str, str]
    ask: Callable[[str], str] | None

    def of(self, key: Path) -> bytes:
        """The passphrase of the key file `key`.

        Raises:
            UsageError: nobody said it and nobody can be asked.
        """
        if self.file is not None:
            try:
                first = self.file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
            except (OSError, UnicodeDecodeError) as bad:
                raise FailedError(
                    "passphrase-unreadable",
                    f"The passphrase file {self.file} could not be read.",
                    subject=str(self.file),
                    next_step="Name a file that exists and that you may read.",
                ) from bad
            if not first:
                raise UsageError(
                    "no-passphrase",
                    f"The passphrase file {self.file} is empty.",
                    subject=str(self.file),
                    next_step="Write the passphrase on its first line.",
                )
            return first.encode()
        name = variable(key)
        if self.environment.get(name):
            return self.environment[name].encode()
        if self.ask is None:
            raise UsageError(
                "no-passphrase",
                f"No passphrase for the key {key}.",
                subject=str(key),
                next_step=f"Give --passphrase-file FILE, or set {name}.",
            )
        return self.ask(f"Passphrase for {key.name}").encode()


def variable(key: Path) -> str:
    """The environment variable that may hold the passphrase of `key`."""
    return "SEALIFT_PASSPHRASE_" + re.sub(r"[^A-Z0-9]+", "_", key.stem.upper())


def key_path(uri: str) -> Path:
    """The file that `file:PATH`, or a plain path, names.

    Raises:
        UsageError: another scheme.
    """
    scheme, colon, rest = uri.partition(":")
    if colon and scheme == "file":
        return Path(rest)
    if colon and scheme in {"pkcs11", "hv", "awskms", "gcpkms", "azurekms", "ssh"}:
        raise UsageError(
            "key-scheme",
            f"Keys of the kind {scheme!r} are not supported yet.",
            subject=uri,
            next_step="Use a key file: sealift key new FILE",
        )
    return Path(uri)


def new_key(
    path: Path, passphrase: bytes, *, scheme: str = "ed25519", rounds: int = ROUNDS
) -> PublicKey:
    """Make a key in a new file that only its owner can read, and `path`.pub beside it.

    Args:
        path: the new file.
        passphrase: not empty.
        scheme: `ed25519` or `ecdsa-p256`.
        rounds: of the key derivation; `ROUNDS_RANDOM` where nobody could guess the passphrase.

    Raises:
        FailedError: the file exists already (a key is never overwritten), or cannot be written.
    """
    if not passphrase:
        raise UsageError(
            "no-passphrase", "A key needs a passphrase.", next_step="Give one that is not empty."
        )
    private = (
        Ed25519PrivateKey.generate() if scheme == "ed25519" else generate_private_key(SECP256R1())
    )
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pem = encrypted_pem(plain, passphrase, rounds)
    public = private.public_key()
    shown_half = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o700)
        _write_new(path, pem, 0o600)
        try:
            _write_new(path.with_name(path.name + ".pub"), shown_half, 0o644)
        except OSError:
            path.unlink()  # a key whose public half nobody was told is no use and a risk
            raise
    except FileExistsError as bad:
        raise FailedError(
            "key-exists",
            f"{bad.filename} exists already, and a key is never overwritten.",
            subject=str(path),
            next_step="Choose another file name.",
        ) from bad
    except OSError as bad:
        raise FailedError(
            "key-unwritable",
            f"{path} could not be written: {bad.strerror}.",
            subject=str(path),
            next_step="Choose a folder that you may write to, on a disk with room.",
        ) from bad
    return PublicKey.from_crypto(public)


def open_signer(uri: str, passphrases: Passphrases) -> Signer:
    """The signer that `uri` names.

    Raises:
        NotFoundError: no such file.
        RefusedError: the key is not encrypted.
        MalformedError: the passphrase is wrong, or the file is no such key.
    """
    path = key_path(uri)
    try:
        pem = path.read_bytes()
    except FileNotFoundError as bad:
        raise NotFoundError(
            "no-key-file",
            f"There is no key file {path}.",
            subject=str(path),
            next_step=f"Make one with: sealift key new {path}",
        ) from bad
    except OSError as bad:
        raise FailedError(
            "key-unreadable",
            f"{path} could not be read: {bad.strerror}.",
            subject=str(path),
            next_step="Name the key file that is meant, and check who may read it.",
        ) from bad
    return CryptoSigner(_private(pem, path, passphrases))


def read_public(text: str) -> PublicKey:
    """The public key that a person gave: its text, or the name of a .pub file or key text file.

    Raises:
        MalformedError: neither.
    """
    if text.startswith(("ed25519:", "ecdsa-p256:")):
        return PublicKey.parse(text)
    try:
        data = key_path(text).read_bytes()
    except OSError as bad:
        raise NotFoundError(
            "no-key-file",
            f"{text!r} is neither a public key nor a file that can be read.",
            subject=text,
            next_step="Give the .pub file that `sealift key new` wrote, or its ed25519:… text.",
        ) from bad
    if b"PRIVATE KEY" in data:
        raise UsageError(
            "private-key-given",
            f"{text} is a private key; only its public half belongs here.",
            subject=text,
            next_step=f"Give {text}.pub instead, and keep {text} to its owner.",
        )
    if data.startswith((b"ed25519:", b"ecdsa-p256:")):
        return PublicKey.parse(data.decode("ascii", "replace").strip())
    return PublicKey.from_pem(data)


def _private(pem: bytes, path: Path, passphrases: Passphrases) -> PrivateKey:
    if b"PRIVATE KEY" in pem and b"ENCRYPTED" not in pem:
        raise RefusedError(
            "key-not-encrypted",
            f"{path} is a private key without a passphrase: whoever copies the file has the key.",
            subject=str(path),
            next_step="Encrypt it: "
            f"openssl pkcs8 -topk8 -iter 600000 -in {path} -out {path}.encrypted",
        )
    try:
        key = load_pem_private_key(pem, passphrases.of(path))
    except (ValueError, TypeError, UnsupportedAlgorithm) as bad:
        raise MalformedError(
            "key-not-opened",
            f"{path} could not be opened: the passphrase is wrong, or it is no private key file.",
            subject=str(path),
            next_step="Try again; a passphrase that is lost cannot be recovered.",
        ) from bad
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise MalformedError(
            "bad-key",
            f"{path} is neither an Ed25519 nor an ECDSA key.",
            subject=str(path),
            next_step="Make one with: sealift key new FILE",
        )
    PublicKey.from_crypto(key.public_key())
    return key


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
