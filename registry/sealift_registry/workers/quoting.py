"""What a stranger's exception says, fit to stand in one of our sentences: short, and no secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from sealift_registry.workers.environment import secrets
from sealift_signing.drawing import drawn

HIDDEN = "***"
LONGEST = 300
"""Characters that are quoted."""
_USER = re.compile(r"(?<=://)[^/\s'\"<>]*@")
"""Who asks, in an address; up to the last @ before the path, since a password may hold one."""

_QUERY = re.compile(r"\?[^\s'\"<>]*")
_SIGNED = re.compile(r"sig|token|secret|passw|credential|key", re.IGNORECASE)


def first_line(bad: BaseException) -> str:
    """The first line of what `bad` says, between marks; its class where it says nothing.

    A library quotes what a stranger wrote: the names in a model, a server's answer.
    """
    lines = str(bad).strip().splitlines() or [type(bad).__name__]
    # First without secrets and then cut: half a password is one that is no longer found.
    return drawn(redacted(lines[0], secrets(os.environ)).strip().rstrip(".:"), LONGEST)


def redacted(text: str, hidden: Iterable[str] = ()) -> str:
    """`text` without what opens a door: the users and passwords of addresses, and `hidden`.

    A query that signs an address (an S3 server's presigned ones) goes as a whole.
    """
    for secret in hidden:
        text = text.replace(secret, HIDDEN)
    text = _USER.sub("", text) if "://" in text else text
    return _QUERY.sub(lambda query: "" if _SIGNED.search(query[0]) else query[0], text)
