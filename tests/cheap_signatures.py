"""Signatures that were found right once are not computed again in the tests' own process.

Whether a signature is right depends on the key, the bytes and the signature alone, and a test's
hub, desk and site look at the same ones hundreds of times. Only what was right is remembered; what
is wrong is found wrong each time, and processes that a test starts remember nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from securesystemslib.signer import SSlibKey


@contextmanager
def cheap_signatures() -> Iterator[None]:
    """As long as this lasts, a right signature costs the hashing of what it is of."""
    right: set[tuple[str, str, bytes, bytes]] = set()
    verify = SSlibKey._verify

    def remembered(key: SSlibKey, signature: bytes, data: bytes) -> None:
        one = (key.scheme, key.keyval["public"], signature, hashlib.sha256(data).digest())
        if one not in right:
            verify(key, signature, data)
            right.add(one)

    with mock.patch.object(SSlibKey, "_verify", remembered):
        yield
