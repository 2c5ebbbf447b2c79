"""Lists as people read them: rows under headings, drawn alike for hub and site.

A cell is one value, whatever it holds: nothing in it is invisible or begins a line of its own. Its
width is counted in the columns of a terminal. In a pipe nothing is broken: each row is a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from sealift_signing.drawing import cells, cut, plain

GAP = "  "

Row = Sequence[str]


def in_columns(headings: Row, rows: Iterable[Row], width: int | None = None) -> list[str]:
    """The headings and each row in lines of their own, the columns in line.

    Within `width` columns of a terminal, whose cells are then broken over further lines; None: as
    wide as it is.
    """
    return [line for row in each_in_columns(headings, rows, width) for line in row]


def each_in_columns(
    headings: Row, rows: Iterable[Row], width: int | None = None
) -> list[list[str]]:
    """The lines of the headings, and those of each row, as in `in_columns`."""
    shown = [[plain(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(cells, column)) for column in zip(*shown, strict=True)]
    if width is not None:
        widths = _within(width, widths)
    first, *others = [[_folded(c, w) for c, w in zip(row, widths, strict=True)] for row in shown]
    deepest = max(map(len, first), default=0)
    # What stands over a column stands right over it, also where its neighbour needs more lines.
    first = [[""] * (deepest - len(lines)) + lines for lines in first]
    return [list(_side_by_side(row, widths)) for row in (first, *others)]


def tab_separated(headings: Row, rows: Iterable[Row]) -> list[str]:
    """A line for the headings and for each row, for programs such as `cut`."""
    return ["\t".join(map(plain, row)) for row in (headings, *rows)]


def _side_by_side(row: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for pieces in zip_longest(*row, fillvalue=""):
        padded = (p + " " * (w - cells(p)) for p, w in zip(pieces, widths, strict=True))
        yield GAP.join(padded).rstrip()


def _within(width: int, widths: Sequence[int]) -> list[int]:
    """The widths of the columns where all of them have `width`: the widest give way first."""
    # The space between two columns is one half the one's and one half the other's.
    last = len(widths) - 1
    gaps = [(at > 0) + (at < last) for at in range(len(widths))]
    found = [one + gap for one, gap in zip(widths, gaps, strict=True)]
    while (excess := sum(found) - width) > 0:
        most = max(found)
        step = most - max((one for one in found if one < most), default=0)
        widest = [at for at, one in enumerate(found) if one == most]
        if step == 0 or most <= 1:
            break
        for left, at in zip(range(len(widest), 0, -1), widest, strict=True):
            less = min(step, excess, round(excess / left))
            found[at] -= less
            excess -= less
    return [max(one - gap, 1) for one, gap in zip(found, gaps, strict=True)]


def _folded(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken between words where that can be."""
    lines, line, begun = [], "", False
    for word in text.split(" "):
        joined = f"{line} {word}" if begun else word
        if cells(joined) <= width:
            line, begun = joined, True
            continue
        if begun:
            lines.append(line)
        rest = word
        while cells(rest) > width and len(rest) > 1:
            piece, rest = cut(rest, width)
            lines.append(piece)
        line, begun = rest, True
    return [*lines, line]
