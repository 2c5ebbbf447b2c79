"""What workers and their engine leave in a home, for who looks at jobs: rows, and held locks."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sealift_registry.jobs.engine import Standing
from sealift_registry.jobs.job import Job
from sealift_registry.storage.host import Host
from sealift_signing import locks

_TABLES = """
CREATE TABLE IF NOT EXISTS workflow_status
(workflow_uuid TEXT PRIMARY KEY, status TEXT, executor_id TEXT);
CREATE TABLE IF NOT EXISTS sealift_worker
(name TEXT PRIMARY KEY, host TEXT, host_name TEXT, queues TEXT, software TEXT, seen BIGINT);
CREATE TABLE IF NOT EXISTS sealift_standing (key TEXT PRIMARY KEY, body TEXT);
"""
_HOLDS = """
import sys
from pathlib import Path
from sealift_signing import locks
held = locks.take(Path(sys.argv[1]), "a worker")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass
class Workplace:
    """The engine's file and the locks of workers, in the home at `root`."""

    root: Path
    held: list[tuple[Path, BinaryIO]] = field(default_factory=list)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def worker(self, name: str, here: Host, *queues: str, own_process: bool = False) -> None:
        """A worker that lives, in this process or in one of its own."""
        row = (name, here.id, here.name, json.dumps(queues), "0.0.9", 1_800_000_000_000)
        self._run("INSERT INTO sealift_worker VALUES (?, ?, ?, ?, ?, ?)", *row)
        path = self.root / "run" / f"{name}.lock"
        if own_process:
            self.processes.append(_holding(path))
            return
        file = locks.take(path, "a worker")
        assert file is not None
        self.held.append((path, file))

    def takes(self, job: Job, worker: str) -> None:
        """A worker takes a job."""
        self._run("DELETE FROM workflow_status WHERE workflow_uuid = ?", job.order.key)
        row = (job.order.key, "PENDING", worker)
        self._run("INSERT INTO workflow_status VALUES (?, ?, ?)", *row)

    def tells(self, job: Job, standing: Standing) -> None:
        """Whoever works says how far it is."""
        self._run("DELETE FROM sealift_standing WHERE key = ?", job.order.key)
        row = (job.order.key, json.dumps(vars(standing)))
        self._run("INSERT INTO sealift_standing VALUES (?, ?)", *row)

    def dies(self) -> None:
        """Every worker ends, without a word."""
        while self.held:
            locks.let_go(*self.held.pop())
        while self.processes:
            process = self.processes.pop()
            process.kill()
            process.communicate()

    def _run(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.root / "jobs.db")) as file, file:
            file.executescript(_TABLES)
            file.execute(statement, values)


def _holding(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _HOLDS, str(path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
