"""Passwords and one-time codes: argon2id (RFC 9106) and TOTP (RFC 6238), checked at one pace."""

from __future__ import annotations

import threading
import unicodedata
from datetime import datetime
from functools import cache
from hmac import compare_digest

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sealift_signing.errors import RefusedError

SHORTEST, LONGEST = 12, 1024
"""Characters of a password."""
DIFFERENT = 4
"""Of them differ, beside the account's name: no letter twelve times, no name with a digit."""
STEP = 30
"""Seconds that a code is shown."""
DRIFT = 1
"""Steps that the clock of whoever shows one may be off."""

_AT_ONCE = threading.Semaphore(2)
"""A check takes 64 MiB: a crowd at the door waits, and does not fill the memory."""
_HASHER = PasswordHasher()


def hashed(password: str, name: str) -> str:
    """The hash that is kept of a password that somebody chose.

    Raises:
        RefusedError: it is too short, too long, or the account's name.
    """
    text = _normal(password)
    different = set(text.casefold().replace(name, ""))
    if not SHORTEST <= len(text) <= LONGEST or len(different) < DIFFERENT:
        raise RefusedError(
            "weak-password",
            f"A password has {SHORTEST} to {LONGEST} characters, and is not made of the name.",
            next_step="Choose four or more words that nobody connects with you.",
        )
    with _AT_ONCE:
        return _HASHER.hash(text)


def is_right(password: str, kept: str | None) -> bool:
    """Whether it is the one; where there is none, or it is far too long, as slowly."""
    text = _normal(password[: LONGEST + 1])
    with _AT_ONCE:
        try:
            _HASHER.verify(kept or _nobodys(), text)
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None and len(password) <= LONGEST


def step_of(seed: str, code: str, now: datetime) -> int | None:
    """Which span of time a code is of, of those around now; None: it is none of them."""
    here = int(now.timestamp()) // STEP
    found = None
    for step in range(here - DRIFT, here + DRIFT + 1):
        shown = pyotp.TOTP(seed, interval=STEP).generate_otp(step)
        if compare_digest(shown.encode(), code.encode()):
            found = step
    return found


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody has this password")
