"""One organisation for all targets, the same bytes in every run: corpora stay what they were."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from tests.hub_on_paper import HubOnPaper, Release
from tests.trust import NOW, Keyring

WITHIN = "FUZZ_SCRATCH"
"""The variable by which `make fuzz` says where: the fuzzer ends without clearing up."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


class FixedKeys(Keyring):
    """Keys that are made from their owners' names."""

    def __getitem__(self, name: str) -> CryptoSigner:
        if name not in self._signers:
            secret = sha256(f"a key for fuzzing: {name}".encode()).digest()
            self._signers[name] = CryptoSigner(Ed25519PrivateKey.from_private_bytes(secret))
        return self._signers[name]


@cache
def scratch() -> Path:
    """A folder in memory where there is such a place; it goes with the process."""
    where = os.environ.get(WITHIN) or (MEMORY if MEMORY.is_dir() else None)
    made = Path(tempfile.mkdtemp(prefix="sealift-fuzz-", dir=where))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def organisation(name: str) -> tuple[HubOnPaper, Release]:
    """A hub with one approved release that is assigned with an older one behind it."""
    hub = HubOnPaper(scratch() / name, NOW, FixedKeys())
    old, new = hub.promote(1), hub.promote(2)
    hub.assign(new, old)
    hub.withdraw(sha256="7" * 64)
    hub.recall("8" * 64)
    hub.publish_assignment()
    hub.repository.refresh()
    return hub, new
