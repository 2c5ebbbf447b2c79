"""The groups of `sealift-site`: commands in the order of their use, `--home` before or after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from sealift_sync.cli.calling import Call

FOLDER = click.Path(file_okay=False, path_type=Path)
HOME = click.Path(file_okay=False, readable=False, path_type=Path)
"""Whose home it is, if it is closed, is said by what opens it."""


class InOrder(click.Group):
    """A group whose help lists the commands as they are added: in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command's name, in order."""
        return list(self.commands)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add `cmd`; people write `--home` before a command or after it, and both are meant."""
        if not isinstance(cmd, click.Group):
            cmd.params.append(_home())
        super().add_command(cmd, name)


def _home() -> click.Option:
    return click.Option(
        ["--home"],
        type=HOME,
        metavar="DIR",
        expose_value=False,
        callback=_call_there,
        help="The site's folder; else SEALIFT_SITE_HOME, else ./sealift-site.",
    )


def _call_there(context: click.Context, _option: click.Parameter, home: Path | None) -> None:
    if home is not None and isinstance(context.obj, Call):
        context.obj = replace(context.obj, given=home)
