"""Words that people read aloud, and the fingerprint of an organisation."""

from hashlib import sha256

import pytest
from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata, Root

from sealift_signing.words import (
    eight_words,
    fingerprint,
    same_fingerprint,
    same_words,
    words_of,
)

WORDS = eight_words(b"the answer")
DIGEST = sha256(b"the answer").hexdigest()


def test_eight_words_agree_only_if_all_of_it_does() -> None:
    words = WORDS.split()
    assert len(words) == 8
    assert all(len(word) == 5 and word.isalpha() for word in words)
    assert eight_words(b"the answer.") != WORDS


def test_words_of_a_digest_are_those_of_what_it_is_of() -> None:
    assert words_of(DIGEST) == WORDS


@pytest.mark.parametrize(
    "typed",
    [
        WORDS,
        WORDS.upper(),
        f"  {WORDS.replace(' ', '   ')}\n",
        WORDS.replace(" ", "-"),
        WORDS.replace(" ", " - "),
        WORDS.title().replace(" ", "\t"),
    ],
)
def test_words_may_be_typed_as_people_write_them(typed: str) -> None:
    assert same_words(typed, WORDS)
    assert same_fingerprint(typed, DIGEST)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-",
        "yes",
        WORDS.rpartition(" ")[0],
        f"{WORDS} {WORDS.split()[0]}",
        " ".join(reversed(WORDS.split())),
        WORDS.replace(" ", ""),
        words_of(sha256(b"another").hexdigest()),
    ],
)
def test_anything_else_are_other_words(typed: str) -> None:
    assert not same_words(typed, WORDS)
    assert not same_fingerprint(typed, DIGEST)


def test_a_fingerprint_may_be_typed_as_64_digits_and_nothing_shorter() -> None:
    grouped = " ".join(DIGEST[n : n + 8] for n in range(0, 64, 8))
    for typed in (DIGEST, DIGEST.upper(), grouped, grouped.replace(" ", ":"), f" {grouped}\n"):
        assert same_fingerprint(typed, DIGEST)
    for typed in (DIGEST[:63], DIGEST[:32], f"{DIGEST}0", f"0x{DIGEST}", DIGEST[::-1]):
        assert not same_fingerprint(typed, DIGEST)


def test_a_fingerprint_is_of_what_is_signed_and_not_of_the_signatures() -> None:
    root = Metadata(Root())
    before = fingerprint(root)
    root.signatures["f" * 64] = Signature("f" * 64, "00")
    assert fingerprint(root) == before == sha256(root.signed_bytes).hexdigest()
    root.signed.version += 1
    assert fingerprint(root) != before
