"""Where DBOS keeps its rows, and the questions that its own interface has no answer for.

DBOS is pinned to one release, for some of what is used here is not promised by it: the tables by
their names, whose claim a run has (`owner_xid`), and how a run is begun. Tests play each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from dbos import DBOSClient
from dbos._schemas.system_database import SystemSchema
from dbos._serialization import DBOSPortableJSONSerializer, DefaultSerializer
from dbos._sys_db import WorkflowStatusString as Status
from dbos._utils import GlobalParams
from sqlalchemy import Engine, delete, event, select, update
from sqlalchemy.pool import ConnectionPoolEntry

from sealift_registry.jobs import dbos_tables
from sealift_registry.jobs.dbos_liveness import Liveness
from sealift_registry.jobs.engine import State
from sealift_signing import events

NAME = "sealift"
"""The application, as DBOS has it; and its version, which never changes: another would strand what
was asked for before an upgrade. Whether steps fit is known when they are compared."""
JOB = "job"
"""The one workflow: what is to be done is in the hub's rows."""

_STATES: Mapping[str, State] = {
    Status.ENQUEUED.value: "waiting",
    Status.DELAYED.value: "waiting",
    Status.PENDING.value: "working",
    Status.CANCELLED.value: "stopped",
    Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED.value: "stopped",
}
"""Whatever else DBOS says is over."""
STOPPED = tuple(name for name, state in _STATES.items() if state == "stopped")
SERIALIZER = DBOSPortableJSONSerializer()
"""JSON. DBOS's default is pickle: whoever writes to its tables would have us run what they like."""
LONGEST_SAID = 500

w, o = SystemSchema.workflow_status, SystemSchema.operation_outputs


class PickleError(Exception):
    """A row says that it is to be read by pickle: somebody else than Sealift wrote it."""


