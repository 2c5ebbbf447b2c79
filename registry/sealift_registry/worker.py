"""A worker: takes jobs, has each attempt done by a process of its own, and records how it ended.

Every few seconds it says that it lives, and looks round: jobs that the engine does not know are
queued, those that may be tried again are put back, and a process whose job has ended meanwhile, or
is another's by now, is killed. While the database cannot be reached all of that waits, and so does
what is to be recorded.

It may be killed at any time. Its processes end with it, its jobs are put back by the next worker,
and each goes on at the step that did not finish.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sealift_migrations import current, newest
from sealift_registry.job_attempt import Attempts
from sealift_registry.jobs import folders, records, setbacks
from sealift_registry.jobs.engine import State
from sealift_registry.jobs.job import Job
from sealift_registry.trust import whereabouts
from sealift_signing import events
from sealift_signing.errors import FailedError, SealiftError

BEAT = 3.0
"""Seconds between two looks round."""
GRACE = 30.0
"""Seconds that what runs is given to finish, where the worker is to end."""
LAST_WORDS = 15.0
"""Seconds that killed processes' jobs have to be given back, where the worker is to end."""


class _GoneError(Exception):
    """What this process would do is of no use any more."""

    def __init__(self, why: SealiftError) -> None:
        self.why = why


@dataclass
class Worker:
    """A process that takes jobs.

    Attributes:
        attempts: what it does with jobs.
        queues: that are taken from.
        slots: how many jobs at once.
        noted: told of what people are to know of the worker itself.
    """

    attempts: Attempts
    queues: Sequence[str]
    slots: int = 1
    noted: Callable[[str], None] = lambda _: None
    # Never closed: a job's thread that is left may still ring, and the number be another file's.
    _bell: tuple[int, int] = field(default_factory=os.pipe)
    _stops: int = 0
    _cut_off: bool = False
    _gone: SealiftError | None = None

    def run(self, *, once: bool = False, grace: float = GRACE) -> None:
        """Take jobs until `stop` is called; with `once`, until none is waiting.

        Raises:
            MovedHubError: the hub is elsewhere by now.
            FailedError: its database is newer than this software.
        """
        self.attempts.rung = self._ring
        try:
            self.look()
            if not self._stops:
                self.attempts.engine.work(self.queues, self.slots, self.attempts.take)
            idle = 0
            while not self._stops:
                self._wait(BEAT if not once else min(BEAT, 1.0))
                left = self.look()
                idle = 0 if left or self.attempts.busy else idle + 1
                if once and idle > 1:  # twice: what was just taken is in no list yet
                    break
            self._end(grace if self._gone is None else 0.0)
        finally:
            self.attempts.engine.close()
        if self._gone is not None:
            raise self._gone

    def stop(self) -> None:
        """Take no more jobs; what runs gets its grace, and none where this is called again.

        May be called by a signal's handler.
        """
        self._stops += 1
        self.attempts.stops = True
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):
            os.write(self._bell[1], b"!")

    def _wait(self, seconds: float) -> None:
        """Wait so long, or until somebody rings."""
        if select.select([self._bell[0]], [], [], seconds)[0]:
            os.read(self._bell[0], 4096)

    def _end(self, grace: float) -> None:
        """Let what runs finish in time, and kill the rest; their jobs are given back."""
        self._stops, self.attempts.stops = max(self._stops, 1), True
        if self.attempts.busy and grace and self._stops < 2:  # noqa: PLR2004 - asked twice
            self.noted(
                f"It takes no more jobs, and waits {grace:g} seconds for those that it is at."
            )
        until = time.monotonic() + grace
        while self.attempts.busy and self._stops < 2 and time.monotonic() < until:  # noqa: PLR2004 - as above
            self._wait(min(BEAT, max(until - time.monotonic(), 0.0)))
            self.look()
        until = time.monotonic() + LAST_WORDS
        while self.attempts.busy and time.monotonic() < until:
            for one in list(self.attempts.running.values()):  # also what was just being begun
                one.kill("stopping")
            self._wait(min(BEAT, 0.5))

    # -------------------------------------------------------------- looking round

    def look(self) -> bool:
        """Look round, as said above; whether there is a job that this worker may do now."""
        try:
            self._check_same()
            found = self._look()
        except _GoneError as bad:  # of no use to anybody: who starts it anew has what counts
            self._gone = self._gone or bad.why
            self.stop()
            return False
        except Exception as bad:  # noqa: BLE001 - whatever an engine or its driver says: it goes on
            if not self._cut_off:
                self._cut_off = True
                why = bad.what if isinstance(bad, SealiftError) else type(bad).__name__
                events.tell("jobs", "worker-cut-off", "warning", worker=self.attempts.name, why=why)
                self.noted(f"{why} It goes on by itself as soon as that is over.")
            return True
        if self._cut_off:
            self._cut_off = False
            events.tell("jobs", "worker-back", worker=self.attempts.name)
            self.noted("It goes on.")
        return found

    def _check_same(self) -> None:
        """Check that the hub still is where this process has it, in tables that it knows.

        Raises:
            _GoneError: it is not.
            SealiftError: that cannot be told now.
        """
        hub = self.attempts.hub
        with hub.database.in_words():
            if current(hub.engine) > newest():
                try:
                    hub.database.bring_up_to_date()
                except FailedError as bad:
                    raise _GoneError(bad) from bad
        with hub.reading() as connection:
            refused = whereabouts.refusal(connection, hub.home.blobs_place)
        if refused is not None:
            raise _GoneError(refused)

    def _look(self) -> bool:
        hub, engine = self.attempts.hub, self.attempts.engine
        engine.beat()
        # In this order: what is here, or known, and not among what waits, has ended.
        running, kept = dict(self.attempts.running), folders.kept(hub.home.work)
        states = engine.states()
        with hub.reading() as connection:
            wanted = {one.order.key: one for one in records.waiting(connection)}
            now = hub.now()
            stopped = [one.number for key, one in wanted.items() if states.get(key) == "stopped"]
            due = setbacks.due_among(connection, stopped, now)
            newest = {
                key: records.newest_attempt(connection, one.job.number)
                for key, one in running.items()
            }
        for key, one in running.items():
            attempt = newest[key]
            if key not in wanted:
                one.kill("ended")
            elif attempt is not None and attempt.number > one.attempt.number:
                one.kill("superseded")
        if self._stops:
            return False
        found = [self._see(one, states.get(key), one.number in due) for key, one in wanted.items()]
        for key, state in states.items():
            if key not in wanted and state != "working":
                engine.forget(key)
        folders.remove(hub.home.work, kept - wanted.keys() - running.keys())
        return any(found)

    def _see(self, job: Job, state: State | None, due: bool) -> bool:  # noqa: FBT001 - what is known of it
        """Bring a wanted job to where it belongs; whether this worker may do it now."""
        key = job.order.key
        if state == "over":  # its end was lost, with the database of before a backup
            self.attempts.engine.forget(key)
            state = None
        if state is None:
            self.attempts.engine.enqueue(job)
        if job.order.kind not in self.attempts.kinds:
            return False
        if state == "stopped":
            if not due or self.attempts.put_off.get(key, 0.0) > time.monotonic():
                return False
            self.attempts.put_off.pop(key, None)
            if key in self.attempts.rewound:
                self.attempts.rewound.discard(key)
                self.attempts.engine.rewind(job)
            else:
                self.attempts.engine.again(job)
        here = job.order.host in (None, self.attempts.here.id)
        return here and state != "working" and job.order.queue in self.queues
