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


def fitted(headings: Row, rows: Sequence[Row], width: int | None) -> list[str]:
    """As `in_columns`, and no name is broken: where columns are too narrow for one, as blocks.

    A block begins with a row's first cell, and has a line for each other heading and its cell; they
    are wider than `width` where a name alone is.
    """
    if width is None:
        return in_columns(headings, rows)
    shown = [[plain(cell) for cell in row] for row in (headings, *rows)]
    columns = list(zip(*shown, strict=True))
    widths = [max(map(cells, column)) for column in columns]
    least = [max(cells(word) for cell in column for word in cell.split(" ")) for column in columns]
    left = width - len(GAP) * (len(columns) - 1)
    if sum(least) > left:
        return [line for row in shown[1:] for line in _block(shown[0], row)]
    while sum(widths) > left:
        wider = [n for n, one in enumerate(widths) if one > least[n]]
        widths[max(wider, key=widths.__getitem__)] -= 1
    found = [[_folded(cell, w) for cell, w in zip(row, widths, strict=True)] for row in shown]
    return [line for row in found for line in _side_by_side(row, widths)]


def _block(headings: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    yield row[0]
    named = zip(headings[1:], row[1:], strict=True)
    yield from (f"  {heading}: {cell}" for heading, cell in named if cell)


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
