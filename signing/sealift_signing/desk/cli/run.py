"""Running a command: errors become one sentence and an exit code, never a stack trace."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from sealift_signing import command_end, file_access, printing
from sealift_signing.command_start import ABORTED
from sealift_signing.desk.cli import acts, keys, memories, signed
from sealift_signing.desk.cli.group import sign
from sealift_signing.errors import SealiftError

COMMANDS = (acts, memories, signed, keys)
"""The modules whose commands `sealift-sign` has; importing them adds the commands to the group."""
PROGRAM = "sealift-sign"


@file_access.closed_to_others()
def run(arguments: Sequence[str]) -> int:
    """Run `sealift-sign` with `arguments`; returns the exit code (docs/reference/exit-codes.md)."""
    try:
        command_end.check_text(arguments)
        found = sign.main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("Stopped. What was signed before is kept. Run the command again.\n")
        return ABORTED
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        return asked.exit_code
    except (BrokenPipeError, SystemExit):
        return command_end.reader_gone()
    except Exception as bad:  # noqa: BLE001 - the last resort: a user gets a sentence, not a trace
        return printing.error(_told(bad), for_machines="--json" in arguments)
    return found if isinstance(found, int) else 0


def _told(bad: Exception) -> SealiftError:
    """`bad` as an error with a sentence, a next step and an exit code."""
    if isinstance(bad, SealiftError):
        return bad
    if isinstance(bad, click.ClickException):
        return command_end.usage(bad, PROGRAM)
    return (
        command_end.unreadable(bad)
        if isinstance(bad, OSError)
        else command_end.unexpected(bad, PROGRAM)
    )
