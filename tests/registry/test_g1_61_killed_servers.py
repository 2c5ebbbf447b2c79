"""The server is killed under 64 callers in 8 processes: dense, nothing lost, nobody is lied to."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealift_registry.audit.newest_checkpoint import NewestCheckpoint
from sealift_registry.audit.reading import LogReader
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.transparency.question import Question
from tests.logs import ORIGIN, number_of
from tests.registry.test_log_concurrency import KEY, SECRET
from tests.servers.postgres import PostgresServer, starting

APART = 1_000_000
"""Between the first numbers of two processes."""
PATIENCE = 60.0
"""Seconds until the processes have begun, or gone on after a kill."""


class Callers:
    """A process with callers, and what they were told so far."""

    def __init__(self, url: str, home: Path, first: int, threads: int) -> None:
        home.mkdir(exist_ok=True)
        words = [url, SECRET.hex(), str(home), str(first), str(threads)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.registry.told_process", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told: list[tuple[int, str, str]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            number, how, what = line.split()
            self.told.append((int(number), how, what))

    def done(self) -> int:
        return sum(how == "done" for _, how, _ in list(self.told))

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._reader.join(3 * PATIENCE)
        assert self.process.wait(PATIENCE) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def calling(url: str, folder: Path, processes: int, threads: int) -> Iterator[list[Callers]]:
    """Two processes in each home."""
    found = [Callers(url, folder / f"home-{n // 2}", n * APART, threads) for n in range(processes)]
    try:
        yield found
    finally:
        for one in found:
            if one.process.poll() is None and sys.exc_info()[0] is not None:
                one.process.kill()
            one.end()


def all_go_on(callers: Sequence[Callers]) -> None:
    """Wait until each process has committed more than it has now."""
    before, until = [one.done() for one in callers], time.monotonic() + PATIENCE
    while any(one.done() <= was for one, was in zip(callers, before, strict=True)):
        assert time.monotonic() < until, "a process did not go on by itself"
        assert all(one.process.poll() is None for one in callers)
        time.sleep(0.02)


def killed_and_started(server: PostgresServer, drawn: random.Random) -> None:
    time.sleep(drawn.uniform(0, 0.3))
    server.kill()
    time.sleep(drawn.uniform(0, 0.5))
    server.start()


def check(url: str, callers: Sequence[Callers], folder: Path) -> None:
    """All that was told is so, and the log is one."""
    database = PostgresDatabase(url)
    reader = LogReader(database)
    verdict = reader.fsck(KEY, ORIGIN)
    assert verdict.findings == ()
    rows = reader.page(Question(), limit=1_000_000, newest_first=False)
    assert [row.seq for row in rows] == list(range(verdict.size))
    found = {number_of(row): row for row in rows}
    assert len(found) == verdict.size
    told = [one for each in callers for one in each.told]
    for number, how, what in told:
        if how == "done":
            assert found[number].seq == int(what)
        elif how == "not":
            assert number not in found, f"{number} was said not to have happened ({what})"
    assert sum(how == "done" for _, how, _ in told) > 0
    assert set(found) <= {number for number, _, _ in told}, "somebody got no answer"
    for home in folder.glob("home-*"):
        kept = NewestCheckpoint(home / "newest-checkpoint").newest(KEY, ORIGIN, tuple)
        assert kept is not None
        assert reader.checkpoint(kept.said.size).root == kept.said.root
    database.close()


def run(folder: Path, processes: int, threads: int, kills: int, seed: int) -> None:
    with starting(fsync=True) as server:
        url = server.migrated().url("sealift_app")
        drawn = random.Random(seed)  # noqa: S311 - not for a key
        with calling(url, folder, processes, threads) as callers:
            all_go_on(callers)
            for _ in range(kills):
                killed_and_started(server, drawn)
                all_go_on(callers)
        check(url, callers, folder)


@pytest.mark.parametrize("seed", [1])
def test_g1_61_64_callers_in_8_processes_and_five_kills(tmp_path: Path, seed: int) -> None:
    run(tmp_path, 8, 8, 5, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_g1_61_many_kills_at_any_moment(tmp_path: Path, seed: int) -> None:
    run(tmp_path, 2, 8, 25, seed)
