"""A lock between processes: whoever writes to the database holds it, from BEGIN to after COMMIT.

SQLite's own waiting is a lottery in which processes lose with "database is locked"; the kernel
queues the waiters of a file lock. It is let go when its process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealift_signing import disk


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for it as long as it takes.

    Raises:
        OSError: the file cannot be made, or is none.
        FailedError: its file system has no locks.
    """
    descriptor = disk.open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        disk.lock(descriptor, path)
        try:
            yield
        finally:
            # Said aloud, because closing lets go only when no forked child has the file open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
