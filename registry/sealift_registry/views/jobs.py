"""Jobs: a list of them, and all about one.

What was asked for and how it ended is told as the log has it, or refused by name. Who is at work,
and how far that is, is what workers say (`jobs.dbos_watching`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from sealift_registry.catalog.page_sizes import LARGEST
from sealift_registry.catalog.pages import PagePlace
from sealift_registry.jobs import records, retrying, setbacks, tables
from sealift_registry.jobs.dbos_watching import Watched
from sealift_registry.jobs.elsewhere import WAITS
from sealift_registry.jobs.engine import Standing, Worker
from sealift_registry.jobs.job import Attempt, Job, JobEnd, JobOrder, Setback, job_id, parse_job
from sealift_registry.jobs.problems import NO_FAULT
from sealift_registry.storage.queries import all_rows
from sealift_registry.storage.within import ALL, Within
from sealift_registry.views.pages import FalseRow, Page
from sealift_signing.drawing import word
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import instant

State = Literal["waits", "works", "waits-again", "done", "failed", "cancelled", "set-aside"]
"""Of a job in one word: the first three have not ended."""
OPEN: tuple[State, ...] = ("waits", "works", "waits-again")
LONGEST_TOLD = 60
"""Characters of a name in a list."""

Reason = Literal[
    "newer-software", "pause", "builder", "stopped", "host", "no-worker", "behind", "next"
]


@dataclass(frozen=True)
class Waits:
    """Why a job waits.

    Attributes:
        reason: in a word.
        until: not before which time, where it failed and is tried again.
        before: how many jobs of its queue come first.
        worker: that has it in hand, and says nothing.
    """

    reason: Reason
    until: str = ""
    before: int = 0
    worker: Worker | None = None


@dataclass(frozen=True)
class JobView:
    """All about a job.

    Attributes:
        state: in one word.
        attempts: the oldest first.
        setbacks: why some of them failed.
        end: how it ended; None while it has not.
        waits: why it waits, where it does.
        standing: how far it is, where somebody is at work.
        retried_by: the newest job that does it again.
    """

    job: Job
    state: State
    attempts: tuple[Attempt, ...]
    setbacks: tuple[Setback, ...]
    end: JobEnd | None
    waits: Waits | None = None
    standing: Standing | None = None
    retried_by: int | None = None

    @property
    def setback(self) -> Setback | None:
        """Why the newest attempt failed, and is repeated; None where it did not fail."""
        last = self.setbacks[-1] if self.setbacks else None
        newest = self.attempts[-1].number if self.attempts else 0
        return last if last is not None and last.attempt == newest else None

    def seconds(self, now: datetime) -> float | None:
        """How long its newest attempt took, or has taken so far; None where there is none."""
        if not self.attempts or self.state == "waits":
            return None
        over = self.setback.made if self.setback else self.end.made if self.end else None
        until = instant(over) if over else now
        return max((until - instant(self.attempts[-1].made)).total_seconds(), 0.0)


@dataclass(frozen=True)
class JobFilter:
    """Which jobs: those of which all that is given holds."""

    states: Collection[State] = ()
    kind: str | None = None
    queue: str | None = None
    asked_by: str | None = None
    within: Within = ALL

    def takes(self, view: JobView) -> bool:
        """Whether it is one of them."""
        order = view.job.order
        if not is_within(self.within, order.asked_by, order.arguments):
            return False
        said = (order.kind, order.queue, order.asked_by)
        wanted = (self.kind, self.queue, self.asked_by)
        same = all(want in (None, one) for want, one in zip(wanted, said, strict=True))
        return same and (not self.states or view.state in self.states)


def team_of(arguments: object) -> str | None:
    """The team of the version or model that a job is about, by what it was asked with."""
    said = arguments if isinstance(arguments, Mapping) else {}
    about = said.get("version") or said.get("model") or ""
    team = str(about).partition("/")[0]
    return team or None


def is_within(within: Within, asked_by: object, arguments: object) -> bool:
    """Whether a job is told of: it is a team's that is, or whoever asks asked for it."""
    if within.everything or within.has_team(team_of(arguments)):
        return True
    return bool(within.asked_by) and asked_by == within.asked_by


