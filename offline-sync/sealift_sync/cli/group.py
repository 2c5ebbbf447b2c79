"""The order in which help lists commands."""

from __future__ import annotations

import click


class InOrder(click.Group):
    """A group whose help lists the commands as they are added: in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command's name, in order."""
        return list(self.commands)
