"""Signers by URI, and the key files that they open.

`file:PATH` is an encrypted PKCS#8 PEM file (RFC 5958). PKCS#11, Vault and KMS come as further
schemes, each a securesystemslib `Signer`, so nothing that signs needs to know where a key lives.
"""

from __future__ import annotations

import os
import re
import stat
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
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, Signer

from sealift_signing import disk, file_access, key_forms
from sealift_signing.drawing import pasted
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from sealift_signing.pkcs8 import ROUNDS, encrypted_pem
from sealift_signing.public_key import PublicKey

LARGEST = 64 * 1024
"""Bytes of a key file, or of a passphrase with all that stands after it: far more than any has."""

TRIES = 3
"""How often a person may type a key's passphrase in one command."""
LONGEST = 1_023
"""Bytes of a new key's passphrase; OpenSSL reads no more, and a key outlives the tools of today."""

_PIPES: dict[tuple[int, int], bytes] = {}
"""What was read from passphrase files that can be read once."""

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


@dataclass(frozen=True)
class Passphrases:
    """Where a key file's passphrase comes from, in this order (docs/reference/settings.md).

    Attributes:
        file: a file whose first line it is, for every key of the command.
        environment: where `SEALIFT_PASSPHRASE_<NAME>` is looked up.
        ask: asks a person, given the question; None where nobody can be asked.
        warn: told of a key file that is badly wrapped.
    """

    file: Path | None
    environment: Mapping[str, str]
    ask: Callable[[str], str] | None
    warn: Callable[[str], None] = lambda _: None

    def is_typed(self, key: Path) -> bool:
        """Whether a person types the passphrase of the key file `key`."""
        given = self.file is not None or self.environment.get(variable(key))
        return self.ask is not None and not given

    def of(self, key: Path) -> bytes:
        """The passphrase of the key file `key`.

        Raises:
            UsageError: nobody said it and nobody can be asked.
        """
        if self.file is not None:
            return _first_line(self.file)
        name = variable(key)
        if self.environment.get(name):
            return _encoded(self.environment[name], name)
        if self.ask is None:
            raise UsageError(
                "no-passphrase",
                f"No passphrase for the key {key}.",
                subject=str(key),
                next_step=f"Give --passphrase-file FILE, or set {name}.",
            )
        try:
            return _encoded(self.ask(f"Passphrase for {key.name}"), "what was typed")
        except UnicodeDecodeError as bad:
            raise _not_utf_8("what was typed") from bad


def _first_line(file: Path) -> bytes:
    """The first line of a passphrase file, which may be a pipe: whoever names it fills it.

    A pipe is empty once it was read, and a command that opens two keys asks twice.
    """
    try:
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            pipe = None if stat.S_ISREG(found.st_mode) else (found.st_dev, found.st_ino)
            line = opened.readline(LARGEST) or (_PIPES.get(pipe, b"") if pipe else b"")
            first = line.decode("utf-8-sig").rstrip("\r\n")
            if pipe:
                _PIPES[pipe] = line
    except UnicodeDecodeError as bad:
        raise _not_utf_8(str(file)) from bad
    except OSError as bad:
        raise FailedError(
            "passphrase-unreadable",
            f"The passphrase file {file} could not be read.",
            subject=str(file),
            next_step="Name a file that exists and that you may read.",
        ) from bad
    if not first:
        raise UsageError(
            "no-passphrase",
            f"The passphrase file {file} is empty.",
            subject=str(file),
            next_step="Write the passphrase on its first line.",
        )
    return first.encode()


def _encoded(passphrase: str, where: str) -> bytes:
    try:
        return passphrase.encode()
    except UnicodeEncodeError as bad:
        raise _not_utf_8(where) from bad


def _not_utf_8(where: str) -> UsageError:
    return UsageError(
        "passphrase-not-utf-8",
        f"The passphrase is not UTF-8, in {where}.",
        subject=where,
        next_step="Write it in UTF-8 into the first line of a file, and give --passphrase-file "
        "FILE.",
    )


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
            next_step="Use a key file: sealift-sign key new FILE",
        )
    return Path(uri)


def new_key(
    path: Path,
    passphrase: bytes,
    *,
    scheme: str = "ed25519",
    rounds: int = ROUNDS,
    public_mode: int = file_access.SHOWN_FILE,
) -> PublicKey:
    """Make a key in a new file that only its owner can read, and `path`.pub beside it.

    Args:
        path: the new file.
        passphrase: not empty.
        scheme: `ed25519` or `ecdsa-p256`.
        rounds: of the key derivation; `ROUNDS_RANDOM` where nobody could guess the passphrase.
        public_mode: of the public half, which is there to be handed on, unless it lies in a home.

    Raises:
        FailedError: the file exists already (a key is never overwritten), or cannot be written.
    """
    _check_passphrase(path, passphrase)
    private = (
        Ed25519PrivateKey.generate() if scheme == "ed25519" else generate_private_key(SECP256R1())
    )
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pem = encrypted_pem(plain, passphrase, rounds)
    public = private.public_key()
    shown_half = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write_pair(path, pem, shown_half, public_mode)
    return PublicKey.from_crypto(public)


