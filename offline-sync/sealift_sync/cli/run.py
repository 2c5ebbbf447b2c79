"""Running a command: errors become one sentence and an exit code, never a stack trace."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from sealift_signing import command_end, events, file_access
from sealift_signing.command_start import ABORTED
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync.cli.calling import Given
from sealift_sync.cli.commands import site
from sealift_sync.cli.telling import error

PROGRAM = "sealift-site"


@file_access.closed_to_others()
def run(arguments: Sequence[str]) -> int:
    """Run `sealift-site` with `arguments`; returns the exit code (docs/reference/exit-codes.md)."""
    with command_end.told() as ended:
        return ended(_run(arguments))


def _run(arguments: Sequence[str]) -> int:
    as_json = "--json" in arguments
    kept: list[str] = []
    try:
        given = Given(events.called(arguments, site), kept)
        found = site.main(list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=given)
    except (click.Abort, KeyboardInterrupt) as stop:
        sys.stderr.write(f"Stopped. {plain(command_end.kept(stop, kept))} Run the command again.\n")
        return ABORTED
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        return asked.exit_code
    except (BrokenPipeError, SystemExit):
        return command_end.reader_gone()
    except Exception as bad:  # noqa: BLE001 - the last resort: a user gets a sentence, not a trace
        return error(_told(bad), as_json=as_json)
    return found if isinstance(found, int) else 0


def _told(bad: Exception) -> SealiftError:
    """`bad` as an error with a sentence, a next step and an exit code."""
    if isinstance(bad, SealiftError):
        return bad
    if isinstance(bad, click.ClickException):
        return command_end.usage(bad, PROGRAM)
    if isinstance(bad, OSError) or _is_database_error(bad):
        return _failed(bad)
    return command_end.unexpected(bad, PROGRAM)


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
