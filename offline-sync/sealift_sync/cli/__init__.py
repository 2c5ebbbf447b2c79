"""`sealift-site`: the commands of an isolated site.

`main` refuses the network before anything else is imported (DESIGN section 8, choice 8): no
library, and no mistake of ours, can reach out from a site, or wait for an answer from one.
"""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run `sealift-site`; the entry point that the distribution installs."""
    # Reading our own code makes a hundred thousand objects, which all stay: to look through them
    # for garbage again and again took a twentieth of a command's time.
    gc.set_threshold(250_000)
    sys.addaudithook(_refuse_network)
    # securesystemslib loads it where it finds it, for keys in a cloud: half of a command's time.
    sys.modules["boto3"] = None  # type: ignore[assignment]
    try:
        from sealift_signing import streams

        streams.prepare()
        from sealift_sync.cli.run import run
    except KeyboardInterrupt:  # reading our own code takes a moment, in which people think again
        sys.stderr.write("Stopped. Nothing was changed. Run the command again.\n")
        sys.exit(130)
    sys.exit(streams.ended(run(sys.argv[1:])))


def _refuse_network(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith("socket."):
        msg = f"sealift-site uses no network, and something asked for {event}"
        raise RuntimeError(msg)
