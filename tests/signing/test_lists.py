"""How lists are drawn: for hub and site by one module, in a pipe and on terminals of any width."""

from __future__ import annotations

import random
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sealift_signing import lists
from sealift_signing.drawing import cells

ROOT = Path(__file__).parents[2]
HEADINGS = ("Host group", "Model", "Runs", "")
ROWS = [("line-1", "vision/digits", "3", "a note that is long"), ("l", "漢字漢字", "12", "")]


def test_f2_419_in_columns_as_wide_as_it_is() -> None:
    assert lists.in_columns(HEADINGS, ROWS) == [
        "Host group  Model          Runs",
        "line-1      vision/digits  3     a note that is long",
        "l           漢字漢字       12",
    ]


def test_f2_419_for_programs_with_tabs() -> None:
    assert lists.tab_separated(HEADINGS, ROWS) == [
        "Host group\tModel\tRuns\t",
        "line-1\tvision/digits\t3\ta note that is long",
        "l\t漢字漢字\t12\t",
    ]


def test_f2_420_on_a_narrow_terminal_cells_are_broken_between_words() -> None:
    assert lists.in_columns(HEADINGS, ROWS, 30) == [
        "Host",
        "group    Model   Runs",
        "line-1   vision  3     a note",
        "         /digit        that is",
        "         s             long",
        "l        漢字漢  12",
        "         字",
    ]
    assert [len(row) for row in lists.each_in_columns(HEADINGS, ROWS, 30)] == [2, 3, 2]


@pytest.mark.parametrize("width", [None, 40, 3, 1])
def test_f2_421_no_cell_begins_a_line_or_rewrites_a_terminal(width: int | None) -> None:
    hostile = [("a\nError: forged", "\x1b[2J", "e\u0301" + "\u0301" * 9, "\u202egnirts")]
    lines = [*lists.in_columns(HEADINGS, hostile, width), *lists.tab_separated(HEADINGS, hostile)]
    assert all(line.replace("\t", "").isprintable() for line in lines)
    assert width is not None or lines[1].startswith("a\\nError: forged  \\x1b[2J")


def as_rich_draws(headings: list[str], rows: list[list[str]], width: int) -> list[str]:
    """What the site's lists looked like on a terminal before they were drawn here."""
    out = StringIO()
    console = Console(file=out, width=width, soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("seed", range(60))
def test_f2_422_a_list_looks_as_it_did(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - the same rows for a seed
    words = ["a", "line-1", "vision/digits", "is", "漢字", "kept", "x" * 17, "fällt", "42"]

    def cell() -> str:
        return " ".join(draw.choices(words, k=draw.choice((1, 1, 1, 2, 6))))

    count = draw.randint(1, 6)
    rows = [[cell() for _ in range(count)] for _ in range(draw.randint(0, 4))]
    headings = [cell() for _ in range(count)]
    for width in (60, 80, 100, 200):  # where words are broken, no line is left empty any more
        drawn = lists.in_columns(headings, rows, width)
        assert drawn == as_rich_draws(headings, rows, width)
        assert max(map(cells, drawn)) <= max(width, 3 * count)


def test_f2_423_nobody_else_draws_one() -> None:
    """The demo's own voices pad what they say; no list of hub or site is drawn but here."""
    rooms = ("registry/sealift_registry/cli", "offline-sync/sealift_sync/cli", "signing")
    drawing = [
        str(path.relative_to(ROOT))
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
        if any(
            word in path.read_text() for word in ("ljust", "rich.table", '"\\t".join', "- cells(")
        )
    ]
    assert drawing == [
        "signing/sealift_signing/line_wrapping.py",
        "signing/sealift_signing/lists.py",
    ]
