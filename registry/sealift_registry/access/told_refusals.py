"""What the log is told of signed-in people who were refused: each thing once in a while.

A right refuses them (`access.refused`); or, where they ask for a change, a rule, a state that they
did not read, a key that was used, or that nothing is changed there at all (`request.refused`).
Whoever asks again and again for what they may not would fill the log, which never shrinks: the same
refusal is an entry once in ten minutes, and of one account and one kind of thing so many a day.
What is no entry is counted, and an entry an hour says how many of which kind there were
(`access.refused-more`), at once where a bound is met: so nobody hides behind refusals of what does
no harm. All of them are told to the log file.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sealift_registry.access.calling import Caller, Where
from sealift_registry.access.standing import ACCOUNT
from sealift_registry.trust.hub import Hub, OnBehalf
from sealift_signing import events
from sealift_signing.canonical import Json
from sealift_signing.drawing import plain
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment

REFUSED = "access.refused"
REQUEST_REFUSED = "request.refused"
MORE = "access.refused-more"
AGAIN = timedelta(minutes=10)
EVERY = timedelta(hours=1)
MOST_A_DAY = 30
"""Entries of one account and one kind: of an action, or of a method at one sort of thing."""
MOST_KEPT = 10_000
LONGEST = 200
"""Characters of a name that somebody asked for."""


@dataclass
class _More:
    """What an account was refused besides, of which the log was not told yet.

    Attributes:
        caller: of the last time.
        began: when it was the first.
        counts: by their kinds.
        is_due: a bound was met since.
    """

    caller: Caller
    began: datetime
    counts: Counter[str] = field(default_factory=Counter)
    is_due: bool = False


class ToldRefusals:
    """Which refusals this process has told the log, so that none is told too often."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._told: dict[tuple[str, Hashable], datetime] = {}
        self._today: tuple[str, Counter[tuple[str, str]]] = ("", Counter())
        self._more: dict[str, _More] = {}
        self._summed_up: dict[str, datetime] = {}

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
        self._tell_once(caller, action, (action, where), self._hub, entry)

    def tell_request(
        self, caller: Caller, asked: str, kind: str, bad: SealiftError, run: str
    ) -> None:
        """Tell that a change was refused that somebody asked for, as `asked`, in the request `run`.

        `kind` is what it is counted with: of a closed list, and no words of whoever asks.

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
        self._tell_once(caller, kind, (asked, bad.code, subject), hub, entry)

    def tell_more(self, *, rest: bool = False) -> None:
        """Tell how many there were besides, of each account whose hour has come; or the `rest`.

        Where the log cannot be written it is told later: nobody was let in.
        """
        now, due = self._hub.now(), list[_More]()
        with self._lock:
            for account, one in list(self._more.items()):
                last = self._summed_up.get(account)
                # A clock that was set back must not silence anything.
                waits = last is not None and timedelta() <= now - last < EVERY
                if rest or (not waits and (one.is_due or now - one.began >= EVERY)):
                    due.append(self._more.pop(account))
        for one in due:
            self._sum_up(one, now)

    def _sum_up(self, one: _More, now: datetime) -> None:
        data = _of(one.caller) | {"since": moment(one.began), "counts": dict(one.counts)}
        terms = {ACCOUNT: one.caller.name}
        try:
            self._hub.commit_entry(self._hub.entry(MORE, one.caller.name, data, terms))
        except SealiftError:
            with self._lock:
                later = self._more.setdefault(one.caller.account, one)
                if later is not one:
                    later.counts += one.counts
                    later.began = min(later.began, one.began)
            return
        with self._lock:
            if len(self._summed_up) >= MOST_KEPT:
                self._summed_up.clear()
            self._summed_up[one.caller.account] = now

    def _tell_once(self, caller: Caller, kind: str, what: Hashable, hub: Hub, entry: Entry) -> None:
        if not self._is_new(caller, kind, what):
            self.tell_more()
            return
        try:
            hub.commit_entry(entry)
        except SealiftError:
            with self._lock:  # it is told once it can be
                self._told.pop((caller.account, what), None)
            raise

    def _is_new(self, caller: Caller, kind: str, what: Hashable) -> bool:
        """Whether it is an entry of its own; else it is counted."""
        now = self._hub.now()
        asked, counted = (caller.account, what), (caller.account, kind)
        with self._lock:
            day = now.date().isoformat()
            if self._today[0] != day:
                self._today = (day, Counter())
            last = self._told.get(asked)
            # A clock that was set back must not silence anything.
            is_again = last is not None and timedelta() <= now - last < AGAIN
            is_beyond = self._today[1][counted] >= MOST_A_DAY
            if is_again or is_beyond:
                more = self._more.setdefault(caller.account, _More(caller, now))
                more.caller, more.began = caller, min(more.began, now)
                more.counts[kind] += 1
                more.is_due |= is_beyond and not is_again
                return False
            if len(self._told) >= MOST_KEPT:
                self._told.clear()
            self._told[asked] = now
            self._today[1][counted] += 1
            return True


def _of(caller: Caller) -> dict[str, Json]:
    """Who was refused, and by what they were signed in."""
    return {"account": caller.account, "by": caller.by, "credential": caller.credential}
