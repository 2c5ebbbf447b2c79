"""Two hundred small conversions as jobs, done by one worker and by two; and the memory of each.

Every job builds a variant of another version of a model that is next to nothing, so that what is
measured is what a job costs beside its work: a process, a hub that is opened, its steps and its
end. A worker is the command that people start, and is measured while it works.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from sealift_registry import kinds
from sealift_registry.app import open_app
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.jobs import records
from sealift_registry.trust import founding
from sealift_registry.trust.hub import Hub
from tests import models
from tests.benchmarks.figures import Absent, Claim, Figure, Line
from tests.benchmarks.organisations import BIN
from tests.benchmarks.racing import FailedError, tell
from tests.forked_workers import forked_workers
from tests.registry.hub_fixture import (
    MODEL,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
    secrets,
    taken_in,
    version,
)

JOBS, QUICK_JOBS = 200, 12
TOGETHER = 1.7
"""Times as many a second by two workers as by one, at least."""
FLAT = 1.1
"""Times the memory at the end that a worker had after its first jobs, at most."""
PAUSE = 0.2
MIB = 1024 * 1024
LONGEST = 3 * 60 * 60.0


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """One worker, and then two, on copies of one hub."""
    if find_spec("dbos") is None:
        yield Absent("jobs", "what keeps them is not installed: sealift-registry[jobs]")
        return
    count = QUICK_JOBS if quick else JOBS
    tell(f"a hub with {count} versions")
    made = _hub(folder / "made", count)
    rates = []
    for workers in (1, 2):
        tell(f"{count} jobs by {workers} worker{'s' * (workers > 1)}")
        copy = folder / f"with-{workers}"
        shutil.copytree(made, copy)
        took, memory = _work(copy, count, workers)
        rates.append(count / took)
        yield _figure(f"conversions as jobs, {workers} at a time", count, took)
        for number, each in enumerate(memory, 1):
            what = f"memory of worker {number} of {workers}"
            early, late = median(each[: len(each) // 3]), median(each[-len(each) // 3 :])
            yield Claim("", what, late / MIB, "MB", low=min(each) / MIB, high=max(each) / MIB)
            yield Claim(
                "", f"{what}: at the end, against the beginning", late / early, "x", most=FLAT
            )
        shutil.rmtree(copy)
    yield Claim("", "two workers beside one", rates[1] / rates[0], "x", aim=TOGETHER)


def _figure(name: str, count: int, took: float) -> Figure:
    each = round(1000 * took / count, 3)
    return Figure(name, count, round(count / took, 2), each, each, each)


def _hub(folder: Path, count: int) -> Path:
    """A hub with so many versions, and goldens for them."""
    folder.mkdir()
    acme = Acme(folder)
    founding.found(acme.root, "Acme", folder / "offline", secrets(), {}).close()
    for person in STEWARDS:
        acme.new_key(person)
    with forked_workers():
        acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
        goldens = models.tiny_goldens(folder / "goldens.npz", 1)
        for seed in range(1, count + 1):
            source = OnnxSource(models.tiny_onnx(folder / "tiny.onnx", seed))
            taken_in(acme.app, source, ModelRef.parse(MODEL), goldens)
    acme.close()
    return folder


def _work(folder: Path, count: int, workers: int) -> tuple[float, list[list[int]]]:
    """Ask for all, and have them done: the seconds that took, and what each worker took up."""
    root = folder / "hub"
    with closing(open_app(root, {})) as app:
        for number in range(1, count + 1):
            asked = kinds.ConvertArguments(str(version(number)), TARGET)
            records.ask(app.hub, kinds.convert_wanted(app, asked), "tester")
    command = [str(BIN / "sealift"), "--home", str(root), "worker", "--once"]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("SEALIFT_")}
    with (folder / "said").open("wb") as said:
        began = time.perf_counter()
        started = [
            subprocess.Popen(command, stdout=said, stderr=said, env=environment)
            for _ in range(workers)
        ]
        try:
            memory = _watched(started, began)
        finally:
            for one in started:
                one.kill()
                one.wait()
    took = time.perf_counter() - began
    with closing(open_app(root, {})) as app:
        _check_done(app.hub, count, folder / "said")
    return took, memory


def _watched(started: Sequence[subprocess.Popen[bytes]], began: float) -> list[list[int]]:
    """The resident bytes of each process, from time to time until all have ended."""
    seen: list[list[int]] = [[] for _ in started]
    while any(one.poll() is None for one in started):
        if time.perf_counter() - began > LONGEST:
            msg = "the workers did not end"
            raise FailedError(msg)
        for one, each in zip(started, seen, strict=True):
            if one.poll() is None:
                each.extend(_resident(one.pid))
        time.sleep(PAUSE)
    return seen


def _resident(pid: int) -> list[int]:
    """What a process takes up now; nothing of one that has just ended (proc(5))."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return []
    return [pages * os.sysconf("SC_PAGESIZE")] if pages else []


def _check_done(hub: Hub, count: int, said: Path) -> None:
    with hub.reading() as connection:
        ends = [records.end(connection, number) for number in range(1, count + 1)]
    done = sum(1 for one in ends if one is not None and one.outcome == "done")
    if done != count:
        msg = f"{done} of {count} jobs were done: {said.read_text()[-2000:]}"
        raise FailedError(msg)
