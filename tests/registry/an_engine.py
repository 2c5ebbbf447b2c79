"""An engine that keeps its jobs in memory: for tests of what is done with one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sealift_registry.jobs.engine import (
    Body,
    Standing,
    State,
    StepsDifferError,
    StoppedError,
    Worker,
)
from sealift_registry.jobs.job import Job
from sealift_registry.jobs.steps import Made


@dataclass
class Known:
    """A job, and how far it is."""

    job: Job
    state: State = "waiting"
    steps: dict[str, Made] = field(default_factory=dict)


class AnEngine:
    """As `Engine`; `away` is what each of its answers is while it cannot be reached."""

    def __init__(self, host: str = "") -> None:
        self.known: dict[str, Known] = {}
        self.told: list[Standing] = []
        self.beats = 0
        self.away: Exception | None = None
        self.closed = False
        self._host = host
        self._changed = threading.Condition()

    def _answer(self) -> None:
        if self.away is not None:
            raise self.away

    def enqueue(self, job: Job) -> None:
        self._answer()
        with self._changed:
            self.known.setdefault(job.order.key, Known(job))
            self._changed.notify_all()

    def again(self, job: Job) -> None:
        with self._changed:
            one = self.known[job.order.key]
            if one.state == "stopped":
                one.state = "waiting"
            self._changed.notify_all()

    def rewind(self, job: Job) -> None:
        self.known[job.order.key].steps.clear()
        self.again(job)

    def forget(self, key: str) -> None:
        with self._changed:
            self.known.pop(key, None)

    def states(self) -> Mapping[str, State]:
        self._answer()
        with self._changed:
            return {key: one.state for key, one in self.known.items()}

    def steps(self, key: str) -> tuple[str, ...]:
        return tuple(self.known[key].steps)

    def tell(self, key: str, standing: Standing) -> None:
        assert key in self.known
        self.told.append(standing)

    def standing(self, key: str) -> Standing | None:
        assert key in self.known
        return self.told[-1] if self.told else None

    def work(self, queues: Sequence[str], slots: int, body: Body) -> None:
        for _ in range(slots):
            threading.Thread(target=self._work, args=(queues, body), daemon=True).start()

    def _work(self, queues: Sequence[str], body: Body) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.closed or self._next(queues))
                one = self._next(queues)
                if self.closed or one is None:
                    return
                one.state = "working"
            key = one.job.order.key
            try:
                body(key, ARecorder(one, self._answer))
                state: State = "over"
            except StoppedError:
                state = "stopped"
            except Exception:  # noqa: BLE001 - as the Protocol says
                state = "over"
            with self._changed:
                one.state = state

    def _next(self, queues: Sequence[str]) -> Known | None:
        waiting = [
            one
            for one in self.known.values()
            if one.state == "waiting"
            and one.job.order.queue in queues
            and one.job.order.host in (None, self._host)
        ]
        order = sorted(waiting, key=lambda one: (one.job.order.priority, one.job.number))
        return order[0] if order else None

    def beat(self) -> Sequence[str]:
        self._answer()
        self.beats += 1
        return ()

    def workers(self) -> Sequence[Worker]:
        return ()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()


@dataclass
class ARecorder:
    """As `Recorder`."""

    known: Known
    answer: Callable[[], None]
    at: int = 0

    def step(self, name: str, make: Callable[[], Made]) -> Made:
        self.answer()
        steps = self.known.steps
        self.at += 1
        if len(steps) >= self.at:
            if list(steps)[self.at - 1] != name:
                raise StepsDifferError
            return steps[name]
        made = make()
        self.answer()
        steps[name] = made
        return made
