"""Lines for a terminal: broken between words, where they are wider than it or than reads well.

What is piped is not broken: whoever reads it there looks for whole lines.
"""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

WIDEST = 100
"""Columns; beyond it the eye loses the line."""
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
    return min(found or WIDEST, WIDEST)


def wrapped(text: str, width: int | None) -> str:
    """Every line of `text` at most `width` columns wide, if its words allow; None: as it is.

    A further line begins where the words of the first did, after its indentation and its label. A
    command that stands alone stays whole: a part of it could be pasted.
    """
    if width is None:
        return text
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    start = max((found.end() for found in re.finditer(r"^ +|  +", line)), default=0)
    words = line[start:]
    if start > width // 2 or COMMAND.match(words):
        return line
    return textwrap.fill(
        words,
        width,
        initial_indent=line[:start],
        subsequent_indent=" " * start,
        break_long_words=False,
        break_on_hyphens=False,
    )
