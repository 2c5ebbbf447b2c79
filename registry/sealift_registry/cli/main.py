"""The command `sealift`: running it, and what becomes of an error."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from pathlib import Path

import click

from sealift_registry.cli import (
    audit,
    conversion,
    delivery,
    intake,
    promotion,
    setup,
    show,
)
from sealift_registry.cli.group import sealift
from sealift_signing.errors import SealiftError

COMMANDS = (setup, intake, conversion, promotion, delivery, show, audit)
"""The modules whose commands `sealift` has; importing them adds the commands to the group."""
UNEXPECTED = 4
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run a command, and end the process with its exit code (DESIGN section 8, choice 5)."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(given))


def run(given: list[str]) -> int:
    """Run the command `given`; its exit code."""
    as_json = "--json" in given
    try:
        result = sealift.main(given, prog_name="sealift", standalone_mode=False)
    except SealiftError as error:
        return _tell(error, as_json=as_json)
    except click.exceptions.Abort:
        click.echo("Interrupted. What was finished is kept; run the command again.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        if as_json:
            told = {"code": "usage", "what": error.format_message(), "subject": "", "next": ""}
            click.echo(json.dumps({"error": told}), err=True)
        else:
            error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place: a sentence, never a stack trace
        return _unexpected(error, as_json=as_json)
    return result if isinstance(result, int) else 0


def _tell(error: SealiftError, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(error.as_json(), ensure_ascii=False), err=True)
    else:
        click.echo(f"Error: {error.what}", err=True)
        if error.next_step:
            click.echo(f"  Next: {error.next_step}", err=True)
    return error.exit_code


def _unexpected(error: Exception, *, as_json: bool) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="sealift-", suffix=".trace", delete=False) as file:
        traceback.print_exception(error, file=file)
    what = f"Something unexpected went wrong ({type(error).__name__})."
    next_step = f"Please report it with the file {Path(file.name)}."
    return _tell(_UnexpectedError("unexpected", what, next_step=next_step), as_json=as_json)


class _UnexpectedError(SealiftError):
    exit_code = UNEXPECTED
