"""`sealift-sign`: the commands of whoever signs.

`main` refuses the network before anything else is imported: a machine where people sign has none.
"""

from __future__ import annotations

from sealift_signing import starting


def main() -> None:
    """Run `sealift-sign`; the entry point that the distribution installs."""
    starting.refuse_network("sealift-sign")
    starting.command(_load, "Nothing was signed.")


def _load() -> starting.Run:
    from sealift_signing.desk.cli.run import run

    return run
