"""The CRC32 of bytes from those of their two halves, so that none is computed twice.

Appending bytes multiplies the CRC of what is before them by a power of x, over GF(2) and modulo the
polynomial of CRC32 (ISO 3309, as zlib has it: the coefficient of x^0 is the highest bit).
"""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE, _X = 1 << 31, 1 << 30


def joined(first: int, second: int, size: int) -> int:
    """The CRC32 of two pieces of bytes, one after the other: from that of each.

    Args:
        first: of the first one.
        second: of the second one.
        size: bytes of the second one.
    """
    return _product(_behind(size), first) ^ second


@lru_cache(maxsize=64)
def _behind(size: int) -> int:
    """The power of x by which so many bytes multiply what is before them."""
    power, square, bits = _ONE, _X, size * 8
    while bits:
        if bits & 1:
            power = _product(power, square)
        square, bits = _product(square, square), bits >> 1
    return power


def _product(one: int, other: int) -> int:
    product = 0
    for place in range(31, -1, -1):
        if one >> place & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product
