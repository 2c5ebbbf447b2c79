"""Whether the server lives, and whether it can do what it is there for.

It lives while it answers at all. It is ready while the database answers, the log would take an
entry now, the disk has room, its certificate is in force, and it is not about to end.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from sealift_registry.storage.writable import check_writable
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.web import problems, refusals
from sealift_signing.errors import FailedError, SealiftError

LEAST_FREE = 64 << 20
"""Bytes that a home's disk has left, at least."""
FRESH = 1.0
"""Seconds for which what was found is told to whoever asks again: anybody may ask."""


class Live(msgspec.Struct):
    """The server lives."""

    live: bool


class Ready(msgspec.Struct):
    """Whether the server can do what it is there for.

    Attributes:
        ready: whether nothing stands in its way.
        checks: of each thing that it needs, `ok` or the code of what is wrong (docs/errors).
        settings: whether it goes by settings.toml as it is: `ok`; `settings-changed` where it is to
            be told so (SIGHUP), `settings-need-start` where that takes another start; or the code
            of what is wrong with the file. It is ready all the same.
    """

    ready: bool
    checks: dict[str, str]
    settings: str


OK = "ok"


@dataclass
class Health:
    """Looks whether a server is ready; at most once a second, however many ask."""

    hub: Hub
    valid_until: datetime | None = None
    stopping: bool = False
    settings: Callable[[], str] = lambda: OK
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: Ready | None = None
    _at: float = 0.0

    def ready(self) -> Ready:
        """Whether it is."""
        with self._lock:
            if self._found is None or self.stopping or time.monotonic() - self._at > FRESH:
                self._found, self._at = self._look(), time.monotonic()
            return self._found

    def _look(self) -> Ready:
        asked: Mapping[str, Callable[[], None]] = {
            "database": self._check_database,
            "log": self._check_log,
            "disk": lambda: check_room(self.hub.home.root),
            "certificate": self._check_certificate,
            "server": self._check_going_on,
        }
        checks = {name: _code(check) for name, check in asked.items()}
        return Ready(all(one == OK for one in checks.values()), checks, self.settings())

    def _check_database(self) -> None:
        with self.hub.reading():
            pass

    def _check_log(self) -> None:
        check_writable(self.hub.home.root)
        self.hub.database.check_writable()
        with self.hub.reading() as connection:
            readiness.check(self.hub, connection)

    def _check_certificate(self) -> None:
        if self.valid_until is not None and self.hub.latest() >= self.valid_until:
            raise FailedError(
                "certificate-expired",
                "The server's certificate has expired.",
                subject="server.certificate",
                next_step="Put a new one in its place, and send the server SIGHUP.",
            )

    def _check_going_on(self) -> None:
        if self.stopping:
            raise refusals.stopping()


def check_room(folder: Path) -> None:
    """Check that a disk has room for what may come.

    Raises:
        FailedError: it has less than 64 MiB.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        raise FailedError(
            "disk-full",
            f"The disk of {folder} has less than {LEAST_FREE >> 20} MiB left.",
            subject=str(folder),
            next_step="Make room there.",
        )


def _code(check: Callable[[], None]) -> str:
    try:
        check()
    except SealiftError as bad:
        return bad.code
    except Exception as bad:  # noqa: BLE001 - whatever a driver or a disk says: not ready, and why
        return problems.told(bad).code
    return OK
