"""What the log is told of those whom nobody knows: how often somebody failed to be let in.

Anybody can fail as often as they like, and the log never shrinks: of each kind of failure there is
an entry an hour at most, of the whole hub, which says how many there were. Each is told to the log
file by itself.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select

from sealift_registry.audit.tables import log_entry, log_term
from sealift_registry.trust.hub import Hub
from sealift_signing.canonical import Json
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment

ANONYMOUS = "access.failed"
TERM = "failed"
"""The term by which those of a kind are found."""

Failure = Literal["sign-in", "invitation", "credential"]
BY_CODE: dict[str, Failure] = {
    "sign-in-failed": "sign-in",
    "sign-in-throttled": "sign-in",
    "no-invitation": "invitation",
    "signed-out": "credential",
}
"""Of which kind a refusal is of somebody who is not known."""
EVERY = timedelta(hours=1)
MOST_A_DAY = 100
AHEAD = timedelta(minutes=5)
"""What was logged so far ahead of the clock was by a wrong one, and keeps nothing back."""


@dataclass
class _Since:
    """Failures of a kind that the log was not told of yet."""

    began: datetime
    count: int = 0


class _NotYetError(Exception):
    """The log was told of that kind within the hour, or of too many today; nothing is written."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class ToldFailures:
    """Failures of those who are not known, as this process counts them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._waiting: dict[Failure, _Since] = {}
        self._not_before: dict[Failure, datetime] = {}

    def note(self, kind: Failure) -> None:
        """Count a failure, and tell the log where that is due."""
        now = self._hub.now()
        with self._lock:
            waits = self._waiting.setdefault(kind, _Since(now))
            waits.count += 1
            waits.began = min(waits.began, now)
        self.tell()

    def tell(self) -> None:
        """Tell the log what was counted, of each kind whose time has come.

        Where the log cannot be written it is told later: nobody was let in.
        """
        now = self._hub.now()
        for kind in tuple(self._waiting):
            until = self._not_before.get(kind)
            # A clock that was set back keeps nothing back for longer.
            if until is not None and now < until <= now + EVERY:
                continue
            with self._lock:
                waits = self._waiting.pop(kind, None)
                self._not_before[kind] = now + EVERY
            if waits is not None and not self._told(kind, waits, now):
                with self._lock:
                    later = self._waiting.setdefault(kind, waits)
                    if later is not waits:
                        later.count += waits.count
                        later.began = min(later.began, waits.began)

    def _told(self, kind: Failure, waits: _Since, now: datetime) -> bool:
        def action(connection: Connection) -> tuple[Entry, None]:
            _check_due(connection, kind, now)
            data: dict[str, Json] = {"kind": kind, "count": waits.count}
            data["since"] = moment(waits.began)
            return self._hub.entry(ANONYMOUS, "server", data, {TERM: kind}), None

        try:
            with suppress(SealiftError):  # whatever keeps the log from it now
                self._hub.commit(action)
                return True
        except _NotYetError as early:
            with self._lock:
                self._not_before[kind] = early.until
        return False


def _check_due(connection: Connection, kind: str, now: datetime) -> None:
    """Check that the log was not told of this kind lately, by any process.

    Raises:
        _NotYetError: it was.
    """
    e, t = log_entry.c, log_term.c
    lately = (e.recorded_at <= moment(now + AHEAD), e.type == ANONYMOUS)
    of_kind = (
        select(func.max(e.recorded_at))
        .join(log_term, t.seq == e.seq)
        .where(t.kind == TERM, t.value == kind, *lately)
    )
    last = connection.execute(of_kind).scalar()
    if last is not None and instant(last) + EVERY > now:
        raise _NotYetError(instant(last) + EVERY)
    day = e.recorded_at > moment(now - timedelta(days=1))
    many = connection.execute(select(func.count()).where(day, *lately)).scalar_one()
    if many >= MOST_A_DAY:
        raise _NotYetError(now + EVERY)
