"""Errors as they are kept: why an attempt failed, or a job ended without a result."""

from __future__ import annotations

from sealift_registry.jobs.job import MOST_ATTEMPTS, Problem, job_id
from sealift_signing.errors import SealiftError


def problem_of(bad: SealiftError, *, final: bool) -> Problem:
    """An error as it is kept."""
    return Problem(bad.code, bad.what, bad.subject, bad.advice, final, bad.exit_code)


def died_each_time(number: int) -> Problem:
    """What to say of a job whose attempts all ended, the last one without a word."""
    name = job_id(number)
    return Problem(
        code="job-set-aside",
        what=f"It was begun {MOST_ATTEMPTS} times, and the process at work at it ended without an "
        "answer.",
        subject=name,
        next="Look into the log files of the workers: memory that ran out is the usual reason. "
        f"Then: sealift job retry {name}",
        final=True,
    )
