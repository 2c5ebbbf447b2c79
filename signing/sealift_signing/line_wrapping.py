"""Lines for a terminal: broken between words, where they are wider than it or than reads well.

A line that begins at the margin is always ours: a further line is indented, whatever is too wide is
broken, and width is counted in the columns of a terminal and not in characters. What is piped is
not broken: whoever reads it there looks for whole lines.
"""

from __future__ import annotations

import os
import re
from typing import TextIO

from sealift_signing.drawing import cells, cut

WIDEST = 100
"""Columns; beyond it the eye loses the line."""
UNKNOWN = 80
"""Columns of a terminal that does not say how many it has, such as a serial console."""
FURTHER = 2
"""How far a further line is indented at least."""
NARROWEST = 20
"""Columns that words need; where fewer are left, they begin further to the left."""
COMMAND = re.compile(r"(Next: )?sealift(-site|-sign)? ")
"""How a line begins, or what stands after its label, that is there to be pasted."""


def columns(out: TextIO) -> int | None:
    """The width that lines on `out` should have; None where it is no terminal."""
    if not out.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    try:
        found = int(given) if given.isdecimal() else os.get_terminal_size(out.fileno()).columns
    except OSError:
        found = 0
    return min(found or UNKNOWN, WIDEST)


def wrapped(text: str, width: int | None) -> str:
    """Every line of `text` at most `width` columns wide; None: as it is.

    A further line begins where the words of the first did, after its indentation and its label. A
    command that stands alone stays whole: a part of it could be pasted.
    """
    if width is None:
        return text
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def filled(words: str, width: int, first: str, further: str) -> str:
    """`words` in lines of at most `width` columns: one begins with `first`, each other `further`.

    A word that is too wide for a line of its own is broken.
    """
    lines, line, begun = [], first, False
    for word in words.split(" "):
        rest = word
        while begun and cells(line) + 1 + cells(rest) > width:
            lines.append(line)
            line, begun = further, False
        while cells(line) + (1 if begun else 0) + cells(rest) > width:
            fits, rest = cut(rest, max(width - cells(line), 1))
            lines.append(line + fits)
            line = further
        line += f" {rest}" if begun else rest
        begun = True
    return "\n".join([*lines, line])


def _wrapped(line: str, width: int) -> str:
    if cells(line) <= width:
        return line
    start = max((found.end() for found in re.finditer(r"^ +|  +", line)), default=0)
    if COMMAND.match(line[start:]):
        return line
    if width - start < NARROWEST:
        start = len(line) - len(line.lstrip(" "))
    return filled(line[start:], width, line[:start], " " * max(start, FURTHER))
