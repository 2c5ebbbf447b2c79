"""A desk or browser from which somebody signed in before, known by a mark that the hub sealed.

The pause of an account is of everybody who types its name, and that of an address of everybody
behind it, so others can keep both going for as long as they like. Who shows the mark of a sign-in
that was right waits for what failed with that mark alone (OWASP calls this device cookies). It lets
nobody in: the password and the code are asked for as ever.
"""

from __future__ import annotations

import re
import secrets
from base64 import b32encode

from sealift_registry.access import sealing
from sealift_registry.access.standing import Standing
from sealift_registry.storage.home import Home
from sealift_signing.errors import FailedError

_LENGTH = 16
_MARK = re.compile(r"sld_(?P<seal>[0-9a-f]{16})_(?P<sealed>[A-Za-z0-9_-]{40,80})", re.ASCII)
_IN_COOKIES = str.maketrans("+/", "-_", "=")
_BACK = str.maketrans("-_", "+/")


def made(home: Home, of: Standing) -> str:
    """A new mark, for whoever has just shown that the account is theirs."""
    sealed, seal_id = sealing.seal(home, secrets.token_bytes(_LENGTH), _what(of))
    return f"sld_{seal_id}_{sealed.translate(_IN_COOKIES)}"


def is_mark(shown: str) -> bool:
    """Whether it could be one, before anything is asked for it."""
    return _MARK.fullmatch(shown) is not None


def known(home: Home, of: Standing, shown: str) -> str | None:
    """By what a mark is told from all others; None: it is none of this account as it is now.

    An account that was invited anew, or disabled, knows none of the marks of before.
    """
    found = _MARK.fullmatch(shown)
    if found is None:
        return None
    sealed = found["sealed"].translate(_BACK)
    padded = sealed + "=" * (-len(sealed) % 4)
    try:
        opened = sealing.unseal(home, padded, found["seal"], _what(of))
    except FailedError:  # another account's, of before, or made up
        return None
    return b32encode(opened).decode() if len(opened) == _LENGTH else None


def _what(of: Standing) -> str:
    """What the seal is for, apart from that of the account's one-time codes."""
    return f"device {of.id} {of.era}"
