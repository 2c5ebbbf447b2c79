"""Which jobs are being done now: for who changes what is under them, and must not meanwhile.

It is what the engine's rows say, and a courtesy: whoever is overlooked records nothing afterwards
that does not fit (`records.check_may_record`), and its work is done again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from sealift_migrations import JOBS_SCHEMA, SCHEMA
from sealift_registry.jobs import dbos_watching, records
from sealift_registry.jobs.job import job_id
from sealift_registry.trust.hub import Hub
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError

_THERE = text(
    f"SELECT to_regclass('{JOBS_SCHEMA}.sealift_worker') IS NOT NULL "
    f"AND to_regclass('{SCHEMA}.job_end') IS NOT NULL"
)
_RUNNING = text(
    "SELECT j.number, w.host_name, w.software "  # noqa: S608 - our own names
    f"FROM {JOBS_SCHEMA}.workflow_status s "
    f"JOIN {JOBS_SCHEMA}.sealift_worker w ON w.name = s.executor_id "
    f"JOIN {SCHEMA}.job j ON j.key = s.workflow_uuid "
    "WHERE s.status = 'PENDING' "
    "AND abs(extract(epoch FROM clock_timestamp()) * 1000 - w.seen) <= :lease "
    f"AND NOT EXISTS (SELECT 1 FROM {SCHEMA}.job_end e WHERE e.job = j.number) "
    "ORDER BY j.number"
)


@dataclass(frozen=True)
class Running:
    """A job that is being done.

    Attributes:
        job: its number.
        host_name: where, as people call it.
        software: the release of Sealift that does it.
    """

    job: int
    host_name: str
    software: str

    @property
    def id(self) -> str:
        """As people call the job: `J-000017`."""
        return job_id(self.job)


def of_hub(hub: Hub) -> list[Running]:
    """Those of a hub, in the order in which they were asked for; one in a stopped process, too.

    Raises:
        FailedError: it cannot be told.
    """
    try:
        there = dbos_watching.look(hub.database, hub.home.root)
    except (OSError, ValueError, sqlite3.Error, SQLAlchemyError) as bad:
        raise FailedError(
            "jobs-unseen",
            f"Whether a job is being done cannot be told: {getattr(bad, 'orig', None) or bad}.",
            next_step="End all workers (sealift worker), and run the command again; what they are "
            "at goes on later.",
        ) from bad
    found = []
    with hub.reading() as connection:
        for one in records.waiting(connection):
            worker = there.workers.get(there.taken.get(one.order.key, ""))
            if worker is not None:
                found.append(Running(one.number, worker.host_name, worker.software))
    return found


def check_none(connection: Connection) -> None:
    """Check, as the owner of a PostgreSQL database, that nobody does a job while it is upgraded.

    Raises:
        FailedError: somebody does.
    """
    if not connection.execute(_THERE).scalar_one():
        return
    found = connection.execute(_RUNNING, {"lease": dbos_watching.LEASE}).all()
    if found:
        first, more = Running(*found[0]), _more(len(found) - 1)
        raise FailedError(
            "upgrade-during-job",
            f"{first.id} is being done on {word(first.host_name)}, by Sealift "
            f"{word(first.software)}, which knows the tables as they are now.{more}",
            subject=first.id,
            next_step="Wait until it is done; or end its worker (Ctrl-C, SIGTERM), which gives it "
            "back. Then run the command again: what waits is done afterwards.",
        )


def check_idle(hub: Hub) -> None:
    """Check that nobody does a job of a hub that is to be moved.

    Raises:
        FailedError: somebody does, or it cannot be told.
    """
    found = of_hub(hub)
    if found:
        first, more = found[0], _more(len(found) - 1)
        raise FailedError(
            "move-during-job",
            f"{first.id} is being done on {word(first.host_name)}, and could record nothing once "
            f"the hub is elsewhere.{more}",
            subject=first.id,
            next_step="Wait until it is done; or end its worker (Ctrl-C, SIGTERM), which gives it "
            "back. Then run the command again. What waits is done after the move.",
        )


def _more(count: int) -> str:
    return f" So are {count} more." if count > 1 else " So is 1 more." if count else ""
