"""`sealift-sign`: the commands of whoever signs.

`main` refuses the network before anything else is imported: a machine where people sign has none.
"""

from __future__ import annotations

from sealift_signing import command_start


def main() -> None:
    """Run `sealift-sign`; the entry point that the distribution installs."""
    command_start.refuse_network("sealift-sign")
    command_start.command(_load, "Nothing was signed.")


def _load() -> command_start.Run:
    from sealift_signing.desk.cli.run import run

    return run
