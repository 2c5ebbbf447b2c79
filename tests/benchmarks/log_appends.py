"""Appends through the hub's writer: whole actions, and entries that come with no rows.

Callers are threads that call again as soon as they are answered: one, eight and sixty-four of one
process, and eight of each of eight processes, which share the log through its lock.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.benchmarks.figures import Absent, Claim, Figure, Line, Measured, Timing, figure, shares
from tests.benchmarks.log_appends_process import ALONE, WHOLE, called, work
from tests.benchmarks.machine import FLUSHES, flushes
from tests.benchmarks.racing import FailedError, tell
from tests.logs import KEY, ORIGIN, SIGNER, HubSide

SECONDS, QUICK_SECONDS = 5.0, 0.5
CALLERS = (1, 8, 64)
PROCESSES, CALLERS_EACH = 8, 8
LEAST = {WHOLE: 1_000.0, ALONE: 2_000.0}
"""A second, with 64 callers of one process."""
MOST_MS = 100.0
"""Milliseconds that 99 of 100 of those whole actions take at most."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system without a disk, for a folder of our own
ROOT = Path(__file__).parents[2]


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """The disk's own flush first: no single caller can be faster than that."""
    seconds = QUICK_SECONDS if quick else SECONDS
    flush = flushes(folder, FLUSHES)
    yield flush
    with closing(_hub(folder)) as hub:
        for kind in (WHOLE, ALONE):
            for callers in CALLERS:
                found, used = _one_process(hub, kind, callers, seconds, flush)
                yield found
                if callers == max(CALLERS):
                    yield used
                    yield from _claims(kind, found)
            yield processes(str(folder), kind, seconds)
        _check(hub)
    yield from _without_a_disk(seconds)


def _hub(folder: Path) -> HubSide:
    hub = HubSide(folder)
    with hub.engine.begin() as connection:
        work.create(connection)
    return hub


def _one_process(
    hub: HubSide, kind: str, callers: int, seconds: float, flush: Figure
) -> tuple[Figure, Measured]:
    """The calls' figure; and what of the time Python took and what the disk."""
    tell(f"{kind}, {callers} callers")
    before = _commits(hub)
    wall, cpu = time.perf_counter(), time.process_time()
    took = called(hub.log, kind, callers, seconds)
    timing = Timing(time.perf_counter() - wall, time.process_time() - cpu)
    flushed = Timing((_commits(hub) - before) / flush.per_second, 0.0)
    label = f"{kind}, {'1 caller' if callers == 1 else f'{callers} callers'}"
    used = Measured(label, 0, (timing,))
    disk = Measured("flushes", 0, (flushed,), control=True)
    used = replace(used, shares=shares(used, {}, {}, {"disk": disk}))
    return figure(label, took, timing.wall), used


def _commits(hub: HubSide) -> int:
    with hub.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT COUNT(*) FROM log_checkpoint").scalar_one()
    return int(count)


def _claims(kind: str, found: Figure) -> Iterator[Claim]:
    yield Claim("6", f"{found.name}, a second", found.per_second, "/s", least=LEAST[kind])
    if kind == WHOLE:
        yield Claim("6", f"{found.name}, p99", found.p99_ms, "ms", most=MOST_MS)


def processes(where: str, kind: str, seconds: float, home: str = "") -> Figure:
    """Of several processes, which share the log that is in the folder, or at the URL, `where`."""
    tell(f"{kind}, {PROCESSES} processes")
    secret = SIGNER._private_key
    if not isinstance(secret, Ed25519PrivateKey):
        raise TypeError(secret)
    key = secret.private_bytes_raw().hex()
    module = "tests.benchmarks.log_appends_process"
    command = [sys.executable, "-m", module, where, key, kind, str(CALLERS_EACH)]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, str(seconds), *([home] if home else [])],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            for _ in range(PROCESSES)
        ]
        for process in running:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise FailedError(f"{module} did not begin")
        for process in running:
            if process.stdin is not None:
                process.stdin.write("go\n")
                process.stdin.flush()
        outputs = [process.communicate()[0] for process in running]
    took = [each for output in outputs for each in json.loads(output)]
    # Each stops by itself after so long; until all have said what they measured takes longer.
    return figure(f"{kind}, {PROCESSES} processes of {CALLERS_EACH} callers", took, seconds)


def _check(hub: HubSide) -> None:
    """A fast log that is not whole is no log."""
    verdict = hub.reader.verify(KEY, ORIGIN)
    if not verdict.ok:
        raise AssertionError(verdict.findings)


def _without_a_disk(seconds: float) -> Iterator[Line]:
    """The control: the same where a flush takes no time, so that only Python is left."""
    if not MEMORY.is_dir():
        yield Absent("appends in memory", f"there is no {MEMORY}")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, closing(_hub(Path(folder))) as hub:
        for kind in (WHOLE, ALONE):
            tell(f"{kind}, in memory")
            started = time.perf_counter()
            took = called(hub.log, kind, max(CALLERS), seconds)
            label = f"({kind}, {max(CALLERS)} callers, in memory)"
            yield figure(label, took, time.perf_counter() - started)