def about(order: JobOrder) -> str:
    """What a job is about, in a few words, by what it was asked with."""
    said = {name: word(str(one), LONGEST_TOLD) for name, one in order.arguments.items()}
    if order.kind == "convert" and {"version", "hardware_target"} <= said.keys():
        return f"{said['version']} for {said['hardware_target']}"
    if order.kind == "ingest" and "model" in said:
        return f"{said['model']} from {_source(order)}"
    if order.kind == "export" and {"site", "medium"} <= said.keys():
        return f"{said['site']} to {said['medium']}"
    return " ".join(said.values())


def _source(order: JobOrder) -> str:
    """Where a model is taken in from, in a few words."""
    named = order.arguments.get("named")
    if isinstance(named, Mapping):
        reference = word(str(named.get("reference")), LONGEST_TOLD)
        return f"{word(str(named.get('source')), LONGEST_TOLD)} {reference}"
    for kind, member in (("mlflow", "model_uri"), ("dvc", "path"), ("onnx", "")):
        found: object = order.arguments.get(kind)
        if kind == "onnx" and isinstance(found, str):
            found = PurePath(found).name  # where it lies is long, and the hub's own affair
        if isinstance(found, Mapping):
            found = found.get(member)
        if isinstance(found, str):
            return f"{kind} {word(found, LONGEST_TOLD)}"
    return "elsewhere"


