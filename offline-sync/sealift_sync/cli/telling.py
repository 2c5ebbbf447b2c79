"""What a person sees: colour on a terminal, plain lines when piped, JSON on request.

Whatever a stranger's name or sentence holds, nothing that is printed here rewrites the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from sealift_signing import events
from sealift_signing.drawing import plain
from sealift_signing.errors import SealiftError
from sealift_signing.lists import tab_separated
from sealift_signing.streams import shows_all, spelled
from sealift_signing.vocabulary import visible

if TYPE_CHECKING:
    from sealift_sync.cli.coloured import Coloured


def say(text: str = "", style: str = "") -> None:
    """One line, coloured on a terminal."""
    _line(sys.stdout, text, style)


def say_aside(text: str) -> None:
    """A line on standard error: told while something works, and no part of its result."""
    _aside(text)


def warn_aside(text: str) -> None:
    """As `warn`, on standard error."""
    _aside(text, "yellow", "!")


def good(text: str) -> None:
    """A line about something that is as it should be."""
    _line(sys.stdout, text, "green", "✓")


def bad(text: str) -> None:
    """A line about something that is not."""
    _line(sys.stdout, text, "red", "✗")


def warn(text: str) -> None:
    """A line that wants to be read."""
    _line(sys.stdout, text, "yellow", "!")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings; tab-separated when piped, so that `cut` can take them."""
    terminal = _terminal(sys.stdout)
    if terminal:
        terminal.rows(columns, rows)
        return
    sys.stdout.write("".join(f"{line}\n" for line in tab_separated(columns, rows)))


def print_json(command: str, members: Mapping[str, Any]) -> None:
    """The one object that `--json` prints (docs/reference/exit-codes.md)."""
    said = {"schema": f"sealift/{command}/1", **members}
    sys.stdout.write(_json(said, sys.stdout, indent=2))


def error(problem: SealiftError, *, as_json: bool) -> int:
    """Tell of `problem` on standard error; returns its exit code."""
    events.tell_problem(problem)
    if as_json:
        with suppress(BrokenPipeError):
            sys.stderr.write(_json(problem.as_json(), sys.stderr))
        return problem.exit_code
    _aside(problem.what, "bold red", "Error:", everywhere=True)
    if problem.advice:
        _aside(f"  Next: {problem.advice}")
    return problem.exit_code


def _line(
    out: TextIO, text: str, style: str = "", mark: str = "", *, everywhere: bool = False
) -> None:
    """A line on `out`; its `mark` is for terminals, unless it is meant `everywhere`."""
    terminal, text = _terminal(out), spelled(text, out)
    if terminal:
        terminal.sentence(text, style, mark)
    else:
        out.write(f"{mark} {plain(text)}\n" if everywhere else f"{plain(text)}\n")


def _aside(text: str, style: str = "", mark: str = "", *, everywhere: bool = False) -> None:
    """What is told on the side must not stop the work because nobody reads it any more."""
    with suppress(BrokenPipeError):
        _line(sys.stderr, text, style, mark, everywhere=everywhere)


def _terminal(out: TextIO) -> Coloured | None:
    """Where `out` can show colours; rich is loaded only for that."""
    if not (out.isatty() or os.environ.get("FORCE_COLOR")):
        return None
    from sealift_sync.cli.coloured import Coloured

    found = Coloured(out)
    return found if found.is_terminal else None


def _json(said: Mapping[str, Any], out: TextIO, indent: int | None = None) -> str:
    """JSON leaves some characters be that a terminal obeys; they are spelled by their numbers."""
    text = json.dumps(said, ensure_ascii=not shows_all(out), indent=indent)
    return visible(text, lambda one: f"\\u{ord(one):04x}") + "\n"
