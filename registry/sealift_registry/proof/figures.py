"""Figures as documents and sentences spell them; nothing heavy is loaded for them."""

from __future__ import annotations

import sys
from decimal import Decimal

SMALL, LARGE = 1e-4, 1e9
"""Between them a number is written without its power of ten."""

LARGEST = sys.float_info.max

HALF = 0.5


def decimal(number: float) -> str:
    """Three digits, as documents spell a number that is not whole; the largest stands for more."""
    number = max(-LARGEST, min(number, LARGEST))
    if number and not SMALL <= abs(number) < LARGE:
        digits, _, power = f"{number:.2e}".partition("e")
        return f"{Decimal(digits).normalize():f}e{int(power)}"
    return f"{Decimal(f'{number:.2e}').normalize():f}"


def accuracy(part: float) -> str:
    """Like `decimal`, of a part of 1: near 1 it is what is missing that has three digits.

    What is not wholly right is nowhere told as 1.
    """
    if not HALF < part < 1:
        return decimal(part)
    return f"{(1 - Decimal(decimal(1 - part))).normalize():f}"


def percent(part: float) -> str:
    """To a tenth, but that what is neither none nor all is never told as that."""
    told = f"{100 * part:.1f}"
    if 0 < part < 1 and told in {"0.0", "100.0"}:
        return f"{(100 * Decimal(accuracy(part))).normalize():f}"
    return told
