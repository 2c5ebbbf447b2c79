"""What the log is told of signed-in people who were refused: each thing once in a while.

A right refuses them (`access.refused`); or, where they ask for a change, a rule, a state that they
did not read, a key that was used, or that nothing is changed there at all (`request.refused`).
Whoever asks again and again for what they may not would fill the log, which never shrinks: the same
refusal is an entry once in ten minutes, and of one account so many a day; all of them are told to
the log file.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from datetime import datetime, timedelta

from sealift_registry.access.calling import Caller, Where
from sealift_registry.access.standing import ACCOUNT
from sealift_registry.trust.hub import Hub, OnBehalf
from sealift_signing import events
from sealift_signing.canonical import Json
from sealift_signing.drawing import plain
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry

REFUSED = "access.refused"
REQUEST_REFUSED = "request.refused"
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
        self._told: dict[tuple[str, Hashable], datetime] = {}
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
        data = _of(caller) | {"action": action}
        named = {"team": where.team, "site": where.site, "owner": where.owner}
        data |= {name: plain(value)[:LONGEST] for name, value in named.items() if value}
        entry = self._hub.entry(REFUSED, caller.name, data, {ACCOUNT: caller.name})
        self._tell_once(caller, (action, where), self._hub, entry)

    def tell_request(self, caller: Caller, asked: str, bad: SealiftError, run: str) -> None:
        """Tell that a change was refused that somebody asked for, as `asked`, in the request `run`.

        Raises:
            FailedError: the log could not be written.
        """
        asked, subject = plain(asked)[:LONGEST], plain(bad.subject)[:LONGEST]
        events.tell(
            "access",
            "request-refused",
            "warning",
            account=caller.name,
            asked=asked,
            code=bad.code,
            subject=subject,
        )
        data = _of(caller) | {"asked": asked, "code": bad.code, "subject": subject}
        hub = replace(self._hub, on_behalf=OnBehalf(caller.name, run))
        entry = hub.entry(REQUEST_REFUSED, caller.name, data)
        self._tell_once(caller, (asked, bad.code, subject), hub, entry)

    def _tell_once(self, caller: Caller, what: Hashable, hub: Hub, entry: Entry) -> None:
        if not self._is_new(caller, what):
            return
        try:
            hub.commit_entry(entry)
        except SealiftError:
            with self._lock:  # it is told once it can be
                self._told.pop((caller.account, what), None)
            raise

    def _is_new(self, caller: Caller, what: Hashable) -> bool:
        now = self._hub.now()
        asked = (caller.account, what)
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


def _of(caller: Caller) -> dict[str, Json]:
    """Who was refused, and by what they were signed in."""
    return {"account": caller.account, "by": caller.by, "credential": caller.credential}
