"""What the log is told of signed-in people whom a right refused: each thing once in a while.

Whoever asks again and again for what they may not would fill the log, which never shrinks: the same
refusal is an entry once in ten minutes, and of one account so many a day; all of them are told to
the log file.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta

from sealift_registry.access.calling import Caller, Where
from sealift_registry.access.standing import ACCOUNT
from sealift_registry.trust.hub import Hub
from sealift_signing import events
from sealift_signing.canonical import Json
from sealift_signing.drawing import plain

REFUSED = "access.refused"
AGAIN = timedelta(minutes=10)
MOST_A_DAY = 1000
MOST_KEPT = 10_000
LONGEST = 200
"""Characters of a name that somebody asked for."""


class ToldRefusals:
    """Which refusals this process has told the log, so that none is told too often."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str, Where], datetime] = {}
        self._today: tuple[str, Counter[str]] = ("", Counter())

    def tell(self, caller: Caller, action: str, where: Where) -> None:
        """Tell that somebody was refused.

        Raises:
            FailedError: the log could not be written.
        """
        events.tell(
            "access",
            "access-refused",
            "warning",
            account=caller.name,
            action=action,
            team=plain(where.team or "")[:LONGEST],
            site=plain(where.site or "")[:LONGEST],
        )
        if not self._is_new(caller, action, where):
            return
        data: dict[str, Json] = {
            "account": caller.account,
            "action": action,
            "by": caller.by,
            "credential": caller.credential,
        }
        named = {"team": where.team, "site": where.site, "owner": where.owner}
        data |= {name: plain(value)[:LONGEST] for name, value in named.items() if value}
        self._hub.commit_entry(self._hub.entry(REFUSED, caller.name, data, {ACCOUNT: caller.name}))

    def _is_new(self, caller: Caller, action: str, where: Where) -> bool:
        now = self._hub.now()
        asked = (caller.account, action, where)
        with self._lock:
            day = now.date().isoformat()
            if self._today[0] != day:
                self._today = (day, Counter())
            last = self._told.get(asked)
            # A clock that was set back must not silence anything.
            if last is not None and timedelta() <= now - last < AGAIN:
                return False
            if self._today[1][caller.account] >= MOST_A_DAY:
                return False
            if len(self._told) >= MOST_KEPT:
                self._told.clear()
            self._told[asked] = now
            self._today[1][caller.account] += 1
            return True
