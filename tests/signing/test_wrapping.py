"""Sentences on a terminal are broken between words; what is piped or to be pasted is not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from sealift_signing import line_wrapping
from sealift_signing.line_wrapping import columns, wrapped
from tests.terminals import lasting, on_a_terminal

LONG = "This site once signed 3 entries of its log, and they are not the ones in this database."


@pytest.mark.parametrize(
    "text, broken",
    [
        ("short", "short"),
        ("", ""),
        ("two\nlines", "two\nlines"),
        (
            f"Error: {LONG}",
            (
                "Error: This site once signed 3\n  entries of its log, and they\n"
                "  are not the ones in this\n  database."
            ),
        ),
        (
            f"  Next: {LONG}",
            (
                "  Next: This site once signed\n  3 entries of its log, and\n"
                "  they are not the ones in\n  this database."
            ),
        ),
        (
            "  pass  On 20 rows all labels are equal.",
            "  pass  On 20 rows all labels\n        are equal.",
        ),
        ("sealift export plant-7 --full --to /media/disk", None),
        ("  sealift-site import /media/disk/sealift/plant-7-000001", None),
        ("At the site:  sealift-site import /media/disk/sealift", None),
        ("  Next: sealift-site --home /var/lib/sealift status", None),
        (
            "version  source  format  variants  listed  made",
            "version  source  format \n  variants  listed  made",
        ),
        (
            "e286d006ba87d7def365930a5d40a40d2d53aa9b9562d81e81c499ec3f4d69a1",
            "e286d006ba87d7def365930a5d40a4\n  0d2d53aa9b9562d81e81c499ec3f\n  4d69a1",
        ),
    ],
)
def test_a_line_is_broken_between_words(text: str, broken: str | None) -> None:
    assert wrapped(text, 30) == (text if broken is None else broken)


def test_what_is_piped_stays_whole() -> None:
    assert wrapped(LONG * 9, None) == LONG * 9
    assert columns(io.StringIO()) is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("given, width", [("60", 60), ("300", 100), ("", 80), ("wide", 80)])
def test_no_line_is_wider_than_reads_well(
    monkeypatch: pytest.MonkeyPatch, given: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", given)
    assert columns(Terminal()) == width == min(width, line_wrapping.WIDEST)


@pytest.mark.parametrize("program", ["sealift_sync", "sealift_registry"])
def test_both_programs_break_a_long_error_on_a_terminal(program: str, tmp_path: Path) -> None:
    command = ("status",) if program == "sealift_sync" else ("list",)
    script = f"from {program}.cli import main; main()"
    home = tmp_path / "a-home-of-a-rather-long-name" / "that-is-not-there"
    said = on_a_terminal("-c", script, *command, "--home", str(home), columns=70)
    lines = lasting(said)
    assert lines[0].startswith("Error: There is no ")
    assert len(lines) > 2
    assert max(len(line) for line in lines if str(home) not in line) <= 70
    whole = " ".join(" ".join(lines).split())
    assert re.search(r"Next: .*sealift(-site)? init", whole)
