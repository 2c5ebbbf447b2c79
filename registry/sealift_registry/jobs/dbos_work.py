"""Taking jobs and doing them, by DBOS: in a process that calls `Engine.work`, one such a process.

DBOS has a thread of its own for each queue, which takes from it whatever the others do. Here one
thread takes from all queues, so that a worker has just as many jobs at once as it is to have, and
the one that comes first comes first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from dbos import DBOS, DBOSConfig
from dbos._context import assert_current_dbos_context
from dbos._core import WorkflowHandleFuture, execute_dequeued_workflow
from dbos._error import (
    DBOSUnexpectedStepError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
)
from dbos._queue import _INTERNAL_QUEUE_CONSTRUCTION, Queue
from dbos._utils import generate_uuid
from sqlalchemy.exc import SQLAlchemyError

from sealift_registry.jobs.dbos_place import JOB, NAME, SERIALIZER, PickleError, Place, tame
from sealift_registry.jobs.engine import Body, StepsDifferError, StoppedError, TakenError
from sealift_registry.jobs.steps import Made
from sealift_signing import events
from sealift_signing.errors import SealiftError

PAUSE, PAUSE_IN_TROUBLE = 0.5, 5.0
"""Seconds between two looks at the queues."""
_NEVER = 24 * 60 * 60.0
"""Between two looks of DBOS's own for what we do not use."""


class _Current:
    """What this process works at: DBOS is one a process."""

    work: Work | None = None


class _RaisedError(BaseException):
    """Carries what a step raised past DBOS, which would record it as the step's answer."""

    def __init__(self, raised: Exception) -> None:
        self.raised = raised


class Work:
    """Takes jobs, and does them.

    Args:
        place: where they are.
        name: of this worker.
        host: its host's id.
        queues: that are taken from; empty for all.
        slots: how many at once.
        body: does one.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        host: str,
        queues: tuple[str, ...],
        slots: int,
        body: Body,
    ) -> None:
        if _Current.work is not None:
            msg = "this process takes jobs already"
            raise RuntimeError(msg)
        self._place = place
        self._name = name
        self._host = host
        self._queues = queues
        self._slots = slots
        self._body = body
        self._ends = threading.Event()
        self._changed = threading.Event()
        self._guard = threading.Lock()
        self._in_hand: dict[str, str] = {}
        """The keys by the words that the claims wrote."""
        self._dbos = _launched(place, name)
        _Current.work = self
        self._thread = threading.Thread(target=self._run, name="sealift-jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more, and leave what is being done to itself."""
        self._ends.set()
        self._changed.set()
        _Current.work = None
        # It would wait a second for threads that only sleep.
        self._dbos._background_threads = []  # noqa: SLF001 - it has no other way
        DBOS.destroy()

    def strays(self) -> list[str]:
        """Jobs that this worker took, it seems, and has not in hand: put back now.

        A claim whose COMMIT was not confirmed is one.
        """
        with self._guard:
            have = set(self._in_hand.values())
            lost = [key for key, worker in self._place.taken() if worker == self._name]
            return [
                key for key in lost if key not in have and self._place.put_back(key, self._name)
            ]

    # ------------------------------------------------------------------ taking

    def _run(self) -> None:
        pause = PAUSE
        while not self._ends.is_set():
            self._changed.wait(pause)
            self._changed.clear()
            try:
                while not self._ends.is_set() and self._take():
                    pass
                pause = PAUSE
            except Exception as bad:  # noqa: BLE001 - the next look may find a server that is back
                pause = PAUSE_IN_TROUBLE
                if not self._ends.is_set():
                    events.tell("jobs", "engine-said", "warning", what=type(bad).__name__)

    def _take(self) -> bool:
        """Take a job, and begin it; whether there was one."""
        with self._guard:
            if len(self._in_hand) >= self._slots or not self._place.liveness.may_take():
                return False
            queue = self._place.queue_of_next(self._queues, self._host)
            if queue is None:
                return False
            owner, database = generate_uuid(), self._dbos._sys_db  # noqa: SLF001 - of the release that is pinned
            one = Queue(queue, worker_concurrency=1, token=_INTERNAL_QUEUE_CONSTRUCTION)
            keys, _ = database.start_queued_workflows(
                one, self._name, NAME, None, owner_xid=owner, is_latest_version=False
            )
            for key in keys:
                self._begin(key, owner)
            return bool(keys)

    def _begin(self, key: str, owner: str) -> None:
        status = self._dbos._sys_db.get_workflow_status(key)  # noqa: SLF001 - of the release that is pinned
        if status is None:
            return
        self._in_hand[owner] = key
        try:
            handle = execute_dequeued_workflow(self._dbos, status, owner)
        except Exception as bad:  # noqa: BLE001 - a row that nobody of us wrote keeps up no other
            del self._in_hand[owner]
            self._place.forget(key)  # if it is wanted, it will be asked for again
            events.tell("jobs", "engine-said", "error", what=f"{key[:50]}: {type(bad).__name__}")
            return
        if isinstance(handle, WorkflowHandleFuture):
            handle.future.add_done_callback(lambda done: self._ended(owner, done))
        else:  # somebody has taken it out of the queue since
            del self._in_hand[owner]

    def _ended(self, owner: str, done: Future[Any]) -> None:
        if not done.cancelled():
            done.exception()
        self._in_hand.pop(owner, None)
        self._changed.set()

    # ------------------------------------------------------------------ doing

    def do(self) -> None:
        """Do a job that was taken, in DBOS's thread."""
        context = assert_current_dbos_context()
        key, owner = context.workflow_id, context.owner_xid or ""
        try:
            self._body(key, _Recorder())
        except StepsDifferError:
            self._lasting(lambda: self._place.stop(key, owner))
            self._lasting(lambda: self._place.rewind(key))
            raise StoppedError from None
        except StoppedError:
            self._lasting(lambda: self._place.stop(key, owner))
            raise
        except Exception as bad:  # noqa: BLE001 - it is over for the engine, however it ended
            events.tell("jobs", "engine-said", "error", what=f"a job raised {type(bad).__name__}")
        if self._place.owner(key) != owner:  # else DBOS waits here for what the other one does
            raise TakenError

    def _lasting(self, change: Callable[[], None]) -> None:
        """Make a change, however long its database is away: without it, a job would hang."""
        while not self._ends.is_set():
            try:
                change()
            except (SQLAlchemyError, SealiftError):
                self._ends.wait(PAUSE_IN_TROUBLE)
            else:
                return


