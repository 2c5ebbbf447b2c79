"""Whoever types a passphrase may mistype it twice; what a file or a variable says is taken once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_signing import keys
from sealift_signing.errors import SealiftError
from sealift_signing.keys import Passphrases
from sealift_signing.pkcs8 import ROUNDS_RANDOM

RIGHT = "correct horse"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "carla.pem"
    keys.new_key(path, RIGHT.encode(), rounds=ROUNDS_RANDOM)
    return path


def opened(key: Path, *typed: str, **environment: str) -> tuple[str, int, list[str]]:
    """Whether it opened, how often it was asked, and what was said meanwhile."""
    left, said = list(typed), list[str]()

    def warn(text: str) -> None:
        said.extend([text] if "typed" in text else [])  # not that it is badly wrapped: it is

    passphrases = Passphrases(None, environment, lambda _: left.pop(0), warn)
    try:
        keys.open_signer(str(key), passphrases)
    except SealiftError as bad:
        return bad.code, len(typed) - len(left), said
    return "opened", len(typed) - len(left), said


def test_k1_127_three_times_it_may_be_typed_and_no_more(key: Path) -> None:
    assert opened(key, RIGHT, "x") == ("opened", 1, [])
    code, asked, said = opened(key, "hors", "horse", RIGHT, "x")
    assert (code, asked) == ("opened", 3)
    assert [one.rpartition(": ")[2] for one in said] == [
        "the passphrase is wrong. It can be typed 2 more times.",
        "the passphrase is wrong. It can be typed 1 more time.",
    ]
    assert opened(key, "a", "b", "c", RIGHT)[:2] == ("key-not-opened", 3)


def test_k1_127_what_nobody_types_is_taken_once(key: Path) -> None:
    wrong = {keys.variable(key): "horse"}
    assert opened(key, RIGHT, **wrong) == ("key-not-opened", 0, [])


def test_k1_127_a_file_that_is_no_key_asks_once(tmp_path: Path, key: Path) -> None:
    """No passphrase opens it."""
    broken = tmp_path / "broken.pem"
    lines = key.read_text().splitlines()
    broken.write_text("\n".join([lines[0], *lines[2:]]))
    assert opened(broken, RIGHT, "x", "y")[0] != "opened"
    assert opened(broken, RIGHT, "x", "y")[1] <= 1
