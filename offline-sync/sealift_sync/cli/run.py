"""Running a command: errors become one sentence and an exit code, never a stack trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from sealift_signing import closing
from sealift_signing.errors import FailedError, SealiftError, UsageError
from sealift_sync.cli.commands import site
from sealift_sync.cli.telling import error

ABORTED = 130
"""What shells say of a command that Ctrl-C ended."""
READER_GONE = 141
"""What shells say of a command that wrote to a pipe which nobody reads."""


@closing.closed_to_others()
def run(arguments: Sequence[str]) -> int:
    """Run `sealift-site` with `arguments`; returns the exit code of DESIGN section 8, choice 5."""
    as_json = "--json" in arguments
    kept: list[str] = []
    try:
        found = site.main(
            list(arguments), prog_name="sealift-site", standalone_mode=False, obj=kept
        )
    except (click.Abort, KeyboardInterrupt) as stop:
        sys.stderr.write(f"Stopped. {_kept(stop, kept)} Run the command again.\n")
        return ABORTED
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough; flushing it at exit would complain again. (click
        # turns the broken pipe into an exit of its own, which would look like a refusal.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE  # not 0: how it ended was not told, and may have been a refusal
    except Exception as bad:  # noqa: BLE001 - the last resort: a user gets a sentence, not a trace
        return error(_told(bad), as_json=as_json)
    return found if isinstance(found, int) else 0


def _kept(stop: BaseException, done: Sequence[str]) -> str:
    """What the use case that was stopped says it kept; click wraps what Ctrl-C raised."""
    notes = [
        note for one in (stop, stop.__cause__) if one for note in getattr(one, "__notes__", ())
    ]
    return " ".join(notes or done) or "Nothing was changed."


def _told(bad: Exception) -> SealiftError:
    """`bad` as an error with a sentence, a next step and an exit code."""
    if isinstance(bad, SealiftError):
        return bad
    if isinstance(bad, click.ClickException):
        return _usage(bad)
    if isinstance(bad, OSError) or _is_database_error(bad):
        return _failed(bad)
    return _unexpected(bad)


def _usage(bad: click.ClickException) -> UsageError:
    context = getattr(bad, "ctx", None)
    command = context.command_path if context else "sealift-site"
    what = bad.format_message()
    what = what if what.endswith((".", "?")) else f"{what}."
    return UsageError("usage", what, subject=command, next_step=f"See: {command} --help")


def _is_database_error(bad: Exception) -> bool:
    """Whether the database's own library raised it; a command that used none did not load it."""
    library = sys.modules.get("sqlite3")
    return library is not None and isinstance(bad, library.Error)


def _failed(bad: Exception) -> FailedError:
    """What a disk or a database said, where no use case put it better."""
    name = str(bad.filename or "") if isinstance(bad, OSError) else ""
    why = (bad.strerror if isinstance(bad, OSError) else None) or str(bad)
    return FailedError(
        "unusable",
        f"{name or 'The site'} could not be read or written: {why}.",
        subject=name,
        next_step="Check the disk and the permissions, and run the command again.",
    )


def _unexpected(bad: Exception) -> FailedError:
    import tempfile
    import traceback

    what = f"Something went wrong that Sealift did not expect ({type(bad).__name__})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="sealift-site-", suffix=".trace", delete=False, encoding="utf-8"
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
