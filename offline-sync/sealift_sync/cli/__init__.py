"""`sealift-site`: the commands of an isolated site.

`main` refuses the network before anything else is imported (docs/how-to/wheelhouse.md).
"""

from __future__ import annotations

from sealift_signing import starting


def main() -> None:
    """Run `sealift-site`; the entry point that the distribution installs."""
    starting.refuse_network("sealift-site")
    starting.command(_load)


def _load() -> starting.Run:
    from sealift_sync.cli.run import run

    return run
