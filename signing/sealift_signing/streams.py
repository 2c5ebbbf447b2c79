"""Standard input, output and error as a command finds them: closed, full, or of few letters.

Whoever starts a command chooses them. What is closed is opened upon nothing, before a file of ours
is opened in its place and written into. What an output's encoding cannot show is spelled by its
number, and then every backslash of the line is doubled: a stranger's words cannot look so.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO

INPUT, OUTPUT, ERROR = 0, 1, 2
"""The descriptors that POSIX gives them."""
UNWRITTEN = 4
"""The exit code where what was to be said could not be written (docs/reference/exit-codes.md)."""
READER_GONE = 141
"""What shells say of a command that wrote to a pipe which nobody reads."""

_LARGEST_UNIT = 0xFFFF


class _Escaping(io.TextIOWrapper):
    """An output that spells what its encoding has no letter for."""

    def write(self, text: str) -> int:
        return super().write(spelled(text, self))


def prepare() -> None:
    """Make all three usable; before anything else is opened."""
    for number in (INPUT, OUTPUT, ERROR):
        try:
            os.fstat(number)
        except OSError:  # closed: the lowest free number is given, which is this one
            os.open(os.devnull, os.O_RDONLY if number == INPUT else os.O_WRONLY)
    # Python has None where they were closed when it began, whatever its types say.
    if sys.__stdin__ is None:
        sys.stdin = os.fdopen(INPUT, "r", encoding="utf-8", closefd=False)
    sys.stdout = _output(sys.__stdout__, OUTPUT)
    sys.stderr = _output(sys.__stderr__, ERROR)


def _output(found: TextIO | None, number: int) -> TextIO:
    if found is None:
        return os.fdopen(number, "w", encoding="utf-8", closefd=False)
    if shows_all(found) or not isinstance(found, io.TextIOWrapper):
        return found
    buffered, encoding = found.line_buffering, found.encoding
    return _Escaping(found.detach(), encoding, "backslashreplace", line_buffering=buffered)


def shows_all(out: TextIO) -> bool:
    """Whether every character can be written to `out`."""
    try:
        return codecs.lookup(out.encoding or "utf-8").name in {"utf-8", "utf-16", "utf-32"}
    except LookupError:
        return False


def spelled(text: str, out: TextIO) -> str:
    """`text` as `out` can show it; before it is broken into lines, for it may become longer."""
    encoding = out.encoding or "utf-8"
    if _has(text, encoding):
        return text
    return "\n".join(
        line if _has(line, encoding) else "".join(_spelled(one, encoding) for one in line)
        for line in text.split("\n")
    )


def _has(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _spelled(one: str, encoding: str) -> str:
    if one == "\\":
        return "\\\\"
    if _has(one, encoding):
        return one
    number = ord(one)
    return f"\\u{number:04x}" if number <= _LARGEST_UNIT else f"\\U{number:08x}"


def ended(code: int) -> int:
    """Write out what waits to be written; the exit code, which is another where that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up()
        return READER_GONE  # not `code`: how it ended was not told
    except OSError as bad:
        _give_up()
        sys.stderr.write(
            f"Error: What was to be printed could not be written: {bad.strerror}.\n"
            "  Next: Make room where the output goes, and ask again; the command itself was done.\n"
        )
        return UNWRITTEN
    return code


def _give_up() -> None:
    """What waits is thrown away: at exit it would be tried, and complained of, once more."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, OUTPUT)
    os.close(nothing)
