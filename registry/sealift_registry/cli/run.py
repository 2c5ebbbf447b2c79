"""The command `sealift`: running it, and what becomes of an error."""

from __future__ import annotations

import os
import sys

import click

from sealift_registry.cli import (
    audit,
    conversion,
    delivery,
    fingerprint,
    intake,
    keys,
    promotion,
    setup,
    show,
    submit,
    teams,
)
from sealift_registry.cli.group import sealift
from sealift_registry.cli.terminal import as_json as as_json_text
from sealift_signing import closing
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, SealiftError, UsageError, shown
from sealift_signing.streams import spelled
from sealift_signing.wrapping import columns, wrapped

COMMANDS = (
    *(setup, keys, teams, intake, conversion, promotion, delivery),
    *(show, audit, submit, fingerprint),
)
"""The modules whose commands `sealift` has; importing them adds the commands to the group."""
INTERRUPTED = 130
READER_GONE = 141
"""What shells say of a command that wrote to a pipe which nobody reads."""


@closing.closed_to_others()
def run(given: list[str]) -> int:
    """Run the command `given`; its exit code (DESIGN section 8, choice 5)."""
    as_json = "--json" in given
    try:
        _check_text(given)
        result = sealift.main(given, prog_name="sealift", standalone_mode=False)
    except SealiftError as error:
        return _tell(error, as_json=as_json)
    except (click.exceptions.Abort, KeyboardInterrupt) as stop:
        what = f"Stopped. {_kept(stop)}"
        _tell(UsageError("interrupted", what, next_step="Run the command again."), as_json=as_json)
        return INTERRUPTED
    except click.ClickException as error:
        return _misused(error, as_json=as_json)
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough; flushing it at exit would complain again. (click
        # turns the broken pipe into an exit of its own, which would look like a refusal.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except Exception as error:  # noqa: BLE001 - the last place: a sentence, never a stack trace
        return _unexpected(error, as_json=as_json)
    return result if isinstance(result, int) else 0


def _kept(stop: BaseException) -> str:
    """What the use case that was stopped says it kept; click wraps what Ctrl-C raised."""
    notes = [
        note for one in (stop, stop.__cause__) if one for note in getattr(one, "__notes__", ())
    ]
    return " ".join(notes) or "Nothing was changed."


def _check_text(given: list[str]) -> None:
    """What is no UTF-8 can stand in no document, in no database and in no answer."""
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


def _misused(error: click.ClickException, *, as_json: bool) -> int:
    if not as_json:
        error.show()
        return error.exit_code
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "sealift"
    told = UsageError("usage", error.format_message(), next_step=f"See: {command} --help")
    return _tell(told, as_json=True)


def _unreadable(error: OSError) -> SealiftError:
    where = str(error.filename or "")
    what = f"{where or 'Something'} could not be read or written: {error.strerror or error}."
    next_step = "Check that it is there, who may read and write it, and that the disk has room."
    return FailedError("unreadable", what, subject=where, next_step=next_step)


def _tell(error: SealiftError, *, as_json: bool) -> int:
    if as_json:
        click.echo(as_json_text(error.as_json(), sys.stderr), err=True)
    else:
        click.echo(_lines(f"Error: {error.what}"), err=True)
        if error.advice:
            click.echo(_lines(f"  Next: {error.advice}"), err=True)
    return error.exit_code


def _lines(text: str) -> str:
    return wrapped(spelled(plain(text), sys.stderr), columns(sys.stderr))


def _is_database_error(error: Exception) -> bool:
    """Whether the database's own library raised it; a command that used none did not load it."""
    library = sys.modules.get("sqlalchemy.exc")
    return library is not None and isinstance(error, library.DBAPIError)


def _unexpected(error: Exception, *, as_json: bool) -> int:
    if isinstance(error, OSError):
        return _tell(_unreadable(error), as_json=as_json)
    if _is_database_error(error):
        said = getattr(error, "orig", error)
        what = f"The hub's database could not be read or written: {said}."
        next_step = "Check the disk and who may write there; else restore it from a backup."
        told = FailedError("database-unreadable", what, next_step=next_step)
        return _tell(told, as_json=as_json)
    import tempfile
    import traceback

    what = f"Something unexpected went wrong ({type(error).__name__})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="sealift-", suffix=".trace", delete=False
        ) as file:
            traceback.print_exception(error, file=file)
        next_step = f"Please report it with the file {file.name}."
    except OSError:  # no room for the particulars: what happened is said all the same
        next_step = "Please report it with the command and what it printed."
    return _tell(FailedError("unexpected", what, next_step=next_step), as_json=as_json)
