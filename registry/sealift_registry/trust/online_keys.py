"""The keys that the hub signs with by itself. Whoever steals the hub has them.

They prove freshness and listing, no more; what a site installs needs people (DESIGN section 3).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from securesystemslib.signer import Signer

from sealift_signing import keys
from sealift_signing.keys import Passphrases
from sealift_signing.pkcs8 import ROUNDS, ROUNDS_RANDOM
from sealift_signing.public_key import PublicKey
from sealift_sync import durable

NAMES = ("snapshot", "timestamp", "catalog", "log", "scanner", "builder")
PASSPHRASE = "passphrase"  # noqa: S105 - a file's name
VARIABLE = "SEALIFT_PASSPHRASE_HUB"


class OnlineKeys:
    """The key files in the hub's `keys/`.

    Their passphrase is in SEALIFT_PASSPHRASE_HUB, else in the file `keys/passphrase`: that file
    keeps a stray copy of a key useless, and nothing more.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._open: dict[str, Signer] = {}

    def create(self) -> dict[str, PublicKey]:
        """Make all of them, in an empty folder; the public keys by name."""
        if not self._environment.get(VARIABLE):
            phrase = secrets.token_urlsafe(32)
            durable.write(self._folder / PASSPHRASE, f"{phrase}\n".encode(), mode=0o600)
        return {name: self.create_one(name) for name in NAMES}

    def create_one(self, name: str) -> PublicKey:
        """Make one more key that the hub keeps."""
        path = self.path(name)
        rounds = ROUNDS if self._environment.get(VARIABLE) else ROUNDS_RANDOM
        return keys.new_key(path, self.passphrases().of(path), rounds=rounds)

    def signer(self, name: str) -> Signer:
        """The signer called `name`, opened once."""
        if name not in self._open:
            self._open[name] = keys.open_signer(str(self.path(name)), self.passphrases())
        return self._open[name]

    def public(self, name: str) -> PublicKey:
        """The public key called `name`."""
        return keys.read_public(f"{self.path(name)}.pub")

    def has_public(self, name: str) -> bool:
        """Whether that public key is here; in a copy for an auditor it is not."""
        return Path(f"{self.path(name)}.pub").exists()

    def path(self, name: str) -> Path:
        """The key file called `name`."""
        return self._folder / f"{name}.pem"

    def passphrases(self) -> Passphrases:
        """Where the passphrase of these keys comes from; nobody is asked."""
        phrase = self._environment.get(VARIABLE)
        if phrase:
            known = {keys.variable(self.path(name)): phrase for name in (*NAMES, "solo")}
            return Passphrases(None, known, None)
        return Passphrases(self._folder / PASSPHRASE, {}, None)
