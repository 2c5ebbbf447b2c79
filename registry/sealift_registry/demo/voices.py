"""The demo's voices: rich on a terminal, plain lines in a pipe, silence under --json."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sealift_registry.demo.story import Voice

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

PLAIN_WIDTH = 100
MARGIN = "    "


def choose_voice(*, as_json: bool) -> Voice:
    """The voice for whoever is listening."""
    if as_json:
        return Silent()
    return OnTerminal() if sys.stdout.isatty() else Plain()


class Silent:
    """Nobody listens; machines read the object at the end."""

    def chapter(self, number: int, count: int, title: str, text: str) -> None:
        """Say nothing."""

    def started(self, who: str, command: Sequence[str]) -> None:
        """Say nothing."""

    def ended(self, seconds: float, lines: Sequence[str], more: int) -> None:
        """Say nothing."""

    def tell(self, text: str) -> None:
        """Say nothing."""

    def lines(self, lines: Sequence[str]) -> None:
        """Say nothing."""

    def measured(self, rows: Sequence[tuple[str, str]]) -> None:
        """Say nothing."""

    def refused(self, what: str, how: str, sentence: str) -> None:
        """Say nothing."""


class Later:
    """Keeps what is said, for another voice to say afterwards."""

    def __init__(self) -> None:
        self._said: list[Callable[[Voice], None]] = []

    def tell_to(self, voice: Voice) -> None:
        """Have `voice` say all of it."""
        for said in self._said:
            said(voice)

    def chapter(self, number: int, count: int, title: str, text: str) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.chapter(number, count, title, text))

    def started(self, who: str, command: Sequence[str]) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.started(who, command))

    def ended(self, seconds: float, lines: Sequence[str], more: int) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.ended(seconds, lines, more))

    def tell(self, text: str) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.tell(text))

    def lines(self, lines: Sequence[str]) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.lines(lines))

    def measured(self, rows: Sequence[tuple[str, str]]) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.measured(rows))

    def refused(self, what: str, how: str, sentence: str) -> None:
        """Keep it."""
        self._said.append(lambda voice: voice.refused(what, how, sentence))


class Plain:
    """Lines, for a pipe or a file: no colour, nothing that moves, every line at once."""

    def chapter(self, number: int, count: int, title: str, text: str) -> None:
        """A heading and its text."""
        _say(f"\n[{number}/{count}] {title}\n")
        self.tell(text)

    def started(self, who: str, command: Sequence[str]) -> None:
        """The command, as typed."""
        first, *more = typed(command, PLAIN_WIDTH - len(MARGIN) - len(who) - 3)
        _say(f"\n  {who} $ {first}" + "".join(f"\n  {MARGIN}{line}" for line in more))

    def ended(self, seconds: float, lines: Sequence[str], more: int) -> None:
        """What it said, and how long it took."""
        self.lines(lines)
        _say(f"{MARGIN}({_rest(seconds, more)})")

    def tell(self, text: str) -> None:
        """A paragraph."""
        for part in text.splitlines():
            _say(textwrap.fill(part, PLAIN_WIDTH, initial_indent="  ", subsequent_indent="  "))

    def lines(self, lines: Sequence[str]) -> None:
        """Lines as they are."""
        for line in lines:
            _say(f"{MARGIN}{line}".rstrip())

    def measured(self, rows: Sequence[tuple[str, str]]) -> None:
        """What, and how much, in columns."""
        _say("")
        width = max(len(what) for what, _ in rows)
        for what, much in rows:
            _say(f"{MARGIN}{what.ljust(width)}  {much}")

    def refused(self, what: str, how: str, sentence: str) -> None:
        """Who tried what, and the sentence that it met."""
        _say(f"\n  {how.upper()}: {what}")
        _say(textwrap.fill(sentence, PLAIN_WIDTH, initial_indent=MARGIN, subsequent_indent=MARGIN))


class OnTerminal:
    """Colour, headings, and something that moves while a command runs."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console: Console = Console(highlight=False, soft_wrap=False)
        self._status: Status | None = None
        self._place = ""

    def chapter(self, number: int, count: int, title: str, text: str) -> None:
        """A rule across the terminal, and the text."""
        self._place = f"{number}/{count}"
        self._console.print()
        self._console.rule(f"[bold]{self._place}  {_safe(title)}", align="left", style="blue")
        self._console.print()
        self.tell(text)

    def started(self, who: str, command: Sequence[str]) -> None:
        """The command, as typed; below it, something moves."""
        width = self._console.width - len(who) - 8
        first, *more = typed(command, width)
        lines = [first, *(f"{MARGIN}{line}" for line in more)]
        shown = "\n  ".join(f"[bold]{_safe(line)}[/]" for line in lines)
        self._console.print(f"\n  [cyan]{_safe(who)}[/] [dim]$[/] {shown}")
        self._status = self._console.status(f"[dim]{self._place}  {_safe(first)}[/]")
        self._status.start()

    def ended(self, seconds: float, lines: Sequence[str], more: int) -> None:
        """What it said, dimmed, and how long it took."""
        if self._status is not None:
            self._status.stop()
        for line in lines:
            for part in _wrapped(line, self._console.width - len(MARGIN)):
                self._console.print(f"{MARGIN}[dim]{_safe(part)}[/]", soft_wrap=True)
        self._indented(f"[blue]{_rest(seconds, more)}[/]", 4)

    def tell(self, text: str) -> None:
        """A paragraph."""
        for part in text.splitlines():
            if part:
                self._indented(_safe(part), 2)
            else:
                self._console.print()

    def lines(self, lines: Sequence[str]) -> None:
        """Lines as they are, too long or not, so that they can be copied."""
        for line in lines:
            self._console.print(f"{MARGIN}[bold]{_safe(line)}[/]", soft_wrap=True)

    def measured(self, rows: Sequence[tuple[str, str]]) -> None:
        """What, and how much, in columns."""
        self._console.print()
        width = max(len(what) for what, _ in rows)
        for what, much in rows:
            self._indented(f"{_safe(what.ljust(width))}  [bold green]{_safe(much)}[/]", 4)

    def refused(self, what: str, how: str, sentence: str) -> None:
        """Who tried what, and the sentence that it met."""
        self._console.print(f"\n  [bold black on yellow] {how.upper()} [/] [bold]{_safe(what)}[/]")
        self._indented(_safe(sentence), 4)

    def _indented(self, markup: str, by: int) -> None:
        from rich.padding import Padding

        self._console.print(Padding.indent(markup, by))


