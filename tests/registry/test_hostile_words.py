"""Whatever somebody writes as a reason, what others read of it is the same lines with other words.

The same story is told twice: with a harmless reason and with a hostile one. Each output must be
equal but for the words themselves, so nothing that is written adds, moves or imitates a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_registry.cli.run import run
from sealift_signing.drawing import drawn, pasted, plain
from tests import sampling
from tests.registry.hub_fixture import SITE, Acme, copied
from tests.words.strings import BARRED, HOSTILE, LINES

HARMLESS, NEXT = "words", "  Next: "


def told(acme: Acme, capsys: pytest.CaptureFixture[str], reason: str) -> list[list[str]]:
    """Every output about a promotion whose request, approval and objection say `reason`."""
    number = acme.asked(reason=reason)
    acme.approved(number, "carla", reason=reason)
    acme.objects(number, "emil", reason=reason)
    capsys.readouterr()
    approve, found = ("approve", "P-000001", "--meaning", "validated", "--reason"), []
    for command in (
        ("show", "P-000001"),
        ("list", "promotions"),
        ("show", "vision/digits/1"),
        ("audit", "list"),
        ("next",),
        (*approve, reason, "--draft", str(acme.root.parent / "a.draft")),
        ("show", reason),
        ("audit", "list", "--actor", reason),
    ):
        run([*command, "--home", str(acme.root)])
        out, err = capsys.readouterr()
        found.append(_masked(out + err, reason))
    return found


def _masked(text: str, reason: str) -> list[str]:
    """The lines, without what is another at each telling, and with a mark for the words."""
    for words in (
        pasted([reason]),
        drawn(reason),
        plain(reason),
        repr(reason),
        ascii(reason)[1:-1],
    ):
        text = text.replace(words, "WORDS") if len(words) > 2 else text
    text = re.sub(r"\S*a\.draft", "DRAFT", text)
    text = re.sub(r"[0-9a-f]{12,64}|20[0-9-]+[T ][0-9:.]+Z?", "SOME", text)
    return text.splitlines()


@pytest.fixture
def once(stocked: Path, tmp_path: Path) -> Iterator[Acme]:
    acme = copied(stocked, tmp_path / "acme")
    yield acme
    acme.close()


def check(stocked: Path, folder: Path, capsys: pytest.CaptureFixture[str], reason: str) -> None:
    outputs = []
    for number, words in enumerate((HARMLESS, reason)):
        acme = copied(stocked, folder / str(number))
        outputs.append(told(acme, capsys, words))
        acme.close()
    for plainly, hostile in zip(*outputs, strict=True):
        assert [len(plainly)] == [len(hostile)], (reason, hostile)
        for ours, theirs in zip(plainly, hostile, strict=True):
            assert LINES not in theirs, (reason, theirs)
            # What to do next is another thing where words look like a name, a path or an option.
            advises = ours.startswith(NEXT) and theirs.startswith(NEXT)
            same = ours.split() == theirs.split() or advises
            assert same or "WORDS" in theirs, (ours, theirs)


@pytest.mark.parametrize("reason", sampling.drawn(HOSTILE, 3, "words"), ids=ascii)
def test_t1_07_words_add_no_line(
    stocked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    check(stocked, tmp_path, capsys, reason)


@pytest.mark.long
@pytest.mark.parametrize("reason", HOSTILE, ids=ascii)
def test_t1_07_no_words_add_a_line(
    stocked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    check(stocked, tmp_path, capsys, reason)


@pytest.mark.parametrize("reason", BARRED, ids=ascii)
def test_t1_07_what_turns_letters_around_is_not_taken(once: Acme, reason: str) -> None:
    from sealift_signing.errors import SealiftError

    with pytest.raises(SealiftError):
        once.asked(reason=f"ok{reason}{LINES}")


def test_all_strings_are_there() -> None:
    assert len(HOSTILE) + len(BARRED) >= 60
    assert SITE
