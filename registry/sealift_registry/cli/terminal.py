"""What a command prints: sentences and tables for people, one JSON object for machines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.shown.told import Later
from sealift_signing.drawing import plain
from sealift_signing.line_wrapping import columns
from sealift_signing.printing import as_json, printed
from sealift_signing.streams import spelled

if TYPE_CHECKING:
    from sealift_sync.progress import Phase, Phases


Told = Callable[[str, int, int], None]
"""Told of a subject, how many bytes of it are done, and of how many (0: not known)."""


class Terminal:
    """Where output goes; `as_json` for machines, `interactive` where a person can be asked.

    Attributes:
        naming: what becomes of a line that may print commands, before it is printed.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.naming: Callable[[str], str] = str
        self.interactive = sys.stdin.isatty() and sys.stderr.isatty()

    def answer(self, command: str, data: Mapping[str, Any], text: str | Iterable[str]) -> None:
        """Print the outcome, or under `--json` the one object (docs/reference/exit-codes.md).

        `text` is a line, or lines; each stays one, whatever it holds.
        """
        if self.as_json:
            said = {"schema": f"sealift/{command}/1", **data}
            click.echo(as_json(said, sys.stdout))
            return
        text = text.within(columns(sys.stdout)) if isinstance(text, Later) else text
        for line in _lines(text):
            click.echo(printed(self.naming(line), sys.stdout))

    def each(self, data: Iterable[Mapping[str, Any]]) -> None:
        """Print one JSON object for each of these, a line each: what programs read one by one."""
        for one in data:
            click.echo(as_json(one, sys.stdout))

    def each_line(self, lines: Iterable[str]) -> None:
        """Print lines that programs read as they are: none is broken, wherever it goes."""
        for line in lines:
            click.echo(spelled(plain(line), sys.stdout))

    def note(self, text: str | Iterable[str]) -> None:
        """Tell a person something on the way, as in `answer`; machines are not told."""
        for line in () if self.as_json else _lines(text):
            click.echo(printed(self.naming(line), sys.stderr), err=True)

    def ask(self, question: str) -> bool:
        """Yes or no; no where nobody can be asked."""
        return self.interactive and click.confirm(printed(question, sys.stderr), err=True)

    @contextmanager
    def phases(self) -> Iterator[Phases]:
        """Told of the phases of one piece of work, one after the other, and of their bytes."""
        from sealift_sync import progress

        with progress.telling(quiet=self.as_json) as phases:
            yield phases

    @contextmanager
    def steps(self, name: str, *, counted: bool = True) -> Iterator[Told]:
        """One phase, for work that names what it is at and learns its size on the way.

        The bytes are told to the user, unless they are not `counted`.
        """
        with self.phases() as phases:
            yield Subjects(phases, name, counted=counted)
            if not counted:
                phases("", 0)  # it lasts until all of it is done; a fetch, until its last bytes


class Subjects:
    """Bytes of one subject after another, in one phase. One that is read twice counts once."""

    def __init__(self, phases: Phases, name: str, *, counted: bool) -> None:
        self._phases = phases
        self._name = name
        self._counted = counted
        self._phase: Phase | None = None
        self._seen: dict[str, int] = {}

    def __call__(self, subject: str, done: int, total: int) -> None:
        """`done` bytes of `subject` are done, out of `total`."""
        if self._phase is None:  # here, not before: until then a worker was being started
            self._phase = self._phases.begin(self._name)
        self._phase.note(f"{subject} {100 * done // total} %" if total > done else subject)
        seen = self._seen.get(subject, 0)
        self._seen[subject] = max(done, seen)
        self._phase.add(self._seen[subject] - seen if self._counted else 0)


def _lines(text: str | Iterable[str]) -> Iterable[str]:
    return (text,) if isinstance(text, str) else text


def short(digest: str) -> str:
    """The first twelve digits of a digest: enough to recognise it by."""
    return digest[:12]
