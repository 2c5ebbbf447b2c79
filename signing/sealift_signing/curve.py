"""Whether 32 bytes are an Ed25519 key that somebody can own.

OpenSSL, and so `cryptography`, verifies with whatever bytes it is given (RFC 8032, section 5.1.7,
leaves open what else to look at). Three kinds of bytes are nobody's key:

- of *small order*: the eight points whose eightfold is zero. For them a signature can be made up
  without any private key, over any bytes.
- a *second spelling*: y not below p, or a sign where x is zero. One point, two keys to compare.
- *no point*, of which no signature is right.

A fourth kind is somebody's, and more than one key: a point *outside the prime-order group*, that is
an honest point plus one of small order. Its owner signs for each of these eight after a few tries,
and would count as eight people. Telling takes a hundred times as long, so that is asked where a key
enters a document (`is_prime_order`), and the other three wherever a signature is counted (`fault`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

P = 2**255 - 19
"""The field's prime (RFC 8032, section 5.1)."""
L = 2**252 + 27742317777372353535851937790883648493
"""The order of the group that keys are of (RFC 8032, section 5.1)."""
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
SIGN = 1 << 255


@dataclass(frozen=True)
class Point:
    """A point in extended coordinates: x = X/Z, y = Y/Z, x·y = T/Z (RFC 8032, section 5.1.4)."""

    x: int
    y: int
    z: int
    t: int

    def __add__(self, other: Point) -> Point:
        """Their sum; also of a point with itself (the formula is complete)."""
        a = (self.y - self.x) * (other.y - other.x) % P
        b = (self.y + self.x) * (other.y + other.x) % P
        c = 2 * self.t * other.t * D % P
        d = 2 * self.z * other.z % P
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def times(self, number: int) -> Point:
        """This point added to itself so often; not for secrets, since its time tells the number."""
        result, power = ZERO, self
        while number:
            if number & 1:
                result += power
            power += power
            number >>= 1
        return result

    @property
    def is_zero(self) -> bool:
        """Whether it is the group's zero."""
        return self.x % P == 0 and (self.y - self.z) % P == 0

    def spelled(self) -> bytes:
        """Its 32 bytes (RFC 8032, section 5.1.2)."""
        inverse = pow(self.z, -1, P)
        x, y = self.x * inverse % P, self.y * inverse % P
        return (y | (x & 1) << 255).to_bytes(32, "little")


ZERO = Point(0, 1, 1, 0)


def point(raw: bytes) -> Point | None:
    """The point that 32 bytes spell in any way; None if there is none (RFC 8032, section 5.1.3).

    y is taken modulo p, as libraries do that are not strict.
    """
    number = int.from_bytes(raw, "little")
    y = (number & ~SIGN) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x * x % P != u:
        return None
    if (x & 1) != (number >> 255):
        x = -x % P
    return Point(x, y, 1, x * y % P)


@lru_cache(maxsize=4096)
def fault(raw: bytes) -> str | None:
    """Why these 32 bytes are nobody's key, to follow the key in a sentence; None where they are."""
    found = point(raw)
    if found is None:
        return "is no point of the curve"
    if found.times(8).is_zero:
        return "is of small order: anybody can sign for it"
    if found.spelled() != raw:
        return "is a second spelling of another key"
    return None


@lru_cache(maxsize=256)
def is_prime_order(raw: bytes) -> bool:
    """Whether these 32 bytes spell a point of the group that honest keys are of; some 3 ms."""
    found = point(raw)
    return found is not None and found.times(L).is_zero
