"""The engine over DBOS: what `Engine` asks for, where its rows are in a file or at a server."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version as package_version

from sqlalchemy.exc import SQLAlchemyError

from sealift_registry.jobs.dbos_place import JOB, NAME, Place
from sealift_registry.jobs.dbos_work import Work
from sealift_registry.jobs.engine import Body, Standing, State, Worker
from sealift_registry.jobs.job import Job
from sealift_registry.storage.host import Host
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import moment

TOLD_EVERY = 1.0
"""Seconds between two notes of how far a job is, unless it has come to another step."""


class DbosEngine:
    """Queues of jobs, kept by DBOS.

    Args:
        place: where.
        here: this host.
    """

    def __init__(self, place: Place, here: Host) -> None:
        self._place = place
        self._here = here
        self._work: Work | None = None
        self._name = ""
        self._told: dict[str, tuple[str, float]] = {}

    # ------------------------------------------------------------------ queues

    def enqueue(self, job: Job) -> None:
        """As `Engine.enqueue`."""
        with self._place.in_words():
            self._place.client.enqueue(
                {
                    "workflow_name": JOB,
                    "workflow_id": job.order.key,
                    "queue_name": queue_of(job),
                    "priority": job.order.priority,
                    "app_version": NAME,
                }
            )

    def again(self, job: Job) -> None:
        """As `Engine.again`."""
        with self._place.in_words():
            self._place.again(job.order.key, queue_of(job))

    def rewind(self, job: Job) -> None:
        """As `Engine.rewind`."""
        with self._place.in_words():
            self._place.rewind(job.order.key)

    def forget(self, key: str) -> None:
        """As `Engine.forget`."""
        self._told.pop(key, None)
        with self._place.in_words():
            self._place.forget(key)

    def states(self) -> Mapping[str, State]:
        """As `Engine.states`."""
        with self._place.in_words():
            return self._place.states()

    def steps(self, key: str) -> tuple[str, ...]:
        """As `Engine.steps`."""
        with self._place.in_words():
            return self._place.steps(key)

    # ------------------------------------------------------------------ how far

    def tell(self, key: str, standing: Standing) -> None:
        """As `Engine.tell`."""
        step, last = self._told.get(key, ("", 0.0))
        now = time.monotonic()
        if step == standing.step and now - last < TOLD_EVERY:
            return
        self._told[key] = standing.step, now
        with suppress(SQLAlchemyError):  # who works goes on, though nobody hears how far it is
            self._place.note(key, json.dumps(vars(standing)))

    def standing(self, key: str) -> Standing | None:
        """As `Engine.standing`."""
        with self._place.in_words():
            found = self._place.noted(key)
        with suppress(ValueError, TypeError):
            return Standing(**json.loads(found)) if found else None
        return None

    # ------------------------------------------------------------------ working

    def work(self, queues: Sequence[str], slots: int, body: Body) -> None:
        """As `Engine.work`."""
        self._name = f"{self._here.id[:8]}-{secrets.token_hex(8)}"
        taken = tuple(name for one in queues for name in (one, at_host(one, self._here.id)))
        row = {
            "name": self._name,
            "host": self._here.id,
            "host_name": self._here.name,
            "queues": json.dumps(list(queues)),
            "software": package_version("sealift-registry"),
        }
        with self._place.in_words():
            self._place.liveness.begin(row)
            try:
                self._work = Work(self._place, self._name, self._here.id, taken, slots, body)
            except BaseException:
                self._place.liveness.end()
                raise

    def beat(self) -> Sequence[str]:
        """As `Engine.beat`."""
        with self._place.in_words():
            looks = self._place.liveness.beat()
            found = self._work.strays() if self._work is not None else []
            if looks:
                found += self._sweep()
            self._place.adopt()
            return found

    def _sweep(self) -> list[str]:
        """Put back what dead workers had taken, and forget them."""
        taken = [(key, worker) for key, worker in self._place.taken() if worker != self._name]
        known = {row["name"] for row in self._place.workers()} - {self._name}
        names = known | {worker for _, worker in taken}
        dead = names - self._place.liveness.living(names) if names else set()
        found = [
            key for key, worker in taken if worker in dead and self._place.put_back(key, worker)
        ]
        for name in dead & known:
            self._place.dismiss(name)
        return found

    def workers(self) -> Sequence[Worker]:
        """As `Engine.workers`."""
        with self._place.in_words():
            rows = self._place.workers()
            living = self._place.liveness.living({row["name"] for row in rows})
            busy = {worker for _, worker in self._place.taken()}
        return [
            Worker(
                name=row["name"],
                host=row["host"],
                host_name=row["host_name"],
                queues=tuple(json.loads(row["queues"])),
                software=row["software"],
                seen=moment(datetime.fromtimestamp(row["seen"] / 1000, UTC)),
                is_alive=row["name"] in living,
            )
            for row in rows
            if row["name"] in living | busy
        ]

    def close(self) -> None:
        """As `Engine.close`."""
        if self._work is not None:
            self._work.close()
            self._work = None
            with suppress(SQLAlchemyError, SealiftError):
                if self._name not in {worker for _, worker in self._place.taken()}:
                    self._place.dismiss(self._name)
            self._place.liveness.end()
        self._place.shut()


def queue_of(job: Job) -> str:
    """The queue of a job, as the engine names it."""
    order = job.order
    return order.queue if order.host is None else at_host(order.queue, order.host)


def at_host(queue: str, host: str) -> str:
    """The queue of what is to be done at one host alone."""
    return f"{queue}@{host}"
