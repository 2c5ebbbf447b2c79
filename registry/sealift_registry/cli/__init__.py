"""`sealift`: the hub's commands. Thin: they parse, call a use case and print what it says."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run `sealift`; the entry point that the distribution installs."""
    # Reading our own code makes a hundred thousand objects, which all stay: to look through them
    # for garbage again and again took a twentieth of a command's time.
    gc.set_threshold(250_000)
    # securesystemslib loads it where it finds it, for keys in a cloud, of which we have none yet:
    # a quarter of a command's time. What reads from S3 is a worker, in a process of its own.
    sys.modules["boto3"] = None  # type: ignore[assignment]
    try:
        from sealift_signing import streams

        streams.prepare()
        from sealift_registry.cli.run import run
    except KeyboardInterrupt:  # reading our own code takes a moment, in which people think again
        sys.stderr.write("Stopped. Nothing was changed. Run the command again.\n")
        sys.exit(130)
    sys.exit(streams.ended(run(sys.argv[1:])))
