"""Eight words that two people can read to each other over a telephone.

They are the first 128 bits of a SHA-256, spelled as proquints: each word five letters, consonants
and vowels in turn, sixteen bits (D. S. Wilkerson, "A Proposal for Proquints", arXiv:0901.4016).
No list of words has to be shipped, and every word can be pronounced.
"""

from __future__ import annotations

from hashlib import sha256

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


def eight_words(data: bytes) -> str:
    """The eight words of `data`: they agree on both ends only if all of it does."""
    digest = sha256(data).digest()
    return " ".join(_word(int.from_bytes(digest[n : n + 2], "big")) for n in range(0, 16, 2))


def _word(bits: int) -> str:
    return (
        _CONSONANTS[bits >> 12]
        + _VOWELS[bits >> 10 & 3]
        + _CONSONANTS[bits >> 6 & 15]
        + _VOWELS[bits >> 4 & 3]
        + _CONSONANTS[bits & 15]
    )
