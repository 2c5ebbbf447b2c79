"""Statements as a process read them: their bytes say the same whoever asks, and servers ask often.

Nothing is believed for being kept: whoever goes by one verifies who signed it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from sealift_signing import statements
from sealift_signing.statements import Predicate, Signed

P = TypeVar("P", bound=Predicate)

MOST = 2048
"""Statements that are kept."""
LARGEST = 16 << 10
"""Bytes of the largest of them."""


def read(kind: type[P], body: bytes, what: str) -> Signed[P]:
    """As `statements.read`.

    Raises:
        MalformedError: as `statements.read`.
    """
    if len(body) > LARGEST:
        return statements.read(kind, body, what=what)
    return _read(kind, body, what)


@lru_cache(MOST)
def _read(kind: type[P], body: bytes, what: str) -> Signed[P]:
    return statements.read(kind, body, what=what)
