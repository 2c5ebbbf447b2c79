"""`sealift` as it is installed: `python -m tests.registry.serve_process`.

`HEAD_SECONDS` is for how long the head of a request is waited for. With `HELD_IN`, a folder, there
is a route `/held` that notes there that it runs, and waits until a file `go` is there. By `CLOCK`,
a file, the machine's clock is set: it says by how many seconds. `OPEN_FILES` is how many files the
process may have open at most, and `BODY_SECONDS` how long a body may be silent.
"""

from __future__ import annotations

import os
import resource
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from litestar import get

from sealift_registry.audit.writer import AuditLog, utc_now
from sealift_registry.cli import main
from sealift_registry.trust import founding
from sealift_registry.web import api, connections, guarding
from sealift_registry.web.health import Live
from tests.registry.killed_worker import FOLDER, hold


@get("/held", opt=guarding.open_to_all("It is a test's."), sync_to_thread=True)
def held() -> Live:
    """Wait until it is told to go on."""
    hold(Path(os.environ[FOLDER]))
    return Live(live=True)


CLOCK = "CLOCK"


def clock() -> datetime:
    """The time by a clock that somebody sets."""
    return utc_now() + timedelta(seconds=float(Path(os.environ[CLOCK]).read_text() or 0))


if __name__ == "__main__":
    if "OPEN_FILES" in os.environ:
        most = int(os.environ["OPEN_FILES"])
        resource.setrlimit(resource.RLIMIT_NOFILE, (most // 2, most))
    if CLOCK in os.environ:
        vars(founding)["AuditLog"] = partial(AuditLog, clock=clock)
    connections.HEAD_SECONDS = float(os.environ.get("HEAD_SECONDS", connections.HEAD_SECONDS))
    connections.BODY_SECONDS = float(os.environ.get("BODY_SECONDS", connections.BODY_SECONDS))
    if FOLDER in os.environ:
        api.ROUTES = (*api.ROUTES, held)
    main()
