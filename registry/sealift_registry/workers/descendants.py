"""Killing a process with all that comes from it, also what made itself a group or session.

`killpg` alone leaves that behind. What has lost its parent is found no more: it is killed by the
pipe that it reads (`channel`), or goes on.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_all(pid: int) -> None:
    """Kill a process that we started and that is not waited for yet, its group, and what it began.

    Each is stopped before it is asked for its children: so it makes no more of them.
    """
    _send(pid, signal.SIGSTOP)
    _kill(_stopped_below(pid))
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _send(pid, signal.SIGKILL)


def kill_below() -> None:
    """Kill what this process began, and what that began."""
    _kill(_stopped_below(os.getpid()))


def _stopped_below(pid: int) -> set[int]:
    """All that comes from a process, stopped."""
    found, new = {pid}, {pid}
    while new:
        new = {one for one, parent in _parents() if parent in found} - found
        for one in new:
            _send(one, signal.SIGSTOP)
        found |= new
    return found - {pid}


def _kill(found: set[int]) -> None:
    for one in found:
        _send(one, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _parents() -> list[tuple[int, int]]:
    """Every process that we see, and its parent (proc(5))."""
    found = []
    for one in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = one.read_bytes().rpartition(b")")[2].split()
            found.append((int(one.parent.name), int(fields[1])))
    return found
