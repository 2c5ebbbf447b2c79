"""One attempt at a job after the other: begun, done by a process of its own, and concluded.

How it ended is in the hub's rows before the engine hears of it. What cannot be recorded while the
database is away is recorded when it is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sealift_registry.job_child import MODULE, Answer, Child
from sealift_registry.jobs import folders, records, setbacks
from sealift_registry.jobs.engine import (
    Engine,
    Recorder,
    Standing,
    StepsDifferError,
    StoppedError,
    TakenError,
)
from sealift_registry.jobs.job import MOST_ATTEMPTS, Attempt, Job, Outcome, Problem
from sealift_registry.jobs.problems import NO_FAULT, problem_of, put_off, rewound
from sealift_registry.jobs.records import EndedError, SupersededError
from sealift_registry.jobs.steps import Made
from sealift_registry.storage.host import Host
from sealift_registry.trust.hub import Hub
from sealift_signing import events
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.vocabulary import moment

AGAIN = 3.0
"""Seconds until what could not be recorded is tried again."""
PAUSE = 30.0
"""Seconds until a job is taken again whose attempt could not even begin."""

What = Literal[
    "begun",
    "done",
    "failed",
    "set-aside",
    "ended",
    "again",
    "given back",
    "refused",
    "put off",
    "left",
]
Why = Literal["", "ended", "superseded", "stopping"]


@dataclass(frozen=True)
class Happened:
    """What happened to a job here.

    Attributes:
        job: which.
        what: begun; done, failed or set aside; ended by somebody else; to be tried again, because
            it failed; given back because the worker ends; refused, since another attempt has begun;
            put off, since the hub takes nothing now; or left to a worker that knows its kind.
        attempt: which attempt; 0 before there was one.
        problem: what was wrong.
        again: not before when it is tried again.
        seconds: how long the attempt took.
    """

    job: Job
    what: What
    attempt: int = 0
    problem: Problem | None = None
    again: str = ""
    seconds: float = 0.0


@dataclass
class Running:
    """An attempt that is being made here.

    Attributes:
        job: at which job.
        attempt: the attempt.
        child: its process, once it is there.
        why: why it is to be killed.
        began: when, by `time.monotonic`.
    """

    job: Job
    attempt: Attempt
    child: Child | None = None
    why: Why = ""
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return round(time.monotonic() - self.began, 3)

    def kill(self, why: Why) -> None:
        """Kill its process, now or as soon as it is there."""
        self.why = self.why or why
        if self.child is not None:
            self.child.kill()


@dataclass
class Attempts:
    """The attempts that are made in this process.

    Attributes:
        hub: whose jobs.
        engine: that hands them out.
        name: this worker's, unique.
        here: which host this is.
        kinds: of jobs that this software knows.
        told: of what happens to jobs here; called in any thread.
        module: the processes' `__main__`.
        today: the date, where a person stated it.
        busy: keys of jobs that this process was handed and has not answered for yet.
        running: the attempts that are being made, by their jobs' keys.
        put_off: jobs that could not be begun, and until when (`time.monotonic`).
        put_off_by: by which error's code they were last, as people were told.
        rewound: keys of jobs that must be done from the start.
        stops: whether none is begun any more.
        rung: called when one is over.
    """

    hub: Hub
    engine: Engine
    name: str
    here: Host
    kinds: Collection[str]
    told: Callable[[Happened], None] = lambda _: None
    module: str = MODULE
    today: str | None = None
    busy: set[str] = field(default_factory=set)
    running: dict[str, Running] = field(default_factory=dict)
    put_off: dict[str, float] = field(default_factory=dict)
    put_off_by: dict[str, str] = field(default_factory=dict)
    rewound: set[str] = field(default_factory=set)
    stops: bool = False
    rung: Callable[[], None] = lambda: None

    def take(self, key: str, recorder: Recorder) -> None:
        """Do a job that the engine hands us, in its thread."""
        self.busy.add(key)
        try:
            attempt = self._begun(key)
            if attempt is not None:
                self._attempt(attempt, recorder)
        finally:
            self.running.pop(key, None)
            self.busy.discard(key)
            self.rung()

    def _begun(self, key: str) -> Running | None:
        """The attempt that is to be made; None where the job has ended.

        Raises:
            StoppedError: it is not begun now, or not here.
        """
        if self.stops:
            raise StoppedError
        job = None
        try:
            job = self._wanted(key)
            if job is None:
                return None
            attempt = records.begin(self.hub, job.number, self.name, self.here)
        except EndedError:
            self._tell_end(key)
            return None
        except SealiftError as bad:
            self._put_off(key, problem_of(bad, final=False), job)
            raise StoppedError from bad
        self.put_off_by.pop(key, None)
        running = self.running[key] = Running(job, attempt)
        return running

    def _wanted(self, key: str) -> Job | None:
        """The job, where it may be begun now; None where there is nothing to be done.

        Raises:
            StoppedError: it may not be begun yet, or not by this software.
            SealiftError: its row cannot be read.
        """
        with self.hub.reading() as connection:
            job = records.by_key(connection, key)
            if job is None or records.end(connection, job.number) is not None:
                return None
            due = setbacks.due(connection, job.number, self.hub.now())
        if job.order.kind not in self.kinds:
            events.tell("jobs", "job-left", "warning", job=job.id, kind=job.order.kind)
            self.told(Happened(job, "left"))
            raise StoppedError
        if not due:
            raise StoppedError
        return job

    def _put_off(self, key: str, problem: Problem, job: Job | None = None) -> None:
        """A job could not be begun: the database is away, or the hub takes nothing now."""
        events.tell("jobs", "job-put-off", "warning", code=problem.code, what=problem.what)
        self.put_off[key] = time.monotonic() + PAUSE
        if job is not None and self.put_off_by.get(key) != problem.code:
            self.put_off_by[key] = problem.code
            self.told(Happened(job, "put off", problem=problem))

    def _tell_end(self, key: str) -> None:
        with suppress(SealiftError), self.hub.reading() as connection:
            job = records.by_key(connection, key)
            end = job and records.end(connection, job.number)
            if job and end and end.outcome == "set-aside":
                self.told(Happened(job, "set-aside", end.attempt, end.problem))

    def _attempt(self, running: Running, recorder: Recorder) -> None:
        job, attempt = running.job, running.attempt
        fields = {"job": job.id, "attempt": attempt.number, "kind": job.order.kind}
        events.tell("jobs", "attempt-begun", **fields)
        self.told(Happened(job, "begun", attempt.number))
        try:
            answer = self._answer(running, recorder)
        except StepsDifferError as bad:
            self.rewound.add(job.order.key)
            events.tell("jobs", "job-rewound", **fields)
            self._recorded(running, partial(records.give_back, self.hub, attempt, rewound(attempt)))
            self.told(Happened(job, "given back", attempt.number, seconds=running.seconds))
            raise StoppedError from bad
        except TakenError:
            self._tell_refused(running)
            raise
        except FailedError as bad:
            answer = Answer("failed", problem=problem_of(bad, final=False))
        seconds = running.seconds
        events.tell("jobs", "attempt-ended", **fields, how=answer.how, seconds=seconds)
        self._conclude(running, answer, seconds)

    def _answer(self, running: Running, recorder: Recorder) -> Answer:
        order, key = running.job.order, running.job.order.key

        def told(step: str, subject: str, done: int, total: int) -> None:
            with suppress(Exception):  # whoever watches sees it later, or not
                self.engine.tell(key, Standing(step, subject, done, total, moment(self.hub.now())))

        said: Mapping[str, Any] = {
            "home": str(Path(self.hub.home.root).absolute()),
            "attempt": vars(running.attempt),
            "key": key,
            "kind": order.kind,
            "arguments": dict(order.arguments),
            "actor": order.asked_by,
            "today": self.today,
        }
        running.child = Child(self.module, said, order.seconds, told)
        if running.why:  # while it was being started
            running.child.kill()
        try:
            return running.child.converse(recorder)
        except StepsDifferError:
            raise
        except Exception as bad:
            # The engine's: it records nothing of ours now, and hands the job out again.
            events.tell("jobs", "step-not-recorded", "warning", job=running.job.id, why=str(bad))
            raise StoppedError from bad

    # -------------------------------------------------------------- how it ended

    def _conclude(self, running: Running, answer: Answer, seconds: float) -> None:
        """Record how an attempt ended.

        Raises:
            StoppedError: its job has not ended.
        """
        match answer.how:
            case "done":
                self._finish(running, "done", seconds, result=answer.result)
            case "failed" | "died" | "late" if answer.problem is not None:
                self._failed(running, answer.problem, seconds, died=answer.how == "died")
            case "killed" if running.why == "ended":
                self.told(Happened(running.job, "ended", running.attempt.number, seconds=seconds))
                folders.remove(self.hub.home.work, [running.job.order.key])
            case "unready" if answer.problem is not None:
                self._put_off(running.job.order.key, answer.problem, running.job)
                self._give_back(running, seconds, put_off(running.attempt, answer.problem))
            case "unknown":  # our software was replaced by an older one while we ran
                why = _unknown(running.job)
                self._put_off(running.job.order.key, why)
                self._give_back(running, seconds, put_off(running.attempt, why))
            case _:
                self._give_back(running, seconds)

    def _finish(
        self,
        running: Running,
        outcome: Outcome,
        seconds: float,
        *,
        result: Made | None = None,
        problem: Problem | None = None,
    ) -> None:
        job, attempt = running.job, running.attempt

        def record() -> None:
            records.finish(
                self.hub, job.number, outcome, attempt=attempt, result=result, problem=problem
            )

        what: What = "failed" if outcome == "failed" else "set-aside" if problem else "done"
        try:
            self._recorded(running, record)
        except EndedError:
            what = "ended"
        folders.remove(self.hub.home.work, [job.order.key])
        self.told(Happened(job, what, attempt.number, problem, seconds=seconds))

    def _failed(self, running: Running, problem: Problem, seconds: float, *, died: bool) -> None:
        job, attempt = running.job, running.attempt
        if problem.final:
            self._finish(running, "failed", seconds, problem=problem)
            return
        spent = MOST_ATTEMPTS

        def count() -> None:
            nonlocal spent
            with self.hub.reading() as connection:
                spent = setbacks.spent(connection, job.number)

        self._recorded(running, count)
        if spent >= MOST_ATTEMPTS and problem.code not in NO_FAULT:
            self._finish(running, "set-aside" if died else "failed", seconds, problem=problem)
            return
        again = ""

        def record() -> None:
            nonlocal again
            again = records.set_back(self.hub, attempt, problem).again

        self._recorded(running, record)
        self.told(Happened(job, "again", attempt.number, problem, again, seconds))
        raise StoppedError

    def _give_back(self, running: Running, seconds: float, why: Problem | None = None) -> None:
        """Our attempt is over through no fault of the job's, and it does not count."""
        if running.why == "superseded":
            self._tell_refused(running)
            raise StoppedError
        self._recorded(running, lambda: records.give_back(self.hub, running.attempt, why))
        self.told(Happened(running.job, "given back", running.attempt.number, seconds=seconds))
        raise StoppedError

    def _tell_refused(self, running: Running) -> None:
        """Say why nothing that this attempt comes to counts: others took this worker for dead."""
        job, number = running.job, running.attempt.number
        what: What = "given back"
        problem = None
        try:
            with self.hub.reading() as connection:
                records.check_may_record(connection, running.attempt)
        except SealiftError as bad:
            what, problem = "refused", problem_of(bad, final=True)
            said = {"job": job.id, "attempt": number, "why": bad.what}
            events.tell("jobs", "attempt-refused", "warning", **said)
        self.told(Happened(job, what, number, problem, seconds=running.seconds))

    def _recorded(self, running: Running, record: Callable[[], object]) -> None:
        """Have something recorded, as soon as the database takes it.

        Raises:
            EndedError: the job has ended meanwhile.
            StoppedError: another attempt has begun; or the worker ends before it could be recorded.
        """
        while True:
            try:
                record()
            except EndedError:
                raise
            except SupersededError as bad:
                self._tell_refused(running)
                raise StoppedError from bad
            except SealiftError as bad:
                events.tell("jobs", "end-not-recorded", "warning", job=running.job.id, why=bad.what)
                if self.stops:
                    raise StoppedError from bad
                time.sleep(AGAIN)
            else:
                return


def _unknown(job: Job) -> Problem:
    return problem_of(
        FailedError(
            "job-unknown",
            f"This Sealift does not know {job.order.kind}, which {job.id} asks for.",
            subject=job.id,
            next_step="Update Sealift on this machine, and start the worker again.",
        ),
        final=False,
    )
