"""Clients of S3 that cost little, though what botocore knows of S3 takes long to read.

Each session of botocore reads the same description of S3 anew, for longer than a test speaks to its
server, and each hub that is opened makes a session. Here they share what was read: that is files of
botocore's own, which no test changes. All else a session has for itself, credentials too. Nothing
of the product can be told to do so, and processes that a test starts read all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock


@contextmanager
def cheap_clients() -> Iterator[None]:
    """As long as this lasts, what sessions of this process read of botocore's files is kept."""
    import botocore.session  # whoever speaks to no S3 server need not load it

    kept = cache(botocore.session.create_loader)
    with mock.patch.object(botocore.session, "create_loader", kept):
        yield
