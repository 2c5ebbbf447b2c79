"""Errors as they are kept: why an attempt failed, or a job ended without a result."""

from __future__ import annotations

from sealift_registry.jobs import elsewhere
from sealift_registry.jobs.job import MOST_ATTEMPTS, Attempt, Problem, job_id
from sealift_signing.errors import FailedError, SealiftError

NO_FAULT = frozenset({"worker-ended", "job-rewound", "job-put-off", elsewhere.WAITS})
"""Codes of setbacks that are no fault of the job's, and cost no attempt."""


def problem_of(bad: SealiftError, *, final: bool) -> Problem:
    """An error as it is kept."""
    return Problem(bad.code, bad.what, bad.subject, bad.advice, final, bad.exit_code)


def died_each_time(number: int) -> Problem:
    """What to say of a job whose attempts all ended, the last one without a word."""
    name = job_id(number)
    return Problem(
        code="job-set-aside",
        what=f"By what workers noted it was begun {MOST_ATTEMPTS} times, and the process at work "
        "at it ended without an answer.",
        subject=name,
        next="Look into the log files of the workers: memory that ran out is the usual reason. "
        f"Then: sealift job retry {name}",
        final=True,
    )


def worker_ended(attempt: Attempt) -> Problem:
    """What to say where a worker was ended during an attempt."""
    name = job_id(attempt.job)
    bad = FailedError(
        "worker-ended",
        f"The worker on {attempt.host_name} that was at {name} was ended.",
        subject=name,
        next_step="Nothing is lost: the next worker goes on.",
    )
    return problem_of(bad, final=False)


def rewound(attempt: Attempt) -> Problem:
    """What to say where an attempt found the finished steps of other software."""
    name = job_id(attempt.job)
    bad = FailedError(
        "job-rewound",
        f"{name} was begun by other software, or from what has changed since.",
        subject=name,
        next_step="Nothing is lost: it is done from the start.",
    )
    return problem_of(bad, final=False)


def put_off(attempt: Attempt, why: Problem) -> Problem:
    """What to say where a hub could not be opened, or took nothing, whatever was asked for."""
    name = job_id(attempt.job)
    bad = FailedError(
        "job-put-off", f"{name} was put off: {why.what}", subject=name, next_step=why.next
    )
    return problem_of(bad, final=False)
