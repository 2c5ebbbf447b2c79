"""The nearest of the names that there are to one that somebody typed and that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from sealift_signing.drawing import word

MOST = 3


def nearest(name: str, known: Collection[str], otherwise: str) -> str:
    """What to do about a name that there is not: the nearest that are, or else `otherwise`."""
    near = difflib.get_close_matches(name, known, MOST)
    if not near:
        return otherwise
    return f"Did you mean {' or '.join(map(word, near))}?"
