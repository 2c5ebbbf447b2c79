"""`sealift worker`, killed with its job at the one point that the environment names.

`KILLED_AT` is a step and a moment of it: `asked`, `made` (and told to nobody), `recorded`; or, of
the whole job, `ending` (its result is known to the worker alone) and `ended`. Run with no words it
is the process of a job.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sealift_registry import job_attempt, job_process
from sealift_registry.jobs import records
from sealift_registry.jobs.steps import Made

VARIABLE = "KILLED_AT"


def reach(step: str, moment: str, *others: int) -> None:
    """Kill this process, and others before, if this is the point."""
    if os.environ.get(VARIABLE) == f"{step} {moment}":
        for pid in (*others, os.getpid()):
            os.kill(pid, signal.SIGKILL)


class KilledSteps(job_process.PipedSteps):
    """The real ones, of a process that may not live through them."""

    def step(self, name: str, make: Callable[[], Made], *, of: str = "") -> Made:
        def made() -> Made:
            reach(name, "asked", os.getppid())
            said = make()
            reach(name, "made", os.getppid())
            return said

        said = super().step(name, made, of=of)
        reach(name, "recorded", os.getppid())
        return said


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
    if len(sys.argv) > 1:
        work()
    job_process.PipedSteps = KilledSteps  # type: ignore[misc]
    job_process.main()
