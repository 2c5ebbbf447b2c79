"""`sealift-site`: the commands of an isolated site.

`main` refuses the network before anything else is imported (docs/how-to/wheelhouse.md).
"""

from __future__ import annotations

from sealift_signing import command_start


def main() -> None:
    """Run `sealift-site`; the entry point that the distribution installs."""
    command_start.refuse_network("sealift-site")
    command_start.command(_load)


def _load() -> command_start.Run:
    from sealift_sync.cli.run import run

    return run
