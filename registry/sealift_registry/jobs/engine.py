"""What is asked of an engine: queues, who takes what from them, and which steps are finished.

An engine is somebody else's software, and this is the way out of it: no module but its own glue
imports it, and commands that start no job load none. What it keeps may be lost, or be older than
the hub's rows. Nothing depends on it but time: a job is wanted because a row says so, an attempt
may record because a row says so (`records`), and whatever an engine has forgotten is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sealift_registry.jobs.job import Job
from sealift_registry.jobs.steps import Made

State = Literal["waiting", "working", "stopped", "over"]
"""Of a job at its engine: in a queue; taken by a worker; given back without an end; or with one."""


class StoppedError(BaseException):
    """Raised by a body, and out of its step: the job is not over, and the step is not finished.

    It is put back by `Engine.again`, whenever that is right. No ordinary exception, so that nothing
    in between takes it for an answer.
    """


class TakenError(StoppedError):
    """Raised out of a step: the job is forgotten, or others took this worker for dead and have it.

    Nothing that this body does is recorded any more, and it is to end. `Engine.again` changes
    nothing then: the job is not stopped.
    """


class Recorder(Protocol):
    """The finished steps of one job."""

    def step(self, name: str, make: Callable[[], Made]) -> Made:
        """What the step answered when it was finished; else what `make` does now, recorded.

        To be called in the thread in which the body was. What `make` raises is raised, and not
        recorded.

        Raises:
            StepsDifferError: what is recorded is of other steps: other software made them.
            TakenError: the job is not this worker's any more.
        """
        ...


class StepsDifferError(Exception):
    """A job was begun by software with other steps: let it pass, and it is done from the start.

    Where a body raises it, the engine forgets the finished steps and puts the job back at once.
    """


Body = Callable[[str, Recorder], None]
"""Does the job of this key, in a thread of the engine's. Unless it raises `StoppedError` or
`StepsDifferError`, the job is over for the engine; how it ended is in the hub's rows before."""


@dataclass(frozen=True)
class Standing:
    """How far a job is, as whoever works at it told last.

    Attributes:
        step: that is being done.
        subject: what is being worked on.
        done: bytes of it, or whatever is counted.
        total: of how many; 0 where that is not known.
        at: when this was told.
    """

    step: str
    subject: str
    done: int
    total: int
    at: str


@dataclass(frozen=True)
class Worker:
    """A process that takes jobs.

    Attributes:
        name: of the process, unique.
        host: its host's id.
        host_name: as people call it.
        queues: that it takes from; empty for all.
        software: its release of Sealift.
        seen: when it last said that it lives; where a lock says so, now.
        is_alive: whether it is taken to live.
    """

    name: str
    host: str
    host_name: str
    queues: tuple[str, ...]
    software: str
    seen: str
    is_alive: bool


class Engine(Protocol):
    """Queues of jobs, kept so that they outlive every process."""

    def enqueue(self, job: Job) -> None:
        """Put a job in its queue; one that is known already stays as it is."""
        ...

    def again(self, job: Job) -> None:
        """Put a job that is stopped back in its queue; it goes on at the step not finished."""
        ...

    def rewind(self, job: Job) -> None:
        """Forget the finished steps of a job that is stopped, and put it back in its queue."""
        ...

    def forget(self, key: str) -> None:
        """Forget a job that has ended, or is to end: nobody takes it any more."""
        ...

    def states(self) -> Mapping[str, State]:
        """Every job that it knows, by its key."""
        ...

    def steps(self, key: str) -> tuple[str, ...]:
        """The finished steps of a job, in order."""
        ...

    def tell(self, key: str, standing: Standing) -> None:
        """Note how far a job is; cheap, and lost with the engine."""
        ...

    def standing(self, key: str) -> Standing | None:
        """How far a job is; None where nobody told."""
        ...

    def work(self, queues: Sequence[str], slots: int, body: Body) -> None:
        """Begin to take jobs, so many at once, in threads of its own; returns at once.

        Args:
            queues: that are taken from; `Job.order.host` is part of a queue's name, so that what is
                bound to a host is taken there alone.
            slots: how many at once.
            body: does one.
        """
        ...

    def beat(self) -> Sequence[str]:
        """Say that this process lives, and put back what dead ones had taken; the keys of that.

        To be called every few seconds by whoever works. After an outage of the database everybody
        looks dead: who beats says first that it lives, and looks for the dead in the beat after.
        """
        ...

    def workers(self) -> Sequence[Worker]:
        """Who works, and who is taken to be dead with jobs that nobody put back yet."""
        ...

    def close(self) -> None:
        """Take no more, wait for nobody, and let go of everything."""
        ...
