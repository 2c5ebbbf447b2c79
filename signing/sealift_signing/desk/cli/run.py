"""Running a command: errors become one sentence and an exit code, never a stack trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from sealift_signing import closing
from sealift_signing.desk.cli import acts, keys, meeting, signed
from sealift_signing.desk.cli.group import sign
from sealift_signing.desk.cli.terminal import Terminal
from sealift_signing.errors import FailedError, SealiftError, UsageError, shown

COMMANDS = (acts, meeting, signed, keys)
"""The modules whose commands `sealift-sign` has; importing them adds the commands to the group."""
ABORTED = 130
"""What shells say of a command that Ctrl-C ended."""
READER_GONE = 141
"""What shells say of a command that wrote to a pipe which nobody reads."""


@closing.closed_to_others()
def run(arguments: Sequence[str]) -> int:
    """Run `sealift-sign` with `arguments`; returns the exit code (DESIGN section 8, choice 5)."""
    terminal = Terminal(as_json="--json" in arguments)
    try:
        _check_text(arguments)
        found = sign.main(list(arguments), prog_name="sealift-sign", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("Stopped. What was signed before is kept. Run the command again.\n")
        return ABORTED
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough; flushing it at exit would complain again. (click
        # turns the broken pipe into an exit of its own, which would look like a refusal.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except Exception as bad:  # noqa: BLE001 - the last resort: a user gets a sentence, not a trace
        return terminal.error(_told(bad))
    return found if isinstance(found, int) else 0


def _check_text(given: Sequence[str]) -> None:
    """What is no UTF-8 can stand in no document."""
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


def _told(bad: Exception) -> SealiftError:
    """`bad` as an error with a sentence, a next step and an exit code."""
    if isinstance(bad, SealiftError):
        return bad
    if isinstance(bad, click.ClickException):
        return _usage(bad)
    if isinstance(bad, OSError):
        name = str(bad.filename or "")
        return FailedError(
            "unreadable",
            f"{name or 'Something'} could not be read or written: {bad.strerror or bad}.",
            subject=name,
            next_step="Check that it is there, who may read and write it, and that the disk has "
            "room.",
        )
    return _unexpected(bad)


def _usage(bad: click.ClickException) -> UsageError:
    context = getattr(bad, "ctx", None)
    command = context.command_path if context else "sealift-sign"
    what = bad.format_message()
    what = what if what.endswith((".", "?")) else f"{what}."
    return UsageError("usage", what, subject=command, next_step=f"See: {command} --help")


def _unexpected(bad: Exception) -> FailedError:
    import tempfile
    import traceback

    what = f"Something went wrong that Sealift did not expect ({type(bad).__name__})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="sealift-sign-", suffix=".trace", delete=False, encoding="utf-8"
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
