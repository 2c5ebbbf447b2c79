"""Which request this process is answering: known wherever it leads, by the thread that works at it.

The server names each request itself. What a client calls it is kept beside that, and is no name:
anybody may send the same one twice.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

HEADER = "x-request-id"
_THEIRS = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_current: ContextVar[str] = ContextVar("sealift_request", default="")


def new_id() -> str:
    """A name for a request that no other has."""
    return f"r-{secrets.token_hex(12)}"


def begin(request: str) -> None:
    """Have all that is done from here on be this request's."""
    _current.set(request)


def current() -> str:
    """The request that is being answered; empty where none is."""
    return _current.get()


def of_client(given: bytes | None) -> str:
    """What a client calls its request, where that can stand in a log; else empty."""
    text = (given or b"").decode("ascii", "replace")
    return text if _THEIRS.fullmatch(text) else ""
