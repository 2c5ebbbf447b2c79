"""How a command begins: what is settled before anything else is loaded; and how it ends."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

Run = Callable[[list[str]], int]
"""What runs a command line and returns its exit code."""
ABORTED = 130
"""What shells say of a command that Ctrl-C ended."""


def refuse_network(program: str) -> None:
    """Let no library, and no mistake of ours, reach out from this process, or wait for an answer.

    Raises, in whoever tries:
        RuntimeError: something asked for the network.
    """

    def refuse(event: str, _arguments: tuple[object, ...]) -> None:
        if event.startswith("socket."):
            msg = f"{program} uses no network, and something asked for {event}"
            raise RuntimeError(msg)

    sys.addaudithook(refuse)


def seldom_look_for_garbage() -> None:
    """Spare what this process loads first: a hundred thousand objects, which all stay.

    To look through them for garbage again and again took a twentieth of a command's time, and of
    the hub's workers' as well.
    """
    gc.set_threshold(250_000)


def spare_what_is_loaded() -> None:
    """Have a process of ours that opens keys load what it needs, and look for no garbage in it."""
    seldom_look_for_garbage()
    # securesystemslib loads it where it finds it, for keys in a cloud, of which we have none yet:
    # half of a command's time. What reads from S3 is a worker of the hub's, which has its own.
    sys.modules["boto3"] = None  # type: ignore[assignment]


def open_log_file(given: str | None, program: str, command: str) -> None:
    """Write what happens to the log file that was asked for, where one was.

    Raises:
        FailedError: it cannot be opened.
    """
    if given is not None or os.environ.get("SEALIFT_LOG"):
        from sealift_signing import log_file  # only for who asks: it loads the standard library's

        log_file.open_log_file(given, os.environ, program, command)


def command(load: Callable[[], Run], kept: str = "Nothing was changed.") -> NoReturn:
    """Run this process's command line with what `load` loads.

    `kept` is said to whoever stops it while it loads.
    """
    spare_what_is_loaded()
    try:
        from sealift_signing import streams

        streams.prepare()
        run = load()
    except KeyboardInterrupt:  # reading our own code takes a moment, in which people think again
        sys.stderr.write(f"Stopped. {kept} Run the command again.\n")
        sys.exit(ABORTED)
    sys.exit(streams.ended(run(sys.argv[1:])))
