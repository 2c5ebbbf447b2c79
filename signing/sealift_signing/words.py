"""Eight words that people read to each other over a telephone, or copy from paper.

They are the first 128 bits of a SHA-256, spelled as proquints: each word five letters, consonants
and vowels in turn, sixteen bits (D. S. Wilkerson, "A Proposal for Proquints", arXiv:0901.4016).
No list of words has to be shipped, and every word can be pronounced.

The *fingerprint* of an organisation is the digest of its newest root: the sha256 of the bytes that
are signed, so that another signature on the same root changes nothing. People write it down as its
eight words, or as its 64 hexadecimal digits.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


def eight_words(data: bytes) -> str:
    """The eight words of `data`: they agree on both ends only if all of it does."""
    return words_of(sha256(data).hexdigest())


def words_of(digest: str) -> str:
    """The eight words of what has this sha256, in hexadecimal."""
    return " ".join(_word(int(digest[n : n + 4], 16)) for n in range(0, 32, 4))


def same_words(typed: str, words: str) -> bool:
    """Whether somebody typed these eight words: in any case, with any spaces or hyphens between."""
    return re.split(r"[\s-]+", typed.strip(" \t\r\n-").lower()) == words.split()


def fingerprint(root: Metadata[Root]) -> str:
    """The fingerprint of the organisation whose newest root this is, in hexadecimal."""
    return sha256(root.signed_bytes).hexdigest()


def same_fingerprint(typed: str, digest: str) -> bool:
    """Whether somebody typed the fingerprint `digest`: its eight words, or all of its 64 digits.

    Nothing shorter is enough: what is short can be made to match.
    """
    digits = re.sub(r"[\s:-]+", "", typed).lower()
    return digits == digest or same_words(typed, words_of(digest))


def _word(bits: int) -> str:
    return (
        _CONSONANTS[bits >> 12]
        + _VOWELS[bits >> 10 & 3]
        + _CONSONANTS[bits >> 6 & 15]
        + _VOWELS[bits >> 4 & 3]
        + _CONSONANTS[bits & 15]
    )
