"""Run by tests as a process of its own: a worker of an engine, whose jobs do what they are told to.

python -m tests.registry.engine_process '{"place": …}'

It says what happens, a line each. A line `go` lets a step that is held go on. It ends when there is
nobody to give it lines.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from sealift_registry.jobs.dbos_embedded import embedded
from sealift_registry.jobs.dbos_engine import DbosEngine
from sealift_registry.jobs.dbos_place import Place
from sealift_registry.jobs.dbos_shared import shared
from sealift_registry.jobs.engine import Recorder, StoppedError, TakenError
from sealift_registry.jobs.steps import Made
from sealift_registry.storage.host import Host
from sealift_registry.storage.postgresql import PostgresDatabase


def say(*words: str) -> None:
    """In one piece: several threads do."""
    os.write(1, (" ".join(words) + "\n").encode())


def place_of(where: str, lease: float) -> Place:
    if where.startswith("postgresql:"):
        return shared(PostgresDatabase(where), lease)
    return embedded(Path(where))


class Told:
    """Jobs whose steps are told to hold, or to stop."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.goes = threading.Event()

    def body(self, key: str, recorder: Recorder) -> None:
        say("begin", key)
        try:
            for name in self.told["steps"]:
                recorder.step(name, partial(self.made, key, name))
            if self.told["after"]:
                say("after", key)
                self.goes.wait()
        except StoppedError as bad:
            say("taken" if isinstance(bad, TakenError) else "stopped", key)
            raise
        say("done", key)

    def made(self, key: str, name: str) -> Made:
        say("step", key, name)
        if name == self.told["stops"]:
            raise StoppedError
        if name == self.told["holds"]:
            say("held", key, name)
            self.goes.wait()
        return {"by": os.getpid(), "step": name}


def watched(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        say("net", event, repr(arguments[1:]))


def main(told: dict[str, Any]) -> None:
    sys.addaudithook(watched)
    if told["clock"]:  # this process believes that it is another time
        real = time.time
        time.time = lambda: real() + told["clock"]
    engine = DbosEngine(place_of(told["place"], told["lease"]), Host(told["host"], "a host"))
    jobs = Told(told)
    engine.work(told["queues"], told["slots"], jobs.body)
    say("works")
    threading.Thread(target=beating, args=(engine, told["beats"]), daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "go":
            jobs.goes.set()
    os._exit(0)


def beating(engine: DbosEngine, seconds: float) -> None:
    while True:
        try:
            for key in engine.beat():
                say("back", key)
        except Exception as bad:  # noqa: BLE001 - it is told
            say("silent", type(bad).__name__)
        time.sleep(seconds)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
