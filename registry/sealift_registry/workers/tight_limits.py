"""Tighter limits for a part of a worker's work: what reads a source's words, which are short.

Copying the files of a model may take a day and is allowed to. A word of some hundred bytes that
takes ten minutes, or gigabytes, to be understood is an attack.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS, BYTES = 300, 2 * 1024**3
_STATM = Path("/proc/self/statm")


@contextmanager
def brief(seconds: int = SECONDS, more_bytes: int = BYTES) -> Iterator[None]:
    """Let the body use no more than so much processor time, and so much memory more than now.

    Who uses more time is killed by the system, and has given no answer; memory ends as MemoryError.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = {
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime) + seconds,
        resource.RLIMIT_DATA: _allocated() + more_bytes,
    }
    before = {what: resource.getrlimit(what) for what in allowed}
    try:
        for what, (soft, hard) in before.items():
            most = allowed[what]
            resource.setrlimit(what, (most if soft < 0 else min(most, soft), hard))
        yield
    finally:
        for what, limits in before.items():
            resource.setrlimit(what, limits)


def _allocated() -> int:
    """Bytes that RLIMIT_DATA counts of this process now (proc(5), statm: data and stack)."""
    try:
        said = _STATM.read_text(encoding="ascii").split()
    except OSError:
        return 0  # not Linux: then it is so much memory in all
    return int(said[5]) * resource.getpagesize()