class Looking:
    """Looks at jobs in one state of the hub.

    Args:
        connection: of that state.
        now: by the hub's clock.
        watched: what is going on.
        kinds: of jobs that this software does.
    """

    def __init__(
        self, connection: Connection, now: datetime, watched: Watched, kinds: Collection[str]
    ) -> None:
        self._connection = connection
        self._now = now
        self._watched = watched
        self._kinds = kinds
        self._queued: list[_Place] | None = None

    def job(self, number: int) -> JobView:
        """All about one job.

        Raises:
            NotFoundError: there is none of that number.
            RefusedError: the log does not know it, or its end.
        """
        retried_by = retrying.retried_by(self._connection, number)
        return replace(self._view(number), retried_by=retried_by)

    def jobs(self, wanted: JobFilter, place: PagePlace) -> Page[JobView]:
        """A page of jobs, by number.

        Raises:
            NotFoundError: it is to begin after a job that there is not.
            UsageError: after what is no job's name.
        """
        limit, last = min(place.limit, LARGEST), ""
        told, refused = list[JobView](), list[FalseRow]()
        for number in self._numbers(wanted, place):
            view = self._view_or_refused(number)
            if isinstance(view, JobView) and not wanted.takes(view):
                continue
            if len(told) + len(refused) == limit:
                return Page(tuple(told), tuple(refused), last)
            last = job_id(number)
            if isinstance(view, FalseRow):
                refused.append(view)
            else:
                told.append(view)
        return Page(tuple(told), tuple(refused))

    # ------------------------------------------------------------------ reading

    def _numbers(self, wanted: JobFilter, place: PagePlace) -> Iterator[int]:
        """Of the jobs that `wanted` may mean, in order, by rows that are not believed."""
        t, e = tables.job, tables.job_end
        number, ended = t.c.number, t.c.number.in_(select(e.c.job))
        query = select(number, t.c.body).order_by(number.desc() if place.newest_first else number)
        if wanted.states and set(wanted.states) <= set(OPEN):
            query = query.where(~ended)
        elif wanted.states and not set(wanted.states) & set(OPEN):
            query = query.where(ended)
        if place.after is not None:
            after = parse_job(place.after)
            order = records.job(self._connection, after).order
            if not is_within(wanted.within, order.asked_by, order.arguments):
                raise records.no_job(after)
            query = query.where(number < after if place.newest_first else number > after)
        for row in all_rows(self._connection, query):
            if wanted.within.everything or _is_told(wanted.within, bytes(row.body)):
                yield row.number

    def _view_or_refused(self, number: int) -> JobView | FalseRow:
        try:
            return self._view(number)
        except SealiftError as bad:
            return FalseRow(job_id(number), bad)

    def _view(self, number: int) -> JobView:
        job = records.asked(self._connection, number)
        end = records.end(self._connection, number)
        attempts = tuple(records.attempts(self._connection, number))
        failed = tuple(setbacks.every(self._connection, number))
        view = JobView(job, "waits", attempts, failed, end)
        if end is not None:
            return replace(view, state=end.outcome)
        worker = self._worker_of(view)
        if worker is not None and worker.name not in self._watched.stopped:
            standing = self._watched.standings.get(job.order.key)
            return replace(view, state="works", standing=standing)
        is_fault = view.setback is not None and view.setback.problem.code not in NO_FAULT
        state: State = "waits-again" if is_fault else "waits"
        return replace(view, state=state, waits=self._why(view, worker))

    def _worker_of(self, view: JobView) -> Worker | None:
        """Who is at work at a job; None where nobody is: its attempt is over, or its worker."""
        if not view.attempts or view.setback is not None:
            return None
        name = self._watched.taken.get(view.job.order.key, "")
        return self._watched.workers.get(name)

    def _why(self, view: JobView, stopped: Worker | None) -> Waits:
        """Why a job waits; `stopped` has it in hand, and does nothing."""
        order = view.job.order
        if stopped is not None:
            return Waits("stopped", worker=stopped)
        if order.kind not in self._kinds:
            return Waits("newer-software")
        due = setbacks.due(self._connection, view.job.number, self._now)
        if view.setback is not None and not due:
            reason: Reason = "builder" if view.setback.problem.code == WAITS else "pause"
            return Waits(reason, until=view.setback.again)
        if not self._watched.takers(order):
            return Waits("host" if order.host else "no-worker")
        before = sum(one.is_before(view.job) for one in self._queue())
        return Waits("behind", before=before) if before else Waits("next")

    def _queue(self) -> list[_Place]:
        """The jobs that nobody has begun, or whose newest attempt is over."""
        if self._queued is None:
            self._queued = self._read_queue()
        return self._queued

    def _read_queue(self) -> list[_Place]:
        t, e = tables.job, tables.job_end
        a, s = tables.job_attempt, tables.job_setback
        begun = dict(_pairs(self._connection, a.c.job, a.c.number))
        over = dict(_pairs(self._connection, s.c.job, s.c.attempt))
        query = select(t.c.number, t.c.body).where(t.c.number.not_in(select(e.c.job)))
        return [
            _Place.read(row.number, bytes(row.body))
            for row in all_rows(self._connection, query)
            if begun.get(row.number, 0) <= over.get(row.number, 0)
        ]


def _is_told(within: Within, body: bytes) -> bool:
    """Whether a job seems to be told of, by its row."""
    order = _said(body)
    return is_within(within, order.get("asked_by"), order.get("arguments"))


def _said(body: bytes) -> Mapping[str, Any]:
    """What a row of an order says, which is not believed."""
    said: object = None
    with suppress(ValueError):
        said = json.loads(body)
    return said if isinstance(said, dict) else {}


@dataclass(frozen=True)
class _Place:
    """Where an order stands in its queue, by its row, which is not believed."""

    number: int
    queue: object
    host: object
    priority: object

    @classmethod
    def read(cls, number: int, body: bytes) -> _Place:
        order = _said(body)
        return cls(number, order.get("queue"), order.get("host"), order.get("priority"))

    def is_before(self, job: Job) -> bool:
        """Whether it comes before another one."""
        mine = (job.order.queue, job.order.host)
        if (self.queue, self.host) != mine or not isinstance(self.priority, int):
            return False
        return (self.priority, self.number) < (job.order.priority, job.number)


def _pairs(
    connection: Connection, job: ColumnElement[int], number: ColumnElement[int]
) -> Iterator[tuple[int, int]]:
    """The largest number of each job."""
    query = select(job, func.max(number)).group_by(job)
    yield from ((row[0], row[1]) for row in connection.execute(query))