class _Told(logging.Handler):
    """What DBOS says goes to Sealift's log file, and never to a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        events.tell("jobs", "engine-said", "warning", what=record.getMessage()[:LONGEST_SAID])


def _refused(_self: DefaultSerializer, _data: object) -> Any:  # noqa: ANN401 - what DBOS has there
    msg = "pickle is neither written nor read"
    raise PickleError(msg)


def tame() -> None:
    """Have DBOS log where we do, call nobody, and read no pickle.

    A row itself says how it is read, and by that alone would be read so, whatever was configured.
    No environment variable makes it connect to the service of its makers.
    """
    setattr(DefaultSerializer, "serialize", _refused)  # noqa: B010 - mypy forbids the other way
    setattr(DefaultSerializer, "deserialize", _refused)  # noqa: B010 - likewise
    log = logging.getLogger("dbos")
    log.propagate = False
    log.setLevel(logging.WARNING)
    log.handlers = [_Told()]
    GlobalParams.dbos_cloud = False


@dataclass
class Place:
    """Where an engine's rows are.

    Attributes:
        database: gives connections; its tables are in `schema`.
        schema: of them; None in a file.
        where: as people are told.
        liveness: who works there, and lives.
        in_words: turns the driver's errors into ours.
    """

    database: Engine
    schema: str | None
    where: str
    liveness: Liveness
    in_words: Callable[[], AbstractContextManager[None]]

    def __post_init__(self) -> None:
        tame()
        self._is_shut = False
        event.listen(self.database, "checkin", self._given_back)
        self.client = DBOSClient(
            system_database_engine=self.database,
            dbos_system_schema=self.schema,
            serializer=SERIALIZER,
            application_name=NAME,
            lazy=True,
            retry_connection_errors=False,
        )
        self.rows: Engine = self.client._sys_db.engine  # noqa: SLF001 - with DBOS's schema filled in
        self.ours = self.database.execution_options(schema_translate_map={None: self.schema})

    def shut(self) -> None:
        """Let go of it. Threads of DBOS that still have a connection give it back later."""
        self._is_shut = True
        self.client.destroy()
        self.database.dispose()

    def _given_back(self, _connection: object, entry: ConnectionPoolEntry) -> None:
        if self._is_shut:
            entry.invalidate()

    def states(self) -> dict[str, State]:
        """Of every job that is known."""
        with self.rows.connect() as connection:
            rows = connection.execute(select(w.c.workflow_uuid, w.c.status))
            return {key: _STATES.get(status, "over") for key, status in rows}

    def adopt(self) -> None:
        """Have what another release queued under other names be ours: else nobody would take it."""
        ours = {"application_version": NAME, "application_name": NAME}
        other = (w.c.application_version != NAME) | (w.c.application_name != NAME)
        change = update(w).where(w.c.status == Status.ENQUEUED.value, other)
        with self.rows.begin() as connection:
            connection.execute(change.values(**ours))

    def steps(self, key: str) -> tuple[str, ...]:
        """Those that are finished."""
        query = select(o.c.function_name).where(o.c.workflow_uuid == key)
        with self.rows.connect() as connection:
            return tuple(connection.execute(query.order_by(o.c.function_id)).scalars())

    def again(self, key: str, queue: str) -> None:
        """Put a stopped job back. DBOS's `resume_workflow` takes one from whoever works at it."""
        change = update(w).where(w.c.workflow_uuid == key, w.c.status.in_(STOPPED))
        with self.rows.begin() as connection:
            connection.execute(
                change.values(
                    status=Status.ENQUEUED.value,
                    queue_name=queue,
                    owner_xid=None,
                    recovery_attempts=0,
                    started_at_epoch_ms=None,
                    completed_at=None,
                )
            )

    def rewind(self, key: str) -> None:
        """Forget the finished steps of a stopped job, and put it back in the queue it was in."""
        with self.rows.begin() as connection:
            change = update(w).where(w.c.workflow_uuid == key, w.c.status.in_(STOPPED))
            values = {"status": Status.ENQUEUED.value, "owner_xid": None, "recovery_attempts": 0}
            if connection.execute(change.values(**values)).rowcount:
                connection.execute(delete(o).where(o.c.workflow_uuid == key))

    def stop(self, key: str, owner: str) -> None:
        """Give a job back, as whoever works at it; nothing changes where another does by now."""
        change = update(w).where(
            w.c.workflow_uuid == key, w.c.owner_xid == owner, w.c.status == Status.PENDING.value
        )
        with self.rows.begin() as connection:
            connection.execute(change.values(status=Status.CANCELLED.value, owner_xid=None))

    def owner(self, key: str) -> str | None:
        """The word that whoever works at a job was given when it took it."""
        with self.rows.connect() as connection:
            query = select(w.c.owner_xid).where(w.c.workflow_uuid == key)
            return connection.execute(query).scalar()

    def taken(self) -> list[tuple[str, str]]:
        """Each job that is taken, and the worker that took it."""
        query = select(w.c.workflow_uuid, w.c.executor_id).where(
            w.c.status == Status.PENDING.value, w.c.executor_id.is_not(None)
        )
        with self.rows.connect() as connection:
            return [(row.workflow_uuid, row.executor_id) for row in connection.execute(query)]

    def put_back(self, key: str, worker: str) -> bool:
        """Put back what a worker had taken that is dead; whether it still was that one's."""
        return bool(self.client._sys_db.reenqueue_for_recovery(key, [worker], ""))  # noqa: SLF001 - only in there

    def queue_of_next(self, queues: tuple[str, ...], host: str) -> str | None:
        """The queue whose turn it is, of these, or of all that a worker on this host may take."""
        here = (
            w.c.queue_name.in_(queues)
            if queues
            else w.c.queue_name.not_like("%@%") | w.c.queue_name.like(f"%@{host}")
        )
        query = select(w.c.queue_name).where(w.c.status == Status.ENQUEUED.value, here)
        query = query.order_by(w.c.priority, w.c.created_at).limit(1)
        with self.rows.connect() as connection:
            return connection.execute(query).scalar()

    # ------------------------------------------------------------------ our own tables

    def workers(self) -> list[dict[str, Any]]:
        """The rows of workers."""
        with self.ours.connect() as connection:
            rows = connection.execute(select(dbos_tables.worker)).mappings()
            return [dict(row) for row in rows]

    def dismiss(self, name: str) -> None:
        """Forget a worker."""
        t = dbos_tables.worker
        with self.ours.begin() as connection:
            connection.execute(delete(t).where(t.c.name == name))

    def note(self, key: str, body: str) -> None:
        """Note how far a job is."""
        t = dbos_tables.standing
        with self.ours.begin() as connection:
            if not connection.execute(update(t).where(t.c.key == key).values(body=body)).rowcount:
                connection.execute(t.insert().values(key=key, body=body))

    def noted(self, key: str) -> str | None:
        """What was noted of a job."""
        t = dbos_tables.standing
        with self.ours.connect() as connection:
            return connection.execute(select(t.c.body).where(t.c.key == key)).scalar()

    def forget(self, key: str) -> None:
        """Remove all that is kept of a job."""
        t = dbos_tables.standing
        self.client.delete_workflow(key)
        with self.ours.begin() as connection:
            connection.execute(delete(t).where(t.c.key == key))
