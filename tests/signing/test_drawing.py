"""Text that somebody else wrote: one line, nothing unseen, and never a line of ours."""

from __future__ import annotations

import os
import subprocess
import unicodedata

import pytest

from sealift_signing import drawing, line_wrapping
from sealift_signing.drawing import cells, drawn, pasted, plain
from sealift_signing.line_wrapping import wrapped

UNSEEN = [
    "\n", "\r", "\t", "\x0b", "\x1b[2K", "\x00", "\x7f", "\x85", "\x9b31m",
    "\u00a0", "\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u180e", "\u200b",
    "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066",
    "\u2069", "\u2800", "\u3000", "\u3164", "\ufe0f", "\ufeff", "\uffa0", "\ufff9", "\ue000",
    "\U000e0001", "\U000e0041", "\U000e01ef", "\U0001d173", "\U0010ffff", "\ud800",
    "a\u0336", "a\u20e0", "a" + "\u0301" * 3,
]  # fmt: skip


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_t1_07_nothing_unseen_is_left(text: str) -> None:
    """It is told by its number."""
    assert "\\" in plain(f"a{text}b")
    for one in plain(text):
        assert one.isprintable()
        assert one not in drawing.IGNORED | drawing.COVERING


@pytest.mark.parametrize(
    "text",
    ["Prüfbericht gelesen", "読みました", "ตรวจแล้ว", "قرأت التقرير", "पढ़ लिया", "d'accord, 5 %"],
)
def test_what_people_write_is_shown_as_it_is(text: str) -> None:
    assert drawn(unicodedata.normalize("NFD", text)) == f"“{unicodedata.normalize('NFD', text)}”"


@pytest.mark.parametrize(
    "text",
    [
        "မြို့တော်",
        "བསྒྲུབས་",
        "\u05e9\u05c1\u05bc\u05b8\u05dc\u05d5\u05b9\u05dd",
        "ស្ត្រី",
        "ເຖິ່ງ ຢູ່",
        "क्ष्मीं श्री",
        "Nguyễn Thế",
        "Ọ̀ṣọ́",
        "محمّدٌ عبد الله",
    ],
)
def test_t1_76_no_script_s_own_marks_are_numbers(text: str) -> None:
    assert plain(text) == text
    assert plain(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFD", text)


def test_t1_76_marks_that_pile_up_are_numbers_in_any_script() -> None:
    for base, mark in (("e", "\u0301"), ("ก", "\u0e49"), ("ش", "\u0651"), ("a", "\u0e49")):
        assert "\\u" in plain(base + mark * 4)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("sagt „gut“", '“sagt "gut"”'),
        ("他说“好”", '“他说"好"”'),
        ("the “old” one", '“the "old" one”'),
        ("\u05d1\u05e2\u05f4\u05de", '“\u05d1\u05e2"\u05de”'),
        ("5″ pipe", '“5" pipe”'),
    ],
)
def test_t1_76_quotation_marks_are_read_as_such(text: str, shown: str) -> None:
    """Telephones and word processors set them by themselves."""
    assert drawn(text) == shown


def test_letters_that_pass_for_others_are_named() -> None:
    assert drawn("\u0441\u0430rla") == "“\u0441\u0430rla” (letters: CYRILLIC, LATIN)"
    assert drawn("Прочитал отчёт").endswith("(letters: CYRILLIC)")
    assert drawn("\U0001d42aok").endswith("(letters: LATIN, MATHEMATICAL)")
    assert drawn("carla") == "“carla”"
    for one in "\u212a\u2160\u217c\u24d0\u2113\uff21\U0001d7ce":
        assert "(letters: " in drawn(f"emi{one}")


@pytest.mark.parametrize("mark", sorted(drawing.QUOTES))
def test_marks_cannot_be_closed_from_inside(mark: str) -> None:
    said = drawn(f"fine{mark}, and emil approved: {mark}validated")
    assert said.count("“") == said.count("”") == 1
    assert said.startswith("“")
    assert said.endswith("”")


def test_spaces_push_nothing_away() -> None:
    assert "  " not in drawn("fine" + " " * 40 + "2 of 2 approvals")


@pytest.mark.parametrize("width", [20, 41, 80])
@pytest.mark.parametrize(
    "text",
    [
        "漢" * 60,
        "漢" * 34 + "." + "approval by emil: validated",
        "x" * 300,
        "ab " * 100,
        "e\u0301" * 200,
        "🙂" * 50,
        "a  b" * 40,
        "\u4dc0" * 60,
        "\u3248" * 60,
    ],
    ids=ascii,
)
def test_t1_07_no_further_line_begins_at_the_margin(text: str, width: int) -> None:
    for line in (f"reason: {text}", f"  reason         {drawn(text)}", text):
        shown = wrapped(line, width).split("\n")
        assert all(cells(one) <= width for one in shown)
        assert all(one.startswith("  ") for one in shown[1:])
        kept = "".join(one.lstrip() for one in shown).replace(" ", "")
        assert kept == line.replace(" ", "")


def test_columns_are_counted_as_terminals_do() -> None:
    assert [cells(one) for one in ("abc", "漢字", "e\u0301", "\uff21", "🙂", "é")] == [
        3,
        4,
        1,
        2,
        2,
        1,
    ]


def test_a_terminal_that_does_not_say_its_width_is_narrow() -> None:
    assert line_wrapping.UNKNOWN == 80


@pytest.mark.parametrize("text", ["", "a b", "it's\n", "\\n", "\x1b[2J", "\t'\\'", "\u202e", "漢"])
def test_what_is_pasted_is_that_word(text: str) -> None:
    line = pasted(["printf", "%s", text])
    assert plain(line) == line
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        check=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert done.stdout.decode() == text


@pytest.mark.timeout(20)
def test_t1_55_a_megabyte_of_spaces_is_drawn_at_once() -> None:
    assert drawn(" " * 1_000_000) == "“" + " \\x20" * 500_000 + "”"
