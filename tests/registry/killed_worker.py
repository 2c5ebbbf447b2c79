"""`sealift worker` as the environment tells it to be: killed, held, elsewhere, of another release.

`KILLED_AT` is a step and a moment of it: `asked`, `made` (and told to nobody), `recorded`; or, of
the whole job, `ending` (its result is known to the worker alone) and `ended`. There it is killed,
with its job. `HELD_AT` is such a point, too: there the process notes its number in the folder
`HELD_IN`, and waits until a file `go` is there. Run with no words it is the process of a job.

`HOST_NAME` is how its machine is called, `CLOCK` by how many seconds its clock is wrong, `LEASE`
how many seconds it may say nothing at a server. `RELEASE` is which release of Sealift it is: one
before this, whose steps and whose application have other names.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sealift_registry import job_attempt, job_process
from sealift_registry.audit.writer import AuditLog, utc_now
from sealift_registry.jobs import records
from sealift_registry.jobs.steps import Made
from sealift_registry.storage import host
from sealift_registry.trust import founding

VARIABLE, HELD, FOLDER = "KILLED_AT", "HELD_AT", "HELD_IN"
HOST, CLOCK, LEASE, RELEASE = "HOST_NAME", "CLOCK", "LEASE", "RELEASE"
PATIENCE = 120.0


def reach(step: str, moment: str, *others: int) -> None:
    """Kill this process, and others before, if this is the point; or hold it."""
    if os.environ.get(VARIABLE) == f"{step} {moment}":
        for pid in (*others, os.getpid()):
            os.kill(pid, signal.SIGKILL)
    if os.environ.get(HELD) == f"{step} {moment}":
        hold(Path(os.environ[FOLDER]))


def hold(folder: Path) -> None:
    """Wait until it is told to go on."""
    part = folder / f"{os.getpid()}.part"
    part.write_text(str(os.getpid()))
    part.rename(folder / "held")
    until = time.monotonic() + PATIENCE
    while not (folder / "go").exists():
        assert time.monotonic() < until
        time.sleep(0.02)


class KilledSteps(job_process.PipedSteps):
    """The real ones, of a process that may not live through them."""

    def step(self, name: str, make: Callable[[], Made], *, of: str = "") -> Made:
        def made() -> Made:
            reach(name, "asked", os.getppid())
            said = make()
            reach(name, "made", os.getppid())
            return said

        release = os.environ.get(RELEASE)
        said = super().step(f"{release} {name}" if release else name, made, of=of)
        reach(name, "recorded", os.getppid())
        return said

    def progress(self, subject: str, done: int, total: int) -> None:
        super().progress(subject, done, total)
        if done:
            reach(subject, "under way", os.getppid())


def be_odd() -> None:
    """Be on another host, of another release, by another clock."""
    environment = os.environ
    if HOST in environment:
        host.this_name = lambda: environment[HOST]
    if CLOCK in environment:
        off, real = float(environment[CLOCK]), time.time
        time.time = lambda: real() + off
        clock = partial(_shifted, timedelta(seconds=off))
        vars(founding)["AuditLog"] = partial(AuditLog, clock=clock)
    if LEASE in environment:
        from sealift_registry.jobs import dbos_shared

        dbos_shared.shared = partial(dbos_shared.shared, lease=float(environment[LEASE]))
    if RELEASE in environment:
        be_of(environment[RELEASE])


def _shifted(off: timedelta) -> datetime:
    return utc_now() + off


def be_of(release: str) -> None:
    """Be of a release that calls itself and its application otherwise."""
    from sealift_registry.jobs import dbos_engine, dbos_place, dbos_work

    for module in (dbos_place, dbos_engine, dbos_work):
        vars(module)["NAME"] = f"sealift-{release}".replace(".", "-")
    for module in (records, dbos_engine):
        vars(module)["package_version"] = lambda _name: release


def work() -> None:
    """Be `sealift worker`, whose jobs have this module as their process."""
    from sealift_registry.cli.run import run

    begin, finish = job_attempt.Attempts.__init__, records.finish

    def began(self: job_attempt.Attempts, *given: Any, **more: Any) -> None:  # noqa: ANN401 - as it is
        begin(self, *given, **{**more, "module": "tests.registry.killed_worker"})

    def finished(*given: Any, **more: Any) -> object:  # noqa: ANN401 - as it is
        reach("job", "ending")
        end = finish(*given, **more)
        reach("job", "ended")
        return end

    job_attempt.Attempts.__init__ = began  # type: ignore[method-assign]
    records.finish = finished  # type: ignore[assignment]
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    be_odd()
    if len(sys.argv) > 1:
        work()
    job_process.PipedSteps = KilledSteps  # type: ignore[misc]
    job_process.main()
