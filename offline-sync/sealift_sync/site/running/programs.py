"""Programs of others that a site starts: hooks, health checks, and the runtime of a host group.

None of them is trusted with anything: each has its time, its output has an end, and it is ended
with all that it started in its group.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from sealift_signing.drawing import drawn
from sealift_sync.site.running.choices import Choice, Place

LONGEST_QUOTE = 300
"""Characters of a command's output that an error and the log quote."""
MOST_OUTPUT = 16 * 1024 * 1024
"""Bytes of a command's output that are held in memory, and what it prints until we look again."""
LOOK = 0.1
"""Seconds between two looks at it."""


class CommandFailedError(Exception):
    """A command that did not succeed; its text says why."""


def output_file() -> IO[bytes]:
    """Where a command's output goes: into memory, so that no full disk makes it fail.

    Elsewhere than on Linux into a file; where there is no room for one, it is not quoted.
    """
    try:
        found = unnamed_file()
    except OSError:
        return Path(os.devnull).open("r+b")
    # After something was dropped, a command goes on at the end, and not beyond a hole.
    fcntl.fcntl(found, fcntl.F_SETFL, fcntl.fcntl(found, fcntl.F_GETFL) | os.O_APPEND)
    return found


def unnamed_file() -> IO[bytes]:
    """A file without a name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("output"), "w+b")
    return tempfile.TemporaryFile()


def wait(process: subprocess.Popen[bytes], output: IO[bytes], seconds: float) -> int:
    """The command's exit code. Of what it prints meanwhile, which may have no end, the end is kept.

    Raises:
        TimeoutExpired: it takes longer than so many seconds.
    """
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            return process.wait(max(min(left, LOOK), 0))
        except subprocess.TimeoutExpired:
            if left <= LOOK:
                raise
        drop(output.fileno())


def drop(output: int) -> None:
    """Drop what a command printed but for its end, where it is much: memory has an end, too."""
    found = os.fstat(output)
    if found.st_blocks * 512 > MOST_OUTPUT:
        last = os.pread(output, LONGEST_QUOTE, max(found.st_size - LONGEST_QUOTE, 0))
        os.ftruncate(output, 0)
        os.write(output, last)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command, and all that it started in its group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def quote(output: IO[bytes]) -> str:
    """The end of what a command printed, which may be whatever a server sent it."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(size - LONGEST_QUOTE, 0))
    text = output.read().decode("utf-8", "replace")
    said = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f": {drawn(said)}" if said else ""


def environment(place: Place, choice: Choice | None, path: Path) -> Mapping[str, str]:
    """What a command finds out about the switch; the site's passphrase is none of its business."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SEALIFT_")}
    version = str(choice.path.version) if choice else ""
    return inherited | {
        "SEALIFT_GROUP": place.group,
        "SEALIFT_MODEL": place.model,
        "SEALIFT_VERSION": version,
        "SEALIFT_PATH": str(path) if choice else "",
    }
