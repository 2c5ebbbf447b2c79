"""What a command prints: sentences and tables for people, one JSON object for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sealift_sync.durable import Progress


class Terminal:
    """Where output goes; `as_json` for machines, `interactive` where a person can be asked."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.interactive = sys.stdin.isatty() and sys.stderr.isatty()

    def answer(self, command: str, data: Mapping[str, Any], text: str) -> None:
        """Print the outcome: `text`, or under `--json` the one object (DESIGN section 8, 5)."""
        if self.as_json:
            said = {"schema": f"sealift/{command}/1", **data}
            click.echo(json.dumps(said, ensure_ascii=False, sort_keys=True))
        elif text:
            click.echo(text)

    def note(self, text: str) -> None:
        """Tell a person something on the way; machines are not told."""
        if not self.as_json:
            click.echo(text, err=True)

    def ask(self, question: str) -> bool:
        """Yes or no; no where nobody can be asked."""
        return self.interactive and click.confirm(question, err=True)

    @contextmanager
    def progress(self, label: str, size: int) -> Iterator[Progress]:
        """A bar on a terminal, nothing where output is piped; `size` in bytes."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn(label), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=size)
            yield lambda count: bar.advance(task, count)

    @contextmanager
    def stages(self) -> Iterator[Callable[[str, int], Progress]]:
        """A bar for each stage of one piece of work, one after the other."""
        with ExitStack() as stack:

            def stage(label: str, size: int) -> Progress:
                stack.close()
                return stack.enter_context(self.progress(label, size))

            yield stage

    @contextmanager
    def steps(self, label: str) -> Iterator[Callable[[str, int, int], None]]:
        """As `progress`, for work that names what it is doing and learns its size on the way."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda _subject, _done, _total: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=None)

            def report(subject: str, done: int, total: int) -> None:
                words = f"{label} {subject}"
                bar.update(task, description=words, completed=done, total=total or None)

            yield report


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns in line, two spaces apart; readable on a terminal and in a pipe."""
    cells = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(row[n]) for row in cells) for n in range(len(headings))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 receipt`, `2 receipts`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def short(digest: str) -> str:
    """The first twelve digits of a digest: enough to recognise it by."""
    return digest[:12]
