"""Real keys that cost little, though deriving one from a passphrase is meant to be dear.

A key that this process makes takes the fewest rounds of which nobody is warned, and one that it
opened once is known again by its file and passphrase. Nothing of the product can be told to do
so, and processes that a test starts do not: their keys have all their rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sealift_signing import keys
from sealift_signing.key_forms import ENOUGH
from sealift_signing.pkcs8 import encrypted_pem


@contextmanager
def cheap_keys() -> Iterator[None]:
    """As long as this lasts, keys are cheap in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(keys, "encrypted_pem", _encrypted)
        patched.setattr(keys, "load_pem_private_key", lru_cache(maxsize=None)(load_pem_private_key))
        yield


@contextmanager
def dear_keys() -> Iterator[None]:
    """As long as this lasts, keys are as dear as everywhere else."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(keys, "encrypted_pem", encrypted_pem)
        patched.setattr(keys, "load_pem_private_key", load_pem_private_key)
        yield


def _encrypted(private_key_info: bytes, passphrase: bytes, rounds: int) -> bytes:
    return encrypted_pem(private_key_info, passphrase, min(rounds, ENOUGH))
