"""How a command ends where no use case says it: one sentence and an exit code, no stack trace."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import click

from sealift_signing import events
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, UsageError, shown
from sealift_signing.streams import READER_GONE


@contextmanager
def told() -> Iterator[Callable[[int], int]]:
    """Tell the log file, where one is open, with which exit code a command ended, and when."""
    began = time.monotonic()

    def ended(code: int) -> int:
        seconds = round(time.monotonic() - began, 3)
        events.tell("command", "command-ended", exit_code=code, seconds=seconds)
        return code

    try:
        yield ended
    finally:
        missing = events.end()
        if missing:
            with suppress(OSError, ValueError):  # where standard error is gone, too
                sys.stderr.write(f"{plain(missing)}\n")


def check_text(given: Iterable[str]) -> None:
    """Check a command line: what is no UTF-8 can stand in no document and in no answer.

    Raises:
        UsageError: a word of it is none.
    """
    for text in given:
        try:
            text.encode()
        except UnicodeEncodeError as bad:
            raise UsageError(
                "not-utf-8",
                f"{shown(text)} is not UTF-8.",
                subject=repr(text),
                next_step="Spell it in UTF-8; a file of such a name must be renamed first.",
            ) from bad


def kept(stop: BaseException, done: Sequence[str] = ()) -> str:
    """What the use case that was stopped says it kept; click wraps what Ctrl-C raised."""
    notes = [
        note for one in (stop, stop.__cause__) if one for note in getattr(one, "__notes__", ())
    ]
    return " ".join(notes or done) or "Nothing was changed."


def reader_gone() -> int:
    """The exit code where whoever read our output has seen enough.

    Flushing it at exit would complain again. (click turns the broken pipe into an exit of its own,
    which would look like a refusal.) It is not 0: how the command ended was not told.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE


def usage(bad: click.ClickException, program: str) -> UsageError:
    """What was typed wrongly."""
    context = getattr(bad, "ctx", None)
    command = context.command_path if context else program
    what = bad.format_message()
    what = what if what.endswith((".", "?")) else f"{what}."
    what = _of_choice(bad) or what
    first = _belongs_first(bad)
    if first:
        step = f"Put it before the command: {program} {first} VALUE {command[len(program) + 1 :]} …"
        return UsageError("usage", what, subject=command, next_step=step)
    return UsageError("usage", what, subject=command, next_step=f"See: {command} --help")


def _of_choice(bad: click.ClickException) -> str:
    """What was typed in place of one of some words, and the nearest of them; else empty."""
    param = getattr(bad, "param", None)
    typed = re.match(r"""(['"])(.*)\1 is not one of""", bad.message, re.DOTALL)
    if typed is None or param is None or not isinstance(param.type, click.Choice):
        return ""
    import difflib

    known = [str(one) for one in param.type.choices]
    of = f"{param.opts[0]}: " if isinstance(param, click.Option) else ""
    near = difflib.get_close_matches(typed[2], known, 1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"{of}{shown(typed[2])} is not one of {', '.join(known)}.{meant}"


def _belongs_first(bad: click.ClickException) -> str:
    """The option that stands behind a command and before it would be known; empty where none is."""
    if not isinstance(bad, click.NoSuchOption) or bad.ctx is None:
        return ""
    known = (name for one in bad.ctx.find_root().command.params for name in one.opts)
    return bad.option_name if bad.ctx.parent and bad.option_name in known else ""


def unreadable(bad: OSError) -> FailedError:
    """What a disk said."""
    name = str(bad.filename or "")
    return FailedError(
        "unreadable",
        f"{name or 'Something'} could not be read or written: {bad.strerror or bad}.",
        subject=name,
        next_step="Check that it is there, who may read and write it, and that the disk has room.",
    )


def unexpected(bad: Exception, program: str) -> FailedError:
    """A fault of ours; its particulars are in a file, for whoever mends it."""
    import tempfile
    import traceback

    what = f"Something went wrong that Sealift did not expect ({type(bad).__name__})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix=f"{program}-", suffix=".trace", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exception(bad, file=file)
    except OSError:  # no room for the particulars: what happened is said all the same
        next_step = "Please report it with the command and what it printed."
        return FailedError("unexpected", what, next_step=next_step)
    return FailedError(
        "unexpected",
        what,
        subject=file.name,
        next_step=f"Please report it with the trace in {file.name}.",
    )
