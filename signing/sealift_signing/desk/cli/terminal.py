"""What `sealift-sign` prints: sentences for people, one JSON object for machines.

What is about to be signed is shown whole, and never so that another's words could pass for ours:
where a line is too long for the terminal, each further line of it begins with a mark of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from sealift_signing.drawing import cells, plain
from sealift_signing.errors import UsageError
from sealift_signing.line_wrapping import columns, filled
from sealift_signing.printing import as_json, printed
from sealift_signing.streams import spelled

if TYPE_CHECKING:
    from sealift_signing.gate_history import Confirmation

FURTHER = "> "
"""How a further line of a value begins, after the value's own indentation; no line of ours does."""


TYPED = "Its eight words, or all 64 digits"
CONFIRM = '--confirm "EIGHT WORDS", or --confirm with all 64 digits'


class Terminal:
    """Where output goes; `as_json` for machines, `interactive` where a person can be asked."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.interactive = sys.stdin.isatty() and sys.stderr.isatty()

    def answer(self, command: str, data: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print `lines`, or under `--json` the one object (docs/reference/exit-codes.md)."""
        if self.as_json:
            said = {"schema": f"sealift/sign-{command}/1", **data}
            click.echo(as_json(said, sys.stdout))
            return
        for line in lines:
            click.echo(printed(line, sys.stdout))

    def show(self, lines: Iterable[str]) -> None:
        """Show what is signed, whole; under `--json` only to somebody who is asked."""
        if self.as_json and not self.interactive:
            return
        out = sys.stderr if self.as_json else sys.stdout
        width = columns(out)
        for line in lines:
            click.echo(whole(spelled(plain(line), out), width), err=self.as_json)

    def note(self, text: str) -> None:
        """Tell a person something on the way; machines are not told."""
        if not self.as_json:
            with suppress(BrokenPipeError):
                click.echo(printed(text, sys.stderr), err=True)

    def typed(self, asked: str, what: str) -> str:
        """What somebody types."""
        click.echo(printed(asked, sys.stderr), err=True)
        said: str = click.prompt(what, err=True)
        return said


class Asking:
    """How somebody is asked before they sign: at a terminal, or by options given beforehand.

    Args:
        confirm: digests that were given as options.
        words: eight words, likewise.
        yes: they agreed beforehand.
    """

    def __init__(
        self, terminal: Terminal, confirm: Sequence[str], words: Sequence[str], *, yes: bool
    ) -> None:
        self._terminal = terminal
        self._given = (*confirm, *words)
        self._yes = yes
        self.shown: list[str] = []

    def show(self, words: Sequence[str]) -> None:
        """Show all of it, a line for each."""
        self.shown += words
        self._terminal.show(words)

    def typed(self, confirmation: Confirmation) -> str | None:
        """What was given for this as an option, or is typed now.

        Raises:
            UsageError: neither, and nobody can be asked.
        """
        from sealift_signing.gate import is_typed

        given = next((one for one in self._given if is_typed(one, confirmation)), None)
        if given is not None:
            return given
        option = '--words "EIGHT WORDS", or --card FILE' if confirmation.is_card else CONFIRM
        if not self._terminal.interactive:
            raise UsageError(
                "not-confirmed",
                f"{confirmation.what} Nobody can be asked here, and no option confirms it.",
                subject=option.split()[0],
                next_step=f"{confirmation.where} If it is meant, add {option}.",
            )
        return self._terminal.typed(f"{confirmation.what} {confirmation.where}", TYPED)

    def agree(self, question: str) -> bool:
        """Yes beforehand, or now.

        Raises:
            UsageError: neither, and nobody can be asked.
        """
        if self._yes:
            return True
        if not self._terminal.interactive:
            raise UsageError(
                "not-confirmed",
                "Nobody can be asked here whether to sign it.",
                subject="--yes",
                next_step="Run this on a terminal, or add --yes.",
            )
        return click.confirm(printed(question, sys.stderr), err=True)


def whole(line: str, width: int | None) -> str:
    """`line`, each further line of it marked, where it is wider than `width`; None: as it is."""
    if width is None or cells(line) <= width:
        return line
    start = len(line) - len(line.lstrip(" "))
    return filled(line[start:], width, " " * start, " " * start + FURTHER)
