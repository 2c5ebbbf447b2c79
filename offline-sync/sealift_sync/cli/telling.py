"""What a person sees: colour on a terminal, plain lines when piped, JSON on request.

Whatever a stranger's name or sentence holds, nothing that is printed here rewrites the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import visible
from sealift_sync.durable import Progress as Told
from sealift_sync.site.staging import Stage

SMALL = 32 * 1024 * 1024
"""Bytes; less than this is over before a progress bar could be read."""


class _Lines(Console):
    """Where lines go; made anew each time, because tests exchange sys.stdout and sys.stderr."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """What a reader who went away means is for the caller to say, not for rich."""
        raise BrokenPipeError


def out() -> Console:
    """Where results go."""
    return _Lines()


def say(text: str = "", style: str = "") -> None:
    """One line, coloured on a terminal."""
    out().print(escape(visible(text)), style=style or None)


def say_aside(text: str) -> None:
    """A line on standard error: told while something works, and no part of its result."""
    _aside(_Lines(stderr=True), escape(visible(text)))


def warn_aside(text: str) -> None:
    """As `warn`, on standard error."""
    console = _Lines(stderr=True)
    _aside(console, f"{'[yellow]![/] ' if console.is_terminal else ''}{escape(visible(text))}")


def good(text: str) -> None:
    """A line about something that is as it should be."""
    _marked("✓", "green", text)


def bad(text: str) -> None:
    """A line about something that is not."""
    _marked("✗", "red", text)


def warn(text: str) -> None:
    """A line that wants to be read."""
    _marked("!", "yellow", text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings; tab-separated when piped, so that `cut` can take them."""
    console = out()
    if not console.is_terminal:
        for row in (columns, *rows):
            sys.stdout.write(visible("\t".join(row)) + "\n")
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(visible(cell)) for cell in row))
    console.print(shown)


def print_json(command: str, members: Mapping[str, Any]) -> None:
    """The one object that `--json` prints (DESIGN section 8, choice 5)."""
    said = {"schema": f"sealift/{command}/1", **members}
    sys.stdout.write(_json(said, indent=2))


def error(problem: SealiftError, *, as_json: bool) -> int:
    """Tell of `problem` on standard error; returns its exit code."""
    if as_json:
        with suppress(BrokenPipeError):
            sys.stderr.write(_json(problem.as_json()))
        return problem.exit_code
    console = _Lines(stderr=True)
    _aside(console, f"[bold red]Error:[/] {escape(visible(problem.what))}")
    if problem.next_step:
        _aside(console, f"  Next: {escape(visible(problem.next_step))}")
    return problem.exit_code


@contextmanager
def progress(*, quiet: bool) -> Iterator[Stage]:
    """What long stages are told to: a bar on a terminal, one line each when piped."""
    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        yield lambda name, size: _line(name, size, quiet=quiet)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:

        def stage(name: str, size: int) -> Told:
            if size < SMALL:
                return lambda _: None
            task = bars.add_task(name, total=size)
            return lambda done: bars.advance(task, done)

        yield stage


def _aside(console: Console, markup: str) -> None:
    """What is told on the side must not stop the work because nobody reads it any more."""
    with suppress(BrokenPipeError):
        console.print(markup)


def _json(said: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON leaves some characters be that a terminal obeys; they are spelled by their numbers."""
    text = json.dumps(said, ensure_ascii=False, indent=indent)
    return visible(text, lambda one: f"\\u{ord(one):04x}") + "\n"


def _line(name: str, size: int, *, quiet: bool) -> Told:
    if not quiet and size >= SMALL:
        with suppress(BrokenPipeError):
            sys.stderr.write(f"{name}: {size:,} bytes\n")
    return lambda _: None


def _marked(mark: str, style: str, text: str) -> None:
    console = out()
    if console.is_terminal:
        console.print(f"[{style}]{mark}[/] {escape(visible(text))}")
    else:
        sys.stdout.write(f"{visible(text)}\n")
