"""`sealift`: the hub's commands. Thin: they parse, call a use case and print what it says."""

from __future__ import annotations

from sealift_signing import starting


def main() -> None:
    """Run `sealift`; the entry point that the distribution installs."""
    starting.command(_load)


def _load() -> starting.Run:
    from sealift_registry.cli.run import run

    return run