def _check_passphrase(path: Path, passphrase: bytes) -> None:
    if not passphrase:
        raise UsageError(
            "no-passphrase", "A key needs a passphrase.", next_step="Give one that is not empty."
        )
    if len(passphrase) > LONGEST:
        raise UsageError(
            "passphrase-too-long",
            f"The passphrase is longer than the {LONGEST:,} bytes that every tool reads.",
            subject=str(path),
            next_step="Give a shorter one: six words drawn by lot are enough.",
        )


def _write_pair(path: Path, pem: bytes, shown_half: bytes, public_mode: int) -> None:
    """Both halves of a new key, or neither."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=file_access.FOLDER)
        _write_new(path, pem, file_access.FILE)
        try:
            _write_new(path.with_name(path.name + ".pub"), shown_half, public_mode)
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


def open_signer(uri: str, passphrases: Passphrases) -> Signer:
    """The signer that `uri` names.

    Raises:
        NotFoundError: no such file.
        RefusedError: the key is not encrypted.
        MalformedError: the passphrase is wrong, or the file is no such key.
    """
    path = key_path(uri)
    try:
        pem = disk.read(path, LARGEST + 1)
    except FileNotFoundError as bad:
        raise NotFoundError(
            "no-key-file",
            f"There is no key file {path}.",
            subject=str(path),
            next_step="Check its name, and whether the medium is there. A new one, which others "
            "have to take in by its card, is made with: sealift-sign key new "
            f"{pasted([str(path)])}",
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
        data = disk.read(key_path(text), LARGEST + 1)
    except OSError as bad:
        raise NotFoundError(
            "no-key-file",
            f"{text!r} is neither a public key nor a file that can be read.",
            subject=text,
            next_step="Give the .pub file that `sealift-sign key new` wrote, or its text.",
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
    kind = key_forms.form(pem)
    if kind in _OTHERS:
        raise _other_form(kind, path)
    weak = key_forms.weakness(pem)
    key = _opened(pem, path, passphrases)
    if weak:
        passphrases.warn(
            f"{path} {weak}, so whoever copies the file may guess it. Wrap it anew: "
            f"openssl pkcs8 -topk8 -v2prf hmacWithSHA256 -iter {ROUNDS} -in {path} -out NEW-FILE"
        )
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise MalformedError(
            "bad-key",
            f"{path} is neither an Ed25519 nor an ECDSA key.",
            subject=str(path),
            next_step="Make one with: sealift-sign key new FILE",
        )
    PublicKey.from_crypto(key.public_key())
    return key


def _opened(pem: bytes, path: Path, passphrases: Passphrases) -> PrivateKeyTypes:
    """The key in `pem`. Whoever types its passphrase may mistype it, and does not see it.

    Raises:
        MalformedError: the passphrase is wrong, each of the `TRIES` times that it was typed.
    """
    left = TRIES if passphrases.is_typed(path) else 1
    while True:
        left -= 1
        try:
            return load_pem_private_key(pem, passphrases.of(path))
        except (ValueError, TypeError, UnsupportedAlgorithm) as bad:
            wrong = _not_opened(path, bad)
            if not (left and str(bad).startswith(_WRONG)):
                raise wrong from bad
        passphrases.warn(f"{wrong.what} It can be typed {left} more time{'s' * (left > 1)}.")


_WRONG = "Incorrect password"
"""How the library begins to say so."""
_ANEW = (
    "A key for Sealift is one of its own: sealift-sign key new FILE. An ECDSA key, and no other, "
    "can be converted, in a copy: ssh-keygen -p -m PKCS8 -f COPY"
)
_OTHERS = {
    "plain": (
        "key-not-encrypted",
        "is a private key without a passphrase: whoever copies the file has the key.",
        f"Encrypt it: openssl pkcs8 -topk8 -iter {ROUNDS} -in {{path}} -out {{path}}.encrypted",
    ),
    "ssh-plain": (
        "key-not-encrypted",
        "is an OpenSSH key without a passphrase: whoever copies the file has the key.",
        _ANEW,
    ),
    "ssh": (
        "key-form",
        "is an encrypted key in OpenSSH's own form, which is not read here.",
        _ANEW,
    ),
    "mislabelled": (
        "key-form",
        "is an encrypted key under the header of one that is not.",
        "Write ENCRYPTED PRIVATE KEY into its first and its last line, in a copy.",
    ),
}
"""Forms of key files that are not opened: the code, what is said, and the next step."""


def _other_form(kind: str, path: Path) -> RefusedError:
    code, what, step = _OTHERS[kind]
    return RefusedError(code, f"{path} {what}", subject=str(path), next_step=step.format(path=path))


def _not_opened(path: Path, bad: Exception) -> MalformedError:
    """Why a key did not open: the library knows a wrong passphrase, but for one in 256."""
    if str(bad).startswith(_WRONG):
        return MalformedError(
            "key-not-opened",
            f"{path} could not be opened: the passphrase is wrong.",
            subject=str(path),
            next_step="Try again; a passphrase that is lost cannot be recovered.",
        )
    return MalformedError(
        "key-not-opened",
        f"{path} could not be opened: it is not a private key file that can be read here, such as "
        "one of "
        "PKCS#8 version 2; or the passphrase is wrong.",
        subject=str(path),
        next_step="If the passphrase is right, make a key with: sealift-sign key new FILE",
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file_access.show(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()  # an empty or half a file would pass for a key, and bar the next try
        raise
