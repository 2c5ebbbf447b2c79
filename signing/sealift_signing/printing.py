"""What `sealift` and `sealift-sign` print alike: a sentence, an error, and JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

import click

from sealift_signing import events
from sealift_signing.drawing import plain
from sealift_signing.errors import SealiftError
from sealift_signing.line_wrapping import columns, wrapped
from sealift_signing.streams import shows_all, spelled
from sealift_signing.vocabulary import visible


def printed(text: str, out: TextIO) -> str:
    """One line of text as it is printed on `out`."""
    return wrapped(spelled(plain(text), out), columns(out))


def as_json(said: Mapping[str, Any], out: TextIO) -> str:
    """JSON leaves some characters be that a terminal obeys; they are spelled by their numbers."""
    text = json.dumps(said, ensure_ascii=not shows_all(out), sort_keys=True)
    return visible(text, lambda one: f"\\u{ord(one):04x}")


def error(problem: SealiftError, *, for_machines: bool) -> int:
    """Tell of `problem` on standard error; returns its exit code."""
    events.tell_problem(problem)
    lines = [f"Error: {problem.what}"]
    lines += [f"  Next: {problem.advice}"] if problem.advice else []
    with suppress(BrokenPipeError):
        if for_machines:
            click.echo(as_json(problem.as_json(), sys.stderr), err=True)
        for line in () if for_machines else lines:
            click.echo(printed(line, sys.stderr), err=True)
    return problem.exit_code
