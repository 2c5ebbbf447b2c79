"""`sealift`: the hub's commands. Thin: they parse, call a use case and print what it says."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `sealift`; the entry point that the distribution installs."""
    try:
        from sealift_registry.cli.run import run
    except KeyboardInterrupt:  # reading our own code takes a moment, in which people think again
        sys.stderr.write("Stopped. Nothing was changed. Run the command again.\n")
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))
