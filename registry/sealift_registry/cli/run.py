"""The command `sealift`: running it, and what becomes of an error."""

from __future__ import annotations

import sys

import click

from sealift_registry.cli.group import sealift
from sealift_signing import command_end, events, file_access, printing
from sealift_signing.command_start import ABORTED
from sealift_signing.errors import FailedError, SealiftError, UsageError

PROGRAM = "sealift"


@file_access.closed_to_others()
def run(given: list[str]) -> int:
    """Run the command `given`; its exit code (docs/reference/exit-codes.md)."""
    with command_end.told() as ended:
        return ended(_run(given))


def _run(given: list[str]) -> int:
    as_json = "--json" in given
    try:
        command_end.check_text(given)
        named = events.called(given, sealift)
        result = sealift.main(given, prog_name=PROGRAM, standalone_mode=False, obj=named)
    except (click.exceptions.Abort, KeyboardInterrupt) as stop:
        what = f"Stopped. {command_end.kept(stop)}"
        told = UsageError("interrupted", what, next_step="Run the command again.")
        printing.error(told, for_machines=as_json)
        return ABORTED
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
            error.show()
            return error.exit_code
        return printing.error(command_end.usage(error, PROGRAM), for_machines=as_json)
    except (BrokenPipeError, SystemExit):
        return command_end.reader_gone()
    except Exception as error:  # noqa: BLE001 - the last place: a sentence, never a stack trace
        return printing.error(_told(error), for_machines=as_json)
    return result if isinstance(result, int) else 0


def _told(error: Exception) -> SealiftError:
    """`error` as one with a sentence, a next step and an exit code."""
    if isinstance(error, SealiftError):
        return error
    if isinstance(error, OSError):
        return command_end.unreadable(error)
    if _is_database_error(error):
        return FailedError(
            "database-unreadable",
            f"The hub's database could not be read or written: {getattr(error, 'orig', error)}.",
            next_step="Check the disk and who may write there; else restore it from a backup.",
        )
    return command_end.unexpected(error, PROGRAM)


def _is_database_error(error: Exception) -> bool:
    """Whether the database's own library raised it; a command that used none did not load it."""
    library = sys.modules.get("sqlalchemy.exc")
    return library is not None and isinstance(error, library.DBAPIError)
