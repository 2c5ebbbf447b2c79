"""A command on a terminal, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence


def on_a_terminal(*arguments: str, columns: int = 80, typed: Sequence[tuple[str, str]] = ()) -> str:
    """What Python with these arguments writes to a terminal, which is its standard error too.

    `typed` is what to wait for on the screen, and the line that is typed then.
    """
    environment = {name: one for name, one in os.environ.items() if name != "COLUMNS"}
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=there,
        stdout=there,
        stderr=there,
        env=environment | {"TERM": "xterm-256color"},
    )
    os.close(there)
    said, waiting, read = b"", list(typed), 0
    try:
        while piece := os.read(here, 65_536):
            said += piece
            if waiting and waiting[0][0].encode() in said[read:]:
                read = len(said)
                os.write(here, waiting.pop(0)[1].encode() + b"\n")
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    finally:
        os.close(here)
        process.wait()
    return said.decode()


def lasting(said: str) -> list[str]:
    """The lines that stay when all is drawn, without colour."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.rpartition("\x1b[?25h")[2])
    return [line.rstrip() for line in plain.replace("\r", "\n").splitlines() if line.strip()]
