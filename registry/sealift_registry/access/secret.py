"""What somebody shows to be let in: 32 random bytes, told once, of which the sha256 is kept.

They are random, so nobody finds them by trying, and a plain sha256 is as good as a slow one.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

INVITATION, SESSION, TOKEN = "sli_", "sls_", "slt_"
"""How they begin, so that people and scanners know one where they see it."""
LONGEST = 128
"""Characters that are looked at; none of ours is longer."""


def new(prefix: str) -> str:
    """One that nobody had before."""
    return prefix + secrets.token_urlsafe(32)


def new_id(prefix: str) -> str:
    """The name of something, which is no secret."""
    return f"{prefix}-{secrets.token_hex(8)}"


def is_id(text: str, prefix: str) -> bool:
    """Whether it could be one of those, before anything is asked for it."""
    return re.fullmatch(rf"{prefix}-[0-9a-f]{{16}}", text) is not None


def digest(secret: str) -> str:
    """What is kept of it."""
    return sha256(secret.encode()).hexdigest()


def is_one(secret: str, prefix: str) -> bool:
    """Whether it could be one of ours, before anything is asked for it."""
    return secret.startswith(prefix) and len(secret) <= LONGEST and secret.isascii()