def typed(command: Sequence[str], width: int) -> list[str]:
    """A command as a person would type it, broken before its options where it is long.

    The lines can be pasted into a shell as they are. A single word is no command, but work in
    words, and is not quoted.
    """
    if len(command) == 1:
        return [command[0]]
    lines: list[str] = []
    line = ""
    for part in _parts(command):
        if line and len(line) + len(part) + 3 > width:
            lines.append(f"{line} \\")
            line = ""
        line = f"{line} {part}".strip()
    return [*lines, line]


def _parts(command: Sequence[str]) -> list[str]:
    """Words that stay on one line together: an option and its value."""
    parts: list[str] = []
    for word in command:
        quoted = shlex.quote(word)
        if parts and parts[-1].startswith("--") and " " not in parts[-1] and word[:2] != "--":
            parts[-1] += f" {quoted}"
        else:
            parts.append(quoted)
    return parts


def _wrapped(line: str, width: int) -> list[str]:
    """A line of a command's output in lines that fit, the later ones further in."""
    inner = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, max(width, 40), subsequent_indent=inner) or [""]


def _rest(seconds: float, more: int) -> str:
    """How long it took, and how many lines are not shown."""
    hidden = {0: "", 1: ", 1 more line"}.get(more, f", {more} more lines")
    return f"{seconds:.2f} s{hidden}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape(text)
