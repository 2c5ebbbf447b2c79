"""`sealift`: the hub's commands. Thin: they parse, call a use case and print what it says."""

from __future__ import annotations

from sealift_signing import command_start


def main() -> None:
    """Run `sealift`; the entry point that the distribution installs."""
    command_start.command(_load)


def _load() -> command_start.Run:
    from sealift_registry.cli.run import run

    return run