class _Recorder:
    """The finished steps of the job that this thread does."""

    def step(self, name: str, make: Callable[[], Made]) -> Made:
        """As `Recorder.step`."""

        def carried() -> Made:
            try:
                return make()
            except Exception as bad:
                raise _RaisedError(bad) from bad

        try:
            return DBOS.run_step({"name": name}, carried)
        except _RaisedError as bad:
            raise bad.raised  # noqa: B904 - as if it had never been carried
        except (DBOSUnexpectedStepError, PickleError, TypeError, ValueError) as bad:
            # Recorded by other software, or by nobody of us: what `make` raises is carried.
            raise StepsDifferError(str(bad)) from bad
        except (DBOSWorkflowConflictIDError, DBOSWorkflowCancelledError) as bad:
            raise TakenError from bad
        except AssertionError as bad:  # of DBOS: it is in no table any more
            raise TakenError from bad


@DBOS.workflow(name=JOB, max_recovery_attempts=None)
def _job() -> None:
    """Every job. Attempts are counted in the hub's rows, and not by DBOS."""
    work = _Current.work
    if work is None:  # closed since it was taken: whoever finds it so puts it back
        raise StoppedError
    work.do()


def _launched(place: Place, name: str) -> DBOS:
    """DBOS, which takes from no queue by itself."""
    tame()
    config: DBOSConfig = {
        "name": NAME,
        "system_database_engine": place.database,
        "dbos_system_schema": place.schema or "dbos",
        "serializer": SERIALIZER,
        "executor_id": name,
        "application_version": NAME,
        "run_migrations": False,
        "use_listen_notify": False,
        "log_level": "WARNING",
        "notification_listener_polling_interval_sec": _NEVER,
        "scheduler_polling_interval_sec": _NEVER,
    }
    made = DBOS(config=config)
    try:
        DBOS.listen_queues([])
        made._registry.get_internal_queue()._polling_interval_sec = _NEVER  # noqa: SLF001 - we use none of it
        DBOS.launch()
    except BaseException:
        with suppress(Exception):
            DBOS.destroy()
        raise
    return made
