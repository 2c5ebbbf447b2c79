"""What ends a server whose tests are gone: `python keeper.py FOLDER PID_FILE SIGNAL`.

It waits until its standard input ends, which is when the tests' process has ended, however that
was: told to stop, by Ctrl-C, or by kill -9. Then it ends the process that PID_FILE names, and
removes FOLDER. It runs by itself, with nothing but Python's own library.
"""

import os
import shutil
import sys
import time
from pathlib import Path

ENDS_WITHIN = 15
"""Seconds."""


def lives(process: int) -> bool:
    """Whether a process runs; one that has ended, and that nobody asked about, does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    words = Path(f"/proc/{process}/cmdline")
    return not words.exists() or bool(words.read_bytes())


def main(folder: str, pid_file: str, number: str) -> None:
    sys.stdin.buffer.read()
    try:
        process = int(Path(pid_file).read_text("utf-8").split()[0])
        os.kill(process, int(number))
        deadline = time.monotonic() + ENDS_WITHIN
        while lives(process) and time.monotonic() < deadline:
            time.sleep(0.05)
    except (OSError, ValueError, IndexError):
        pass  # it has ended
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
