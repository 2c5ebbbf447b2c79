"""Output on a terminal: what only there is loaded, and only when something is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from sealift_signing.drawing import plain
from sealift_signing.line_wrapping import columns, wrapped
from sealift_signing.lists import each_in_columns


class Coloured(Console):
    """A terminal that is given whole lines, already wrapped."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(file=out, highlight=False, soft_wrap=True)
        self._out = out

    def on_broken_pipe(self) -> None:
        """What a reader who went away means is for the caller to say, not for rich."""
        raise BrokenPipeError

    def sentence(self, text: str, style: str = "", mark: str = "") -> None:
        """Print `text`; with `mark` before it in `style`, or all of it in `style`."""
        width = columns(self._out)
        indent = len(mark) + 1 if mark else 0
        said = wrapped(plain(text), width and width - indent).replace("\n", "\n" + " " * indent)
        whole = Text.assemble((mark, style), " ", said) if mark else Text(said, style)
        self.print(whole)

    def rows(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a list in columns that fit the terminal, under its headings."""
        for at, lines in enumerate(each_in_columns(headings, rows, self.width)):
            for line in lines:
                self.print(Text(line, "" if at else "bold"))
