"""Engines of jobs for tests: one in a home, one at a server; and workers, each its own process."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealift_registry.jobs.dbos_engine import DbosEngine
from sealift_registry.jobs.job import Job, JobOrder
from sealift_registry.storage.host import Host
from sealift_registry.storage.postgres_roles import Roles
from tests.registry.engine_process import place_of
from tests.servers.postgres import postgres

WITHIN = 120
"""Seconds within which a line comes, or a state."""
HERE, THERE = "0" * 32, "1" * 32
LEASE = 2.0


def job(number: int, **more: Any) -> Job:  # noqa: ANN401 - whatever a JobOrder has
    """A job, as the hub's rows have it."""
    order = {
        "format": 1,
        "requires": (),
        "key": f"key{number:04}",
        "kind": "convert",
        "arguments": {},
        "queue": "hub",
        "priority": 5,
        "seconds": 60,
        "host": None,
        "host_name": None,
        "asked_by": "dora",
        "asked": "2026-12-01T00:00:00.000000Z",
        "retries": None,
    }
    return Job(number, JobOrder(**{**order, **more}))


@dataclass
class Line:
    """A worker in a process of its own."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    _lines: queue.Queue[str] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())
        self._lines.put("ended")

    def hear(self, wanted: str) -> None:
        """Wait until it says this."""
        until = time.monotonic() + WITHIN
        while wanted not in self.said:
            with suppress(queue.Empty):
                self.said.append(self._lines.get(timeout=max(0.01, until - time.monotonic())))
                continue
            raise AssertionError(f"{wanted!r} is not among {self.said}")

    def heard(self) -> list[str]:
        """All that it said until now."""
        with suppress(queue.Empty):
            while True:
                self.said.append(self._lines.get_nowait())
        return self.said

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Where:
    """Where an engine's rows are."""

    place: str
    is_shared: bool
    _workers: list[Line] = field(default_factory=list)

    @contextmanager
    def engine(self, host: str = HERE) -> Iterator[DbosEngine]:
        """The engine, in this process; where it works, it beats."""
        found = DbosEngine(place_of(self.place, LEASE), Host(host, "a host"))
        ends = threading.Event()

        def beating() -> None:
            while not ends.wait(0.2):
                if found._work is not None:
                    found.beat()

        beats = threading.Thread(target=beating)
        beats.start()
        try:
            yield found
        finally:
            ends.set()
            beats.join()
            found.close()

    def worker(self, environment: Mapping[str, str] | None = None, **more: Any) -> Line:  # noqa: ANN401 - JSON
        """A worker that has begun to work."""
        told = {
            "place": self.place,
            "lease": LEASE,
            "host": HERE,
            "queues": ["hub"],
            "slots": 1,
            "steps": ["one", "two", "three"],
            "holds": "",
            "stops": "",
            "after": False,
            "beats": 0.2,
            "clock": 0,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.registry.engine_process", json.dumps({**told, **more})],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        made = Line(process)
        self._workers.append(made)
        made.hear("works")
        return made

    def end(self) -> None:
        """End all of them."""
        for one in self._workers:
            one.kill()
            for pipe in (one.process.stdin, one.process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def in_a_home(folder: Path) -> Where:
    """An engine in the home `folder`."""
    return Where(str(folder), is_shared=False)


def at_a_server() -> Where:
    """An engine in a database of its own."""
    return Where(postgres().migrated().url(Roles().application), is_shared=True)


def until(what: Any, wanted: object) -> None:  # noqa: ANN401 - asked again and again
    """Wait until `what()` is `wanted`."""
    ends = time.monotonic() + WITHIN
    while (found := what()) != wanted:
        assert time.monotonic() < ends, f"{found!r} is not {wanted!r}"
        time.sleep(0.05)
