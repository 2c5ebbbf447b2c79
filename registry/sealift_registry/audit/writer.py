"""The log's one writer: callers queue short actions, one thread commits them in groups.

A commit costs a flush to the disk, whether it holds one action or sixty. While the thread waits for
the disk, or for other processes' writers, the next callers queue up, and the next commit takes them
all: nobody waits on purpose.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection

from sealift_registry.audit import batch
from sealift_registry.audit.append import Appender, Check, Follows, SignerProvider
from sealift_registry.audit.batch import Action, Committed, EntryRequest, PendingAction
from sealift_registry.audit.edge import Former
from sealift_registry.audit.newest_checkpoint import NewestCheckpoint
from sealift_registry.audit.steady import Steady
from sealift_registry.storage.database import Database
from sealift_signing.clock import check_goes_on
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.transparency.entry import Entry

T = TypeVar("T")

LARGEST_BATCH = 256
"""Actions in one commit. More would only make the first caller wait for the last."""
PATIENCE = 60.0
"""Seconds until a caller gives up waiting for another process that holds the lock."""
LAST_WORDS = 10.0
"""Seconds that closing waits for the commit in progress."""


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


class AuditLog:
    """The hub's log, for writing: `commit` an action, and it has happened once that returns.

    One object a process is enough for any number of threads; several processes share the log
    through the database's lock of writers. The writer's thread starts with the first commit.

    Args:
        database: the hub's, already migrated.
        signer: gives the key that signs checkpoints; called in the first caller's thread, and in
            that of the first after `take_up`.
        origin: the log's name, `sealift_signing.transparency.checkpoint.hub_origin(…)`.
        former: gives the keys that the signer's follows, which signed what is there so far.
        clock: what `clock()` of this object answers; actions date their entries by it.
        blobs: where this process keeps blobs, to be compared with where they were moved to.
        home: what this home's hub signed last, where the database may lose what it acknowledged.
        begins: the log is to be founded; an empty one is else refused, for it was emptied.

    Attributes:
        stated: today's date, where a person stated it: by that the clock is judged, then.
        check: refuses the signer's key where another host has replaced it; set before any commit.
        steady: of a process that runs for long, what its clock should say by now.
    """

    def __init__(  # noqa: PLR0913 - what a log is made of
        self,
        database: Database,
        signer: SignerProvider,
        origin: str,
        clock: Callable[[], datetime] = utc_now,
        former: Follows = lambda _, __: Former(),
        blobs: str | None = None,
        home: NewestCheckpoint | None = None,
        *,
        begins: bool = False,
    ) -> None:
        self._begins = begins
        self.clock = clock
        self.stated: date | None = None
        self.check: Check | None = None
        self.steady: Steady | None = None
        self._database = database
        self._signer = signer
        self._former = former
        self._blobs = blobs
        self._home = home
        self._origin = origin
        self._queue: queue.SimpleQueue[PendingAction[Any] | None] = queue.SimpleQueue()
        self._state = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._closed = False
        self._failure = ""
        self._answers: deque[Future[Committed[Any]]] = deque(maxlen=LARGEST_BATCH)

    def keep_in(self, home: NewestCheckpoint) -> None:
        """Have what is signed last kept in the home as well; said before anything is committed."""
        self._home = home

    def dated(self) -> datetime:
        """The time by which something is signed, or is counted as old.

        Raises:
            ClockError: somebody set the clock while this process ran.
        """
        now = self.clock()
        if self.steady is not None:
            expected = self.steady.expected()
            check_goes_on(now, expected)
            if self.stated is not None:  # it was stated once, and days went by
                self.stated = expected.date()
        return now

    def latest(self) -> datetime:
        """The time by which what people are let in with is over: no clock set back lengthens it."""
        now = self.clock()
        return now if self.steady is None else max(now, self.steady.expected())

    def commit(self, action: Action[T]) -> Committed[T]:
        """Run `action`, log its entry, commit both, and answer.

        `action` gets the writer's connection, writes its rows and returns `(entry, result)`. It
        runs in the writer's thread while everybody else waits: slow work (hashing, copying,
        signing, asking) comes before. If it raises, only its own rows are undone, and what it
        raised is raised here.

        Raises:
            FailedError: `log-unknown`, when COMMIT failed: it may have happened, look the entry up
                by its id. Any other code: it has not happened.
            ClockError, RestoredError: the log takes no entry now; likewise.
        """
        return self._commit(PendingAction(action))

    def commit_new_key(self, action: Action[T]) -> Committed[T]:
        """As `commit`, of an action that gives the log another key: a restored hub takes that, too.

        Raises:
            FailedError, ClockError: as `commit`.
        """
        return self._commit(PendingAction(action, replaces_key=True))

    def commit_entry(self, entry: Entry) -> Committed[None]:
        """Log something that changes no rows: a refusal, a verification, an outcome.

        Raises:
            MalformedError, RefusedError: the entry cannot be written so.
            FailedError: as `commit`.
        """
        return self._commit(EntryRequest(entry))

    def commit_alone(self, connection: Connection, action: Action[T]) -> Committed[T]:
        """As `commit`, in this thread, through the connection of `Database.alone`.

        Raises:
            FailedError, ClockError, RestoredError: as `commit`.
        """
        request = PendingAction(action)
        batch.write_alone(self._database, connection, self._appender(), request, self.stated)
        return request.answer.result()

    def _commit(self, request: PendingAction[T]) -> Committed[T]:
        self._answers.append(request.answer)
        self._submit(request)
        try:
            _wait(request.answer, PATIENCE)
        finally:  # too long, or interrupted: if it has not begun, it shall not
            if not request.answer.cancel():
                _wait(request.answer, LAST_WORDS)  # else nobody could say what was done
        if request.answer.cancelled():
            raise FailedError(
                "log-busy",
                f"The log has been busy for {PATIENCE:.0f} seconds, probably with another process; "
                "nothing was done.",
                subject=self._database.where,
                next_step="Try again; if it stays so, look for a sealift process that hangs.",
            )
        return request.answer.result()

    @property
    def kept(self) -> tuple[Committed[Any], ...]:
        """What was committed through this object, the oldest first; of very many, the last ones."""
        done = [one for one in self._answers if one.done() and not one.cancelled()]
        return tuple(one.result() for one in done if one.exception() is None)

    def take_up(self) -> None:
        """Have the next commit signed by the key that is given then: the log's was replaced."""
        with self._state:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            atexit.unregister(self.close)
            thread.join(LAST_WORDS)

    def close(self) -> None:
        """Write what is queued, then stop. Further commits are refused; closing twice is fine."""
        if self._process != os.getpid():
            return
        with self._state:
            self._closed = True
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self._queue.put(None)
        atexit.unregister(self.close)
        thread.join(LAST_WORDS)

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _submit(self, request: PendingAction[Any]) -> None:
        if self._process != os.getpid():
            raise FailedError(
                "log-forked",
                "This process was forked from one that had the log open, and must open it itself.",
            )
        if threading.current_thread() is self._thread:
            raise FailedError(
                "log-nested",
                "An action cannot commit another action: the first one is not finished.",
                next_step="Put both into one action, with one entry.",
            )
        self._database.check_writable()
        with self._state:
            self._check_failure()
            if self._closed:
                raise FailedError("log-closed", "The log has been closed.")
            if self._thread is None:
                self._start()
            self._queue.put(request)

    def _start(self) -> None:
        appender = self._appender()
        # A daemon, so that a process that forgets to close can still end; atexit closes for it.
        self._thread = threading.Thread(
            target=self._work, args=(appender,), name="sealift-log-writer", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def _appender(self) -> Appender:
        more = (self._blobs, self._home, self.check)
        return Appender(self._signer(), self._origin, self._former, *more, begins=self._begins)

    def _work(self, appender: Appender) -> None:
        line = _Line(self._queue)
        while requests := line.wait():
            if appender.is_stale:
                with suppress(SealiftError):  # else it says once more that it is
                    appender = self._appender()
            self._write(appender, requests, line)

    def _write(self, appender: Appender, requests: list[PendingAction[Any]], line: _Line) -> None:
        try:
            self._check_failure()
            batch.write(self._database, appender, requests, self.stated, line.take)
        except batch.CommitError as failed:
            self._database.close()
            if not self._database.settles:
                # After a failed flush, Linux may report the next one as done: believe nothing here.
                self._failure = str(failed)
        except Exception as failed:  # noqa: BLE001 - this thread must outlive any batch
            batch.answer_unwritten(requests, failed)

    def _check_failure(self) -> None:
        if self._failure:
            raise FailedError(
                "log-stopped",
                f"The log could not confirm an earlier commit ({self._failure}) and takes nothing "
                "more in this process.",
                next_step="Check the disk and run: sealift audit verify; then start again.",
            )


class _Line:
    """Who waits for one writer's thread, up to where it is to end."""

    def __init__(self, waiting: queue.SimpleQueue[PendingAction[Any] | None]) -> None:
        self._waiting = waiting
        self._is_ended = False

    def wait(self) -> list[PendingAction[Any]]:
        """The next ones, once there is one; none where the thread is to end."""
        first = None if self._is_ended else self._waiting.get()
        requests = [] if first is None else [first]
        if requests:
            self.take(requests)
        return requests

    def take(self, requests: list[PendingAction[Any]]) -> None:
        """Add those that have queued up, as many as one commit takes."""
        with suppress(queue.Empty):
            while not self._is_ended and len(requests) < LARGEST_BATCH:
                request = self._waiting.get_nowait()
                if request is None:
                    self._is_ended = True
                else:
                    requests.append(request)


def _wait(answer: Future[Committed[Any]], seconds: float) -> None:
    """Until it is given, whatever it is, or for so long; cheaper than `wait`, which is for many."""
    with suppress(TimeoutError):
        answer.exception(seconds)
